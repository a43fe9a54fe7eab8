"""Tables, feed and snapshot of one sample: in the real server, and under a name of its own, for they are changed."""

import itertools
import json
import os
import time
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import boto3

from benchmarks.faults.snapshot import ANOTHER_STACKS, BOMB, DAMAGED, FORMER, ONE_DAMAGED, POINTER
from benchmarks.faults.tables import HOSTS, Upstream
from benchmarks.followed import EPOCH, iso
from benchmarks.rows import row
from edge_handler.feed.page import ALL_ROUTES, FEED
from edge_handler.routes.attributes import Item
from edge_handler.snapshot.pointer import Pointer, digest_of, encode_pointer, part_key
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_of, encode_block, encode_part, encode_row

NEW = "new.example"
"""A host whose row is made when the fault is there already: no snapshot has it."""
CHANGED = "-changed"
"""At the end of a target that was changed."""
_BOMB_BYTES = 1 << 24
_PARTS = 4
_BLOCKS = _PARTS * BLOCKS_OF_PART
_numbers = itertools.count()
_EVERYTHING = {"ProjectionType": "ALL"}


class Stack:
    """What there is of one stack."""

    def __init__(self, endpoint: str, *, with_wrong_objects: bool) -> None:
        """`endpoint` of the server that has everything; `with_wrong_objects`: which lie where none would be read."""
        self.name = f"stack-{os.getpid()}-{next(_numbers)}"
        self.table = f"{self.name}-routes"
        self.changed_at: dict[str, float] = {}
        """When hosts were changed, by the monotonic clock."""
        self.upstream = Upstream(endpoint, self.name, remembers=False)
        self._dynamodb, self._s3 = _clients(endpoint)
        self._rows: dict[str, Item] = {}
        self._with_wrong_objects = with_wrong_objects
        self._pointer = b""
        self._make_tables()
        self._s3.create_bucket(Bucket=self.name)
        self._rows |= {host: row(host) for host in HOSTS}
        puts = [{"PutRequest": {"Item": item}} for item in self._rows.values()]
        self._dynamodb.batch_write_item(RequestItems={self.table: puts})
        self.take_snapshot()

    def change(self, *hosts: str) -> None:
        """Let hosts have another target, and announce it."""
        for host in hosts:
            name, _, rest = host.partition(".")
            self._put(host, {**row(f"{name}{CHANGED}.{rest}", 2), "domain": {"S": host}})
            self._announce(host, 2, "put", encode_row(self._rows[host]).decode())
            self.changed_at[host] = time.monotonic()

    def add(self, host: str) -> None:
        """Make a row, and announce it."""
        self._put(host, row(host))
        self._announce(host, 1, "put", encode_row(self._rows[host]).decode())

    def announce_reload(self) -> None:
        """Say what an import says at its end."""
        self._announce(ALL_ROUTES, 1, "reload", "")

    def take_snapshot(self) -> None:
        """Write what the schedule writes."""
        taken_at = iso(time.time())
        right = _parts(_block(host, encode_row(item)) for host, item in self._rows.items())
        pointer = Pointer(self.table, EPOCH, taken_at, b"", self._write_parts(right))
        if self._with_wrong_objects:
            self._write_wrong(pointer, right)
        self._pointer = encode_pointer(pointer)
        self._write(POINTER[1:], self._pointer)
        beat = {"table": self.table, "epoch": EPOCH, "taken_at": taken_at}
        self._announce(ALL_ROUTES, 0, "snapshot", json.dumps(beat))

    def _write_wrong(self, pointer: Pointer, right: Sequence[bytes]) -> None:
        """Write what should not be believed."""
        wrong = _parts(_block(host, _anothers(host)) for host in HOSTS)
        whole = block_of(HOSTS[-1], _BLOCKS) // BLOCKS_OF_PART
        for number, content in enumerate(wrong):
            self._write(f"{DAMAGED[1:]}/{pointer.key(number)}", content)
            kept = right[number] if number == whole else content
            self._write(f"{ONE_DAMAGED[1:]}/{pointer.key(number)}", kept)
        anothers, bombs = self._write_parts(wrong), self._write_parts(_parts(map(_bomb, HOSTS)))
        for folder, said in (
            (DAMAGED, pointer._replace(parts=anothers, taken_at="tomorrow")),
            (ANOTHER_STACKS, pointer._replace(parts=anothers, table="another-routes")),
            (BOMB, pointer._replace(parts=bombs)),
        ):
            self._write(folder[1:] + POINTER, encode_pointer(said))
        self._write(FORMER[1:] + POINTER, self._pointer)

    def close(self) -> None:
        """Let the server forget its tables."""
        for kind in ("routes", "route-history"):
            self._dynamodb.delete_table(TableName=f"{self.name}-{kind}")

    def _make_tables(self) -> None:
        domain, revision, feed, at = (("domain", "S"), ("revision", "N"), ("feed", "S"), ("announced_at", "S"))
        self._make_table("routes", [domain])
        self._make_table("route-history", [domain, revision], [feed, at])

    def _make_table(self, kind: str, key: list[tuple[str, str]], feed: Iterable[tuple[str, str]] = ()) -> None:
        index = {"IndexName": "feed", "KeySchema": _schema(feed), "Projection": _EVERYTHING}
        self._dynamodb.create_table(
            TableName=f"{self.name}-{kind}",
            KeySchema=_schema(key),
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": of} for name, of in [*key, *feed]],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if feed else {}),
        )

    def _put(self, host: str, item: Item) -> None:
        self._rows[host] = item
        self._dynamodb.put_item(TableName=self.table, Item=item)

    def _announce(self, domain: str, revision: int, action: str, carried: str) -> None:
        said = {"domain": domain, "action": action, "feed": FEED, "announced_at": iso(time.time()), "edge": carried}
        item = {"revision": {"N": str(revision)}, **{name: {"S": value} for name, value in said.items() if value}}
        self._dynamodb.put_item(TableName=f"{self.name}-route-history", Item=item)

    def _write_parts(self, contents: Iterable[bytes]) -> tuple[str, ...]:
        digests = []
        for content in contents:
            digests.append(digest_of(content))
            self._write(part_key(EPOCH, digests[-1]), content)
        return tuple(digests)

    def _write(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self.name, Key=key, Body=content)


@cache
def _clients(endpoint: str) -> tuple[Any, Any]:
    region = "us-east-1"
    dynamodb = boto3.client("dynamodb", endpoint_url=endpoint, region_name=region)
    return dynamodb, boto3.client("s3", endpoint_url=endpoint, region_name=region)


def _schema(key: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for (name, _), kind in zip(key, ("HASH", "RANGE"), strict=False)]


def _anothers(host: str) -> bytes:
    """Return what is carried of another host's row."""
    return encode_row(row(HOSTS[(HOSTS.index(host) + 1) % len(HOSTS)], 99))


def _block(host: str, carried: bytes) -> tuple[int, bytes]:
    return block_of(host, _BLOCKS), encode_block([(host, carried)], b"")


@cache
def _bomb(host: str) -> tuple[int, bytes]:
    """Return a block that begins with a record, of another host's row, and goes on beyond all measure."""
    number, block = _block(host, _anothers(host))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return number, packer.compress(zlib.decompress(block, -15) + bytes(_BOMB_BYTES)) + packer.flush()


def _parts(blocks: Iterable[tuple[int, bytes]]) -> list[bytes]:
    found = dict(blocks)
    if len({number // BLOCKS_OF_PART for number in found}) < 2:
        raise ValueError("every host is in one part: with more of them, one can be damaged and another whole")
    every = [found.get(number, b"") for number in range(_BLOCKS)]
    return [encode_part(every[at : at + BLOCKS_OF_PART]) for at in range(0, _BLOCKS, BLOCKS_OF_PART)]
