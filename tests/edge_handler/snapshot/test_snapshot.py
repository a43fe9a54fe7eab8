"""A snapshot that an instance holds: what is not what the pointer names is never taken for it."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from edge_handler.errors import BrokenSnapshot
from edge_handler.routes.destination import Destination
from edge_handler.routes.route import encode_route
from edge_handler.snapshot import snapshot as snapshot_module
from edge_handler.snapshot.pointer import Pointer, decode_pointer, digest_of, encode_pointer
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_of, encode_block, encode_part, encode_row
from edge_handler.snapshot.snapshot import UNSURE, Snapshot
from tests.support import route

HOSTS = [f"env-{number}.example.com" for number in range(300)]
OLD, NEW = "2026-01-01T00:00:00.000000Z", "2026-01-01T00:01:00.000000Z"


def made(
    parts: int, revision: int = 1, taken_at: str = OLD, table: str = "t", epoch: str = "0" * 16
) -> tuple[Pointer, list[bytes]]:
    """Return a pointer, and the contents of its parts."""
    blocks: list[list[tuple[str, bytes]]] = [[] for _ in range(parts * BLOCKS_OF_PART)]
    for host in HOSTS:
        text = encode_row(encode_route(route(host, revision=revision)))
        blocks[block_of(host, len(blocks))].append((host, text))
    packed = [encode_block(block, b"") for block in blocks]
    contents = [encode_part(packed[at : at + BLOCKS_OF_PART]) for at in range(0, len(packed), BLOCKS_OF_PART)]
    return Pointer(table, epoch, taken_at, b"", tuple(map(digest_of, contents))), contents


def loaded(parts: int, former: Snapshot | None = None, **options: object) -> Snapshot:
    pointer, contents = made(parts, **options)  # type: ignore[arg-type]
    snapshot = Snapshot(pointer, former)
    while (part := snapshot.missing) is not None:
        snapshot.add(part, contents[part])
    return snapshot


def revisions(snapshot: Snapshot) -> set[object]:
    found = [snapshot.find(host) for host in HOSTS]
    return {one.revision if isinstance(one, Destination) else one for one in found}


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_every_row_is_found_and_no_other(parts: int) -> None:
    snapshot = loaded(parts)
    assert revisions(snapshot) == {1}
    assert snapshot.find("nobody.example.com") is None


def test_what_is_not_loaded_has_to_be_read() -> None:
    assert revisions(Snapshot(made(2)[0])) == {UNSURE}


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content + b"x", lambda _: b""])
def test_a_part_that_is_not_what_its_name_says_is_not_taken(damage: object) -> None:
    pointer, contents = made(2)
    snapshot = Snapshot(pointer)
    with pytest.raises(BrokenSnapshot):
        snapshot.add(0, damage(contents[0]))  # type: ignore[operator]
    with pytest.raises(BrokenSnapshot):
        snapshot.add(0, contents[1])
    assert snapshot.missing is not None


@pytest.mark.parametrize(("before", "after"), [(2, 2), (1, 4), (4, 1)])
def test_while_a_newer_one_is_loaded_the_former_answers_for_the_rest(before: int, after: int) -> None:
    pointer, contents = made(after, revision=2, taken_at=NEW)
    snapshot = Snapshot(pointer, loaded(before))
    seen = []
    while (part := snapshot.missing) is not None:
        seen.append(revisions(snapshot))
        assert not snapshot.stands_alone
        snapshot.add(part, contents[part])
    assert seen[0] == {1}
    assert all(found <= {1, 2} for found in seen)
    assert revisions(snapshot) == {2}
    assert snapshot.stands_alone


def interrupted(look: Callable[[], Any], step: int, work: Callable[[], None]) -> tuple[Any, int]:
    """Return what `look` returns where `work` is done before one of its steps, and how many steps there were."""
    steps = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_code.co_filename == snapshot_module.__file__:
            steps += 1
            if steps == step:
                sys.settrace(None)
                work()
                sys.settrace(trace)
        return trace

    sys.settrace(trace)
    try:
        return look(), steps
    finally:
        sys.settrace(None)


@pytest.mark.parametrize("what", ["find", "missing"])
def test_another_thread_may_load_the_last_part_at_any_moment(what: str) -> None:
    """As one does that is given the processor there: before each of the interpreter's steps, one after the other."""
    step = steps = 1
    while step <= steps:
        pointer, contents = made(1, revision=2, taken_at=NEW)
        snapshot = Snapshot(pointer, loaded(1))
        look = partial(snapshot.find, HOSTS[0]) if what == "find" else partial(getattr, snapshot, "missing")
        found, steps = interrupted(look, step, partial(snapshot.add, 0, contents[0]))
        assert found in (0, None) if what == "missing" else isinstance(found, Destination) or found == UNSURE
        step += 1
    assert step > 5


def test_a_newer_one_takes_nothing_from_its_former_before_it_has_a_part_of_its_own() -> None:
    former = loaded(4)
    pointer, contents = made(4, revision=2, taken_at=NEW)
    half_new = pointer._replace(parts=(pointer.parts[0], *former.pointer.parts[1:]))
    newer = Snapshot(half_new, former)
    assert revisions(former) == {1}
    newer.add(0, contents[0])
    assert revisions(newer) == {1, 2}


def test_what_is_the_same_needs_no_loading() -> None:
    former = loaded(4)
    assert Snapshot(made(4, taken_at=NEW)[0], former).missing is None


def test_what_is_the_same_in_another_life_of_the_table_is_loaded_again() -> None:
    assert Snapshot(made(4, taken_at=NEW, epoch="1" * 16)[0], loaded(4)).missing is not None


def test_another_tables_snapshot_answers_for_nothing() -> None:
    assert revisions(Snapshot(made(4, table="other")[0], loaded(4))) == {UNSURE}


def test_a_pointer_comes_back() -> None:
    pointer = made(4)[0]
    assert decode_pointer(encode_pointer(pointer)) == pointer


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'"version":1', b'"version":2'),
        (b'"table"', b'"tabel"'),
        (b'"epoch":"0', b'"epoch":"x'),
        (b"00:00.000000Z", b"00:00Z"),
        (b'"parts":["', b'"parts":["x'),
        (b'"dictionary":""', b'"dictionary":"?"'),
        (b"{", b"["),
    ],
)
def test_a_pointer_that_is_none_is_said(good: bytes, bad: bytes) -> None:
    content = encode_pointer(made(2)[0])
    assert good in content
    with pytest.raises(BrokenSnapshot):
        decode_pointer(content.replace(good, bad, 1))


def test_a_pointer_has_a_power_of_two_of_parts() -> None:
    pointer = made(4)[0]
    for parts in ((), pointer.parts[:3]):
        with pytest.raises(BrokenSnapshot):
            decode_pointer(encode_pointer(pointer._replace(parts=parts)))
