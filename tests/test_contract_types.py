"""Somebody else's contract: what goes into the functions and comes out is what npm's @types/aws-lambda says."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_handler import origin_request, origin_response, viewer_request
from edge_handler.routes.resolver import Resolver
from local_edge.embedded_aws import EmbeddedAws
from tests.corpus import BROKEN_HOST, ORIGIN_EVENTS, RESPONSE_EVENTS, VIEWER_EVENTS, changed, guard, rows
from tests.support import ROOT, SETTINGS, Clock, Rows, event, need, run

TSC = ROOT / "node_modules" / ".bin" / "tsc"
# Not the package's own files: those want Node's types, too.
OPTIONS = {"strict": True, "noEmit": True, "module": "node20", "types": [], "skipLibCheck": True}
# The package's own result may be either, or nothing, and lets a response carry a request's fields.
TYPES = """
import type { CloudFrontRequest, CloudFrontRequestEvent, CloudFrontRequestResult, CloudFrontResponseEvent,
  CloudFrontResponseResult, CloudFrontResultResponse } from "aws-lambda";
type Response = Required<Pick<CloudFrontResultResponse, "status" | "statusDescription" | "headers">>
  & CloudFrontResultResponse;
type ViewerRequest = Omit<CloudFrontRequest, "origin">;
type OriginRequest = Required<Pick<CloudFrontRequest, "origin">> & CloudFrontRequest;
"""
Named = Iterator[tuple[str, Any]]


def viewer_results() -> Named:
    """Yield every sample's result, and what a broken row and a table that does not answer add."""
    table = Rows()
    table.items = {item["domain"]["S"]: item for item in rows()}
    handler = viewer_request.make_handler(Resolver(table, SETTINGS, Clock()), guard())
    for name in VIEWER_EVENTS:
        yield name, run(handler, event(name))
    yield "viewer-request, a broken row", run(handler, changed("viewer-request-static", host=BROKEN_HOST))
    table.reachable = False
    yield "viewer-request, no table", run(handler, changed("viewer-request-static", host="env-new.localhost"))


def origin_results(s3_endpoint: str) -> Named:
    """Yield every sample's result, and what a directory, its URL and a path that leaves its prefix add."""
    handler = origin_request.make_handler(s3_endpoint)
    for name in ORIGIN_EVENTS:
        yield name, run(handler, event(name))
    for uri in ("/docs", "/docs/", "/../env-456/"):
        yield f"origin-request of {uri}", run(handler, changed("origin-request-static", uri=uri))


def response_results() -> Named:
    """Yield every sample's result, and what an event that cannot be read gets."""
    for name in RESPONSE_EVENTS:
        yield name, run(origin_response.handler, event(name))
    yield "origin-response of nothing", origin_response.handler({}, None)


@pytest.fixture
def results(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    for module in ("prefix", "deployments"):
        monkeypatch.setattr(f"edge_handler.website.{module}.SECONDS", 60)  # what is answered is tried here, not when
    aws.client("s3").put_object(Bucket="acme-static-sites", Key="env-123/docs/index.html", Body=b"x")
    return dict([*viewer_results(), *origin_results(aws.endpoint)])


def type_of(name: str, result: dict[str, Any]) -> str:
    if "status" in result:
        return "Response"
    return "ViewerRequest" if name.startswith("viewer-request") else "OriginRequest"


def constants(results: dict[str, Any]) -> str:
    lines = []
    for number, (name, result) in enumerate(results.items()):
        # The literal once for each type: of what a constant holds, TypeScript does not check what is too much.
        for prefix, kind in (("strict", type_of(name, result)), ("result", "CloudFrontRequestResult")):
            lines.append(f"// {name}\nexport const {prefix}{number}: {kind} = {json.dumps(result)};")
    return "\n".join(lines)


def compile_types(folder: Path, source: str) -> str:
    """Return what the TypeScript compiler has against `source`."""
    need(shutil.which("node") and TSC.exists(), "node and npm (apt-get install nodejs npm), then make test")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS, "files": ["given.ts"]}))
    (folder / "given.ts").write_text(TYPES + source)
    done = subprocess.run([str(TSC), "-p", "."], cwd=folder, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stdout), done.stderr
    return done.stdout


def test_the_samples_get_every_outcome_there_is(results: dict[str, Any]) -> None:
    found = {(name.partition("-")[0], result.get("status", "goes on")) for name, result in results.items()}
    viewer = {"goes on", "200", "204", "308", "400", "403", "404", "405", "410", "502", "503"}
    assert found == {("viewer", what) for what in viewer} | {
        ("origin", what) for what in ("goes on", "308", "400", "404", "502", "503")
    }


def test_every_result_is_one_that_the_types_of_lambda_edge_have(results: dict[str, Any], tmp_path: Path) -> None:
    assert compile_types(tmp_path, constants(results)) == ""


def test_every_result_of_origin_response_is_one_that_they_have(tmp_path: Path) -> None:
    lines = [
        f"export const {prefix}{number}: {kind} = {json.dumps(result)};"
        for number, (_, result) in enumerate(response_results())
        for prefix, kind in (("strict", "Response"), ("result", "CloudFrontResponseResult"))
    ]
    assert compile_types(tmp_path, "\n".join(lines)) == ""


def test_every_sample_event_is_one_that_the_types_of_lambda_edge_have(tmp_path: Path) -> None:
    given = [json.dumps(event(name)) for name in (*VIEWER_EVENTS, *ORIGIN_EVENTS)]
    source = "\n".join(f"export const e{n}: CloudFrontRequestEvent = {text};" for n, text in enumerate(given))
    given = [json.dumps(event(name)) for name in RESPONSE_EVENTS]
    source += "\n" + "\n".join(f"export const r{n}: CloudFrontResponseEvent = {text};" for n, text in enumerate(given))
    assert compile_types(tmp_path, source) == ""


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("viewer-request-unknown", ("status",), 404),
        ("viewer-request-unknown", ("statusDescription",), None),
        ("viewer-request-unknown", ("bodyEncoding",), "gzip"),
        ("viewer-request-unknown", ("headers", "content-type"), "text/html"),
        ("viewer-request-unknown", ("uri",), "/"),
        ("viewer-request-static", ("headers", "x-route", 0, "value"), 1),
        ("viewer-request-static", ("origin",), {}),
        ("viewer-request-static", ("querystring",), None),
        ("origin-request-elb", ("origin", "custom", "port"), "80"),
        ("origin-request-elb", ("origin", "custom", "protocol"), "h2"),
        ("origin-request of /docs/", ("origin", "s3", "authMethod"), "oac"),
        ("origin-request of /docs/", ("origin", "custom"), {}),
    ],
)
def test_a_wrong_result_is_not(
    name: str, place: tuple[Any, ...], value: object, results: dict[str, Any], tmp_path: Path
) -> None:
    result = json.loads(json.dumps(results[name]))
    *parents, last = place
    inner = result
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    assert "given.ts(" in compile_types(tmp_path, constants({name: result}))
