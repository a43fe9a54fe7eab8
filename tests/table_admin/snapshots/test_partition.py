"""Every row is where a reader looks for it, and nothing else; a number of blocks stays as long as it will do."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.routes.route import encode_route
from edge_handler.snapshot.pointer import Pointer
from edge_handler.snapshot.records import (
    BLOCKS_OF_PART,
    MAX_BLOCK_BYTES,
    MAX_ROW_BYTES,
    block_of,
    decode_block,
    decode_part,
    encode_row,
    find_in_block,
)
from table_admin.errors import TableAdminError
from table_admin.snapshots import partition as module
from table_admin.snapshots.partition import Partition, PartTooLarge, blocks_for, dictionary_for, partition
from tests.support import route

DOMAINS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def pointer(parts: int, dictionary: bytes = b"") -> Pointer:
    return Pointer("t", "0" * 16, "2026-11-26T00:00:00Z", dictionary, ("0" * 32,) * parts)


def found(divided: Partition) -> dict[str, bytes]:
    records = [
        record
        for part in range(len(divided.parts))
        for block in decode_part(divided.content(part))
        for record in decode_block(block, divided.dictionary)
    ]
    assert len(dict(records)) == len(records)
    return dict(records)


def find(divided: Partition, domain: str) -> bytes | None:
    part, block = divmod(block_of(domain, divided.blocks), BLOCKS_OF_PART)
    return find_in_block(decode_part(divided.content(part))[block], divided.dictionary, domain)


@given(st.dictionaries(DOMAINS, st.binary(max_size=MAX_ROW_BYTES), max_size=60), st.integers(0, 3), DOMAINS)
def test_every_row_is_found_and_none_else(rows: dict[str, bytes], doubled: int, other: str) -> None:
    blocks = BLOCKS_OF_PART << doubled
    divided = partition(rows, blocks, dictionary_for(rows, blocks, None))
    assert found(divided) == rows
    assert {domain: find(divided, domain) for domain in rows} == rows
    assert find(divided, other) == rows.get(other)


@given(st.dictionaries(DOMAINS, st.binary(max_size=200), min_size=1, max_size=60), st.data())
def test_one_row_that_changes_changes_one_part(rows: dict[str, bytes], data: st.DataObject) -> None:
    blocks = 4 * BLOCKS_OF_PART
    before = partition(rows, blocks, b"dictionary")
    domain = data.draw(st.sampled_from(sorted(rows)))
    shuffled = dict(random.sample(sorted(rows.items()), len(rows))) | {domain: rows[domain] + b"x"}
    after = partition(shuffled, blocks, b"dictionary")
    changed = [one for one, other in zip(before.fingerprints, after.fingerprints, strict=True) if one != other]
    assert len(changed) == 1
    same = [number for number in range(4) if before.content(number) == after.content(number)]
    assert len(same) == 3


def test_a_fingerprint_is_anothers_where_the_content_is() -> None:
    rows = {"a.example.com": b"1", "b.example.com": b"2"}
    one = partition(rows, BLOCKS_OF_PART, b"")
    assert partition(rows, BLOCKS_OF_PART, b"a").fingerprints != one.fingerprints
    assert partition(rows, 2 * BLOCKS_OF_PART, b"").fingerprints[0] != one.fingerprints[0]
    moved = partition({"a.example.com": b"12", "b.example.com": b""}, BLOCKS_OF_PART, b"")
    assert moved.fingerprints != one.fingerprints
    assert (
        partition({"ab": b"c"}, BLOCKS_OF_PART, b"").fingerprints
        != partition({"a": b"bc"}, BLOCKS_OF_PART, b"").fingerprints
    )


@pytest.mark.parametrize(
    ("rows", "before", "blocks"),
    [
        (0, None, BLOCKS_OF_PART),
        (16 * BLOCKS_OF_PART, None, BLOCKS_OF_PART),
        (16 * BLOCKS_OF_PART + 1, None, 2 * BLOCKS_OF_PART),
        (1_000_000, None, 65_536),
        (24 * BLOCKS_OF_PART, 1, BLOCKS_OF_PART),
        (24 * BLOCKS_OF_PART + 1, 1, 2 * BLOCKS_OF_PART),
        (8 * BLOCKS_OF_PART, 2, 2 * BLOCKS_OF_PART),
        (8 * BLOCKS_OF_PART - 1, 2, BLOCKS_OF_PART),
    ],
)
def test_the_number_of_blocks_changes_only_when_it_has_to(rows: int, before: int | None, blocks: int) -> None:
    assert blocks_for(rows, pointer(before) if before else None) == blocks


def test_more_rows_than_a_snapshot_holds_are_refused() -> None:
    with pytest.raises(TableAdminError, match="so many routes"):
        partition({}, 2 * 16_384 * BLOCKS_OF_PART, b"")


def test_a_dictionary_stays_until_it_could_say_twice_as_much() -> None:
    rows = {f"r{number}.example.com": b"x" * 300 for number in range(20)}
    sampled = dictionary_for(rows, BLOCKS_OF_PART, None)
    assert 3_000 < len(sampled) <= 4_096
    assert dictionary_for(dict(reversed(rows.items())), BLOCKS_OF_PART, None) == sampled
    old = b"o" * (len(sampled) // 2 + 1)
    assert dictionary_for(rows, BLOCKS_OF_PART, pointer(1, old)) == old
    assert dictionary_for(rows, BLOCKS_OF_PART, pointer(1, b"little")) == sampled
    assert dictionary_for(rows, 2 * BLOCKS_OF_PART, pointer(1, old)) == sampled


def in_one_block(count: int, blocks: int) -> list[str]:
    names = (f"r{number}.example.com" for number in range(10**7))
    return [name for name, _ in zip((one for one in names if not block_of(one, blocks)), range(count), strict=False)]


def test_of_a_block_that_no_reader_would_open_the_largest_rows_are_to_be_read_from_the_table() -> None:
    names = in_one_block(150, BLOCKS_OF_PART)
    rows = {name: os.urandom(MAX_ROW_BYTES) for name in names[:140]} | dict.fromkeys(names[140:], b"small")
    assert sum(map(len, rows.values())) > MAX_BLOCK_BYTES
    held = found(partition(rows, BLOCKS_OF_PART, b""))
    assert held.keys() == rows.keys()
    emptied = {name for name in rows if held[name] != rows[name]}
    assert 0 < len(emptied) < 30
    assert all(held[name] == b"" and len(rows[name]) == MAX_ROW_BYTES for name in emptied)


def test_a_block_of_exactly_what_a_reader_opens_is_opened() -> None:
    names = in_one_block(128, BLOCKS_OF_PART)
    room = MAX_BLOCK_BYTES - sum(3 + len(name) for name in names)
    rows = dict.fromkeys(names, b"x" * (room // 128))
    rows[names[0]] += b"x" * (room - 128 * (room // 128))
    for more in (-1, 0, 1):
        held = found(partition(rows | {names[1]: b"x" * (room // 128 + more)}, BLOCKS_OF_PART, b""))
        assert list(held.values()).count(b"") == (0 if more < 0 else 1)


def test_names_that_fill_a_block_alone_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BLOCK_BYTES", 100)
    with pytest.raises(TableAdminError, match="names like"):
        partition(dict.fromkeys(in_one_block(10, BLOCKS_OF_PART), b"x"), BLOCKS_OF_PART, b"").content(0)


def test_a_part_that_no_reader_takes_is_refused() -> None:
    rows = {f"r{number}.example.com": os.urandom(1_000) for number in range(1_000)}
    with pytest.raises(PartTooLarge):
        partition(rows, BLOCKS_OF_PART, b"").content(0)


def test_a_row_is_the_same_bytes_in_whatever_order_dynamodb_answers() -> None:
    row = encode_route(route())
    turned = {name: dict(reversed(value.items())) for name, value in reversed(row.items())}
    turned["origin"] = {"M": dict(reversed(row["origin"]["M"].items()))}
    assert encode_row(turned) == encode_row(row)
