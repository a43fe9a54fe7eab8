"""Pipelines that write at once: who finds what it wanted is done, who does not plans again."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import yaml

from edge_handler.routes.attributes import Item
from table_admin import NotFound, RevisionConflict, RoutingTable, TableAdminError, environments
from table_admin.manifest import load_manifest
from table_admin.plan import PlanMoved, apply_plan, make_plan
from table_admin.promotions import promote
from table_admin.rollback import rollback
from table_admin.tables import Tables, Write

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST = "env-1.example.com"
MakeTable = Callable[[str], RoutingTable]


def at_once(make_table: MakeTable, count: int, work: Callable[[RoutingTable, int], Any]) -> list[Any]:
    """Let writers meet: nobody writes before all have read. Return what each did, or what it raised."""
    barrier, outcomes = threading.Barrier(count), {}

    def run(number: int) -> None:
        table = make_table(f"writer-{number}")
        commit, met = table.tables.commit, False

        def together(writes: Sequence[Write]) -> list[Write]:
            nonlocal met
            if not met:
                met = True
                barrier.wait()
            return commit(writes)

        table.tables.commit = together  # type: ignore[method-assign]
        try:
            outcomes[number] = work(table, number)
        except TableAdminError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(count)]


def revisions(table: RoutingTable, domain: str = HOST) -> list[int]:
    return [entry.revision for entry in table.history(domain)]


def test_of_twelve_who_put_the_same_one_does_and_all_succeed(make_table: MakeTable) -> None:
    changes = at_once(make_table, 12, lambda table, _: table.put(HOST, A))
    assert sorted(change.action for change in changes) == ["created", *["unchanged"] * 11]
    assert revisions(make_table("reader")) == [1]


def test_twelve_who_put_something_else_each_do_so_one_after_the_other(make_table: MakeTable) -> None:
    changes = at_once(make_table, 12, lambda table, number: table.put(HOST, f"{A}-{number}"))
    assert sorted(change.revision for change in changes) == [*range(1, 13)]
    table = make_table("reader")
    assert revisions(table) == [*range(12, 0, -1)]
    (last,) = [change for change in changes if change.revision == 12]
    assert table.get(HOST) == last.after


def test_of_twelve_over_the_same_revision_one_writes(make_table: MakeTable) -> None:
    make_table("before").put(HOST, A)
    outcomes = at_once(make_table, 12, lambda table, number: table.put(HOST, f"{B}-{number}", if_revision=1))
    assert sum(isinstance(outcome, RevisionConflict) for outcome in outcomes) == 11
    assert revisions(make_table("reader")) == [2, 1]


def test_eight_who_bring_the_same_environment_up_all_succeed(make_table: MakeTable) -> None:
    services = {"web": A, "api": B}
    outcomes = at_once(make_table, 8, lambda table, _: environments.up(table, "env-1", "example.com", services))
    assert [change for changes in outcomes for change in changes if change.action != "unchanged"] == [
        change for changes in outcomes for change in changes if change.action == "created"
    ]
    assert revisions(make_table("reader"), "web-env-1.example.com") == [1]


def test_an_environment_that_plans_again_is_refused_what_became_somebody_elses(make_table: MakeTable) -> None:
    def up(table: RoutingTable, number: int) -> Any:
        return (
            table.put(HOST, A, environment="other")
            if number
            else environments.up(table, "env-1", "example.com", {"": B})
        )

    outcomes = at_once(make_table, 2, up)
    row = make_table("reader").get(HOST)
    if row.target == A and isinstance(outcomes[0], Exception):
        assert "belongs to the environment other" in str(outcomes[0])
    else:  # it was the first, and is what the other wrote over
        assert outcomes[0][0].action == "created"


def test_four_identical_applies_all_succeed(make_table: MakeTable) -> None:
    text = yaml.safe_dump({"owner": "shop", "routes": {f"r{number}.example.com": A for number in range(60)}})
    manifest = load_manifest("routes.yaml", text)
    shown = make_plan(make_table("reader"), manifest).id

    def apply(table: RoutingTable, number: int) -> int:
        expected = shown if number % 2 else None
        return len(list(apply_plan(table, make_plan(table, manifest), expected=expected)))

    counts = at_once(make_table, 4, apply)
    assert sum(counts) == 60, counts
    table = make_table("reader")
    assert {route.revision for route in table.list()} == {1}
    # And once more, later, with the id that was shown.
    assert list(apply_plan(table, make_plan(table, manifest), expected=shown)) == []


def test_an_apply_of_a_shown_plan_leaves_what_somebody_else_changed(make_table: MakeTable) -> None:
    table = make_table("pipeline")
    text = yaml.safe_dump({"owner": "shop", "routes": {HOST: A}})
    list(apply_plan(table, make_plan(table, load_manifest("routes.yaml", text))))
    plan = make_plan(table, load_manifest("routes.yaml", text.replace(A, B)))
    table.put(HOST, C)
    with pytest.raises(PlanMoved, match="0 of 1 changes were written before"):
        list(apply_plan(table, plan, expected=plan.id))
    assert table.get(HOST).target == C
    assert len(list(apply_plan(table, plan))) == 1
    assert table.get(HOST).target == B


def test_two_people_who_roll_back_go_one_step_back(make_table: MakeTable) -> None:
    table = make_table("before")
    for target in (A, B, C):
        table.put(HOST, target)
    outcomes = at_once(make_table, 4, lambda table, _: rollback(table, [HOST])[0].action)
    assert sorted(outcomes) == ["unchanged"] * 3 + ["updated"]
    assert table.get(HOST).target == B


def test_all_who_remove_the_same_or_touch_it_succeed(make_table: MakeTable) -> None:
    table = make_table("before")
    table.put(HOST, A)
    touched = at_once(make_table, 6, lambda table, _: table.touch(HOST).revision)
    assert sorted(touched) == [*range(2, 8)]
    removed = at_once(make_table, 6, lambda table, _: table.delete(HOST).action)
    assert sorted(removed) == ["deleted", *["unchanged"] * 5]


def test_what_is_removed_meanwhile_is_not_made_again_by_who_extends_it(
    make_table: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, other = make_table("one"), make_table("other")
    environments.up(table, "env-1", "example.com", {"": A}, expires_in="1h")
    read = Tables.read

    def meanwhile(tables: Tables, domains: Any) -> dict[str, Item]:
        items = read(tables, domains)
        if tables is table.tables and items:
            monkeypatch.undo()
            other.delete(HOST)
        return items

    monkeypatch.setattr(Tables, "read", meanwhile)
    with pytest.raises(NotFound):
        environments.extend(table, "env-1", expires_in="2d")
    assert list(other.list()) == []


def promote_or_remove(table: RoutingTable, number: int) -> object:
    if number == 0:
        return promote(table, "pr-8", {"www.example.com": ""})
    return environments.down(table, "pr-8")


def test_of_a_promotion_and_a_removal_at_once_one_is_refused(make_table: MakeTable) -> None:
    target = "s3://acme-static-sites/pr-8"
    for number in range(4):
        table = make_table("before")
        environments.up(table, "pr-8", "example.com", {"": target})
        table.put("www.example.com", A)
        outcomes = at_once(make_table, 2, promote_or_remove)
        refused = [isinstance(outcome, TableAdminError) for outcome in outcomes]
        assert sorted(refused) == [False, True], (number, outcomes)
        assert (table.get("www.example.com").target == target) is refused[1]
        environments.down(table, "pr-8", force=True)


def test_what_was_removed_before_somebody_wrote_is_said_too(make_table: MakeTable) -> None:
    table = make_table("remover")
    services = {f"s{number:02}": A for number in range(60)}
    for names in (list(services)[:30], list(services)[30:]):
        environments.up(table, "env-1", "example.com", dict.fromkeys(names, A))
    commit, chunks = table.tables.commit, []

    def meanwhile(writes: Sequence[Write]) -> list[Write]:
        chunks.append(len(writes))
        if len(chunks) == 2:
            make_table("other").put(writes[0].domain, B)
        return commit(writes)

    table.tables.commit = meanwhile  # type: ignore[method-assign]
    removed = environments.down(table, "env-1")
    assert chunks == [33, 27, 27]
    assert len({change.domain for change in removed}) == len(removed) == 60
