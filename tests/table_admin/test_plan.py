import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, RoutingTable, TableAdminError, TargetRefused
from table_admin.manifest import Manifest, load_manifest, validator
from table_admin.plan import Plan, PlanMoved, Unsafe, apply_plan, make_plan

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"


def manifest(routes: dict[str, Any], owner: str = "shop") -> Manifest:
    return load_manifest("routes.yaml", yaml.safe_dump({"owner": owner, "routes": routes}))


def done(table: RoutingTable, routes: dict[str, Any], owner: str = "shop", **options: Any) -> Plan:
    plan = make_plan(table, manifest(routes, owner), **options)
    list(apply_plan(table, plan, force=True))
    return plan


def actions(plan: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.domain) for change in plan.changes]


def test_a_file_is_compared_made_and_then_nothing_is_left_to_do(table: RoutingTable) -> None:
    done(table, {"a.example.com": A, "b.example.com": A, "c.example.com": A})
    wanted = {"a.example.com": A, "b.example.com": {"target": B, "note": "new"}, "d.example.com": B}
    plan = done(table, wanted)
    assert actions(plan) == [
        ("updated", "b.example.com"),
        ("deleted", "c.example.com"),
        ("created", "d.example.com"),
    ]
    assert plan.unchanged == 1
    assert {route.domain: route.target for route in table.list()} == {
        "a.example.com": A,
        "b.example.com": B,
        "d.example.com": B,
    }
    assert make_plan(table, manifest(wanted)).writes == ()
    assert next(table.history("c.example.com")).note == "not in routes.yaml any more"


def test_what_a_file_does_not_say_is_the_default_not_what_the_row_has(table: RoutingTable) -> None:
    said = {"target": "https://one.acme.example", "keep_host": True, "service": "web", "environment": "shop"}
    done(table, {"a.example.com": said | {"expires_at": "2030-01-01"}})
    done(table, {"a.example.com": "https://one.acme.example"})
    found = table.get("a.example.com")
    assert (found.environment, found.service, found.lifetime) == ("a", "", "permanent")
    assert found.origin.host_header == "origin"  # type: ignore[union-attr]
    never = {"a.example.com": {"target": "https://one.acme.example", "expires_at": "never"}}
    assert make_plan(table, manifest(never)).writes == ()


def test_another_owners_rows_and_nobodys_are_left_alone(table: RoutingTable) -> None:
    table.put("by-hand.example.com", A)
    done(table, {"theirs.example.com": A}, owner="team-b")
    assert actions(done(table, {"ours.example.com": A})) == [("created", "ours.example.com")]
    for domain in ("by-hand.example.com", "theirs.example.com"):
        with pytest.raises(TableAdminError, match=f"routes.yaml:3: {domain} is kept by"):
            make_plan(table, manifest({domain: B}))
    done(table, {"ours.example.com": A, "by-hand.example.com": B, "theirs.example.com": B}, adopt=True)
    assert {route.owner for route in table.list()} == {"shop"}
    assert actions(done(table, {}, owner="team-b")) == []


def test_only_the_plan_that_was_shown_is_made(table: RoutingTable) -> None:
    done(table, {"a.example.com": A})
    shown = make_plan(table, manifest({"a.example.com": B}))
    assert make_plan(table, manifest({"a.example.com": B})).id == shown.id
    assert make_plan(table, manifest({"a.example.com": B, "b.example.com": B})).id != shown.id
    table.touch("a.example.com")
    moved = make_plan(table, manifest({"a.example.com": B}))
    with pytest.raises(PlanMoved, match=shown.id):
        list(apply_plan(table, moved, expected=shown.id))
    with pytest.raises(PlanMoved, match="changed by somebody else, to revision 2; 0 of 1"):
        list(apply_plan(table, shown, expected=shown.id))
    assert table.get("a.example.com").target == A
    list(apply_plan(table, moved, expected=moved.id))
    assert table.get("a.example.com").target == B


@pytest.mark.parametrize("action", ["updated", "deleted"])
def test_a_plan_that_changes_more_than_is_likely_meant_needs_force(table: RoutingTable, action: str) -> None:
    routes = {f"r{number}.example.com": A for number in range(10)}
    done(table, routes)
    for number in range(4):
        if action == "updated":
            routes[f"r{number}.example.com"] = B
        else:
            del routes[f"r{number}.example.com"]
    plan = make_plan(table, manifest(routes))
    with pytest.raises(Unsafe, match=f"4 of shop's 10 routes would be {action}"):
        list(apply_plan(table, plan))
    assert {route.target for route in table.list()} == {A}
    assert len(list(apply_plan(table, plan, force=True))) == 4


def test_more_changes_than_a_transaction_takes_are_made_in_several(table: RoutingTable) -> None:
    routes = {f"r{number}.example.com": A for number in range(120)}
    told: list[int] = []
    plan = make_plan(table, manifest(routes))
    assert len(list(apply_plan(table, plan, on_progress=told.append))) == 120
    assert told == [33, 66, 99, 120]


def test_an_expiry_is_a_time_and_its_absence_is_for_ever(table: RoutingTable) -> None:
    done(table, {"a.example.com": {"target": A, "expires_at": "2030-01-01T00:00Z"}})
    assert table.get("a.example.com").expires_at == 1893456000
    done(table, {"a.example.com": A})
    assert table.get("a.example.com").lifetime == "permanent"


FILES = [
    ("", "routes.yaml: the file is empty"),
    ("owner: shop\nroutes: {a.example.com: [", "routes.yaml:3: not YAML"),
    ("- a", "routes.yaml:1:"),
    ("owner: shop\n", "routes.yaml:1: routes is missing"),
    ("- {domain: a.b, target: s3://x/y}\n", "routes.yaml:1: a file for plan and apply has owner and routes; a list of"),
    ("domain,target\na.b,s3://x/y\n", "routes.yaml:1: a file for plan and apply has owner and routes; this is text."),
    ("owner: shop\nroutes:\n  a.b:\n", "routes.yaml:3: routes.a.b must be text, not empty (null)."),
    ("owner: shop\nroutes:\n  a.b:\n    target: s3://x/y\n    note:\n", "routes.yaml:5: routes.a.b.note must be text"),
    ("owner: shop\nroutes: {a.b: [s3://x/y]}\n", "routes.yaml:2: routes.a.b must be text, not a list."),
    ("owner: shop\nroutes: {a.b: {target: s3://x, environment: ''}}\n", "routes.yaml:2: environment is empty"),
    ("owner: shop\nroutes: {a.b: {<<: s3://x/y}}\n", "routes.yaml:2: << merges mappings, and this is none."),
    ("routes: {}\n", "routes.yaml:1: owner is missing"),
    ("owner: shop\nroutes:\n  a.example.com:\n    traget: s3://x/y\n", "routes.yaml:4:"),
    ("owner: shop\nroutes:\n  a.example.com:\n    target: s3://x/y\n    keep_host: maybe\n", "routes.yaml:5:"),
    ("owner: shop\nroutes:\n  a..b: s3://x/y\n", "routes.yaml:3: 'a..b' is not a domain"),
    ("owner: shop\nroutes:\n  a.b: s3://x/y\n  A.b: s3://x/y\n", "routes.yaml:4: a.b is in line 3 already"),
    ("owner: shop\nroutes:\n  a.b: s3://x/y\n  a.b: s3://x/z\n", "routes.yaml:4: a.b is written twice"),
    (
        "owner: shop\nroutes:\n  a.b: {target: s3://x/y, expires_at: soon}\n",
        "routes.yaml:3: expires_at: 'soon' is not a time",
    ),
    ("owner: '?'\nroutes: {}\n", "routes.yaml:1:"),
    ("owner: shop\nroutes:\n  [a]: s3://x/y\n", "routes.yaml:3: a name is expected"),
    ("owner: shop\nroutes:\n  a.b: s3://x/y\nmore: 1\n", "routes.yaml:1: 'more' is none of owner, routes."),
]


def test_yamls_merge_keys_are_read() -> None:
    text = """owner: shop
routes:
  a.b: &base {target: s3://x/y, note: both, environment: one}
  c.d: {<<: *base, environment: two}
  e.f: {<<: [{note: first}, *base]}
"""
    routes = load_manifest("routes.yaml", text).routes
    assert [(put.target, put.note, put.environment) for put in routes.values()] == [
        ("s3://x/y", "both", "one"),
        ("s3://x/y", "both", "two"),
        ("s3://x/y", "first", "one"),
    ]


@pytest.mark.parametrize(("text", "says"), FILES)
def test_what_is_wrong_with_a_file_is_said_with_its_line(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_manifest("routes.yaml", text)
    assert str(caught.value).startswith(says), str(caught.value)


@given(
    st.text(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["owner", "routes", "target", "a.b", "note"]), inner, max_size=4)
        ),
        max_leaves=8,
    ).map(yaml.safe_dump)
)
@example("\ud800")
@example("a: &a [*a]")
@example("owner: shop\nroutes: &r {a.b: *r}")
def test_any_file_is_a_manifest_or_one_line_about_it(text: str) -> None:
    message = "routes.yaml"
    try:
        load_manifest("routes.yaml", text)
    except InvalidInput as error:
        message = str(error)
    assert message.startswith("routes.yaml")


def test_targets_are_checked_with_their_line(table: RoutingTable) -> None:
    with pytest.raises(TargetRefused, match=r"routes\.yaml:4: The bucket no-such-bucket does not exist"):
        make_plan(table, manifest({"a.example.com": A, "b.example.com": "s3://no-such-bucket/x"}))


def test_the_published_schema_is_a_schema() -> None:
    validator().check_schema(validator().schema)
    assert json.dumps(validator().schema)


def test_a_row_of_an_owner_that_the_index_still_names_is_not_deleted(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(table, {"a.example.com": A})
    stale = table.tables.by_index("owner", "shop")
    done(table, {"a.example.com": A}, owner="team-b", adopt=True)
    monkeypatch.setattr(table.tables, "by_index", lambda *_, **__: stale)
    assert make_plan(table, manifest({})).writes == ()
