"""Which row is in which part, and a part's content: a row that changes changes one part, and no other.

A part has a fingerprint of what goes into it: to know that a part is what it was it need not be compressed.
"""

import hashlib
import heapq
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_handler.snapshot.pointer import MOST_PARTS, Pointer
from edge_handler.snapshot.records import (
    BLOCKS_OF_PART,
    MAX_BLOCK_BYTES,
    MAX_PART_BYTES,
    block_of,
    encode_block,
    encode_part,
)
from table_admin.errors import TableAdminError

Record = tuple[str, bytes]
"""A domain, and what is carried of its row."""
MAX_DOMAIN_BYTES = 255
ROWS_OF_BLOCK = 16
_KEPT_BETWEEN = (4, 24)
"""Rows a block, between which the number of blocks stays what it is."""
_SAMPLED_ROWS = 12
_SAMPLED_BYTES = 4_096
_RECORD_BYTES = 3
"""Of a record, besides the domain and the row."""


class PartTooLarge(Exception):
    """It has to be twice as many blocks."""


@dataclass(frozen=True, slots=True)
class Partition:
    """All rows, each in its part."""

    dictionary: bytes
    parts: Sequence[Sequence[Record]]
    """Their number is a power of two."""
    fingerprints: Sequence[str]
    """Of each part, what stands for all that its content is made of."""

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.parts) * BLOCKS_OF_PART

    def content(self, part: int) -> bytes:
        """Return a part's object. Raises PartTooLarge, and TableAdminError where no number of blocks would help."""
        blocks: list[list[Record]] = [[] for _ in range(BLOCKS_OF_PART)]
        for record in self.parts[part]:
            blocks[block_of(record[0], self.blocks) % BLOCKS_OF_PART].append(record)
        content = encode_part([encode_block(_bounded(block), self.dictionary) for block in blocks])
        if len(content) > MAX_PART_BYTES:
            raise PartTooLarge
        return content


def partition(rows: Mapping[str, bytes], blocks: int, dictionary: bytes) -> Partition:
    """Return rows in their parts. Raises TableAdminError where they are more than a snapshot holds."""
    if blocks > MOST_PARTS * BLOCKS_OF_PART:
        raise TableAdminError(f"A snapshot cannot hold so many routes: {len(rows):,}.")
    parts: list[list[Record]] = [[] for _ in range(blocks // BLOCKS_OF_PART)]
    for record in rows.items():
        parts[block_of(record[0], blocks) // BLOCKS_OF_PART].append(record)
    for part in parts:
        part.sort()
    return Partition(dictionary, parts, [_fingerprint(part, blocks, dictionary) for part in parts])


def _fingerprint(part: Sequence[Record], blocks: int, dictionary: bytes) -> str:
    found = hashlib.blake2b(b"%d %d " % (blocks, len(dictionary)), digest_size=16)
    found.update(dictionary)
    for domain, text in part:
        name = domain.encode()
        found.update(b"%d %d %b%b" % (len(name), len(text), name, text))
    return found.hexdigest()


def blocks_for(rows: int, before: Pointer | None) -> int:
    """Return the number of blocks for so many rows: what it was, as long as that will do."""
    least, most = _KEPT_BETWEEN
    if before is not None and least * before.blocks <= rows <= most * before.blocks:
        return before.blocks
    blocks = BLOCKS_OF_PART
    while rows > blocks * ROWS_OF_BLOCK:
        blocks *= 2
    return blocks


def dictionary_for(rows: Mapping[str, bytes], blocks: int, before: Pointer | None) -> bytes:
    """Return what all blocks are compressed with: what it was, as long as most parts would be the same with it."""
    if before is not None and before.blocks == blocks:
        # A table's first few rows say little of those that come.
        sampled = _sample(rows)
        return sampled if len(sampled) >= 2 * len(before.dictionary) else before.dictionary
    return _sample(rows)


def _sample(rows: Mapping[str, bytes]) -> bytes:
    """Return some rows one after the other, the same for the same rows."""
    found = b""
    for domain in heapq.nsmallest(_SAMPLED_ROWS, rows, key=lambda domain: (zlib.crc32(domain.encode()), domain)):
        text = domain.encode() + rows[domain]
        if len(found) + len(text) <= _SAMPLED_BYTES:
            found += text
    return found


def _bounded(block: Sequence[Record]) -> Sequence[Record]:
    """Return a block that a reader opens: its largest rows are to be read from the table where it would not."""
    sizes = [_RECORD_BYTES + len(domain.encode()) + len(text) for domain, text in block]
    excess = sum(sizes) - (MAX_BLOCK_BYTES - 1)
    if excess <= 0:
        return block
    bounded = [*block]
    for number in sorted(range(len(block)), key=lambda number: len(block[number][1]), reverse=True):
        domain, text = block[number]
        bounded[number] = (domain, b"")
        excess -= len(text)
        if excess <= 0:
            return bounded
    raise TableAdminError(f"Too many routes have names like {block[0][0]}: a snapshot cannot hold them.")
