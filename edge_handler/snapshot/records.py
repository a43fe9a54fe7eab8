"""What of a row the feed and the snapshot carry, and how a snapshot holds it: records in blocks, blocks in parts.

A domain's CRC-32 says in which block it is, so that a look-up opens one block, and a changed row changes one part. A
record is two lengths, the domain, and the row's attributes as JSON; a block is compressed, with a dictionary that all
share: sixteen rows alone have little in common to save. Everything is length-prefixed, for a row may contain anything.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from edge_handler.errors import BrokenSnapshot
from edge_handler.routes.attributes import Item
from edge_handler.routes.destination import ATTRIBUTES

MAX_ROW_BYTES = 2_048
"""What is carried of a row; of a larger one, that it has to be read from the table."""
BLOCKS_OF_PART = 512
MAX_BLOCK_BYTES = 262_144
"""Of one block, opened: what is larger was not written by `encode_block`."""
MAX_PART_BYTES = 786_432
"""Of what the edge takes as one answer, three quarters."""
_OFFSET_BYTES = 4
_OFFSETS_BYTES = BLOCKS_OF_PART * _OFFSET_BYTES
_LENGTHS_BYTES = 3
"""Of a record's domain, one, and of its row, two. Big-endian; not by `struct`, which takes the start half a ms."""


def encode_row(item: Item) -> bytes:
    """Return what is carried of a row in DynamoDB's JSON: nothing of one that is too large."""
    found = {name: item[name] for name in ATTRIBUTES if name in item}
    if "rules" in found:
        from edge_handler.snapshot.carried_rules import pack_rules  # noqa: PLC0415  # an edge without rules starts without

        found["rules"] = pack_rules(found["rules"])
    if "canary" in found:
        found["canary"] = _without_target(found["canary"])
    # Sorted: DynamoDB keeps no order in a map, and the same row shall be the same bytes.
    text = json.dumps(found, separators=(",", ":"), sort_keys=True, default=str).encode()
    return text if len(text) <= MAX_ROW_BYTES else b""


def _without_target(canary: Any) -> Any:
    said = canary.get("M") if isinstance(canary, dict) else None
    if not isinstance(said, dict):
        return canary  # what is broken arrives broken
    return {"M": {name: value for name, value in said.items() if name != "target"}}


def decode_row(domain: str, text: bytes | str) -> Item:
    """Return the row as DynamoDB would have sent it, less what the edge does not need.

    Raises:
        BrokenSnapshot: it is none, or too large to have been carried.
    """
    try:
        item = json.loads(text) if 0 < len(text) <= MAX_ROW_BYTES else None
        if type(item) is not dict:
            raise TypeError("not a row")
    except (ValueError, TypeError, RecursionError) as error:
        raise BrokenSnapshot(f"what is carried of a row cannot be read: {error}"[:200]) from error
    if "rules" in item:
        from edge_handler.snapshot.carried_rules import unpack_rules  # noqa: PLC0415  # likewise

        item["rules"] = unpack_rules(item["rules"])
    item["domain"] = {"S": domain}
    return item


def block_of(domain: str, blocks: int) -> int:
    """Return the number of the block that a domain's record is in, if there is one. `blocks` is a power of two."""
    return zlib.crc32(domain.encode()) & (blocks - 1)


def encode_block(records: Iterable[tuple[str, bytes]], dictionary: bytes) -> bytes:
    """Return a block of domains, each with what is carried of its row; empty for none."""
    raw = b"".join(bytes((len(name),)) + len(text).to_bytes(2) + name + text for name, text in _by_name(records))
    if not raw:
        return b""
    # Without zlib's header and checksum: the part has a digest.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return packer.compress(raw) + packer.flush()


def _by_name(records: Iterable[tuple[str, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for domain, text in sorted(records):
        yield domain.encode(), text


def find_in_block(block: bytes, dictionary: bytes, domain: str) -> bytes | None:
    """Return what a block carries of a domain's row: empty where it has to be read, None where there is no row.

    Raises:
        BrokenSnapshot: it is no block.
    """
    wanted = domain.encode()
    for name, start, stop, raw in _records(block, dictionary):
        if name == wanted:
            return raw[start:stop]
    return None


def decode_block(block: bytes, dictionary: bytes) -> list[tuple[str, bytes]]:
    """Return all of a block. Raises BrokenSnapshot."""
    return [(name.decode(), raw[start:stop]) for name, start, stop, raw in _records(block, dictionary)]


def _records(block: bytes, dictionary: bytes) -> Iterator[tuple[bytes, int, int, bytes]]:
    if not block:
        return
    opened = zlib.decompressobj(-15, dictionary)
    try:
        raw = opened.decompress(block, MAX_BLOCK_BYTES)
    except zlib.error as error:
        raise BrokenSnapshot(f"a block cannot be opened: {error}") from error
    if not opened.eof or opened.unused_data:
        raise BrokenSnapshot("a block does not end where it should")
    at, end, head = 0, len(raw), _LENGTHS_BYTES
    while at < end:
        if end - at < head:
            raise BrokenSnapshot("a record is cut off")
        name = raw[at]
        start = at + head + name
        at = start + (raw[at + 1] << 8) + raw[at + 2]
        if at > end:
            raise BrokenSnapshot("a record is cut off")
        yield raw[start - name : start], start, at, raw


def encode_part(blocks: Sequence[bytes]) -> bytes:
    """Return BLOCKS_OF_PART blocks as one object: where each ends, and the blocks."""
    ends, at = [], _OFFSETS_BYTES
    for block in blocks:
        at += len(block)
        ends.append(at.to_bytes(_OFFSET_BYTES))
    return b"".join([*ends, *blocks])


def block_in(part: bytes, number: int) -> bytes:
    """Return a block of a part, without looking at the others. Raises BrokenSnapshot."""
    at = number * _OFFSET_BYTES
    start = int.from_bytes(part[at - _OFFSET_BYTES : at]) if number else _OFFSETS_BYTES
    end = int.from_bytes(part[at : at + _OFFSET_BYTES])
    if not _OFFSETS_BYTES <= start <= end <= len(part):
        raise BrokenSnapshot("a part is cut off")
    return part[start:end]


def decode_part(content: bytes) -> list[bytes]:
    """Return the blocks of a part. Raises BrokenSnapshot."""
    blocks = [block_in(content, number) for number in range(BLOCKS_OF_PART)]
    if len(content) != _OFFSETS_BYTES + sum(map(len, blocks)):
        raise BrokenSnapshot("a part does not end where it should")
    return blocks
