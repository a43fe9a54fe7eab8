"""The HTTP API through API Gateway's own events."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.api import PROBLEM, make_api, openapi
from tests.lambda_runtime import invoke
from tests.support import ROOT

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
    stack = table.routes.removesuffix("-routes")
    api = make_api(lambda actor: RoutingTable(stack, actor=actor, client=aws.client))

    def call(method: str, path: str, body: Any = None, query: dict[str, str] | None = None, **headers: str) -> Any:
        result = api.resolve(gateway_event(method, path, body, query, **headers), {})  # type: ignore[arg-type]
        status, answer = int(result["statusCode"]), json.loads(result["body"])
        found = {name.lower(): value for name, value in result["headers"].items()}
        if status >= 400:
            assert found["content-type"] == PROBLEM
            assert (answer["status"], set(answer) >= {"type", "title", "detail"}) == (status, True)
        return status, found, answer

    return call


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


def test_a_write_over_another_revision_fails_its_precondition(ask: Ask) -> None:
    ask("PUT", f"/routes/{HOST}", {"target": A}, if_none_match="*")
    status, _, problem = ask("PUT", f"/routes/{HOST}", {"target": B}, if_none_match="*")
    assert (status, problem["type"], problem["revision"]) == (412, "urn:table-admin:revision-conflict", 1)
    assert ask("PUT", f"/routes/{HOST}", {"target": B}, if_match='"7"')[0] == 412
    assert ask("DELETE", f"/routes/{HOST}", if_match='"7"')[0] == 412
    assert ask("PUT", f"/routes/{HOST}", {"target": B}, if_match='"1"')[0] == 200
    assert ask("PUT", f"/routes/{HOST}", {"target": B}, if_match="nonsense")[0] == 400


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
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
    assert openapi() == committed, "run: .venv/bin/python -m table_admin.api > docs/openapi.json"
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
        "TABLE_ADMIN_STACK": table.routes.removesuffix("-routes"),
        "POWERTOOLS_SERVICE_NAME": "admin",
        "POWERTOOLS_METRICS_NAMESPACE": "EdgeRouting",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "edge-routing-admin",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    }
    event = gateway_event("PUT", f"/routes/{HOST}", {"target": A})
    result, log = invoke("table_admin.lambda_function.handler", event, ROOT, environ)
    assert result["statusCode"] == 201
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    answered = next(line for line in lines if line.get("message") == "answered")
    assert (answered["service"], answered["correlation_id"], answered["status"]) == ("admin", "r-1", 201)
    assert any("Writes" in line for line in lines)
    assert table.get(HOST).updated_by == "assumed-role/pipeline/run-7"


def test_a_failure_of_the_table_is_a_problem_and_no_traceback_for_the_caller(aws: EmbeddedAws) -> None:
    api = make_api(lambda actor: RoutingTable("no-such-stack", actor=actor, client=aws.client))
    result = api.resolve(gateway_event("GET", f"/routes/{HOST}"), {})  # type: ignore[arg-type]
    assert result["statusCode"] == 500
    assert "tables do not exist" in json.loads(result["body"])["detail"]
