"""A second run of a command finds what it wants, says so, and ends with status 0."""

from typing import Any

import pytest

from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, NotFound, RoutingTable
from table_admin.environment_rollback import rollback_environment
from table_admin.inputs import NOTE_CHARACTERS, parse_note
from table_admin.promotions import promote
from table_admin.removal import delete_many
from table_admin.rollback import rollback
from tests.support import Clock
from tests.table_admin.conftest import Command

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST, OTHER = "env-1.example.com", "env-2.example.com"


def released(table: RoutingTable, *targets: str) -> None:
    for target in targets:
        table.put(HOST, target, note=f"release {target[-1]}")


def test_a_rollback_says_what_it_undoes_and_a_second_one_does_nothing(table: RoutingTable, command: Command) -> None:
    released(table, A, B)
    code, out, _ = command("rollback", HOST)
    assert (code, table.get(HOST).target) == (0, A)
    assert "undoes revision 2 (put by tester at " in out
    assert ": release b); back to revision 1" in out
    for _ in range(2):
        code, out, _ = command("rollback", HOST)
        assert (code, table.get(HOST).target, table.get(HOST).revision) == (0, A, 3)
        assert "unchanged" in out
        assert "its newest change is a rollback to revision 1 by pipeline" in out
        assert "--further" in out


def test_neither_touch_nor_a_note_makes_a_second_rollback_bring_the_broken_release_back(table: RoutingTable) -> None:
    released(table, A, B)
    rollback(table, [HOST])
    table.touch(HOST)
    table.put(HOST, A, note="looked at it")
    assert rollback(table, [HOST])[0].action == "unchanged"
    assert table.get(HOST).target == A


def test_what_was_gone_back_to_is_promoted_already(table: RoutingTable) -> None:
    for name, target in (("pr-1", A), ("pr-2", B)):
        table.put(f"{name}.example.com", target, environment=name, expires_in="3h")
        promote(table, name, {"www.example.com": ""})
    rollback(table, ["www.example.com"])
    assert [change.action for change in promote(table, "pr-1", {"www.example.com": ""})] == ["unchanged"]
    assert table.get("www.example.com").revision == 3
    promote(table, "pr-1", {"www.example.com": ""}, note="looked at it")
    assert table.get("www.example.com").note == "looked at it"


def test_further_goes_one_step_back_from_what_was_gone_back_to(table: RoutingTable) -> None:
    released(table, A, B, C)
    rollback(table, [HOST])
    assert table.get(HOST).target == B
    assert "back to revision 1" in rollback(table, [HOST], further=True)[0].message
    assert table.get(HOST).target == A
    with pytest.raises(NotFound, match="no earlier revision"):
        rollback(table, [HOST], further=True)
    with pytest.raises(InvalidInput, match="do not go together"):
        rollback(table, [HOST], to=1, further=True)


def test_further_never_brings_back_what_a_rollback_took_away(table: RoutingTable) -> None:
    released(table, A, B)
    rollback(table, [HOST])  # B was broken
    released(table, C)
    rollback(table, [HOST])  # and C
    assert table.get(HOST).target == A
    with pytest.raises(NotFound, match="no earlier revision"):
        rollback(table, [HOST], further=True)


def test_a_rollback_that_was_written_before_they_said_what_they_restore_counts_too(
    table: RoutingTable, aws: EmbeddedAws
) -> None:
    released(table, A, B, C)
    rollback(table, [HOST])
    item = dict(table.tables.revision(HOST, 4) or {})
    del item["restores"]
    aws.client("dynamodb").put_item(TableName=table.tables.history, Item=item)
    assert rollback(table, [HOST])[0].action == "unchanged"
    rollback(table, [HOST], further=True)
    assert table.get(HOST).target == A


def test_a_rollback_that_removes_is_done_once_too(table: RoutingTable) -> None:
    released(table, A)
    table.delete(HOST)
    released(table, B)
    assert rollback(table, [HOST])[0].action == "deleted"
    (change,) = rollback(table, [HOST])
    assert (change.action, change.before, change.after, change.revision) == ("unchanged", None, None, 4)
    assert "newest change is a rollback" in change.message


def test_after_a_new_release_a_rollback_is_one_again(table: RoutingTable) -> None:
    released(table, A, B)
    rollback(table, [HOST])
    released(table, C)
    assert rollback(table, [HOST])[0].action == "updated"
    assert table.get(HOST).target == A


def test_a_rollback_of_several_takes_up_those_that_are_not_rolled_back_yet(table: RoutingTable) -> None:
    for domain in (HOST, OTHER):
        table.put(domain, A)
        table.put(domain, B)
    rollback(table, [HOST])
    changes = {change.domain: change.action for change in rollback(table, [HOST, OTHER, HOST])}
    assert changes == {HOST: "unchanged", OTHER: "updated"}
    assert {table.get(HOST).target, table.get(OTHER).target} == {A}


def test_what_an_environments_rollback_removed_does_not_come_back_by_another(
    table: RoutingTable, aws: EmbeddedAws
) -> None:
    clock = Clock()
    timed = RoutingTable(table.stack, client=aws.client, clock=clock)
    clock.now += 10
    timed.put(HOST, A, environment="shop")
    clock.now += 10
    assert [change.action for change in rollback_environment(timed, "shop", timed.since("15s"))] == ["deleted"]
    assert rollback(timed, [HOST])[0].action == "unchanged"
    with pytest.raises(NotFound):
        rollback(timed, [HOST], further=True)


def test_removing_what_is_gone_is_done_already(table: RoutingTable, command: Command) -> None:
    released(table, A)
    assert command("delete", HOST)[:2] == (0, f"deleted {HOST} (revision 2)\n")
    assert command("delete", HOST)[:2] == (0, f"unchanged {HOST} (revision 2): there is nothing to remove\n")
    assert command("delete", HOST, "--if-revision", "1")[0] == 0
    code, out, err = command("delete", HOST, "--must-exist")
    assert (code, out) == (1, "")
    assert err == f"table-admin: {HOST} has no route.\n"


def test_a_revision_that_was_written_over_already_as_wanted_is_no_conflict(
    table: RoutingTable, command: Command
) -> None:
    only_new = ("put", HOST, A, "--if-revision", "0")
    assert [command(*only_new)[0] for _ in range(2)] == [0, 0]
    for over in ("1", "2"):
        target = B if over == "1" else C
        wanted = ("put", HOST, target, "--if-revision", over, "--note", "why")
        assert command(*wanted)[0] == 0
        assert command(*wanted)[:2] == (0, f"unchanged {HOST} -> {target} (revision {int(over) + 1})\n")
    assert command("put", HOST, C, "--if-revision", "1", "--note", "why else")[0] == 1
    assert command("put", HOST, B, "--if-revision", "1")[0] == command(*only_new)[0] == 1
    assert table.get(HOST).revision == 3


def test_a_touch_of_a_revision_is_made_once(table: RoutingTable, command: Command) -> None:
    released(table, A)
    for action in ("updated", "unchanged"):
        assert command("touch", HOST, "--if-revision", "1")[:2] == (0, f"{action} {HOST} -> {A} (revision 2)\n")
    assert command("touch", HOST, "--if-revision", "0")[0] == 1
    table.put(HOST, B)
    for revision in ("1", "2"):  # what is there is something else by now
        assert command("touch", HOST, "--if-revision", revision)[0] == 1
    table.delete(HOST)
    assert command("touch", HOST, "--if-revision", "3")[0] == 1


def test_several_are_removed_in_one_go(table: RoutingTable, command: Command) -> None:
    for domain in (HOST, OTHER):
        table.put(domain, A)
    code, out, err = command("delete", HOST, "gone.example.com", OTHER, "--must-exist")
    assert (code, out) == (1, "")
    assert "gone.example.com has no route" in err
    code, out, _ = command("delete", HOST, "gone.example.com", OTHER, HOST)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["deleted", HOST],
        ["unchanged", "gone.example.com"],
        ["deleted", OTHER],
    ]
    assert command("delete", HOST, OTHER, "--if-revision", "1")[0] == 2
    many = [f"r{number}.example.com" for number in range(60)]
    for domain in many:
        table.put(domain, A)
    assert {change.action for change in delete_many(table, many)} == {"deleted"}


@pytest.mark.parametrize("arguments", [["touch", HOST], ["sweep", "--no-orphans"], ["rollback", HOST, "--to", "1"]])
def test_a_second_run_ends_well(table: RoutingTable, command: Command, arguments: list[str]) -> None:
    released(table, A, B)
    assert command(*arguments)[0] == command(*arguments)[0] == 0


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Fix the cart\n\nIt was empty.\r\n", "Fix the cart It was empty."),
        ("a\tb\x1b[31mc\u2028d", "a b [31mc d"),
        ("caf\u00e9 \U0001f469\u200d\U0001f4bb \u202eevil", "caf\u00e9 \U0001f469\u200d\U0001f4bb evil"),
        ("\udcff", ""),
        ("x" * 1001, "x" * 999 + "\u2026"),
        ("x" * NOTE_CHARACTERS, "x" * NOTE_CHARACTERS),
    ],
)
def test_a_note_is_text(text: str, note: str) -> None:
    assert parse_note(text) == note == parse_note(note)


def test_a_commit_message_is_a_note(table: RoutingTable, command: Command) -> None:
    assert command("put", HOST, A, "--note", f"Fix\n\n{'long ' * 300}")[0] == 0
    note = table.get(HOST).note
    assert note.startswith("Fix long long")
    assert len(note) <= NOTE_CHARACTERS
    assert note[-1] == "\u2026"


def test_a_note_is_its_revisions_and_not_the_next_ones(table: RoutingTable) -> None:
    table.put(HOST, A, note="release 1")
    assert table.put(HOST, A).action == "unchanged"
    table.put(HOST, B)
    table.put(HOST, B, expires_in="1d", note="for a day")
    table.touch(HOST)
    notes = [entry.note for entry in table.history(HOST)]
    assert notes == ["", "for a day", "", "release 1"]


def test_a_listing_is_filtered_and_cut(table: RoutingTable, command: Command) -> None:
    table.put("web-1.example.com", A)
    table.put("web-2.example.com", B, expires_in="1h")
    table.put("api-2.example.com", B, expires_in="3d")

    def listed(*arguments: str) -> set[str]:
        code, out, _ = command("list", *arguments)
        assert code == 0
        return {line.split(".")[0] for line in out.splitlines()[1:]}

    assert listed("--name", "WEB") == {"web-1", "web-2"}
    assert listed("--name", "*-2.example.com") == {"web-2", "api-2"}
    assert listed("--name", "*-2") == listed("--name", "[w]eb*") == set()
    assert listed("--target", "env-b") == {"web-2", "api-2"}
    assert listed("--target", "s3://*-a") == {"web-1"}
    assert listed("--expires-before", "2d") == {"web-2"}
    assert listed("--expires-before", "2999-01-01") == {"web-2", "api-2"}
    assert listed("--expires-before", "2999-01-01", "--name", "web", "--limit", "1") == {"web-2"}
    assert len(listed("--limit", "2")) == 2
    for wrong in (["--name", ""], ["--target", ""], ["--expires-before", "soon"], ["--limit", "0"]):
        assert command("list", *wrong)[0] == 2, wrong


def test_a_listing_that_may_go_on_says_so(table: RoutingTable, command: Command) -> None:
    for number in range(3):
        table.put(f"env-{number}.example.com", A)
    released(table, A, B)
    assert command("list", "--limit", "2")[2] == "2 routes, for --limit is 2; there may be more\n"
    assert command("list", "--limit", "9")[2] == "3 routes\n"
    assert command("list", "--limit", "1", "--json")[2] == ""
    assert command("history", HOST, "--limit", "1")[2] == "1 revision, for --limit is 1; there may be more\n"
    assert command("history", HOST)[2] == "3 revisions\n"


def test_a_history_is_cut_and_one_that_never_was_is_said(table: RoutingTable, command: Command) -> None:
    released(table, A, B, C)
    assert [line.split()[0] for line in command("history", HOST, "--limit", "2")[1].splitlines()[1:]] == ["3", "2"]
    assert [entry.revision for entry in table.history(HOST)] == [3, 2, 1]
    for arguments in (["history", "nobody.example.com"], ["history", "nobody.example.com", "--json"]):
        code, _, err = command(*arguments)
        assert (code, "nobody.example.com has no history" in err) == (1, True)
    table.delete(HOST)
    assert command("history", HOST)[0] == 0


def test_a_time_may_be_a_duration(table: RoutingTable, command: Command) -> None:
    table.put(HOST, A, environment="shop")
    code, out, _ = command("rollback", "-e", "shop", "--since", "10m")
    assert (code, out.split()[:2]) == (0, ["deleted", HOST])
    assert "back to before its first revision" in out
    assert command("rollback", "-e", "shop", "--since", "10 minutes")[0] == 2


@pytest.mark.parametrize("option", [{"expires_in": ""}, {"environment": ""}])
def test_an_empty_value_is_none(table: RoutingTable, option: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        table.put(HOST, A, **option)
