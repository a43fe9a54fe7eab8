"""A snapshot is what the table was: complete, newest in every bucket, and what nobody announced is told."""

import json
import threading
from typing import Any

import pytest

from edge_handler.routes.attributes import Item
from edge_handler.snapshot.pointer import POINTER_KEY, Pointer, encode_pointer
from edge_handler.snapshot.records import BLOCKS_OF_PART, decode_row, encode_row
from table_admin import InvalidInput, RoutingTable, TableAdminError
from table_admin.errors import NoFeed
from table_admin.inputs import iso
from table_admin.snapshots import places, writer
from table_admin.snapshots.places import STATE_KEY, Bucket, Place
from table_admin.snapshots.source import life_of, read_rows
from table_admin.snapshots.writer import SnapshotFailed
from table_admin.tables import Tables
from tests.support import make_tables
from tests.table_admin.snapshots.conftest import World

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"


def carried(world: World) -> dict[str, bytes]:
    return {str(item["domain"]["S"]): encode_row(item) for item in world.table.tables.scan().items}


def test_every_row_is_found_in_each_bucket_and_is_the_row(world: World) -> None:
    for number in range(40):
        world.table.put(f"r{number}.example.com", A, expires_in="7d" if number % 2 else None)
    done = world.take()
    assert (done.rows, done.parts, done.sent, done.skipped, done.superseded) == (40, 1, 2, 0, False)
    for reading in world.readings:
        assert reading.all() == carried(world)
        for route in world.table.list():
            item = world.table.tables.read([route.domain])[route.domain]
            row = decode_row(route.domain, reading.find(route.domain) or b"")
            assert row == {name: item[name] for name in row}
            assert {"origin", "revision", "generation", "schema"} <= row.keys()
        assert reading.find("none.example.com") is None
        assert (reading.pointer.table, reading.pointer.epoch) == (world.table.tables.routes, done.epoch)


def test_it_was_taken_before_it_was_read_by_dynamodbs_clock(world: World) -> None:
    world.table.tables.clock._clock = lambda: 5.0
    done = world.take()
    assert "2026" < done.taken_at <= iso(world.table.tables.clock.now() - 0.4)
    assert done.age is not None
    assert 0.4 < done.age < 600


def test_where_nothing_changed_only_the_pointer_is_written(world: World) -> None:
    world.table.put("a.example.com", A)
    first = world.take()
    keys = world.reading.keys
    second = world.take()
    assert (second.sent, second.size, second.epoch) == (0, 0, first.epoch)
    assert world.reading.pointer.taken_at == second.taken_at > first.taken_at
    assert world.reading.keys == keys


def test_one_row_that_changes_sends_one_part_to_each(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("table_admin.snapshots.partition.ROWS_OF_BLOCK", 1.25 / BLOCKS_OF_PART)
    monkeypatch.setattr("table_admin.snapshots.partition._KEPT_BETWEEN", (0, 100))
    for number in range(10):
        world.table.put(f"r{number}.example.com", A)
    assert (world.take().parts, world.take().sent) == (8, 0)
    world.table.put("r5.example.com", B)
    assert world.take().sent == 2
    assert world.reading.all() == carried(world)


def test_a_table_that_grows_and_shrinks_has_as_many_parts_and_what_changed_is_still_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("table_admin.snapshots.partition.ROWS_OF_BLOCK", 6.4 / BLOCKS_OF_PART)
    monkeypatch.setattr("table_admin.snapshots.partition._KEPT_BETWEEN", (2.6 / BLOCKS_OF_PART, 9 / BLOCKS_OF_PART))
    for number in range(20):
        world.table.put(f"r{number}.example.com", A)
        done = world.take()
        assert not done.reload
    assert (done.parts, done.superseded) == (4, False)
    assert world.reading.all() == carried(world)
    world.write_by_hand("r7.example.com", generation={"N": "9"})
    assert world.take().reload
    # And smaller again.
    for number in range(8, 20):
        world.table.delete(f"r{number}.example.com")
    done = world.take()
    assert (done.parts, done.reload) == (2, False)
    assert world.reading.all() == carried(world)


def test_a_row_that_is_too_large_is_to_be_read_from_the_table(world: World) -> None:
    world.table.put("a.example.com", A)
    world.write_by_hand("a.example.com", origin={"M": {"prefix": {"S": "x" * 3_000}}})
    world.take()
    assert world.reading.find("a.example.com") == b""


def test_a_row_whose_name_is_none_is_in_no_snapshot_and_that_is_told(world: World) -> None:
    world.table.put("a.example.com", A)
    long, tables = "x" * 300, world.table.tables
    tables.dynamodb.put_item(TableName=tables.routes, Item={"domain": {"S": long}})
    told: list[str] = []
    done = world.take(on_skipped=lambda domain, _: told.append(domain))
    assert (done.rows, done.skipped, told) == (1, 1, [long])
    assert [*world.reading.all()] == ["a.example.com"]


# ---- What nobody announced


def test_what_was_announced_is_not_told_again(world: World) -> None:
    world.table.put("a.example.com", A)
    world.table.put("b.example.com", A)
    world.take()
    world.table.put("a.example.com", B)
    world.table.put("c.example.com", B)
    world.table.delete("b.example.com")
    assert not world.take().reload
    assert world.reloads() == 0


def test_what_is_told_is_good_with_the_snapshot_that_has_it_and_with_none_before(world: World) -> None:
    world.table.put("a.example.com", A)
    for number in range(3):
        former = world.take()
        world.write_by_hand("a.example.com", generation={"N": str(number + 7)})
        done = world.take()
        told = max(item["announced_at"]["S"] for item in world.feed() if item["action"] == {"S": "reload"})
        assert former.taken_at < told < done.taken_at


@pytest.mark.parametrize("how", ["added", "changed", "changed to the same revision", "removed"])
def test_what_somebody_did_by_hand_is_told_once(world: World, how: str) -> None:
    world.table.put("a.example.com", A)
    world.take()
    tables = world.table.tables
    if how == "added":
        item = {**tables.read(["a.example.com"])["a.example.com"], "domain": {"S": "b.example.com"}}
        tables.dynamodb.put_item(TableName=tables.routes, Item=item)
    elif how == "removed":
        tables.dynamodb.delete_item(TableName=tables.routes, Key={"domain": {"S": "a.example.com"}})
    else:
        revision = {} if "same" in how else {"revision": {"N": "7"}}
        world.write_by_hand("a.example.com", generation={"N": "7"}, **revision)
    assert world.take().reload
    (told,) = [item for item in world.feed() if item["action"] == {"S": "reload"}]
    assert (told["domain"], told["updated_by"]) == ({"S": "*"}, {"S": "snapshot"})
    assert world.reading.all() == carried(world)
    assert not world.take().reload
    assert world.reloads() == 1


def test_a_row_that_expired_goes_without_a_word(world: World) -> None:
    world.table.put("a.example.com", A, expires_in="1s")
    world.write_by_hand("a.example.com", expires_at={"N": "1000000000"})
    world.take()
    tables = world.table.tables
    tables.dynamodb.delete_item(TableName=tables.routes, Key={"domain": {"S": "a.example.com"}})
    assert not world.take().reload


def test_what_an_index_does_not_tell_of_yet_the_history_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.table.put("a.example.com", A)
    world.table.put("b.example.com", A)
    world.take()
    world.table.put("a.example.com", B)
    world.table.delete("b.example.com")
    world.table.put("c.example.com", B)
    with monkeypatch.context() as patched:
        announced = Tables.announced
        patched.setattr(Tables, "announced", lambda self, since, cursor=None: announced(self, "2999", cursor))
        assert not world.take().reload
    world.write_by_hand("a.example.com", generation={"N": "7"})
    assert world.take().reload


def test_a_run_that_ended_before_it_told_is_made_up_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.table.put("a.example.com", A)
    world.take()
    world.write_by_hand("a.example.com", generation={"N": "7"})

    def killed(self: Tables, actor: str, announced_at: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Tables, "announce_reload", killed)
        with pytest.raises(KeyboardInterrupt):
            world.take()
    assert world.reloads() == 0
    assert world.take().reload
    assert world.reloads() == 1
    assert [world.take().reload, world.reloads()] == [False, 1]


def test_a_part_that_is_gone_is_sent_again_and_may_have_been_anything(world: World) -> None:
    world.table.put("a.example.com", A)
    world.take()
    for bucket, reading in zip(world.buckets, world.readings, strict=True):
        for key in reading.keys - {POINTER_KEY}:
            world.s3.delete_object(Bucket=bucket.name, Key=key)
    done = world.take()
    assert (done.sent, done.reload) == (2, True)
    assert world.reading.all() == carried(world)


# ---- Lives of a table


def test_a_table_made_again_under_its_name_has_another_epoch_and_all_its_parts(world: World) -> None:
    world.table.put("a.example.com", A)
    first, tables = world.take(), world.table.tables
    for name in (tables.routes, tables.history, tables.deployments):
        tables.dynamodb.delete_table(TableName=name)
    make_tables(world.table.stack, tables.dynamodb)
    world.table.put("a.example.com", A)
    second = world.take()
    assert second.epoch != first.epoch
    assert (second.sent, second.reload) == (2, False)
    assert world.reading.all() == carried(world)


def test_rows_that_went_back_begin_another_epoch(world: World) -> None:
    for target in (A, B):
        world.table.put("a.example.com", target)
        world.table.put("b.example.com", target)
    epochs = [world.take().epoch]
    for _ in range(2):
        world.write_by_hand("a.example.com", revision={"N": str(8 - len(epochs))})
        epochs.append(world.take().epoch)
        assert world.take().epoch == epochs[-1]
        assert world.reading.all() == carried(world)
        world.write_by_hand("a.example.com", revision={"N": "1"})
        epochs.append(world.take().epoch)
    assert len({*epochs}) == 3  # up, back, up, back
    assert epochs[0] == epochs[1]
    assert epochs[2] == epochs[3]


def test_a_replica_that_is_behind_begins_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.table.put("a.example.com", A)
    before = carried(world)
    world.table.put("a.example.com", B)
    first = world.take()
    monkeypatch.setattr(writer, "read_rows", lambda *_: before)
    with pytest.raises(TableAdminError, match="reads again"):
        world.take()
    assert world.reading.pointer.epoch == first.epoch
    assert world.reading.all() == carried(world)


# ---- The heartbeat


def heartbeat(world: World) -> tuple[Item, dict[str, Any]]:
    item = world.table.tables.revision("*", 0)
    assert item is not None
    return item, json.loads(item["edge"]["S"])


def test_each_run_tells_the_feed_which_table_and_epoch_it_is_of(world: World) -> None:
    for _ in range(2):
        done = world.take()
        item, said = heartbeat(world)
        assert {name: said[name] for name in ("table", "epoch", "taken_at")} == {
            "table": world.table.tables.routes,
            "epoch": done.epoch,
            "taken_at": done.taken_at,
        }
        assert (item["action"], item["updated_by"]) == ({"S": "snapshot"}, {"S": "snapshot"})
        assert item["announced_at"]["S"] > done.taken_at
    assert [one["action"] for one in world.feed()] == [{"S": "snapshot"}]


def test_while_no_bucket_answers_the_feed_says_what_it_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done = world.take()
    before, said = heartbeat(world)
    world.buckets = [Bucket("no-such-bucket", "us-east-1")]
    with pytest.raises(SnapshotFailed, match="no-such-bucket@us-east-1 refused: NoSuchBucket") as failed:
        world.take()
    assert failed.value.snapshot is None
    after, said_then = heartbeat(world)
    assert (said, said["taken_at"]) == (said_then, done.taken_at)
    assert after["announced_at"]["S"] > before["announced_at"]["S"]
    # But not of a table that is another now.
    monkeypatch.setattr(writer, "life_of", lambda tables: life_of(tables) + " another")
    with pytest.raises(SnapshotFailed):
        world.take()
    assert heartbeat(world)[0] == after


# ---- Buckets


def test_a_bucket_that_is_down_does_not_stop_the_other(world: World) -> None:
    world.table.put("a.example.com", A)
    there = world.buckets
    world.buckets = [Bucket("no-such-bucket", "us-east-1"), *there]
    with pytest.raises(SnapshotFailed, match="no-such-bucket") as failed:
        world.take()
    assert failed.value.snapshot
    assert failed.value.snapshot.sent == 2
    assert [reading.all() for reading in world.readings] == [carried(world)] * 2
    heartbeat(world)


def test_a_bucket_that_was_down_has_everything_when_it_is_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.table.put("a.example.com", A)
    world.take()
    put = Place._put

    def refused(self: Place, key: str, content: bytes) -> None:
        if self.bucket == world.buckets[1]:
            raise TableAdminError("down")
        put(self, key, content)

    world.table.put("b.example.com", A)
    with monkeypatch.context() as patched:
        patched.setattr(Place, "_put", refused)
        with pytest.raises(SnapshotFailed) as failed:
            world.take()
    assert failed.value.snapshot
    assert failed.value.snapshot.age
    assert [*world.readings[1].all()] == ["a.example.com"]
    done = world.take()
    assert (done.sent, done.reload) == (1, False)
    assert world.readings[1].all() == carried(world)


def test_without_a_bucket_there_is_no_snapshot(table: RoutingTable) -> None:
    with pytest.raises(InvalidInput):
        writer.take_snapshot(table, [])


def test_a_run_that_began_earlier_never_overwrites_what_a_later_one_wrote(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier one is held up after it read the rows."""
    world.table.put("a.example.com", A)
    world.take()
    held, go_on = threading.Event(), threading.Event()

    def slowly(tables: Tables, on_skipped: Any) -> dict[str, bytes]:
        rows = read_rows(tables, on_skipped)
        if threading.current_thread() is earlier:
            held.set()
            go_on.wait()
        return rows

    monkeypatch.setattr(writer, "read_rows", slowly)
    done = []
    earlier = threading.Thread(target=lambda: done.append(world.take()))
    earlier.start()
    held.wait()
    world.table.put("a.example.com", B)
    later = world.take()
    told = heartbeat(world)
    go_on.set()
    earlier.join()
    assert [one.superseded for one in done] == [True]
    assert not later.superseded
    for reading in world.readings:
        assert reading.all() == carried(world)
        assert reading.pointer.taken_at == later.taken_at
    assert heartbeat(world) == told


def test_a_run_that_began_later_overwrites_what_an_earlier_one_wrote_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take()
    put = Place.put_pointer

    def put_after(self: Place, pointer: Pointer, *rest: Any) -> bool:
        old = encode_pointer(pointer._replace(taken_at="2026-01-01T00:00:00.000000Z"))
        world.s3.put_object(Bucket=self.bucket.name, Key=POINTER_KEY, Body=old)
        return put(self, pointer, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Place, "put_pointer", put_after)
        done = world.take()
    assert not done.superseded
    assert world.reading.pointer.taken_at == done.taken_at


def test_a_pointer_whose_answer_was_lost_is_still_recognised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Place.put_pointer

    def twice(self: Place, *what: Any) -> bool:
        return put(self, *what) and put(self, *what)

    monkeypatch.setattr(Place, "put_pointer", twice)
    assert not world.take().superseded


@pytest.mark.parametrize("damage", [b"", b"nonsense", b'{"version": 1}', b'{"parts": {"x": 1}}', b"null"])
def test_what_is_damaged_is_written_anew(world: World, damage: bytes) -> None:
    world.table.put("a.example.com", A)
    world.take()
    for key in (POINTER_KEY, STATE_KEY):
        for bucket in world.buckets:
            world.s3.put_object(Bucket=bucket.name, Key=key, Body=damage)
        done = world.take()
        assert not done.superseded
        assert world.reading.all() == carried(world)


def test_a_pointer_from_the_future_is_written_anew(world: World) -> None:
    world.take()
    pointer = world.reading.pointer._replace(taken_at="2999-01-01T00:00:00.000000Z")
    for bucket in world.buckets:
        world.s3.put_object(
            Bucket=bucket.name, Key=POINTER_KEY, Body=encode_pointer(pointer), Metadata={"restores": "0"}
        )
    done = world.take()
    assert not done.superseded
    assert world.reading.pointer.taken_at == done.taken_at < "2999"


def test_a_part_that_is_in_use_for_a_day_is_sent_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.table.put("a.example.com", A)
    world.take()
    assert world.take().sent == 0
    monkeypatch.setattr(places, "AGAIN_SECONDS", 0)
    assert world.take().sent == 2
    monkeypatch.undo()
    assert world.take().sent == 0


def test_after_a_snapshot_the_tables_client_reads_as_before(world: World) -> None:
    tables = world.table.tables
    tables.dynamodb.put_item(
        TableName=tables.routes, Item={"domain": {"S": "a.example.com"}, "origin": {"B": b"by hand"}}
    )
    assert world.take().rows == 1
    assert tables.scan().items == ({"domain": {"S": "a.example.com"}, "origin": {"B": b"by hand"}},)
    assert world.reading.find("a.example.com") == b'{"origin":{"B":"YnkgaGFuZA=="}}'


def test_where_nobody_follows_a_feed_a_snapshot_is_taken_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise NoFeed("no index feed")

    monkeypatch.setattr(Tables, "announced", none)
    world.table.put("a.example.com", A)
    world.take()
    world.write_by_hand("a.example.com", generation={"N": "9"})
    assert not world.take().reload
    assert world.reading.all() == carried(world)
