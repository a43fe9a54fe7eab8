"""Maintenance: switched on and off, of domains and of environments, whatever else is wrong there."""

from collections.abc import Callable
from typing import Any

import pytest

from edge_handler.routes.policy import Maintenance
from table_admin import InvalidInput, NotFound, RoutingTable, TableAdminError
from table_admin.environment_rollback import rollback_environment
from table_admin.environments import up
from table_admin.maintenance import switch_off, switch_on
from table_admin.promotions import promote
from table_admin.rollback import rollback
from table_admin.tables import TRANSACTION_ROWS
from tests.support import Clock
from tests.table_admin.conftest import Command

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST, OTHER = "env-1.example.com", "env-2.example.com"


def maintenance(table: RoutingTable, domain: str = HOST) -> Maintenance | None:
    policy = table.get(domain).policy
    return policy.maintenance if policy is not None else None


def test_it_is_on_from_a_revision_and_a_second_run_changes_nothing(table: RoutingTable) -> None:
    table.put(HOST, A)
    (change,) = switch_on(table, [HOST], retry_after="2h", message="Back at nine.", note="db upgrade")
    assert maintenance(table) == Maintenance(2, 7200, "Back at nine.")
    assert (change.action, change.after and change.after.note, change.after and change.after.generation) == (
        "updated",
        "db upgrade",
        1,
    )
    for more in ({}, {"retry_after": "2h"}, {"message": "Back at nine."}):
        assert switch_on(table, [HOST], **more)[0].action == "unchanged"  # type: ignore[arg-type]
    assert next(table.history(HOST)).action == "put"


def test_what_is_said_later_goes_beside_what_was_said_and_it_is_the_same_maintenance(table: RoutingTable) -> None:
    table.put(HOST, A)
    switch_on(table, [HOST])
    assert maintenance(table) == Maintenance(2, 600, "")
    switch_on(table, [HOST], message="Sorry.")
    switch_on(table, [HOST], retry_after="1h")
    assert maintenance(table) == Maintenance(2, 3600, "Sorry.")
    switch_off(table, [HOST])
    switch_on(table, [HOST])
    assert maintenance(table) == Maintenance(6, 600, "")


def test_off_leaves_the_rest_and_a_second_run_changes_nothing(table: RoutingTable) -> None:
    table.put(HOST, A, rules={"/api/*": B}, policy={"private": True, "headers": {"x-a": "b"}})
    before = table.get(HOST)
    switch_on(table, [HOST])
    assert switch_off(table, [HOST])[0].action == "updated"
    assert switch_off(table, [HOST])[0].action == "unchanged"
    after = table.get(HOST)
    assert (after.policy, after.rules, after.generation) == (before.policy, before.rules, before.generation)


def test_an_environment_is_all_that_it_manages_and_lives(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    up(table, "env-1", "example.com", {"web": A, "api": B})
    table.put("old.example.com", A, environment="env-1", expires_in="1h")
    table.put(HOST, A)  # seen under its name
    clock.now += 3600
    left: dict[str, str] = {}
    done = switch_on(table, environment="env-1", on_left=left.__setitem__)
    assert [change.domain for change in done] == ["api-env-1.example.com", "web-env-1.example.com"]
    assert all(maintenance(table, change.domain) for change in done)
    assert maintenance(table, HOST) is None
    assert left == {
        "old.example.com": "it has expired",
        HOST: "env-1 does not manage it; env adopt env-1 takes it in",
    }
    assert {change.action for change in switch_on(table, environment="env-1")} == {"unchanged"}
    assert {change.action for change in switch_off(table, environment="env-1")} == {"updated"}


def test_an_environment_larger_than_a_transaction_is_switched_whole(table: RoutingTable) -> None:
    count = TRANSACTION_ROWS + 2
    for start in range(0, count, 20):
        up(table, "e", "example.com", {f"s{number}": A for number in range(start, min(start + 20, count))})
    assert len([change for change in switch_on(table, environment="e") if change.action == "updated"]) == count
    assert len([change for change in switch_off(table, environment="e") if change.action == "updated"]) == count


def test_what_is_mended_by_it_may_be_broken_meanwhile(
    table: RoutingTable, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.put(HOST, A)
    monkeypatch.setattr(table.targets, "resolve", lambda *_, **__: pytest.fail("something was looked up"))
    assert switch_on(table, [HOST])[0].action == "updated"
    assert switch_off(table, [HOST])[0].action == "updated"


def test_a_broken_row_of_an_environment_holds_up_no_other(table: RoutingTable) -> None:
    up(table, "env-1", "example.com", {"web": A, "api": B})
    table.tables.dynamodb.update_item(
        TableName=table.tables.routes,
        Key={"domain": {"S": "api-env-1.example.com"}},
        UpdateExpression="REMOVE origin",
    )
    left: dict[str, str] = {}
    (change,) = switch_on(table, environment="env-1", on_left=left.__setitem__)
    assert change.domain == "web-env-1.example.com"
    assert "broken" in left["api-env-1.example.com"]
    with pytest.raises(TableAdminError, match="is broken"):
        switch_on(table, ["web-env-1.example.com", "api-env-1.example.com"])


def test_nothing_is_written_where_one_of_the_domains_is_not_there(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    table.put(HOST, A)
    with pytest.raises(NotFound, match="has no route"):
        switch_on(table, [HOST, OTHER])
    table.put(OTHER, A, expires_in="1h")
    clock.now += 3600
    with pytest.raises(NotFound, match="has expired"):
        switch_on(table, [HOST, OTHER])
    assert maintenance(table) is None
    with pytest.raises(NotFound, match="There is no environment none"):
        switch_on(table, environment="none")


def test_what_somebody_removes_of_an_environment_meanwhile_holds_up_no_other(table: RoutingTable) -> None:
    up(table, "env-1", "example.com", {"web": A, "api": B})
    table.put(HOST, A)  # seen under its name
    # It is told after the environment was read, and before its rows are.
    done = switch_on(table, environment="env-1", on_left=lambda *_: table.delete("api-env-1.example.com"))
    assert [(change.domain, change.action) for change in done] == [("web-env-1.example.com", "updated")]


def test_a_dry_run_switches_nothing(table: RoutingTable) -> None:
    table.put(HOST, A)
    assert switch_on(table, [HOST, HOST], dry_run=True)[0].action == "updated"
    assert maintenance(table) is None


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"retry_after": "8d"}, "between a second and 7 days"),
        ({"retry_after": "soon"}, "not a duration"),
        ({"message": "a" * 301}, "300 characters"),
        ({"message": "a\nb"}, "a line"),
    ],
)
def test_what_no_page_could_say_is_refused(table: RoutingTable, said: dict[str, str], says: str) -> None:
    table.put(HOST, A)
    with pytest.raises(InvalidInput, match=says):
        switch_on(table, [HOST], **said)  # type: ignore[arg-type]


# ---- Beside other writes


def test_a_rollback_undoes_the_release_and_not_the_maintenance(table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(HOST, B)  # is broken, so:
    switch_on(table, [HOST])
    rollback(table, [HOST])
    assert (table.get(HOST).target, maintenance(table)) == (A, Maintenance(3, 600, ""))
    assert rollback(table, [HOST])[0].action == "unchanged"
    switch_off(table, [HOST])
    assert rollback(table, [HOST])[0].action == "unchanged"
    assert (table.get(HOST).target, maintenance(table)) == (A, None)


@pytest.mark.parametrize("how", ["to", "environment"])
def test_a_rollback_brings_no_maintenance_back_that_is_over(table: RoutingTable, how: str) -> None:
    table.clock = clock = Clock()
    up(table, "e", "example.com", {"": A})
    host = "e.example.com"
    switch_on(table, [host])
    clock.now += 60
    switch_off(table, [host])
    table.put(host, B)
    if how == "to":
        rollback(table, [host], to=2)
    else:
        assert len([*rollback_environment(table, "e", int(clock.now) - 30)]) == 1
    assert (table.get(host).target, maintenance(table, host)) == (A, None)


def test_a_domain_that_was_removed_in_maintenance_comes_back_in_a_new_one(table: RoutingTable) -> None:
    table.put(HOST, A)
    switch_on(table, [HOST], message="Sorry.")
    table.delete(HOST)
    rollback(table, [HOST])
    assert maintenance(table) == Maintenance(4, 600, "Sorry.")


@pytest.mark.parametrize(
    "write",
    [
        lambda table: table.put(HOST, B),
        lambda table: table.touch(HOST),
        lambda table: promote(table, "e", {HOST: ""}),
        lambda table: table.put(HOST, A, policy={"private": True, "noindex": True}),
    ],
    ids=["put", "touch", "promote", "policy"],
)
def test_other_writes_leave_it_on(table: RoutingTable, write: Callable[[RoutingTable], object]) -> None:
    up(table, "e", "example.com", {"": B})
    table.put(HOST, A)
    switch_on(table, [HOST])
    write(table)
    assert maintenance(table) == Maintenance(2, 600, "")


# ---- On the command line


def test_the_commands_switch_it_on_and_off(command: Command, table: RoutingTable) -> None:
    for domain in (HOST, OTHER):
        command("put", domain, A)
    status, out, _ = command("maintenance", "on", HOST, OTHER, "--retry-after", "2h", "--message", "Back at nine.")
    assert (status, out.count("updated")) == (0, 2)
    assert maintenance(table, OTHER) == Maintenance(2, 7200, "Back at nine.")
    assert command("maintenance", "on", HOST)[1].startswith(f"unchanged {HOST}")
    assert "would be updated" in command("maintenance", "off", HOST, "--dry-run")[1]
    assert command("maintenance", "off", HOST, OTHER)[1].count("updated") == 2
    command("env", "up", "e", "--base", "example.com", "-s", A)
    assert command("maintenance", "on", "-e", "e", "--json")[1].startswith("[\n")
    assert maintenance(table, "e.example.com")


@pytest.mark.parametrize("verb", ["on", "off"])
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "Name domains, or an environment"),
        (["a.example.com", "-e", "e"], 2, "Name domains, or an environment"),
        (["a.example.com"], 1, "has no route"),
        (["-e", "e"], 1, "There is no environment e"),
        (["a..b"], 2, "not a domain"),
    ],
)
def test_a_refusal_is_one_line(command: Command, verb: str, arguments: list[str], status: int, says: str) -> None:
    code, out, err = command("maintenance", verb, *arguments)
    assert (code, out, err.count("\n")) == (status, "", 1)
    assert says in err
