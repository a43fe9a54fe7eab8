import threading
from collections.abc import Callable
from typing import Any

import pytest

from edge_handler.routes.route import encode_route
from local_edge.embedded_aws import EmbeddedAws
from table_admin import Change, NotFound, RevisionConflict, RoutingTable, TableAdminError
from tests.support import route

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
HOST = "env-1.example.com"


def revisions(table: RoutingTable, domain: str = HOST) -> list[int]:
    return [entry.revision for entry in table.history(domain)]


def test_a_route_is_created_updated_and_deleted_with_its_history(table: RoutingTable) -> None:
    assert table.put(HOST, A, note="first").action == "created"
    assert table.put(HOST, B).action == "updated"
    assert table.get(HOST).target == B
    assert table.delete(HOST, note="done").action == "deleted"
    with pytest.raises(NotFound):
        table.get(HOST)
    found = list(table.history(HOST))
    assert [(entry.revision, entry.action, entry.note) for entry in found] == [
        (3, "delete", "done"),
        (2, "put", ""),
        (1, "put", "first"),
    ]
    assert {entry.updated_by for entry in found} == {"tester"}


def test_a_second_run_of_the_same_command_changes_nothing(table: RoutingTable) -> None:
    table.put(HOST, A, note="why", environment="e")
    assert table.put(HOST, A, note="why", environment="e").action == "unchanged"
    assert table.put(HOST, A).action == "unchanged"
    assert revisions(table) == [1]


def test_revisions_go_on_after_a_delete_and_a_generation_never_comes_back(table: RoutingTable) -> None:
    table.put(HOST, A)
    table.delete(HOST)
    change = table.put(HOST, A)
    assert change.after is not None
    assert (change.action, change.revision, change.after.generation) == ("created", 3, 3)


def test_revisions_go_on_after_ttl_removed_the_row(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put(HOST, A)
    aws.client("dynamodb").delete_item(TableName=table.tables.routes, Key={"domain": {"S": HOST}})
    assert table.put(HOST, A).revision == 2


def test_only_what_viewers_get_makes_a_new_generation(table: RoutingTable) -> None:
    table.put(HOST, A, expires_in="1h")
    assert table.put(HOST, A, expires_in="2d", note="extended").after.generation == 1  # type: ignore[union-attr]
    assert table.put(HOST, B).after.generation == 3  # type: ignore[union-attr]
    assert table.touch(HOST).after.generation == 4  # type: ignore[union-attr]


def test_an_environment_that_expired_and_is_made_again_has_a_new_generation(
    aws: EmbeddedAws, table: RoutingTable
) -> None:
    now = 1_800_000_000.0
    past = RoutingTable(table.stack, client=aws.client, clock=lambda: now)
    past.put(HOST, A, expires_in="1h")
    later = RoutingTable(table.stack, client=aws.client, clock=lambda: now + 3600)
    after = later.put(HOST, A, permanent=True).after
    assert after is not None
    assert (after.generation, after.expires_at, after.lifetime) == (2, None, "permanent")


def test_what_is_not_given_stays(table: RoutingTable) -> None:
    first = table.put(HOST, A, environment="shop", expires_in="7d", note="for QA").after
    second = table.put(HOST, B).after
    assert first is not None
    assert second is not None
    assert (second.environment, second.expires_at) == ("shop", first.expires_at)
    third = table.put(HOST, B, permanent=True).after
    assert third is not None
    assert (third.expires_at, third.lifetime) == (None, "permanent")


def test_a_write_over_another_revision_is_refused(table: RoutingTable) -> None:
    table.put(HOST, A, if_revision=0)
    with pytest.raises(RevisionConflict) as caught:
        table.put(HOST, B, if_revision=0)
    assert caught.value.revision == 1
    assert table.put(HOST, B, if_revision=1).revision == 2


@pytest.mark.parametrize("existing", [True, False])
def test_of_two_racing_writers_over_a_revision_one_wins_and_the_other_is_told(
    table: RoutingTable, existing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if existing:
        table.put(HOST, A)
    barrier, original = threading.Barrier(2), RoutingTable._read
    read: set[int] = set()

    def together(*arguments: Any) -> Any:
        item = original(*arguments)
        if threading.get_ident() not in read:  # and who plans again goes on alone
            read.add(threading.get_ident())
            barrier.wait()
        return item

    monkeypatch.setattr(RoutingTable, "_read", together)
    outcomes: list[Change | RevisionConflict] = []

    def write(target: str) -> None:
        try:
            outcomes.append(table.put(HOST, target, if_revision=int(existing)))
        except RevisionConflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=write, args=(f"s3://acme-static-sites/{name}",), daemon=True) for name in "xy"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.undo()
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Change)]
    (loser,) = [outcome for outcome in outcomes if isinstance(outcome, RevisionConflict)]
    assert winner.revision == loser.revision == (2 if existing else 1)
    assert revisions(table) == list(range(winner.revision, 0, -1))
    assert table.get(HOST) == winner.after


def test_a_domain_that_came_and_went_meanwhile_goes_on_from_its_history(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RoutingTable._read

    def meanwhile(*arguments: Any) -> Any:
        item = original(*arguments)
        monkeypatch.setattr(RoutingTable, "_read", original)
        table.put(HOST, B)
        table.delete(HOST)
        return item

    monkeypatch.setattr(RoutingTable, "_read", meanwhile)
    after = table.put(HOST, A).after
    assert after is not None
    assert (after.revision, after.generation) == (3, 3)
    assert revisions(table) == [3, 2, 1]
    assert table.get(HOST) == after


def test_an_answer_that_was_lost_is_no_conflict(table: RoutingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    write: Callable[..., Any] = table.tables.dynamodb.transact_write_items

    def twice(**arguments: Any) -> Any:
        write(**arguments)
        return write(**arguments)  # what a retry after a lost answer does

    monkeypatch.setattr(table.tables.dynamodb, "transact_write_items", twice)
    assert table.put(HOST, A).revision == 1
    assert revisions(table) == [1]


@pytest.mark.parametrize("damage", [{"origin": {"S": "?"}}, {"revision": {"S": "?"}}, {"revision": None}])
def test_a_row_damaged_by_hand_can_be_put_again_or_deleted(
    table: RoutingTable, aws: EmbeddedAws, damage: dict[str, Any]
) -> None:
    table.put(HOST, A)
    item = {**encode_route(table.get(HOST)), **damage}
    item = {name: value for name, value in item.items() if value is not None}
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=item)
    if "origin" in damage:
        with pytest.raises(TableAdminError, match="broken"):
            table.get(HOST)
    assert table.put(HOST, B).revision == 2
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=item)
    assert table.delete(HOST).revision == 3


def test_list_yields_an_environments_routes_from_its_index(table: RoutingTable) -> None:
    for number in range(5):
        table.put(f"env-{number}.example.com", A, environment="even" if number % 2 == 0 else "odd")
    assert {found.domain for found in table.list("odd")} == {"env-1.example.com", "env-3.example.com"}
    assert len(list(table.list())) == 5


def test_list_reads_page_by_page(table: RoutingTable, aws: EmbeddedAws) -> None:
    items = [{"PutRequest": {"Item": encode_route(route(f"e{n}.example.com", note="x" * 900))}} for n in range(1500)]
    for start in range(0, len(items), 25):
        aws.client("dynamodb").batch_write_item(RequestItems={table.tables.routes: items[start : start + 25]})
    calls: list[str] = []
    table.tables.dynamodb.meta.events.register("before-call.dynamodb.Scan", lambda **_: calls.append("scan"))
    listing = table.list()
    next(listing)
    assert len(calls) == 1
    assert sum(1 for _ in listing) == 1499
    assert len(calls) > 1


def test_tables_that_do_not_exist_are_named_as_the_problem(aws: EmbeddedAws) -> None:
    with pytest.raises(TableAdminError, match="--stack"):
        RoutingTable("no-such-stack", client=aws.client).get(HOST)
