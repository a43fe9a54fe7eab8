import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from table_admin import InvalidInput, RoutingTable, branches, environments
from table_admin.names import branch_label, hashed_label, url_domain

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize(
    ("branch", "label"),
    [
        ("feature/ABC_123", "feature-abc-123"),
        ("dependabot/npm_and_yarn/lodash-4.17.21", "dependabot-npm-and-yarn-lodash-4-17-21"),
        ("release/2026.11", "release-2026-11"),
        ("MAIN", "main"),
        ("1234", "1234"),
        ("fix/größe", "fix-grosse"),
        ("a--b__c", "a-b-c"),
        ("a" * 63, "a" * 63),
    ],
)
def test_a_branch_has_a_label_that_people_know_again(branch: str, label: str) -> None:
    assert branch_label(branch) == label


def test_what_is_lost_of_a_name_is_in_a_hash() -> None:
    long = [branch_label("feature/" + "x" * 190 + end) for end in "ab"]
    assert len({*long}) == 2
    assert [len(label) for label in long] == [63, 63]
    foreign = {branch_label(branch) for branch in ("fix/修复", "fix/問題", "fix", "修复", "🚀", "---", "!!!")}
    assert len(foreign) == 7
    for empty in ("", " ", "\n"):
        with pytest.raises(InvalidInput):
            branch_label(empty)


@given(st.text(min_size=1).filter(str.strip), st.sampled_from(["", "web", "a" * 63]))
def test_every_branch_has_a_label_that_fits_a_url(branch: str, service: str) -> None:
    for label in (branch_label(branch), hashed_label(branch)):
        assert LABEL.fullmatch(label)
        assert LABEL.fullmatch(url_domain(label, service, "example.com").partition(".")[0])


def test_two_branches_never_share_an_environment(table: RoutingTable) -> None:
    first, second = "feature/ABC_123", "feature/abc-123"
    branches.up(table, first, "example.com", {"": A})
    plain, other = branches.name_of(table, first), branches.name_of(table, second)
    assert (plain, other) == ("feature-abc-123", hashed_label(second))
    branches.up(table, second, "example.com", {"": B})
    assert {route.target for route in environments.show(table, plain)} == {A}
    assert {(route.target, route.source) for route in environments.show(table, other)} == {(B, second)}
    # Whoever goes first, the other keeps its name, and a retry finds nothing that is not its own.
    environments.down(table, plain)
    assert branches.up(table, second, "example.com", {"": B})[0].action == "unchanged"
    environments.down(table, other)
    branches.up(table, first, "example.com", {"": A})
    assert branches.name_of(table, second) == other
    assert environments.down(table, branches.name_of(table, second), source=second) == []


def test_a_branch_of_the_name_of_something_else_keeps_off(table: RoutingTable) -> None:
    table.put("docs.example.com", A)
    environments.up(table, "b", "example.org", {"a": A})
    assert branches.name_of(table, "docs") == hashed_label("docs")
    assert branches.up(table, "docs", "example.com", {"": B})[0].domain == f"{hashed_label('docs')}.example.com"
    # The URL is another environment's, and nothing else is under the branch's name.
    assert branches.up(table, "a/b", "example.org", {"": B})[0].domain == f"{hashed_label('a/b')}.example.org"
    assert (table.get("docs.example.com").target, table.get("a-b.example.org").target) == (A, A)


def test_a_branch_never_gets_what_somebody_made_by_hand(table: RoutingTable) -> None:
    environments.up(table, "hand-1", "example.com", {"": A})
    assert branches.name_of(table, "HAND/1") == hashed_label("HAND/1")
    (change,) = branches.up(table, "HAND/1", "example.com", {"": B})
    assert (change.action, change.domain) == ("created", f"{hashed_label('HAND/1')}.example.com")
    assert table.get("hand-1.example.com").target == A
