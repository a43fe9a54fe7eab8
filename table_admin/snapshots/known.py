"""What the edge knows of a route without asking: the newest snapshot, and what the feed has said since."""

from dataclasses import dataclass
from datetime import datetime

from edge_handler.errors import BrokenSnapshot
from edge_handler.snapshot.pointer import Pointer
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_in, block_of, decode_row, find_in_block
from table_admin.errors import NoFeed, TableAdminError
from table_admin.feed import OVERLAP_SECONDS
from table_admin.inputs import iso
from table_admin.routing_table import RoutingTable
from table_admin.snapshots.places import Place, each, places_of
from table_admin.snapshots.stack import stack_buckets
from table_admin.tables import follow, revision_of


@dataclass(frozen=True, slots=True)
class KnownAtEdge:
    """What instances of the edge start from, as far as it is about one domain."""

    bucket: str
    epoch: str
    taken_at: str
    """ISO 8601, UTC, by DynamoDB's clock."""
    age: float
    """Seconds since then."""
    revision: int | None
    """Which the snapshot has of the row: None for none, 0 where it says that the row has to be read."""
    announced: int | None
    """The newest revision that the feed has announced since, and a minute before; None for none."""

    def __str__(self) -> str:
        has = "no row of it" if self.revision is None else f"revision {self.revision}"
        if self.revision == 0:
            has = "that the row has to be read"
        since = f"; announced since: revision {self.announced}" if self.announced is not None else ""
        return f"the snapshot of {self.age:,.0f} s ago (epoch {self.epoch}) has {has}{since}"


def known_at_edge(table: RoutingTable, domain: str) -> KnownAtEdge | None:
    """Return what the edge knows of a domain; None where the stack takes no snapshots, or has not taken one yet.

    Raises:
        TableAdminError: that cannot be read.
    """
    try:
        buckets = stack_buckets(table)
    except TableAdminError:
        return None
    failed = list[str]()
    stored = each(places_of(buckets, table.client), Place.read, failed)
    found = [(place, one.pointer) for place, one in stored.items() if one.pointer is not None]
    if not found and failed:
        raise TableAdminError(" ".join(failed))
    if not found:
        return None
    place, pointer = max(found, key=lambda one: one[1].taken_at)
    since = datetime.fromisoformat(pointer.taken_at).timestamp()
    announced = _announced(table, domain, iso(since - OVERLAP_SECONDS))  # its answer tells DynamoDB's time
    age = table.tables.clock.now() - since
    return KnownAtEdge(
        str(place.bucket), pointer.epoch, pointer.taken_at, age, _revision(place, pointer, domain), announced
    )


def _revision(place: Place, pointer: Pointer, domain: str) -> int | None:
    number = block_of(domain, pointer.blocks)
    digest = pointer.parts[number // BLOCKS_OF_PART]
    content = place.part(pointer.epoch, digest)
    if content is None:
        raise TableAdminError(
            f"The part {digest} of the snapshot is not in {place.bucket}; the next run puts it there."
        )
    try:
        text = find_in_block(block_in(content, number % BLOCKS_OF_PART), pointer.dictionary, domain)
        return None if text is None else revision_of(decode_row(domain, text)) if text else 0
    except BrokenSnapshot as error:
        raise TableAdminError(
            f"The part {digest} of the snapshot in {place.bucket} cannot be read: {error}."
        ) from error


def _announced(table: RoutingTable, domain: str, since: str) -> int | None:
    try:
        items = follow(lambda cursor: table.tables.announced(since, cursor))
        return max((revision_of(item) for item in items if item["domain"]["S"] == domain), default=None)
    except NoFeed:
        return None
