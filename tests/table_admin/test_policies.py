"""Who gets an answer and what goes with it: read, planned, kept by who does not speak of it, and gone back to."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.routes.policy import MAX_HEADERS, MAX_NETWORKS, NEW, Maintenance, Policy, decode_policy, encode_policy
from table_admin import InvalidInput, RoutingTable
from table_admin.changes import differences, put_of
from table_admin.environments import extend, up
from table_admin.policies import (
    FIELDS,
    asked_policy,
    parse_policy,
    planned_policy,
    policy_document,
    policy_in_revision,
    renewed_policy,
    restored_policy,
)
from table_admin.rollback import rollback
from table_admin.upkeep import refresh
from tests.support import Clock

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST = "env-1.example.com"
FULL = {
    "private": True,
    "allow": ["203.0.113.0/24", "2001:db8::/32"],
    "noindex": False,
    "headers": {"x-a": "b", "x-gone": ""},
    "maintenance": {"retry_after": 600, "message": "Back at nine."},
}

names = st.from_regex(r"x-[a-df-z]{1,6}", fullmatch=True).filter(lambda name: name not in ("x-cache",))
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(str.strip)
policies = st.builds(
    Policy,
    private=st.integers(0, 9),
    allow=st.sets(st.ip_addresses().map(lambda one: f"{one}/{one.max_prefixlen}"), max_size=3)
    .filter(lambda found: not any(text.lower().startswith("::ffff:") for text in found))
    .map(lambda found: tuple(sorted(found))),
    maintenance=st.none()
    | st.builds(Maintenance, st.integers(1, 9), st.integers(1, 600), st.sampled_from(["", "Back at nine."])),
    noindex=st.none() | st.booleans(),
    headers=st.dictionaries(names, values, max_size=3).map(lambda found: tuple(sorted(found.items()))),
)
some_policy = policies.filter(lambda policy: policy != Policy())


def policy_of(table: RoutingTable, domain: str = HOST) -> Policy:
    return table.get(domain).policy or Policy()


# ---- What is written


@given(some_policy)
def test_what_a_document_shows_is_read_again_as_the_same(policy: Policy) -> None:
    said = parse_policy(policy_document(policy))
    assert set(said) == {*FIELDS}
    for before in (policy, None):
        assert asked_policy(planned_policy(before, said, whole=True)) == asked_policy(policy)
    assert planned_policy(policy, said, whole=True) == policy
    assert decode_policy(encode_policy(policy)) == policy


@pytest.mark.parametrize("given", [{}, {"target": A, "domain": HOST}])
def test_other_fields_say_nothing_of_it(given: dict[str, Any]) -> None:
    assert parse_policy(given) == {}
    assert planned_policy(None, parse_policy(given)) is None


def test_networks_are_sorted_whole_and_each_once() -> None:
    said = parse_policy({"allow": ["2001:DB8:0::1", " 10.0.0.1", "10.0.0.1/32", "10.0.0.0/255.0.0.0"]})
    assert said == {"allow": ("10.0.0.0/8", "10.0.0.1/32", "2001:db8::1/128")}
    assert parse_policy({"allow": "10.0.0.0/8"}) == {"allow": ("10.0.0.0/8",)}
    assert parse_policy({"allow": None}) == parse_policy({"allow": []}) == {"allow": ()}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"allow": ["10.0.0.1/8"]}, "has host bits set"),
        ({"allow": ["office"]}, "is no network"),
        ({"allow": [""]}, "is no network"),
        ({"allow": ["::ffff:10.0.0.1/128"]}, "write it as IPv4"),
        ({"allow": [f"10.0.0.{number}" for number in range(MAX_NETWORKS + 1)]}, f"{MAX_NETWORKS} at most"),
        ({"headers": {"Set-Cookie": "a=b"}}, "Set-Cookie cannot be used"),
        ({"headers": {"x y": "a"}}, "no header's name"),
        ({"headers": {"": "a"}}, "no header's name"),
        ({"headers": {"X-A": "a", "x-a": "b"}}, "x-a is there twice"),
        ({"headers": {"content-type": ""}}, "browsers guess"),
        ({"headers": {"x-a": "a\r\nset-cookie: b"}}, "not ASCII text"),
        ({"headers": {"x-a": "é"}}, "not ASCII text"),
        ({"headers": {"x-a": 1}}, "not ASCII text"),
        ({"headers": {"x-route-kind": "a"}}, "is CloudFront's"),
        ({"maintenance": {"retry_after": 0}}, "between a second and 7 days"),
        ({"maintenance": {"retry_after": "8d"}}, "between a second and 7 days"),
        ({"maintenance": {"message": "a" * 301}}, "300 characters"),
        ({"maintenance": {"message": "a\nb"}}, "a line"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        parse_policy(given)
    assert "\n" not in str(caught.value)


def test_too_many_headers_are_refused_also_where_they_come_one_by_one() -> None:
    many = {f"x-{number}": "a" for number in range(MAX_HEADERS)}
    policy = planned_policy(None, parse_policy({"headers": many}))
    assert policy is not None
    for more in ({"x-more": "a"}, {"x-0": "a" * 1024}):
        with pytest.raises(InvalidInput, match="Too many headers"):
            planned_policy(policy, parse_policy({"headers": more}))
    assert planned_policy(policy, parse_policy({"headers": {"x-0": None, "x-more": "a"}}))


# ---- What is planned


@given(policies, st.sets(st.sampled_from([name for name in FIELDS if name != "maintenance"])))
def test_what_is_not_said_stays_or_goes_where_a_file_says_all(policy: Policy, fields: set[str]) -> None:
    before = policy if policy != Policy() else None
    shown = policy_document(policy)
    said = parse_policy({name: shown[name] for name in fields})
    assert planned_policy(before, said) == before
    whole = policy_document(planned_policy(before, said, whole=True))
    default = {**policy_document(None), "maintenance": shown["maintenance"]}
    assert whole == {name: shown[name] if name in fields else default[name] for name in FIELDS}


def test_private_has_its_since_until_it_is_public() -> None:
    private = planned_policy(None, {"private": True})
    assert private == Policy(private=NEW)
    assert planned_policy(Policy(private=3), {"private": True}) == Policy(private=3)
    assert planned_policy(Policy(private=3), {"private": True}, whole=True) == Policy(private=3)
    assert planned_policy(Policy(private=3), {}, whole=True) is None
    assert planned_policy(Policy(private=3), {"private": False}) is None


def test_what_is_new_is_of_the_revision_that_is_written_and_the_rest_of_its_own() -> None:
    new = {"M": encode_policy(Policy(private=NEW, maintenance=Maintenance(NEW, 600)))}
    assert decode_policy(policy_in_revision(new, 7)["M"]) == Policy(private=7, maintenance=Maintenance(7, 600))
    old = {"M": encode_policy(Policy(private=2, maintenance=Maintenance(3, 600), noindex=True))}
    assert policy_in_revision(old, 7) == old
    for broken in ({"S": "x"}, None, {"M": {"maintenance": {"S": "x"}}}):
        assert policy_in_revision(broken, 7) == broken


@given(some_policy, policies)
def test_no_policy_of_another_time_is_of_that_time(policy: Policy, current: Policy) -> None:
    for found in (renewed_policy(policy, current), restored_policy(policy, current)):
        assert (found or Policy()).private == (0 if not policy.private else current.private or NEW)
    assert (restored_policy(policy, current) or Policy()).maintenance == current.maintenance


# ---- What is in the table


def test_all_fields_are_in_the_row_with_their_revision_and_a_second_run_changes_nothing(table: RoutingTable) -> None:
    table.put(HOST, A)
    change = table.put(HOST, A, policy=FULL)
    assert change.after
    assert change.after.policy == Policy(
        private=2,
        allow=("2001:db8::/32", "203.0.113.0/24"),
        maintenance=Maintenance(2, 600, "Back at nine."),
        noindex=False,
        headers=(("x-a", "b"), ("x-gone", "")),
    )
    assert policy_of(table) == change.after.policy
    assert [entry.route and entry.route.policy for entry in table.history(HOST)] == [change.after.policy, None]
    assert set(differences(change.before, change.after)) == {*FIELDS}
    for _ in range(2):
        assert table.put(HOST, A, policy=FULL).action == "unchanged"
        assert table.put(HOST, A).action == "unchanged"
    assert table.put(HOST, B).revision == 3
    assert policy_of(table) == change.after.policy
    assert table.touch(HOST).after.policy == change.after.policy  # type: ignore[union-attr]


def test_what_says_nothing_has_no_attribute(table: RoutingTable) -> None:
    table.put(HOST, A, policy={"noindex": True})
    assert table.tables.read([HOST])[HOST]["schema"] == {"N": "4"}
    table.put(HOST, A, policy={"noindex": None})
    row = table.tables.read([HOST])[HOST]
    assert ("policy" in row, row["schema"]) == (False, {"N": "1"})


def test_since_follows_the_number_that_a_write_gets_after_a_former_life(table: RoutingTable) -> None:
    for number in (1, 3, 5):
        change = table.put(HOST, A, policy={"private": True})
        assert (change.revision, policy_of(table).private) == (number, number)
        table.delete(HOST)


def test_a_note_alone_is_a_revision_and_no_new_since(table: RoutingTable) -> None:
    table.put(HOST, A, policy={"private": True})
    assert table.put(HOST, A, policy={"private": True}, note="looked at it").revision == 2
    assert (policy_of(table).private, table.get(HOST).note) == (1, "looked at it")


def test_what_is_looked_up_again_or_extended_keeps_it(table: RoutingTable) -> None:
    up(table, "e", "example.com", {"": A}, policy=FULL, expires_in="1h")
    before = policy_of(table, "e.example.com")
    extend(table, "e", expires_in="7d")
    assert policy_of(table, "e.example.com") == before
    assert [*refresh(table, "e")] == []
    route = table.get("e.example.com")
    assert table.plan_put(put_of(route), table.tables.read([route.domain])[route.domain]) is None


def test_an_environments_services_are_private_together_and_a_new_one_when_it_is_said(table: RoutingTable) -> None:
    up(table, "e", "example.com", {"web": A, "api": B}, policy={"private": True})
    assert {route.policy.private for route in table.list() if route.policy} == {1}
    assert {one.action for one in up(table, "e", "example.com", {"web": A}, policy={"private": True})} == {"unchanged"}
    up(table, "e", "example.com", {"web": A, "docs": C})
    assert policy_of(table, "docs-e.example.com").private == 0
    up(table, "e", "example.com", {"docs": C}, policy={"private": True})
    assert policy_of(table, "docs-e.example.com").private == 2
    assert policy_of(table, "web-e.example.com").private == 1


@pytest.mark.parametrize(("source", "private"), [("feature/a", 2), ("feature/b", 0)], ids=["by the same", "by another"])
def test_what_expired_and_is_made_again_is_of_a_new_time_or_without_what_another_had(
    table: RoutingTable, source: str, private: int
) -> None:
    table.clock = clock = Clock()
    up(table, "e", "example.com", {"": A}, policy={**FULL, "maintenance": None}, source="feature/a", expires_in="1h")
    clock.now += 3600
    up(table, "e", "example.com", {"": A}, source=source, take_over=True, expires_in="1h")
    policy = policy_of(table, "e.example.com")
    assert policy.private == private
    assert bool(policy.allow) == bool(policy.headers) == bool(private)


# ---- Rollbacks


@pytest.mark.parametrize(
    "undone",
    [
        lambda table: table.put(HOST, A, policy={"private": False}),
        lambda table: table.put(HOST, A, policy={"allow": []}),
        lambda table: table.put(HOST, A, policy={"noindex": None}),
        lambda table: table.put(HOST, A, policy={"headers": {"x-a": None}}),
        lambda table: table.delete(HOST),
    ],
    ids=["public", "allow", "noindex", "headers", "delete"],
)
def test_a_rollback_brings_back_what_was_asked_for(
    table: RoutingTable, undone: Callable[[RoutingTable], object]
) -> None:
    table.put(HOST, A, policy={**FULL, "maintenance": None})
    before = table.get(HOST)
    undone(table)
    rollback(table, [HOST])
    assert asked_policy(policy_of(table)) == asked_policy(before.policy)
    assert rollback(table, [HOST])[0].action == "unchanged"


def test_a_rollback_past_a_time_of_being_public_begins_a_new_one(table: RoutingTable) -> None:
    table.put(HOST, A, policy={"private": True})
    table.put(HOST, A, policy={"private": False})
    rollback(table, [HOST])
    assert policy_of(table).private == 3
    table.put(HOST, B)
    rollback(table, [HOST])
    assert (table.get(HOST).target, policy_of(table).private) == (A, 3)
    rollback(table, [HOST], to=1)
    assert policy_of(table).private == 3


def test_what_had_expired_is_gone_back_to_as_of_a_new_time(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    table.put(HOST, A, policy={"private": True}, expires_in="1h")
    clock.now += 3600
    rollback(table, [HOST], to=1, expires_in="1h")
    assert policy_of(table).private == 2


def test_who_mends_a_broken_row_does_not_open_it_to_everybody(table: RoutingTable) -> None:
    table.put("env-9.example.com", "https://app.example.net", policy={"private": True, "allow": ["203.0.113.0/24"]})
    _damage(table, "env-9.example.com", origin={"M": {"kind": {"S": "nothing"}}})
    change = table.put("env-9.example.com", "https://app.example.net")
    assert change.after is not None
    assert change.after.policy == Policy(private=change.revision, allow=("203.0.113.0/24",))


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("canary", {"M": {"weight": {"N": "1000"}}}),
        ("standby", {"N": "1"}),
        ("rules", {"L": [{"M": {}}]}),
        ("former", {"S": "x"}),
    ],
)
def test_who_mends_a_row_loses_of_it_what_cannot_be_read_and_no_more(
    table: RoutingTable, name: str, broken: dict[str, Any]
) -> None:
    said: dict[str, Any] = {"policy": {"private": True}, "rules": {"/api/*": A}, "environment": "shop"}
    canary = {"target": "https://canary.example.net", "weight": 5}
    table.put(HOST, A, **said, canary=canary, standby="https://standby.example.net", expires_in="7d")
    before = table.get(HOST)
    _damage(table, HOST, **{name: broken})
    change = table.put(HOST, A)
    assert change.message == f"what it had as {name} could not be read"
    route = table.get(HOST)
    assert route.generation == change.revision
    for kept in {"policy", "rules", "canary", "standby", "expires_at", "environment", "managed"} - {name}:
        assert getattr(route, kept) == getattr(before, kept), kept
    assert not getattr(route, name)
    assert table.put(HOST, A).action == "unchanged"


def test_a_row_whose_policy_is_what_is_broken_is_not_put_over(table: RoutingTable) -> None:
    table.put("env-9.example.com", "https://app.example.net", policy={"private": True})
    _damage(table, "env-9.example.com", policy={"M": {"private": {"S": "yes"}}})
    with pytest.raises(InvalidInput, match="delete it"):
        table.put("env-9.example.com", "https://app.example.net")


def _damage(table: RoutingTable, domain: str, **attributes: Any) -> None:
    item = {**table.tables.read([domain])[domain], **attributes}
    table.tables.dynamodb.put_item(TableName=table.tables.routes, Item=item)
