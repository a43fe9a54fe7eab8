"""Everything that is tried."""

from benchmarks.faults import budgets
from benchmarks.faults.contents import CONTENTS
from benchmarks.faults.dns import LOOKUPS
from benchmarks.faults.fault import Clocks, Fault
from benchmarks.faults.feed import FEED_FAULTS
from benchmarks.faults.framing import FRAMING
from benchmarks.faults.network import NETWORK
from benchmarks.faults.snapshot import SNAPSHOT_FAULTS

_HOUR, _DAY = 3600.0, 86400.0
_KNOWN = ("known",)

_FAILING = next(fault for fault in CONTENTS if fault.name == "500 always")
CLOCKS = [
    Fault("clock: an hour back after a failed read", _FAILING.manners, clocks=Clocks(step=-_HOUR)),
    Fault("clock: an hour on after a failed read", _FAILING.manners, clocks=Clocks(step=_HOUR)),
    Fault("clock: an hour back while fresh", truthful=True, hosts=_KNOWN, clocks=Clocks(step=-_HOUR, fresh=True)),
    Fault(
        "clock: a day ahead at the start, then corrected",
        truthful=True,
        hosts=_KNOWN,
        clocks=Clocks(ahead=_DAY, step=-_DAY, fresh=True),
    ),
]
DNS = [
    Fault(name, truthful=True, lookup=lookup, recovery=budgets.WELL_SECONDS + lookup.outlasts)
    for name, lookup in LOOKUPS.items()
]
TABLE_FAULTS = [*NETWORK, *FRAMING, *CONTENTS, *CLOCKS]
S3_FAULTS = [fault for fault in TABLE_FAULTS if fault.s3]
FAULTS = {fault.name: fault for fault in [*TABLE_FAULTS, *DNS]}
FOLLOWED = {
    "feed": {fault.name: fault for fault in FEED_FAULTS},
    "snapshot": {fault.name: fault for fault in SNAPSHOT_FAULTS},
}
"""By service; names of the table's faults may be among them."""
