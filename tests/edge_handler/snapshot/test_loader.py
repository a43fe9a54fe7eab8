"""Loading a snapshot of which not everything can be had."""

from math import inf

import pytest

from edge_handler.errors import StorageUnreachable
from edge_handler.routes.destination import Destination
from edge_handler.routes.route import encode_route
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.loader import Loader
from edge_handler.snapshot.pointer import POINTER_KEY, Pointer, digest_of, encode_pointer
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_of, encode_block, encode_part, encode_row
from edge_handler.snapshot.snapshot import UNSURE
from tests.support import route

HOSTS = tuple(f"env-{number}.example" for number in range(40))
TABLE = "edge-routing-routes"
PARTS = 4
MISSING, DAMAGED = None, b"damaged"


class Objects(SnapshotBuckets):
    """A bucket in memory."""

    def __init__(self, objects: dict[str, bytes | None]) -> None:
        super().__init__(())
        self.objects = objects

    def read(self, key: str, deadline: float) -> bytes:
        found = self.objects.get(key)
        if found is None:
            raise StorageUnreachable("no bucket of the snapshot answers", 1)
        return found


def part_of(host: str) -> int:
    return block_of(host, PARTS * BLOCKS_OF_PART) // BLOCKS_OF_PART


@pytest.mark.parametrize("wrong", [MISSING, DAMAGED], ids=["missing", "damaged"])
@pytest.mark.parametrize("number", range(PARTS))
def test_a_part_that_cannot_be_had_keeps_no_other_from_being_loaded(number: int, wrong: bytes | None) -> None:
    blocks: list[list[tuple[str, bytes]]] = [[] for _ in range(PARTS * BLOCKS_OF_PART)]
    for host in HOSTS:
        blocks[block_of(host, len(blocks))].append((host, encode_row(encode_route(route(host)))))
    packed = [encode_block(block, b"") for block in blocks]
    parts = [encode_part(packed[at : at + BLOCKS_OF_PART]) for at in range(0, len(packed), BLOCKS_OF_PART)]
    pointer = Pointer(TABLE, "0" * 16, "2026-01-01T00:00:00.000000Z", b"", tuple(map(digest_of, parts)))
    objects: dict[str, bytes | None] = {pointer.key(at): part for at, part in enumerate(parts)}
    right = objects[pointer.key(number)]
    objects |= {POINTER_KEY: encode_pointer(pointer), pointer.key(number): wrong}
    bucket = Objects(objects)
    loader = Loader(bucket, TABLE, lambda work: work())
    loader.load(inf)
    loader.load_later()
    snapshot = loader.snapshot
    assert snapshot is not None
    assert [snapshot.missing] == [number]
    assert {part_of(host) for host in HOSTS} == {*range(PARTS)}
    for host in HOSTS:
        assert (snapshot.find(host) == UNSURE) is (part_of(host) == number)
    bucket.objects[pointer.key(number)] = right
    loader.load_later()
    assert [snapshot.missing] == [None]
    assert all(isinstance(snapshot.find(host), Destination) for host in HOSTS)


@pytest.mark.parametrize(
    "content",
    [
        encode_pointer(Pointer("another-table", "0" * 16, "2026-01-01T00:00:00.000000Z", b"", ("0" * 32,))),
        encode_pointer(Pointer(TABLE, "0" * 16, "9999-01-01T00:00:00.000000Z", b"", ("0" * 32,))),
        b"",
        None,
    ],
    ids=["another table's", "of the future", "damaged", "missing"],
)
def test_without_a_pointer_of_this_table_nothing_is_loaded(content: bytes | None) -> None:
    loader = Loader(Objects({POINTER_KEY: content}), TABLE, lambda work: work())
    loader.load(inf)
    loader.load_later()
    assert loader.snapshot is None
    assert not loader.is_busy
