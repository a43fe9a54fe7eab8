"""What a worker process has for all its cells."""

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import moved_time
from benchmarks.faults.certificates import EXPIRED, GOOD, WRONG, Authority
from benchmarks.faults.dns import Lookup, own_name_server
from benchmarks.faults.tables import Upstream


@dataclass(frozen=True, slots=True)
class World:
    """What the main process has made for all workers."""

    http: str
    """moto's endpoint, for plain connections and for S3."""
    https: str
    """dynalite's, for what is asked over TLS: the fault server is what speaks it."""
    authority: Path
    in_namespace: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The real servers, certificates and, in a namespace, the names that fail."""

    plain: Upstream
    tls: Upstream
    contexts: dict[str, ssl.SSLContext]
    lookups: dict[str, Lookup] = field(default_factory=dict)

    def upstream(self, transport: str) -> Upstream:
        """Return the real table behind a kind of connection."""
        return self.tls if transport == "TLS" else self.plain


def prepare(world: World) -> State:
    """Make this process a worker: its time can be moved, and it trusts the authority."""
    authority = Authority(world.authority)
    os.environ |= {"SSL_CERT_FILE": str(authority.root), "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    moved_time.install()
    from edge_handler.aws.connection import tls_context  # noqa: PLC0415  # its clocks are bound now

    # What the edge would do itself when Amazon's roots do not certify a server, at the price of another connection.
    tls_context().load_default_certs()
    contexts = {kind: authority.context(kind) for kind in (GOOD, WRONG, EXPIRED)}
    lookups = own_name_server().lookups if world.in_namespace else {}
    return State(Upstream(world.http), Upstream(world.https), contexts, lookups)
