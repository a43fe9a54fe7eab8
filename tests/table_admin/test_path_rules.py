"""Rules, redirects and wildcards through every verb: what is said of one stays, and what is not said of another too."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.path_rules import is_pattern
from edge_handler.routes.route import Route
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, RoutingTable, TargetRefused, environments, upkeep
from table_admin.deployments.deploy import deploy
from table_admin.manifest import load_manifest
from table_admin.path_rules import written_pattern
from table_admin.plan import apply_plan, make_plan
from table_admin.promotions import StillServed, promote
from table_admin.rollback import rollback
from table_admin.rule_targets import parse_pattern
from tests.support import Clock
from tests.table_admin.conftest import Command
from tests.table_admin.test_targets import balancer

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
API = "https://api.acme.example"
HOST = "www.example.com"


def rules_of(route: Route) -> dict[str, str]:
    return {rule.pattern: rule.target for rule in route.rules}


def generations(route: Route) -> dict[str, int]:
    return {"": route.generation, **{rule.pattern: rule.generation for rule in route.rules}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(table: RoutingTable, aws: EmbeddedAws, clock: Clock) -> RoutingTable:
    return RoutingTable(table.stack, actor="tester", client=aws.client, clock=clock)


# ---- On the command line


def test_rules_are_set_and_taken_away_one_by_one_and_the_others_stay(command: Command, table: RoutingTable) -> None:
    created = command("put", HOST, A, "--rule", f"/api/*=strip:{API}", "--rule", "/old=redirect:301:/new")
    assert created[1] == (
        f"created {HOST} -> {A} (revision 1, 2 rules)\n"
        f"    rule /api/*: (none) -> strip:{API}\n"
        "    rule /old: (none) -> redirect:301:/new\n"
    )
    again = command("put", HOST, A, "--rule", f"/api/*=strip:{API}")
    assert again[1] == f"unchanged {HOST} -> {A} (revision 1, 2 rules)\n"
    moved = command("put", HOST, B, "--rule", f"/api/*={API}", "--no-rule", "/old", "--no-rule", "/never")
    assert moved[1].splitlines()[1:] == [
        f"    rule /api/*: strip:{API} -> {API}",
        "    rule /old: redirect:301:/new -> (none)",
    ]
    assert rules_of(table.get(HOST)) == {"/api/*": API}
    command("put", HOST, B, "--note", "nothing said of rules", "--expires-in", "1d")
    assert rules_of(table.get(HOST)) == {"/api/*": API}
    command("put", HOST, B, "--no-rules", "--rule", f"/only={A}")
    assert rules_of(table.get(HOST)) == {"/only": A}
    command("put", HOST, B, "--no-rules")
    assert table.get(HOST).rules == ()


def test_what_touch_renewed_is_no_other_route(table: RoutingTable) -> None:
    table.put(HOST, A, rules={"/api/*": API})
    table.touch(HOST)
    (change,) = rollback(table, [HOST], to=1)
    assert change.action == "unchanged"


def test_a_pattern_that_would_be_read_as_something_else_is_written_encoded() -> None:
    assert written_pattern("/a?b#c=d e%/*") == "/a%3Fb%23c%3Dd%20e%25/*"
    assert parse_pattern(written_pattern("/a?b#c=d e%/*")) == "/a?b#c=d e%/*"


def test_a_deployment_is_no_rules_target(table: RoutingTable, aws: EmbeddedAws, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("x")
    done = deploy(table, tmp_path, bucket="acme-static-sites", domain=HOST)
    with pytest.raises(InvalidInput, match="a deployment is a domain's own target"):
        table.put(HOST, A, rules={"/docs/*": done.target})


def test_a_rule_may_name_a_prefix_of_the_configured_bucket(
    command: Command, table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_ADMIN_BUCKET", "acme-static-sites")
    command("put", HOST, "/env-a", "--rule", "/docs/*=strip:/env-b", "--rule", "/%2541 b=/nothing-there")
    assert rules_of(table.get(HOST)) == {"/docs/*": f"strip:{B}", "/%41 b": "s3://acme-static-sites/nothing-there"}
    said = command("put", HOST, "/env-a", "--rule", "/%2541 b=/nothing-there", "--note", "again")[2]
    assert said == "table-admin: s3://acme-static-sites/nothing-there: Nothing is under the prefix.\n"


def test_rules_are_shown_by_get_list_history_diff_and_watch(command: Command) -> None:
    command("put", HOST, A)
    command("put", HOST, A, "--rule", f"/api/*={API}", "--rule", f"/a%3Db={B}")
    assert f"rules:       /a%3Db -> {B}\n             /api/* -> {API}\n" in command("get", HOST)[1]
    heads, row = command("list")[1].splitlines()
    assert (heads.split()[-2:], row.split()[-1]) == (["RULES", "POLICY"], "2")
    assert command("list", "--target", "api.acme")[2] == "1 route\n"
    assert [line.split()[-1] for line in command("history", HOST)[1].splitlines()[1:]] == ["2", "pipeline"]
    assert command("diff", HOST)[1] == f"rule /a%3Db: (none) -> {B}\nrule /api/*: (none) -> {API}\n"
    assert json.loads(command("diff", HOST, "--json")[1]) == {"rules": [None, {"/a%3Db": B, "/api/*": API}]}
    assert f"{HOST} -> {A} (revision 2, 2 rules, by pipeline)" in command("watch", "--since", "1h", "--once")[1]
    assert "undoes revision 2" in command("rollback", HOST)[1]
    assert f"\nrule /a%3Db: {B} -> (none)\n" in command("diff", HOST)[1]


def test_a_redirect_and_a_wildcard_go_through_every_verb(command: Command) -> None:
    wild, away = "*.tenant.example.com", "redirect:302:https://www.example.org/new"
    for domain, target in ((wild, A), ("old.example.com", away)):
        assert command("put", domain, target)[1] == f"created {domain} -> {target} (revision 1)\n"
        assert command("get", domain)[1].startswith(f"domain:      {domain}\n")
        assert f"{domain}  " in command("list", "--name", domain)[1]
        assert command("touch", domain)[1].startswith(f"updated {domain} -> {target} (revision 2)")
        assert command("put", domain, B)[0] == 0
        assert command("diff", domain)[1].startswith(f"target: {target} -> {B}\n")
        assert command("rollback", domain)[1].startswith(f"updated {domain} -> {target} (revision 4)")
        assert command("history", domain, "--limit", "1")[1].splitlines()[1].split()[1] == "rollback"
        assert command("delete", domain)[1] == f"deleted {domain} (revision 5)\n"
        assert command("rollback", domain)[0] == 0
    assert "answers 302, to https://www.example.org/new/x?y=1" in command("explain", "https://old.example.com/x?y=1")[1]
    assert "asks https://acme-static-sites" in command("explain", "https://a.b.tenant.example.com/")[1]
    assert command("env", "up", "e1", "--base", "example.com", "-s", away)[0] == 0
    assert command("env", "promote", "e1", "*.prod.example.com")[0] == 0
    assert command("env", "show", "e1")[1].splitlines()[1].split()[1] == away
    assert command("env", "extend", "e1", "--expires-in", "3d")[0] == 0
    assert command("env", "down", "e1")[1].startswith("deleted e1.example.com")


# ---- In a file that says it all


def text_of(rules: str) -> str:
    return f"owner: shop\nroutes:\n  a.example.com: {A}\n  {HOST}:\n    target: {A}\n{rules}"


@pytest.mark.parametrize(
    ("rules", "where"),
    [
        ("    rules:\n      /x: s3://acme-static-sites/env-b\n      api: s3://a/b\n", ":8: 'api' is not a pattern"),
        ("    rules:\n      /x: [a]\n", r":7: routes.www.example.com.rules./x must be text, not a list"),
        ("    rules: /x\n", ":6: routes.www.example.com.rules must be a mapping, not text"),
        ("    rules:\n      /x: ''\n", ":7: routes.www.example.com.rules./x is empty"),
        ("    rules:\n      /x: 'strip:'\n", ":7: The rule for /x: 'strip:' has no target"),
        ("    rules:\n      /a: /b\n", ":7: The rule for /a: /b is a prefix of the configured bucket"),
        ("    rules:\n      /a: s3://a/b\n      /%61: s3://a/b\n", ":5: /a is there twice"),
    ],
)
def test_a_rule_that_cannot_be_is_told_with_its_line(rules: str, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_manifest("routes.yaml", text_of(rules))
    assert str(caught.value).startswith(f"routes.yaml{where}")


def test_a_rule_whose_target_is_not_there_is_told_with_its_line(table: RoutingTable) -> None:
    found = load_manifest("routes.yaml", text_of("    rules:\n      /x: redirect:/y\n      /%61: s3://no-bucket/b\n"))
    with pytest.raises(TargetRefused, match=r"^routes.yaml:8: The rule for /a: The bucket no-bucket does not exist"):
        make_plan(table, found)


def test_a_plan_shows_rules_a_line_each_and_makes_them_all_there_is(
    command: Command, table: RoutingTable, tmp_path: Path
) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(text_of(f"    rules:\n      /api/*: {API}\n      /old: redirect:/new\n"))
    created = command("plan", str(file))[1]
    assert f"+ {HOST}  {A}\n    rule /api/*: (none) -> {API}\n    rule /old: (none) -> redirect:/new\n" in created
    command("apply", str(file), "--yes")
    assert command("plan", str(file), "--exit-code")[0] == 0
    table.put(HOST, A, rules={"/by-hand": B})
    file.write_text(text_of(f"    rules:\n      /api/*: strip:{API}\n      /old: redirect:/new\n"))
    assert command("plan", str(file))[1].splitlines()[:3] == [
        f"~ {HOST}",
        f"    rule /api/*: {API} -> strip:{API}",
        f"    rule /by-hand: {B} -> (none)",
    ]
    command("apply", str(file), "--yes")
    assert [*rules_of(table.get(HOST))] == ["/api/*", "/old"]
    file.write_text(text_of(""))
    command("apply", str(file), "--yes")
    assert table.get(HOST).rules == ()


def test_a_plan_that_closes_a_circle_is_refused_before_anything_is_written(table: RoutingTable) -> None:
    routes = {f"h{number}.example.com": A for number in range(40)}
    routes |= {
        "h0.example.com": "redirect:https://h39.example.com",
        "h39.example.com": "redirect:https://h0.example.com",
    }
    text = json.dumps({"owner": "shop", "routes": routes})
    with pytest.raises(InvalidInput, match=r"^routes.json: h0.example.com: viewers would be sent in a circle"):
        make_plan(table, load_manifest("routes.json", text))


def test_a_circle_that_a_later_part_of_the_plan_opens_is_none(table: RoutingTable) -> None:
    def done(first: str, last: str) -> None:
        routes = {f"h{number:02}.example.com": A for number in range(40)} | {
            "h00.example.com": first,
            "h39.example.com": last,
        }
        routes = {domain: target if target != A else f"{A}/{first == A}" for domain, target in routes.items()}
        plan = make_plan(table, load_manifest("r.json", json.dumps({"owner": "shop", "routes": routes})))
        assert len(list(apply_plan(table, plan, force=True))) == 40

    done(A, "redirect:https://h00.example.com")
    done("redirect:https://h39.example.com", A)
    assert table.get("h00.example.com").target == "redirect:https://h39.example.com"


# ---- What is not about rules leaves them


def test_environments_and_deployments_leave_the_rules_of_a_row(
    command: Command, table: RoutingTable, tmp_path: Path
) -> None:
    environments.up(table, "pr-1", "example.com", {"": A})
    table.put("pr-1.example.com", A, rules={"/api/*": API})
    environments.up(table, "pr-1", "example.com", {"": B}, expires_in="1d")
    environments.extend(table, "pr-1", expires_in="2d")
    environments.adopt(table, "pr-1")
    aws = table.client("s3")
    aws.create_bucket(Bucket="deployed-with-rules")
    aws.put_bucket_versioning(Bucket="deployed-with-rules", VersioningConfiguration={"Status": "Enabled"})
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_text("hello")
    deploy(table, tmp_path / "dist", bucket="deployed-with-rules", environment="pr-1", base="example.com")
    found = table.get("pr-1.example.com")
    assert "/_deployments/" in found.target
    assert (rules_of(found), generations(found)["/api/*"]) == ({"/api/*": API}, 2)


def test_a_promotion_leaves_production_its_own_rules_and_says_so(command: Command, table: RoutingTable) -> None:
    environments.up(table, "pr-1", "example.com", {"": A})
    table.put(HOST, B, rules={"/api/*": API, "/same": B})
    table.put("pr-1.example.com", A, rules={"/api/*": "https://api.pr-1.acme.example", "/same": B, "/new": B})
    said = command("env", "promote", "pr-1", HOST)[1]
    assert said == (
        f"updated {HOST} -> {A} (revision 2, 2 rules): rules of pr-1.example.com are not promoted (/api/*, /new), "
        f"{HOST} keeps its own\n"
    )
    assert rules_of(table.get(HOST)) == {"/api/*": API, "/same": B}
    assert rules_of(table.get("pr-1.example.com"))["/new"] == B
    assert "are not promoted" in command("env", "promote", "pr-1", HOST)[1]
    table.put("pr-1.example.com", A, rules={"/same": B}, only_rules=True)
    assert "promoted (" not in command("env", "promote", "pr-1", HOST)[1]


def test_what_another_branch_had_does_not_come_back_with_its_url(timed: RoutingTable, clock: Clock) -> None:
    for source, rules in (("b1", {"/api/*": API}), ("b1", {"/api/*": API}), ("b2", {})):
        environments.up(timed, "e", "example.com", {"": A}, source=source, expires_in="1h")
        assert rules_of(timed.get("e.example.com")) == (rules if timed.get("e.example.com").revision > 1 else {})
        if source == "b1":
            timed.put("e.example.com", A, rules={"/api/*": API})
        clock.now += 7200


# ---- Generations: what a change empties the CDN of


def test_a_change_of_one_rule_renews_that_one_alone(table: RoutingTable) -> None:
    table.put(HOST, A, rules={"/a": A, "/b/*": B})
    table.put(HOST, A, rules={"/a": B})
    assert generations(table.get(HOST)) == {"": 1, "/a": 2, "/b/*": 1}
    table.put(HOST, A, rules={"/c": A})
    assert generations(table.get(HOST)) == {"": 1, "/a": 2, "/b/*": 1, "/c": 3}
    table.put(HOST, B)
    assert generations(table.get(HOST)) == {"": 4, "/a": 2, "/b/*": 1, "/c": 3}
    table.put(HOST, B, rules={"/c": None})
    assert generations(table.get(HOST)) == {"": 4, "/a": 2, "/b/*": 1}
    table.put(HOST, B, rules={"/c": A, "/b/*": f"strip:{B}"})
    assert generations(table.get(HOST)) == {"": 4, "/a": 2, "/b/*": 6, "/c": 6}
    table.touch(HOST)
    assert set(generations(table.get(HOST)).values()) == {7}


def test_a_rollback_renews_what_it_changes_and_nothing_else(table: RoutingTable) -> None:
    table.put(HOST, A, rules={"/a": A, "/b": B})
    table.put(HOST, A, rules={"/a": B})
    (change,) = rollback(table, [HOST])
    assert change.after is not None
    assert generations(change.after) == {"": 1, "/a": 3, "/b": 1}
    assert rules_of(change.after) == {"/a": A, "/b": B}


def test_what_had_expired_is_new_with_all_its_rules(timed: RoutingTable, clock: Clock) -> None:
    timed.put(HOST, A, rules={"/a": A}, expires_in="1h")
    clock.now += 3600
    timed.put(HOST, A, expires_in="1h")
    assert generations(timed.get(HOST)) == {"": 2, "/a": 2}


def test_a_row_has_the_lowest_schema_that_says_what_it_says(table: RoutingTable) -> None:
    def schema(domain: str, target: str, **options: object) -> str:
        table.put(domain, target, **options)  # type: ignore[arg-type]
        return str(table.tables.read([domain])[domain]["schema"]["N"])

    assert schema(HOST, A) == "1"
    assert schema(HOST, A, rules={"/a": A}) == "3"
    assert schema(HOST, A, only_rules=True) == "1"
    assert "rules" not in table.tables.read([HOST])[HOST]
    assert schema(HOST, "redirect:https://www.example.org") == "3"
    assert schema("*.example.com", A) == "3"


def test_nothing_goes_back_to_a_rule_behind_which_nothing_is_any_more(table: RoutingTable, aws: EmbeddedAws) -> None:
    aws.client("s3").put_object(Bucket="acme-static-sites", Key="leaves/index.html", Body=b"x")
    table.put(HOST, A, rules={"/a/*": "strip:s3://acme-static-sites/leaves"})
    table.put(HOST, A, only_rules=True)
    aws.client("s3").delete_object(Bucket="acme-static-sites", Key="leaves/index.html")
    with pytest.raises(TargetRefused, match="leads to s3://acme-static-sites/leaves, where nothing is any more"):
        rollback(table, [HOST])


# ---- Upkeep


def test_load_balancers_of_rules_are_looked_up_again_each_for_itself(
    command: Command, table: RoutingTable, aws: EmbeddedAws
) -> None:
    kept, gone = balancer(aws, "rule-kept", [("HTTP", 8080)]), balancer(aws, "rule-gone", [("HTTP", 80)])
    table.put(HOST, A, rules={"/kept/*": f"strip:{kept}", "/gone/*": gone, "/files/*": B})
    (listener,) = aws.client("elbv2").describe_listeners(LoadBalancerArn=kept)["Listeners"]
    aws.client("elbv2").modify_listener(ListenerArn=listener["ListenerArn"], Port=8443)
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=gone)
    outcomes = list(upkeep.refresh(RoutingTable(table.stack, client=aws.client)))
    (orphan,) = [one for one in outcomes if isinstance(one, upkeep.Orphan)]
    assert (orphan.domain, orphan.target) == (HOST, gone)
    found = {rule.pattern: rule.origin for rule in table.get(HOST).rules}
    assert isinstance(found["/kept/*"], CustomOrigin)
    assert found["/kept/*"].port == 8443
    assert set(found) == {"/kept/*", "/gone/*", "/files/*"}
    assert generations(table.get(HOST)) == {"": 1, "/kept/*": 2, "/gone/*": 1, "/files/*": 1}
    assert command("diff", HOST)[1].startswith("origin of /kept/*: ")
    swept = {(one.domain, one.target) for one in upkeep.gone(RoutingTable(table.stack, client=aws.client))}
    assert swept == {(HOST, gone)}


def test_an_environment_stays_while_a_rule_leads_to_its_files(table: RoutingTable, aws: EmbeddedAws) -> None:
    environments.up(table, "pr-1", "example.com", {"": "s3://acme-static-sites/pr-1/web"})
    table.put(HOST, A, rules={"/beta/*": "strip:s3://acme-static-sites/pr-1/web"})
    with pytest.raises(StillServed, match=f"{HOST} from s3://acme-static-sites/pr-1/web; nothing was removed"):
        environments.down(table, "pr-1")
    table.put("pr-2.example.com", A, environment="pr-2", rules={"/x": "s3://acme-static-sites/pr-2/x"})
    table.put(HOST, "s3://acme-static-sites/pr-2/web", rules={"/beta/*": None})
    with pytest.raises(StillServed):
        environments.down(table, "pr-2")
    table.put(HOST, A, rules={"/away": "redirect:https://pr-1.example.com"})
    assert [change.action for change in environments.down(table, "pr-1")] == ["deleted"]


def test_a_promoted_redirect_holds_no_environment(table: RoutingTable) -> None:
    environments.up(table, "pr-1", "example.com", {"": "redirect:https://www.example.org"})
    promote(table, "pr-1", {HOST: ""})
    assert [change.domain for change in environments.down(table, "pr-1")] == ["pr-1.example.com"]


def test_a_rule_that_somebody_wrote_by_hand_stops_no_upkeep(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put(HOST, A, rules={"/a": B})
    row = dict(table.tables.read([HOST])[HOST])
    row["rules"]["L"][0]["M"]["target"] = {"S": "strip:"}
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=row)
    assert list(upkeep.refresh(table)) == []
    assert [(one.domain, one.target) for one in upkeep.gone(table)] == [(HOST, "")]
    assert list(table.list(where=table.selection(target="env-a")))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map("/".__add__))
def test_a_pattern_is_read_as_it_was_written_for_people(pattern: str) -> None:
    if is_pattern(pattern):
        written = written_pattern(pattern)
        assert parse_pattern(written) == pattern
        assert not {*written} & {"=", " ", "\n"}
