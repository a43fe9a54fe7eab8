"""The HTTP API through API Gateway's own events."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, environments
from table_admin.environments import extend
from table_admin.snapshots.heartbeat import put_heartbeat
from table_admin.web.api import make_api, openapi
from table_admin.web.problems import PROBLEM
from tests.lambda_runtime import invoke
from tests.support import NOW, ROOT

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
HOST = "env-1.example.com"
Ask = Callable[..., tuple[int, dict[str, str], Any]]


def gateway_event(method: str, path: str, body: Any = None, query: dict[str, str] | None = None, **headers: str) -> Any:
    """Return what an HTTP API with IAM authorization hands to its function (payload 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "ANY /{proxy+}",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "queryStringParameters": query or {},
        "headers": {"content-type": "application/json", **{n.replace("_", "-"): v for n, v in headers.items()}},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a",
            "authorizer": {"iam": {"userArn": "arn:aws:sts::123456789012:assumed-role/pipeline/run-7"}},
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4", "userAgent": "t"},
            "requestId": "r-1",
            "stage": "$default",
        },
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


@pytest.fixture
def ask(table: RoutingTable, aws: EmbeddedAws) -> Ask:
    stack = table.stack
    api = make_api(lambda actor, request: RoutingTable(stack, actor=actor, client=aws.client, request=request))

    def call(method: str, path: str, body: Any = None, query: dict[str, str] | None = None, **headers: str) -> Any:
        result = api.resolve(gateway_event(method, path, body, query, **headers), {})  # type: ignore[arg-type]
        status, answer = int(result["statusCode"]), json.loads(result["body"])
        found = {name.lower(): value for name, value in result["headers"].items()}
        if status >= 400:
            assert found["content-type"] == PROBLEM
            assert (answer["status"], set(answer) >= {"type", "title", "detail"}) == (status, True)
        return status, found, answer

    return call


def test_what_was_written_is_asked_for_with_the_cursor_of_the_last_answer(ask: Ask) -> None:
    began = ask("GET", "/changes")[2]
    assert set(began) == {"changes", "reload", "more", "cursor"}
    ask("PUT", f"/routes/{HOST}", {"target": A, "note": "for QA"})
    ask("DELETE", f"/routes/{HOST}")
    first = ask("GET", "/changes", query={"cursor": began["cursor"], "limit": "1"})[2]
    assert [(one["domain"], one["action"], one["note"]) for one in first["changes"]] == [(HOST, "put", "for QA")]
    assert first["more"]
    second = ask("GET", "/changes", query={"cursor": first["cursor"]})[2]
    assert [one["action"] for one in second["changes"]] == ["delete"]
    assert ask("GET", "/changes", query={"cursor": second["cursor"]})[2]["changes"] == []
    assert len(ask("GET", "/changes", query={"since": "10m"})[2]["changes"]) == 2
    assert ask("GET", "/changes", query={"cursor": "x"})[0] == 400
    assert ask("GET", "/changes", query={"cursor": first["cursor"], "since": "1m"})[0] == 400
    assert ask("GET", "/changes", query={"since": "tomorrow"})[0] == 400


def test_that_a_snapshot_was_taken_is_told_to_nobody_who_asks_for_changes(ask: Ask, table: RoutingTable) -> None:
    began = ask("GET", "/changes")[2]
    put_heartbeat(table.tables, "0" * 16, "2026-01-01T00:00:00.000000Z", 0)
    told = ask("GET", "/changes", query={"cursor": began["cursor"], "limit": "1"})[2]
    assert (told["changes"], told["reload"], told["more"]) == ([], False, False)
    assert ask("GET", "/changes", query={"since": "10m"})[2]["changes"] == []


def test_a_route_goes_through_every_verb(ask: Ask) -> None:
    status, headers, change = ask("PUT", f"/routes/{HOST}", {"target": A, "expires_in": "7d", "note": "for QA"})
    assert (status, headers["etag"], headers["location"]) == (201, '"1"', f"/routes/{HOST}")
    assert (change["action"], change["after"]["origin"]["kind"]) == ("created", "s3")
    status, headers, route = ask("GET", f"/routes/{HOST}")
    assert (status, headers["etag"], route["updated_by"]) == (200, '"1"', "assumed-role/pipeline/run-7")
    assert ask("PUT", f"/routes/{HOST}", {"target": B})[2]["action"] == "updated"
    assert ask("POST", f"/routes/{HOST}/touch", {})[2]["revision"] == 3
    assert ask("GET", "/explain", query={"url": f"https://{HOST}/"})[2]["origin_request"]["uri"] == "/env-b/index.html"
    assert ask("DELETE", f"/routes/{HOST}", query={"note": "done"})[2]["action"] == "deleted"
    revisions = ask("GET", f"/routes/{HOST}/history")[2]["revisions"]
    assert [(entry["revision"], entry["action"]) for entry in revisions] == [
        (4, "delete"),
        (3, "touch"),
        (2, "put"),
        (1, "put"),
    ]


def rules_of(route: Any) -> dict[str, str]:
    return {rule["pattern"]: rule["target"] for rule in route["rules"]}


def test_rules_are_set_changed_and_taken_away_and_others_stay(ask: Ask) -> None:
    api, old = "strip:https://api.example.net/v2", "redirect:301:/new"
    status, _, change = ask("PUT", f"/routes/{HOST}", {"target": A, "rules": {"/api/*": api, "/old": old}})
    assert (status, rules_of(change["after"])) == (201, {"/api/*": api, "/old": old})
    shown = {rule["pattern"]: rule for rule in ask("GET", f"/routes/{HOST}")[2]["rules"]}
    assert shown["/old"]["origin"] == {"kind": "redirect", "location": "/new", "status": 301}
    assert (shown["/api/*"]["strip_prefix"], shown["/api/*"]["origin"]["path"]) == (True, "/v2")
    body = {"target": A, "rules": {"/old": None, "/%61bout": B}}
    change = ask("PUT", f"/routes/{HOST}", body)[2]
    assert rules_of(change["after"]) == {"/about": B, "/api/*": api}
    assert [rule["generation"] for rule in change["after"]["rules"]] == [2, 1]
    assert ask("PUT", f"/routes/{HOST}", body)[2]["action"] == "unchanged"
    assert ask("PUT", f"/routes/{HOST}", {"target": A, "rules": None})[2]["action"] == "unchanged"
    only = {"target": A, "rules": {"/about": B}, "only_rules": True}
    assert rules_of(ask("PUT", f"/routes/{HOST}", only)[2]["after"]) == {"/about": B}
    assert ask("PUT", f"/routes/{HOST}", {"target": A, "only_rules": True})[2]["after"]["rules"] == []
    differences = ask("GET", f"/routes/{HOST}/diff", query={"from": "1", "to": "2"})[2]["differences"]
    assert differences == {"rules": [{"/api/*": api, "/old": old}, {"/about": B, "/api/*": api}]}
    assert rules_of(ask("POST", f"/routes/{HOST}/rollback", {"to": 1})[2]["after"]) == {"/api/*": api, "/old": old}
    assert rules_of(ask("GET", "/routes")[2]["routes"][0]) == {"/api/*": api, "/old": old}
    assert ask("GET", "/explain", query={"url": f"https://{HOST}/api/x"})[2]["rule"] == "/api/*"


POLICY = {
    "private": True,
    "allow": ["203.0.113.9", "2001:db8::/32"],
    "noindex": False,
    "headers": {"X-Frame-Options": "DENY", "x-powered-by": ""},
    "maintenance": {"retry_after": "10m", "message": "Back at noon."},
}
POLICY_SHOWN = POLICY | {
    "allow": ["2001:db8::/32", "203.0.113.9/32"],
    "headers": {"x-frame-options": "DENY", "x-powered-by": ""},
    "maintenance": {"retry_after": 600, "message": "Back at noon."},
}
NO_POLICY = {"private": False, "allow": [], "noindex": None, "headers": {}, "maintenance": None}


def policy_of(route: Any) -> dict[str, Any]:
    return {name: route[name] for name in NO_POLICY}


def test_who_gets_an_answer_and_what_goes_with_it_is_said_left_and_taken_away(ask: Ask) -> None:
    status, _, change = ask("PUT", f"/routes/{HOST}", {"target": A, **POLICY})
    assert (status, policy_of(change["after"])) == (201, POLICY_SHOWN)
    # Many clients write null for what they say nothing of.
    assert ask("PUT", f"/routes/{HOST}", {"target": A, **dict.fromkeys(POLICY)})[2]["action"] == "unchanged"
    said = {"headers": {"x-frame-options": None, "x-a": "b"}, "noindex": "none"}
    change = ask("PUT", f"/routes/{HOST}", {"target": A, **said})[2]
    assert (change["after"]["headers"], change["after"]["noindex"]) == ({"x-a": "b", "x-powered-by": ""}, None)
    change = ask("PUT", f"/routes/{HOST}", {"target": A, "headers": {"x-a": "c"}, "only_headers": True})[2]
    assert change["after"]["headers"] == {"x-a": "c"}
    gone = {"private": False, "allow": [], "only_headers": True, "maintenance": "none"}
    assert policy_of(ask("PUT", f"/routes/{HOST}", {"target": A, **gone})[2]["after"]) == NO_POLICY
    differences = ask("GET", f"/routes/{HOST}/diff", query={"from": "1", "to": "4"})[2]["differences"]
    assert differences == {name: [POLICY_SHOWN[name], NO_POLICY[name]] for name in POLICY}
    assert policy_of(ask("GET", f"/routes/{HOST}/history")[2]["revisions"][-1]["route"]) == POLICY_SHOWN


def second_of(route: Any) -> dict[str, Any]:
    return {name: route[name] for name in ("target", "canary", "standby", "failed_over")}


def test_a_canary_and_a_standby_are_said_left_and_taken_away(ask: Ask) -> None:
    canary = {"target": B, "weight": 10, "cookie": "session"}
    said = {"canary": canary, "standby": "https://standby.example.net"}
    shown = {"target": A, **said, "failed_over": False}
    status, _, change = ask("PUT", f"/routes/{HOST}", {"target": A, **said})
    assert (status, second_of(change["after"])) == (201, shown)
    nothing = {"target": A, "canary": None, "standby": None}
    assert ask("PUT", f"/routes/{HOST}", nothing)[2]["action"] == "unchanged"
    change = ask("PUT", f"/routes/{HOST}", {"target": A, "canary": {"weight": 20}})[2]
    assert second_of(change["after"]) == {**shown, "canary": {**canary, "weight": 20}}
    found = ask("GET", "/explain", query={"url": HOST, "cookie": "session=ann; a=b", "address": "192.0.2.1"})[2]
    assert found["policy"]["canary"].endswith(", by its cookie session")
    change = ask("PUT", f"/routes/{HOST}", {"target": A, "canary": "none", "standby": "none"})[2]
    assert second_of(change["after"]) == {"target": A, "canary": None, "standby": None, "failed_over": False}
    differences = ask("GET", f"/routes/{HOST}/diff", query={"from": "1", "to": "2"})[2]["differences"]
    assert differences == {"canary": [canary, {**canary, "weight": 20}]}


def test_a_canary_is_begun_weighed_promoted_and_aborted(ask: Ask) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A})
    ask("PUT", "/routes/preview.example.com", {"target": B})
    path = f"/routes/{HOST}/canary"
    status, found, change = ask("POST", path, {"from_domain": "preview.example.com", "weight": 5}, if_match='"1"')
    assert (status, found["etag"]) == (200, '"2"')
    assert change["after"]["canary"] == {"target": B, "weight": 5, "cookie": ""}
    assert ask("POST", f"{path}/weight", {"weight": 50}, if_match='"1"')[0] == 412
    assert ask("POST", f"{path}/weight", {"weight": 50}, query={"dry_run": "true"})[2]["after"]["revision"] == 3
    for key in ("k-1", "k-1"):
        change = ask("POST", f"{path}/weight", {"weight": 50}, idempotency_key=key)[2]
        assert (change["action"], change["revision"]) == ("updated", 3)
    assert second_of(ask("POST", f"{path}/promote", {})[2]["after"])["target"] == B
    assert ask("POST", f"{path}/promote", {})[2]["action"] == "unchanged"
    ask("POST", path, {"target": A, "weight": 5, "cookie": "session"})
    assert second_of(ask("POST", f"{path}/abort", {"note": "worse"})[2]["after"])["canary"] is None
    assert ask("POST", f"{path}/abort", {})[2]["action"] == "unchanged"
    assert ask("POST", f"{path}/weight", {"weight": 5})[0] == 404
    service = "https://ingress.example.net"
    said = {"target": service, "weight": 5, "keep_host": True, "note": "slowly"}
    after = ask("POST", path, said)[2]["after"]
    assert (after["canary"]["target"], after["note"]) == (f"keep-host:{service}", "slowly")
    for move in ("promote", "abort"):
        assert ask("POST", f"{path}/{move}", {}, if_match='"1"')[0] == 412


def test_a_domain_and_an_environment_fail_over_and_back(ask: Ask) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A, "environment": "env-1", "standby": B})
    over = {"target": B, "canary": None, "standby": A, "failed_over": True}
    assert second_of(ask("POST", f"/routes/{HOST}/fail-over", {"note": "outage"})[2]["after"]) == over
    assert ask("POST", f"/routes/{HOST}/fail-over", {})[2]["action"] == "unchanged"
    assert ask("POST", f"/routes/{HOST}/fail-back", {})[2]["after"]["target"] == A
    ask("PUT", "/routes/other.example.com", {"target": A, "environment": "env-1"})
    everything = "/environments/env-1/fail-over"
    assert ask("POST", everything, {}, query={"dry_run": "true"})[2]["changes"][0]["action"] == "updated"
    assert ask("GET", f"/routes/{HOST}")[2]["failed_over"] is False
    found = ask("POST", everything, {}, idempotency_key="k-2")[2]
    assert found["left"] == ["other.example.com: it has no standby"]
    changes = found["changes"]
    assert [second_of(change["after"]) for change in changes] == [over]
    assert ask("POST", "/environments/env-1/fail-back", {})[2]["changes"][0]["after"]["target"] == A
    ask("PUT", f"/routes/{HOST}", {"target": A, "standby": "none"})
    assert ask("POST", f"/routes/{HOST}/fail-over", {})[0] == 400
    assert ask("POST", "/environments/env-1/fail-over", {})[0] == 404


@pytest.mark.parametrize(
    ("said", "status", "says"),
    [
        ({"canary": {"weight": 5}}, 400, "A canary begins with a target and a weight."),
        ({"canary": {"target": A, "weight": 5}}, 400, "That is what all viewers get already"),
        ({"canary": {"target": B, "weight": 101}}, 422, "body.canary"),
        ({"canary": {"target": B, "weight": 5, "cookie": "a b"}}, 400, "'a b' is no name of a cookie"),
        ({"canary": "off"}, 422, "body.canary"),
        ({"standby": ""}, 422, "body.standby"),
        ({"standby": A}, 400, "leads to its standby already"),
    ],
)
def test_a_second_target_that_cannot_be_is_the_clients_mistake(ask: Ask, said: Any, status: int, says: str) -> None:
    found, _, problem = ask("PUT", f"/routes/{HOST}", {"target": A, **said})
    assert (found, says in problem["detail"]) == (status, True), problem


def test_an_environment_is_made_private_with_all_its_services(ask: Ask) -> None:
    body = {"base": "example.com", "services": {"web": A, "api": B}, **POLICY}
    assert len(ask("PUT", "/environments/env-7", body)[2]["changes"]) == 2
    routes = ask("GET", "/environments/env-7")[2]["routes"]
    assert [policy_of(route) for route in routes] == [POLICY_SHOWN] * 2
    again = ask("PUT", "/environments/env-7", body)[2]["changes"]
    assert [change["action"] for change in again] == ["unchanged"] * 2


@pytest.mark.parametrize(
    ("said", "status", "says"),
    [
        ({"allow": ["office"]}, 400, "'office' is no network"),
        ({"headers": {"set-cookie": "a=b"}}, 400, "headers: set-cookie cannot be used"),
        ({"headers": {"x-a": "b" * 1025}}, 400, "Too many headers"),
        ({"maintenance": {"retry_after": "soon"}}, 400, "'soon' is not a duration"),
        ({"maintenance": "on"}, 422, "body.maintenance"),
        ({"noindex": "perhaps"}, 422, "body.noindex"),
        ({"allow": "192.0.2.1"}, 422, "body.allow"),
        ({"allow": [""]}, 422, "body.allow"),
    ],
)
def test_a_policy_that_cannot_be_is_the_clients_mistake(ask: Ask, said: Any, status: int, says: str) -> None:
    for path, body in (
        (f"/routes/{HOST}", {"target": A}),
        ("/environments/env-7", {"base": "example.com", "services": {"": A}}),
    ):
        found, _, problem = ask("PUT", path, body | said)
        assert (found, says in problem["detail"]) == (status, True), problem


@pytest.mark.parametrize(
    ("rules", "status", "says"),
    [
        ({"/api/*": ""}, 400, "The rule for /api/*: '' has no target"),
        ({"/api/*": "strip:"}, 400, "has no target"),
        ({"": A}, 400, "'' is not a pattern"),
        ({"/*": A}, 400, "/* is all of a domain"),
        ({"/api/*": A, "/%61pi/*": None}, 400, "/api/* is there twice"),
        ({"/api/*": "/prefix"}, 400, "The rule for /api/*: /prefix is a prefix of the configured bucket"),
        ({"/api": "strip:https://api.example.net"}, 400, "strip: goes with a pattern that ends with /*"),
        ({"/a": "redirect:/b", "/b": "redirect:/a"}, 400, "in a circle"),
        ({"/api/*": "s3://no-such-bucket/x"}, 422, "The rule for /api/*: The bucket no-such-bucket does not exist"),
        ({"/api/*": 1}, 422, "body.rules"),
        ([], 422, "body.rules"),
        ({f"/{number}": A for number in range(201)}, 400, "201 rules"),
    ],
)
def test_a_rule_that_cannot_be_is_a_problem_and_nothing_is_written(
    ask: Ask, rules: Any, status: int, says: str
) -> None:
    found, _, problem = ask("PUT", f"/routes/{HOST}", {"target": A, "rules": rules})
    assert (found, says in problem["detail"]) == (status, True), problem
    assert ask("GET", f"/routes/{HOST}")[0] == 404


@pytest.mark.parametrize("written", ["*.tenant.example.com", "%2A.tenant.example.com", "%2a.Tenant.example.com"])
def test_a_wildcard_goes_through_every_verb_however_its_asterisk_is_written(ask: Ask, written: str) -> None:
    wildcard = "*.tenant.example.com"
    status, headers, change = ask("PUT", f"/routes/{written}", {"target": A}, if_none_match="*")
    assert (status, change["domain"], headers["location"]) == (201, wildcard, f"/routes/{wildcard}")
    assert ask("GET", f"/routes/{written}")[2]["environment"] == "tenant"
    assert ask("POST", f"/routes/{written}/touch", {}, if_match='"1"')[2]["revision"] == 2
    assert len(ask("GET", f"/routes/{written}/history")[2]["revisions"]) == 2
    found = ask("GET", "/explain", query={"url": "https://deep.in.tenant.example.com/"})[2]
    assert (found["domain"], found["row"]["domain"]) == ("deep.in.tenant.example.com", wildcard)
    assert ask("GET", "/explain", query={"url": f"https://{wildcard}/"})[0] == 400
    assert ask("DELETE", f"/routes/{written}", if_match='"2"')[2]["action"] == "deleted"
    assert ask("POST", f"/routes/{written}/rollback", {"to": 1}, if_none_match="*")[0] == 201


def test_a_redirect_is_a_target(ask: Ask) -> None:
    target = "redirect:302:https://www.example.net"
    assert ask("PUT", f"/routes/{HOST}", {"target": target})[2]["after"]["origin"] == {
        "kind": "redirect",
        "location": "https://www.example.net",
        "status": 302,
    }
    found = ask("GET", "/explain", query={"url": f"https://{HOST}/a?b=1"})[2]
    assert found["viewer_request"] == {"status": 302, "location": "https://www.example.net/a?b=1"}
    status, _, problem = ask("PUT", f"/routes/{HOST}", {"target": f"redirect:https://{HOST}"})
    assert (status, problem["type"]) == (400, "urn:table-admin:invalid-input")


def test_a_write_over_another_revision_fails_its_precondition(ask: Ask) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A}, if_none_match="*")
    status, _, problem = ask("PUT", f"/routes/{HOST}", {"target": B}, if_none_match="*")
    assert (status, problem["type"], problem["revision"]) == (412, "urn:table-admin:revision-conflict", 1)
    assert ask("PUT", f"/routes/{HOST}", {"target": B}, if_match='"7"')[0] == 412
    assert ask("DELETE", f"/routes/{HOST}", if_match='"7"')[0] == 412
    assert ask("PUT", f"/routes/{HOST}", {"target": B}, if_match='"1"')[0] == 200
    assert ask("PUT", f"/routes/{HOST}", {"target": B}, if_match="nonsense")[0] == 400


def test_a_write_that_is_made_already_passes_its_if_match_and_not_its_if_none_match(ask: Ask) -> None:
    # RFC 9110, 13.1.1 and 13.1.2.
    assert ask("PUT", f"/routes/{HOST}", {"target": A}, if_none_match="*")[0] == 201
    assert ask("PUT", f"/routes/{HOST}", {"target": A}, if_none_match="*")[0] == 412
    for action in ("updated", "unchanged"):
        status, headers, change = ask("PUT", f"/routes/{HOST}", {"target": B, "note": "b"}, if_match='"1"')
        assert (status, headers["etag"], change["action"]) == (200, '"2"', action)
    assert ask("PUT", f"/routes/{HOST}", {"target": A}, if_match='"1"')[0] == 412
    for action in ("updated", "unchanged"):
        assert ask("POST", f"/routes/{HOST}/touch", {}, if_match='"2"')[2]["action"] == action
    assert ask("POST", f"/routes/{HOST}/touch", {}, if_match='"1"')[0] == 412


def test_what_had_expired_says_how_long_it_is_to_live_now(ask: Ask, table: RoutingTable) -> None:
    table.clock = lambda: NOW / 2
    environments.up(table, "env-1", "example.com", {"": A}, expires_in="1h")
    up = {"base": "example.com", "services": {"": A}}
    for path, body in (("/environments/env-1", up), (f"/routes/{HOST}", {"target": B})):
        for _ in range(2):
            status, _, problem = ask("PUT", path, body)
            assert (status, problem["type"]) == (400, "urn:table-admin:invalid-input")
            assert "had expired; say how long" in problem["detail"]
    assert ask("PUT", "/environments/env-1", {**up, "permanent": True})[2]["changes"][0]["action"] == "updated"


def test_who_names_no_source_does_not_change_what_a_source_made(ask: Ask) -> None:
    up = {"base": "example.com", "services": {"": A}}
    ask("PUT", "/environments/env-1", {**up, "source": "feature/1"})
    status, _, problem = ask("PUT", "/environments/env-1", up)
    assert (status, problem["type"]) == (409, "urn:table-admin:taken")
    assert ask("PUT", "/environments/env-1", {**up, "take_over": True})[2]["changes"][0]["after"]["source"] == ""


def test_a_rollback_is_made_over_the_revision_that_was_seen(ask: Ask) -> None:
    for target in (A, B):
        ask("PUT", f"/routes/{HOST}", {"target": target})
    ask("PUT", f"/routes/{HOST}", {"target": "s3://acme-static-sites/env-c", "note": "somebody else's"})
    status, _, problem = ask("POST", f"/routes/{HOST}/rollback", {"to": 1}, if_match='"2"')
    assert (status, problem["type"], problem["revision"]) == (412, "urn:table-admin:revision-conflict", 3)
    assert ask("POST", f"/routes/{HOST}/rollback", {"to": 1}, if_none_match="*")[0] == 412
    assert ask("POST", f"/routes/{HOST}/rollback", {"to": 1}, if_match='"3"')[2]["after"]["target"] == A
    ask("DELETE", f"/routes/{HOST}")
    assert ask("POST", f"/routes/{HOST}/rollback", {"to": 2}, if_match='"4"')[0] == 412
    assert ask("POST", f"/routes/{HOST}/rollback", {"to": 2}, if_none_match="*")[0] == 201


def test_an_environment_is_changed_only_as_it_was_seen(ask: Ask) -> None:
    ask("PUT", "/environments/env-42", {"base": "example.com", "services": {"web": A, "api": B}, "expires_in": "1d"})
    seen = ask("GET", "/environments/env-42")[1]["etag"]
    assert ask("GET", "/environments/env-42")[1]["etag"] == seen
    ask("PUT", "/routes/api-env-42.example.com", {"target": A})
    for method, path, body in (
        ("POST", "/environments/env-42/extend", {"add": "7d"}),
        ("DELETE", "/environments/env-42", None),
    ):
        for dry_run in ("true", "false"):
            status, _, problem = ask(method, path, body, {"dry_run": dry_run}, if_match=seen)
            assert (status, problem["type"]) == (412, "urn:table-admin:environment-moved")
        assert ask(method, path, body, if_match='"1"')[0] == 400
    found = ask("GET", "/environments/env-42")
    assert len(found[2]["routes"]) == 2
    body = {"add": "7d"}
    extended = ask("POST", "/environments/env-42/extend", body, if_match=found[1]["etag"], Idempotency_Key="k-1")
    assert extended[0] == 200
    again = ask("POST", "/environments/env-42/extend", body, if_match=found[1]["etag"], Idempotency_Key="k-1")
    assert sorted(again[2]["changes"], key=str) == sorted(extended[2]["changes"], key=str)
    now = ask("GET", "/environments/env-42")[1]["etag"]
    assert now != found[1]["etag"]
    assert len(ask("DELETE", "/environments/env-42", if_match=now)[2]["changes"]) == 2
    assert ask("GET", "/environments/env-42")[0] == 404


def test_an_extension_adds_to_what_is_left_and_leaves_permanent_what_is(ask: Ask) -> None:
    up = {"base": "example.com", "services": {"web": A, "api": B}}
    ask("PUT", "/environments/env-42", {**up, "expires_in": "30d"})
    before = {found["domain"]: found["expires_at"] for found in ask("GET", "/environments/env-42")[2]["routes"]}
    tried = ask("POST", "/environments/env-42/extend", {"add": "7d"}, {"dry_run": "true"})[2]["changes"]
    done = ask("POST", "/environments/env-42/extend", {"add": "7d"})[2]["changes"]
    for changes in (tried, done):
        after = {change["domain"]: change["after"]["expires_at"] for change in changes}
        assert after == {domain: expires_at + 7 * 86400 for domain, expires_at in before.items()}
    ask("PUT", "/routes/api-env-42.example.com", {"target": B, "permanent": True})
    mixed = ask("POST", "/environments/env-42/extend", {"add": "1d"})[2]
    assert [change["domain"] for change in mixed["changes"]] == ["web-env-42.example.com"]
    assert mixed["left"] == ["api-env-42.example.com: it is permanent"]
    ask("POST", "/environments/env-42/extend", {"permanent": True})
    status, _, problem = ask("POST", "/environments/env-42/extend", {"add": "1d"})
    assert (status, "is permanent" in problem["detail"]) == (400, True)
    assert {found["lifetime"] for found in ask("GET", "/environments/env-42")[2]["routes"]} == {"permanent"}
    for wrong in ({"add": "1d", "expires_in": "1d"}, {"add": "1d", "permanent": True}, {}, {"add": "soon"}):
        assert ask("POST", "/environments/env-42/extend", wrong)[0] == 400


def test_what_has_expired_is_extended_from_now(ask: Ask, table: RoutingTable) -> None:
    table.put(HOST, A, environment="env-1", expires_in="1h")
    table.clock = lambda: time.time() + 86400
    (change,) = extend(table, "env-1", add="2h")
    assert change.after is not None
    assert change.after.expires_at == pytest.approx(table.clock() + 7200, abs=60)


def test_a_note_is_of_its_revision_alone(ask: Ask) -> None:
    def newest() -> tuple[str, str]:
        found = ask("GET", f"/routes/{HOST}/history", query={"limit": "1"})[2]["revisions"][0]
        return found["action"], found["note"]

    up = {"base": "example.com", "services": {"": A}, "expires_in": "1d"}
    for write in (
        ("PUT", f"/routes/{HOST}", {"target": B}),
        ("POST", f"/routes/{HOST}/touch", {}),
        ("POST", f"/routes/{HOST}/touch", {"note": ""}),
        ("POST", "/environments/env-1/extend", {"add": "1d"}),
        ("POST", "/environments/env-1/extend", {"expires_in": "3d"}),
        ("PUT", "/environments/env-1", {**up, "services": {"": B}}),
        ("DELETE", f"/routes/{HOST}"),
        ("DELETE", "/environments/env-1"),
    ):
        assert ask("PUT", "/environments/env-1", {**up, "note": "why it is here"})[0] == 200
        assert newest() == ("put", "why it is here")
        assert ask(*write)[0] == 200
        assert newest()[1] == "", write


def test_a_retry_with_the_same_key_gets_the_first_ones_answer(ask: Ask) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A})
    first = ask("POST", f"/routes/{HOST}/touch", {}, Idempotency_Key="k-1")
    assert ask("POST", f"/routes/{HOST}/touch", {}, Idempotency_Key="k-1")[2] == first[2]
    assert ask("POST", f"/routes/{HOST}/touch", {}, Idempotency_Key="k-2")[2]["revision"] == 3
    gone = ask("DELETE", f"/routes/{HOST}", Idempotency_Key="k-3")
    assert ask("DELETE", f"/routes/{HOST}", Idempotency_Key="k-3") == gone
    assert ask("DELETE", f"/routes/{HOST}")[0] == 404
    back = ask("PUT", f"/routes/{HOST}", {"target": B}, Idempotency_Key="k-4")
    assert ask("PUT", f"/routes/{HOST}", {"target": B}, Idempotency_Key="k-4") == back
    assert (back[0], back[2]["action"], back[2]["revision"]) == (201, "created", 5)
    status, _, problem = ask("PUT", f"/routes/{HOST}", {"target": A}, Idempotency_Key="k-4")
    assert (status, problem["type"]) == (422, "urn:table-admin:key-reused")
    assert ask("GET", f"/routes/{HOST}/history")[2]["revisions"][0]["revision"] == 5


def test_an_environment_goes_through_every_verb(ask: Ask) -> None:
    up = {"base": "example.com", "services": {"web": A, "api": B}, "expires_in": "1d"}
    made = ask("PUT", "/environments/env-42", up, Idempotency_Key="k-1")[2]["changes"]
    assert [change["domain"] for change in made] == ["web-env-42.example.com", "api-env-42.example.com"]
    again = ask("PUT", "/environments/env-42", up, Idempotency_Key="k-1")[2]["changes"]
    assert sorted(again, key=lambda change: change["domain"]) == sorted(made, key=lambda change: change["domain"])
    assert ask("PUT", "/environments/env-42", {**up, "expires_in": None})[2]["changes"][0]["action"] == "unchanged"
    assert ask("GET", "/environments")[2]["environments"][0]["routes"] == 2
    assert len(ask("GET", "/environments/env-42")[2]["routes"]) == 2
    extended = ask("POST", "/environments/env-42/extend", {"permanent": True})[2]["changes"]
    assert {change["after"]["expires_at"] for change in extended} == {None}
    promoted = ask("POST", "/environments/env-42/promote", {"domains": {"www.example.com": "web"}})[2]["changes"]
    assert promoted[0]["after"]["target"] == A
    status, _, problem = ask("DELETE", "/environments/env-42")
    assert (status, problem["type"]) == (409, "urn:table-admin:still-served")
    force = {"force": "true"}
    tried = ask("DELETE", "/environments/env-42", query={**force, "dry_run": "true"})[2]["changes"]
    assert tried[0]["action"] == "deleted"
    down = ask("DELETE", "/environments/env-42", query=force, Idempotency_Key="k-2")
    assert ask("DELETE", "/environments/env-42", query=force, Idempotency_Key="k-2")[2] == down[2]
    assert ask("GET", "/environments/env-42")[0] == ask("DELETE", "/environments/env-42", query=force)[0] == 404
    since = {"since": "2020-01-01"}
    assert ask("POST", "/environments/env-42/rollback", since)[2]["changes"] == []


def test_an_environment_leaves_what_it_does_not_manage_until_it_is_adopted(ask: Ask) -> None:
    ask("PUT", "/routes/docs.example.com", {"target": A})
    down = ask("DELETE", "/environments/docs")
    assert (down[0], down[2]["changes"], len(down[2]["left"])) == (200, [], 1)
    assert ask("PUT", "/environments/docs", {"base": "example.com", "services": {"": B}})[0] == 409
    assert ask("POST", "/environments/docs/adopt", {"note": "mine"})[2]["changes"][0]["after"]["managed"] is True
    up = {"base": "example.com", "services": {"web": B}, "source": "docs"}
    assert ask("PUT", "/environments/docs", {**up, "prune": True})[2]["changes"][1]["action"] == "deleted"
    status, _, problem = ask("PUT", "/environments/docs", {**up, "source": "Docs"})
    assert (status, problem["type"]) == (409, "urn:table-admin:taken")
    assert ask("GET", "/environment-name", query={"branch": "feature/ABC_123"})[2] == {"name": "feature-abc-123"}
    assert ask("GET", "/environment-name", query={"branch": ""})[0] == 400
    assert len(ask("DELETE", "/environments/docs", query={"source": "docs"})[2]["changes"]) == 1


def test_a_route_is_compared_and_rolled_back(ask: Ask) -> None:
    for target in (A, B):
        ask("PUT", f"/routes/{HOST}", {"target": target})
    assert ask("GET", f"/routes/{HOST}/diff")[2]["differences"]["target"] == [A, B]
    assert ask("GET", f"/routes/{HOST}/diff", query={"from": "0", "to": "1"})[2]["differences"]["target"] == [None, A]
    assert ask("POST", f"/routes/{HOST}/rollback", {})[2]["after"]["target"] == A
    assert ask("POST", f"/routes/{HOST}/rollback", {"to": 1})[2]["action"] == "unchanged"
    assert ask("POST", f"/routes/{HOST}/rollback", {"to": 99})[0] == 404


def test_a_declaration_is_planned_and_applied(ask: Ask) -> None:
    body = {"owner": "shop", "routes": {"a.example.com": A, "b.example.com": {"target": B}}}
    plan = ask("POST", "/plan", body)[2]
    assert [change["action"] for change in plan["changes"]] == ["created", "created"]
    assert ask("POST", "/apply", {**body, "plan": "000000000000"})[0] == 409
    assert len(ask("POST", "/apply", {**body, "plan": plan["id"]})[2]["changes"]) == 2
    assert ask("POST", "/plan", body)[2] == {
        **plan,
        "id": ask("POST", "/plan", body)[2]["id"],
        "changes": [],
        "unchanged": 2,
    }
    assert ask("POST", "/plan", {"owner": "shop", "routes": {"a..b": A}})[0] == 400
    assert ask("POST", "/plan", {"owner": "?", "routes": {}})[0] == 400


def test_a_dry_run_writes_nothing(ask: Ask) -> None:
    assert ask("PUT", f"/routes/{HOST}", {"target": A}, {"dry_run": "true"})[2]["action"] == "created"
    assert ask("GET", f"/routes/{HOST}")[0] == 404


def test_upkeep_reports_orphans_and_doctor_its_steps(ask: Ask, aws: EmbeddedAws) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": "s3://acme-static-sites/nothing-there"})
    swept = ask("POST", "/sweep")[2]
    assert swept["changes"] == []
    assert [orphan["reason"] for orphan in swept["orphans"]] == ["Nothing is under the prefix."]
    assert ask("POST", "/refresh")[2] == {"changes": [], "orphans": [], "lost": []}
    findings = {finding["step"]: finding for finding in ask("GET", f"/routes/{HOST}/doctor")[2]["findings"]}
    assert findings["row"]["status"] == "ok"
    assert findings["prefix"]["status"] == "wrong"


def test_pages_follow_one_another(ask: Ask) -> None:
    for number in range(5):
        ask("PUT", f"/routes/env-{number}.example.com", {"target": A, "environment": "shop"})
        ask("POST", "/routes/env-0.example.com/touch", {})
    for path, items in (("/routes", "routes"), ("/routes/env-0.example.com/history", "revisions")):
        seen: list[Any] = []
        query = {"limit": "2"}
        while True:
            page = ask("GET", path, query=query)[2]
            assert len(page[items]) <= 2
            seen += page[items]
            if page["cursor"] is None:
                break
            query["cursor"] = page["cursor"]
        assert (
            len({(found["domain"], found["revision"]) for found in seen})
            == len(seen)
            == (5 if items == "routes" else 6)
        )
    assert len(ask("GET", "/routes", query={"environment": "shop"})[2]["routes"]) == 5
    assert ask("GET", "/routes", query={"environment": "none"})[2]["routes"] == []


def test_a_listing_is_filtered_and_its_pages_follow_one_another(ask: Ask) -> None:
    for number in range(6):
        body = {"target": B if number % 2 else A, "environment": "shop", "expires_in": f"{number + 1}h"}
        ask("PUT", f"/routes/env-{number}.example.com", body)
    for environment in ({}, {"environment": "shop"}):
        query = {"name": "env-*.example.com", "target": "env-b", "expires_before": "5h", "limit": "1", **environment}
        seen = []
        while True:
            page = ask("GET", "/routes", query=query)[2]
            seen += [route["domain"] for route in page["routes"]]
            if page["cursor"] is None:
                break
            assert len(page["routes"]) == 1
            query["cursor"] = page["cursor"]
        assert sorted(seen) == ["env-1.example.com", "env-3.example.com"]


def test_a_rollback_says_what_it_undoes_and_a_second_one_does_nothing(ask: Ask) -> None:
    for target in (A, B):
        ask("PUT", f"/routes/{HOST}", {"target": target, "note": "line 1\nline 2"})
    first = ask("POST", f"/routes/{HOST}/rollback", {}, Idempotency_Key="k-1")
    assert "undoes revision 2 (put by assumed-role/pipeline/run-7" in first[2]["message"]
    assert ": line 1 line 2)" in first[2]["message"]
    assert ask("POST", f"/routes/{HOST}/rollback", {}, Idempotency_Key="k-1") == first
    status, headers, second = ask("POST", f"/routes/{HOST}/rollback", {})
    assert (status, headers["etag"], second["action"], second["after"]["target"]) == (200, '"3"', "unchanged", A)
    assert "newest change is a rollback" in second["message"]
    assert ask("POST", f"/routes/{HOST}/rollback", {"further": True})[0] == 404
    newest = ask("GET", f"/routes/{HOST}/history")[2]["revisions"][0]
    assert (newest["action"], newest["restores"]) == ("rollback", 1)


def test_one_key_asked_for_twice_at_once_is_one_write(
    ask: Ask, table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A})
    read = RoutingTable._read

    def meanwhile(*arguments: Any) -> Any:
        item = read(*arguments)
        monkeypatch.undo()
        assert ask("POST", f"/routes/{HOST}/touch", {}, Idempotency_Key="k-1")[2]["revision"] == 2
        return item

    monkeypatch.setattr(RoutingTable, "_read", meanwhile)
    assert ask("POST", f"/routes/{HOST}/touch", {}, Idempotency_Key="k-1")[2]["revision"] == 2
    assert table.get(HOST).revision == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "status", "says"),
    [
        ("GET", "/routes/a..b", None, {}, 400, "not a domain"),
        ("GET", f"/routes/{HOST}", None, {}, 404, "no route"),
        ("DELETE", f"/routes/{HOST}", None, {}, 404, "no route"),
        ("PUT", f"/routes/{HOST}", {"target": "nowhere"}, {}, 400, "not a target"),
        ("PUT", f"/routes/{HOST}", {"target": "s3://no-such-bucket/x"}, {}, 422, "does not exist"),
        ("PUT", f"/routes/{HOST}", {}, {}, 422, "body.target"),
        ("PUT", f"/routes/{HOST}", {"target": A, "permanent": "perhaps"}, {}, 422, "body.permanent"),
        ("PUT", f"/routes/{HOST}", "{", {}, 422, "body"),
        ("PUT", f"/routes/{HOST}", None, {}, 422, "body"),
        ("GET", "/routes", None, {"limit": "0"}, 422, "limit"),
        ("GET", "/routes", None, {"name": ""}, 422, "name"),
        ("GET", "/routes", None, {"expires_before": "soon"}, 400, "not a time"),
        ("GET", f"/routes/{HOST}/history", None, {}, 404, "no history"),
        ("PUT", f"/routes/{HOST}", {"target": A, "expires_in": ""}, {}, 422, "expires_in"),
        ("POST", "/environments/shop/rollback", {"since": "2999-01-01"}, {}, 400, "yet to come"),
        ("GET", "/routes", None, {"cursor": "nonsense"}, 400, "cursor"),
        ("GET", "/explain", None, {"url": "http://["}, 400, "not a URL"),
        ("GET", "/explain", None, {}, 422, "url"),
        ("GET", "/nowhere", None, {}, 404, "ot found"),
        ("PATCH", f"/routes/{HOST}", {}, {}, 404, "ot found"),
    ],
)
def test_an_error_is_a_problem_that_says_what_is_wrong(
    ask: Ask, method: str, path: str, body: Any, query: dict[str, str], status: int, says: str
) -> None:
    found, _, problem = ask(method, path, body, query)
    assert found == status
    assert says in problem["detail"]


@settings(max_examples=100)
@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    st.sampled_from(["/routes", f"/routes/{HOST}", f"/routes/{HOST}/touch", f"/routes/{HOST}/history", "/explain"]),
    st.text(max_size=30) | st.dictionaries(st.sampled_from(["target", "note", "expires_in"]), st.text(max_size=9)),
    st.dictionaries(st.sampled_from(["cursor", "limit", "url", "environment"]), st.text(max_size=9)),
)
def test_whatever_is_asked_is_answered(ask: Ask, method: str, path: str, body: Any, query: dict[str, str]) -> None:
    assert ask(method, path, body, query)[0] < 500


def test_the_openapi_document_is_the_committed_one() -> None:
    committed = (ROOT / "docs" / "openapi.json").read_text()
    assert openapi() == committed, "run: .venv/bin/python -m table_admin.web.api > docs/openapi.json"
    document = json.loads(committed)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            problems = [code for code, answer in operation["responses"].items() if int(code) >= 400]
            assert problems, (path, method)
            for code in problems:
                assert set(operation["responses"][code]["content"]) == {PROBLEM}


def test_inside_lambdas_runtime_it_logs_measures_and_answers(table: RoutingTable, aws: EmbeddedAws) -> None:
    environ = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "TABLE_ADMIN_STACK": table.stack,
        "POWERTOOLS_SERVICE_NAME": "admin",
        "POWERTOOLS_METRICS_NAMESPACE": "EdgeRouting",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "edge-routing-admin",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    }
    event = gateway_event("PUT", f"/routes/{HOST}", {"target": A})
    result, log = invoke("table_admin.web.lambda_function.handler", event, ROOT, environ)
    assert result["statusCode"] == 201
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    answered = next(line for line in lines if line.get("message") == "answered")
    assert (answered["service"], answered["correlation_id"], answered["status"]) == ("admin", "r-1", 201)
    assert any("Writes" in line for line in lines)
    assert table.get(HOST).updated_by == "assumed-role/pipeline/run-7"


def test_a_failure_of_the_table_is_a_problem_and_no_traceback_for_the_caller(aws: EmbeddedAws) -> None:
    api = make_api(lambda actor, _: RoutingTable("no-such-stack", actor=actor, client=aws.client))
    result = api.resolve(gateway_event("GET", f"/routes/{HOST}"), {})  # type: ignore[arg-type]
    assert result["statusCode"] == 500
    assert "tables do not exist" in json.loads(result["body"])["detail"]


@pytest.mark.parametrize("body", ["[" * 50_000, '{"note": ' + "9" * 5_000 + "}", '{"a": ' * 20_000])
@pytest.mark.parametrize(("method", "path"), [("PUT", f"/routes/{HOST}"), ("POST", f"/routes/{HOST}/fail-over")])
def test_a_body_that_no_parser_takes_is_a_problem_of_who_sends_it(ask: Ask, method: str, path: str, body: str) -> None:
    assert ask(method, path, body)[0] in (400, 422)


@pytest.mark.parametrize("weight", [True, "10", 1.5, None, 101, -1])
def test_a_weight_is_a_whole_number_of_per_cent(ask: Ask, weight: Any) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A, "canary": {"target": B, "weight": 10}})
    assert ask("POST", f"/routes/{HOST}/canary/weight", {"weight": weight})[0] == 422


def test_who_read_another_revision_moves_nothing_and_a_second_run_needs_none(ask: Ask) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A, "standby": B})
    ask("POST", f"/routes/{HOST}/touch", {})
    for header in ('"1"', "garbage"):
        assert ask("POST", f"/routes/{HOST}/fail-over", {}, if_match=header)[0] in (400, 412)
    assert ask("POST", f"/routes/{HOST}/fail-over", {}, if_match='"2"')[2]["after"]["target"] == B
    assert ask("POST", f"/routes/{HOST}/fail-over", {}, if_match='"2"')[2]["action"] == "unchanged"
    assert ask("POST", f"/routes/{HOST}/fail-back", {}, if_match='"2"')[0] == 412
    assert ask("POST", f"/routes/{HOST}/fail-back", {})[2]["after"]["target"] == A
