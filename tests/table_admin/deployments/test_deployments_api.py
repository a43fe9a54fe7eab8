"""Deployments of a directory that is elsewhere, through the HTTP API: no file comes through it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, deploy
from table_admin.deployments import elsewhere, manifests
from table_admin.deployments.condemned import Condemned, write_condemned
from table_admin.deployments.items import Deployments
from table_admin.web.api import make_api
from tests.table_admin.deployments.sites import SITE, make_bucket, page, shown, versions, write_site
from tests.table_admin.test_api import gateway_event

WWW = "www.example.com"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(table: RoutingTable, aws: EmbeddedAws) -> Ask:
    api = make_api(lambda actor, request: RoutingTable(table.stack, actor=actor, client=aws.client, request=request))

    def call(method: str, path: str, body: Any = None, query: dict[str, str] | None = None, **headers: str) -> Any:
        result = api.resolve(gateway_event(method, path, body, query, **headers), {})  # type: ignore[arg-type]
        return int(result["statusCode"]), json.loads(result["body"])

    return call


@pytest.fixture
def bucket(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    name = make_bucket(aws)
    monkeypatch.setenv("TABLE_ADMIN_BUCKET", name)
    return name


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def manifest_of(files: dict[str, str], **rules: str) -> str:
    said = {name: {"sha256": digest(text), "size": len(text.encode())} for name, text in files.items()}
    return json.dumps({"files": said, **rules})


def put(upload: dict[str, Any], content: str) -> int:
    """Send what a pipeline with curl would."""
    return urllib3.request("PUT", upload["url"], body=content.encode(), headers=upload["headers"]).status


def uploads(ask: Ask, deployment: str, **query: str) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        status, answer = ask(
            "GET", f"/deployments/{deployment}/uploads", query={**query, **({"cursor": cursor} if cursor else {})}
        )
        assert status == 200
        yield from answer["uploads"]
        cursor = answer["cursor"]
        if cursor is None:
            return


def begun(ask: Ask, manifest: str, **options: Any) -> tuple[int, Any]:
    sha256 = digest(manifest)
    status, upload = ask("POST", "/manifests", {"sha256": sha256, "size": len(manifest.encode())})
    assert status == 200
    assert put(upload, manifest) == 200
    status, answer = ask("POST", "/deployments", {"manifest": sha256, **options})
    return status, answer


def send(ask: Ask, files: dict[str, str], started: Any, **query: str) -> list[int]:
    by_digest = {digest(text): text for text in files.values()}
    return [put(one, by_digest[one["sha256"]]) for one in uploads(ask, started["deployment"], **query)]


def test_a_directory_elsewhere_becomes_a_site_in_steps(ask: Ask, table: RoutingTable, bucket: str) -> None:
    status, started = begun(ask, manifest_of(SITE, _redirects="/old /about 301\n"), note="first")
    assert (status, started["state"], started["files"]) == (200, "uploading", 3)
    assert ask("PUT", f"/routes/{WWW}", {"target": started["target"]})[0] == 422  # not ready
    assert send(ask, SITE, started) == [200, 200, 200]
    status, done = ask("POST", f"/deployments/{started['deployment']}/ready", {"epoch": started["epoch"]})
    assert (status, done) == (200, {"state": "ready", "target": started["target"], "cursor": None})
    status, change = ask("PUT", f"/routes/{WWW}", {"target": done["target"]}, if_none_match="*")
    assert (status, change["after"]["origin"]["kind"]) == (201, "deployment")
    site = shown(table, WWW)
    assert [rule.destination for rule in site.options.redirects] == ["/about"]
    assert page(table, WWW, "/about.html") == b"about"
    found = ask("GET", f"/deployments/{started['deployment']}")[1]
    assert (found["state"], found["note"], found["created_by"]) == ("ready", "first", "assumed-role/pipeline/run-7")
    assert found in ask("GET", "/deployments")[1]["deployments"]


def test_the_list_is_the_one_that_the_command_makes(ask: Ask, table: RoutingTable, bucket: str, tmp_path: Path) -> None:
    rules = {"_redirects": "/old /about 301\n", "_headers": "/*\n  X-A: b\n"}
    done = deploy(table, write_site(tmp_path, {**SITE, **rules}), bucket=bucket, domain=WWW)
    status, started = begun(ask, manifest_of(SITE, **rules))
    assert (status, started["state"], started["deployment"]) == (200, "ready", done.deployment)
    assert [*uploads(ask, started["deployment"])] == []
    assert ask("POST", f"/deployments/{done.deployment}/ready", {"epoch": started["epoch"]})[1]["state"] == "ready"


def test_a_url_is_good_for_one_files_bytes_alone(ask: Ask, bucket: str) -> None:
    _, started = begun(ask, manifest_of(SITE))
    for upload in uploads(ask, started["deployment"]):
        parts = urlsplit(upload["url"])
        signed = parse_qs(parts.query)["X-Amz-SignedHeaders"][0].split(";")
        assert parts.path == f"/{bucket}/_blobs/{upload['sha256']}"
        assert set(signed) == {"host", *upload["headers"]} >= {"x-amz-checksum-sha256", "if-none-match"}
        assert put(upload, next(text for text in SITE.values() if digest(text) == upload["sha256"])) == 200
        assert put(upload, "other") == 412  # what is there is not written over


def test_uploads_come_in_pages(ask: Ask, bucket: str) -> None:
    files = {"index.html": "home", **{f"p{number}.html": f"{number}" for number in range(1100)}}
    _, started = begun(ask, manifest_of(files))
    status, first = ask("GET", f"/deployments/{started['deployment']}/uploads")
    assert (status, len(first["uploads"])) == (200, 500)
    every = [one["sha256"] for one in uploads(ask, started["deployment"])]
    assert every == sorted({digest(text) for text in files.values()})


def test_it_is_not_ready_before_its_files_are_there(
    ask: Ask, bucket: str, monkeypatch: pytest.MonkeyPatch, aws: EmbeddedAws
) -> None:
    monkeypatch.setattr(elsewhere, "_ASKED", 2)
    _, started = begun(ask, manifest_of(SITE))
    wanted = [*uploads(ask, started["deployment"])]
    path = f"/deployments/{started['deployment']}/ready"
    for upload in wanted[:2]:
        put(upload, next(text for text in SITE.values() if digest(text) == upload["sha256"]))
    status, answer = ask("POST", path, {"epoch": started["epoch"]})
    assert (status, answer["state"]) == (200, "uploading")
    status, problem = ask("POST", path, {"epoch": started["epoch"], "cursor": answer["cursor"]})
    assert (status, problem["type"]) == (409, "urn:table-admin:missing")
    assert wanted[2]["sha256"] in problem["detail"]
    send(ask, SITE, started)
    assert ask("POST", path, {"epoch": started["epoch"], "cursor": answer["cursor"]})[1]["state"] == "ready"


def test_a_cursor_of_ones_own_makes_nothing_ready(
    ask: Ask, bucket: str, monkeypatch: pytest.MonkeyPatch, table: RoutingTable
) -> None:
    monkeypatch.setattr(elsewhere, "_ASKED", 2)
    _, started = begun(ask, manifest_of(SITE))
    path, epoch = f"/deployments/{started['deployment']}/ready", started["epoch"]
    wanted = [one["sha256"] for one in uploads(ask, started["deployment"])]
    for cursor in ("f" * 64, wanted[-1], wanted[1], "x"):
        status, problem = ask("POST", path, {"epoch": epoch, "cursor": cursor})
        assert (status, "The cursor is not" in problem["detail"]) == (400, True)
        assert ask("POST", path, {"epoch": epoch})[0] == 409
    assert ask("GET", f"/deployments/{started['deployment']}")[1]["state"] == "uploading"
    assert ask("PUT", f"/routes/{WWW}", {"target": started["target"]})[0] == 422
    send(ask, SITE, started)
    assert ask("POST", path, {"epoch": epoch})[1] == {
        "state": "uploading",
        "target": started["target"],
        "cursor": wanted[1],
    }
    assert ask("POST", path, {"epoch": epoch, "cursor": wanted[0]})[0] == 400
    assert ask("POST", path, {"epoch": epoch})[1]["state"] == "ready"  # it knows itself how far it was


def test_what_was_looked_for_before_it_was_given_up_is_looked_for_again(
    ask: Ask, bucket: str, monkeypatch: pytest.MonkeyPatch, table: RoutingTable, aws: EmbeddedAws
) -> None:
    monkeypatch.setattr(elsewhere, "_ASKED", 2)
    _, started = begun(ask, manifest_of(SITE))
    path = f"/deployments/{started['deployment']}/ready"
    wanted = [one["sha256"] for one in uploads(ask, started["deployment"])]
    send(ask, SITE, started)
    cursor = ask("POST", path, {"epoch": started["epoch"]})[1]["cursor"]
    assert cursor == wanted[1]
    deployments = Deployments(table)
    seen = deployments.get(bucket, started["deployment"])
    deployments.change_seen(seen, replace(seen, state="condemned", epoch=seen.epoch + 1))
    _, again = begun(ask, manifest_of(SITE))
    aws.client("s3").delete_object(Bucket=bucket, Key=f"_blobs/{wanted[0]}")
    assert ask("POST", path, {"epoch": started["epoch"]})[0] == 409
    assert ask("POST", path, {"epoch": again["epoch"], "cursor": cursor})[0] == 400
    status, problem = ask("POST", path, {"epoch": again["epoch"]})
    assert (status, wanted[0] in problem["detail"]) == (409, True)


def test_what_one_epoch_found_is_nothing_in_the_next(ask: Ask, bucket: str, table: RoutingTable) -> None:
    _, started = begun(ask, manifest_of(SITE))
    deployments, name = Deployments(table), started["deployment"]
    assert deployments.extend_lease(bucket, name, started["epoch"], "b" * 64) == "b" * 64
    assert deployments.extend_lease(bucket, name, started["epoch"], "a" * 64) == "b" * 64  # the slower of two
    assert deployments.extend_lease(bucket, name, started["epoch"]) == "b" * 64
    seen = deployments.get(bucket, name)
    after = deployments.change_seen(seen, replace(seen, epoch=seen.epoch + 1))
    assert after is not None
    assert after.progress == ""
    assert deployments.extend_lease(bucket, name, after.epoch, "a" * 64) == "a" * 64


def test_an_item_from_before_there_was_progress_is_read(
    ask: Ask, bucket: str, table: RoutingTable, aws: EmbeddedAws
) -> None:
    _, started = begun(ask, manifest_of(SITE))
    aws.client("dynamodb").update_item(
        TableName=table.tables.deployments,
        Key={"deployment": {"S": f"{bucket}/{started['deployment']}"}},
        UpdateExpression="REMOVE verified, verified_epoch",
    )
    send(ask, SITE, started)
    path = f"/deployments/{started['deployment']}/ready"
    assert ask("POST", path, {"epoch": started["epoch"]})[1]["state"] == "ready"


def test_a_condemned_blobs_version_that_was_there_does_not_count(
    ask: Ask, table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    key = f"_blobs/{digest('about')}"
    old = aws.client("s3").head_object(Bucket=bucket, Key=key)["VersionId"]
    write_condemned(aws.client("s3"), bucket, {digest("about"): Condemned(0, (old,))})
    files = {**SITE, "index.html": "two"}
    _, started = begun(ask, manifest_of(files))
    path = f"/deployments/{started['deployment']}/ready"
    for upload in uploads(ask, started["deployment"]):
        if upload["sha256"] != digest("about"):  # the lazy client: it is there, as far as anybody sees
            assert put(upload, "two") == 200
    status, problem = ask("POST", path, {"epoch": started["epoch"]})
    assert (status, digest("about") in problem["detail"]) == (409, True)
    assert 200 in send(ask, files, started)
    assert ask("POST", path, {"epoch": started["epoch"]})[1]["state"] == "ready"
    aws.client("s3").delete_object(Bucket=bucket, Key=key, VersionId=old)
    assert aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"about"


def test_what_is_there_is_not_asked_for_and_what_is_condemned_is(
    ask: Ask, table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    write_condemned(aws.client("s3"), bucket, {digest("about"): Condemned(0, ("some",))})
    files = {**SITE, "index.html": "two"}
    _, started = begun(ask, manifest_of(files), domain=WWW)
    assert {one["sha256"] for one in uploads(ask, started["deployment"], **{"for": WWW})} == {
        digest("two"),
        digest("about"),
    }
    assert send(ask, files, started) == [200, 200]
    assert versions(aws.client("s3"), bucket).count(f"_blobs/{digest('about')}") == 2


def test_what_was_given_up_is_begun_again(ask: Ask, bucket: str) -> None:
    _, started = begun(ask, manifest_of(SITE))
    send(ask, SITE, started)
    path = f"/deployments/{started['deployment']}"
    assert ask("POST", f"{path}/ready", {"epoch": started["epoch"] + 1})[0] == 409
    assert ask("GET", f"/deployments/{'0' * 32}/uploads")[0] == 404
    assert ask("GET", "/deployments/nonsense")[0] == 422


def said(name: str, sha256: str = digest("a"), size: str = "1", rules: str = "") -> str:
    """Return what says more of a file than a library that writes JSON would."""
    index = f'"index.html": {{"sha256": "{digest("a")}", "size": 1}}'
    return f'{{"files": {{{index}, "{name}": {{"sha256": "{sha256}", "size": {size}}}}}{rules}}}'


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ("nonsense", "not JSON"),
        ("[]", "not as it should be"),
        ('{"files": {"index.html": {"sha256": "x", "size": 1}}}', "files.index.html.sha256"),
        (manifest_of({"about.html": "a"}), "no index.html"),
        (manifest_of({"index.html": "a", ".env": "a"}), "begins with a dot"),
        (manifest_of({"index.html": "a", "_redirects": "a"}), "beside the files"),
        (manifest_of({"index.html": "a", "../x": "a"}), "begins with a dot"),
        (manifest_of({"index.html": "a", "A.html": "a", "a.html": "b"}), "only by case"),
        (manifest_of({"index.html": "a", "/index.html": "b"}), "same address"),
        (manifest_of({"index.html": "a", "x" * 1100: "b"}), "more than"),
        (manifest_of({"index.html": "a"}, _redirects="/a /b 999\n"), "999"),
        (said("x.js", size="1.0"), "files.x.js.size: 1.0 is not of type 'integer'"),
        (said("x.js", size="1e400"), "files.x.js.size"),
        (said("\\ud800.js"), "not UTF-8"),
        (said("x.js", rules=', "_redirects": "/a /\\ud800 301"'), "not UTF-8"),
        (said("x.js", rules=', "_headers": "/\\ud800"'), "not UTF-8"),
        (said("x.js", rules=', "\\ud800": 1'), "not UTF-8"),
        ('{"files": ' + '{"a":' * 900 + "1" + "}" * 900 + "}", "not as it should be"),
        (said(""), "The directory has an empty name in its path"),
        (said("a//b"), "a//b has an empty name"),
        (said("c/"), "c/ has an empty name"),
        (said("//x"), "/x has an empty name"),
        (said("nul\\u0000.js"), "nul\\x00.js has a zero byte"),
        (said("x.js", sha256=f"{digest('a')}\\n"), "files.x.js.sha256"),
        (said("x.js", size="2"), "has two sizes, 1 and 2"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_the_reason(ask: Ask, bucket: str, manifest: str, why: str) -> None:
    status, problem = begun(ask, manifest)
    assert (status, why in problem["detail"]) == (400, True), problem


def test_a_manifest_that_was_not_sent_is_not_found(ask: Ask, bucket: str) -> None:
    assert ask("POST", "/deployments", {"manifest": "0" * 64})[0] == 404
    assert ask("POST", "/deployments", {"manifest": "../x"})[0] == 422
    assert ask("POST", "/manifests", {"sha256": "0" * 64, "size": 2**30})[0] == 400


def test_a_manifest_of_more_files_than_a_function_has_time_for_is_refused(ask: Ask, bucket: str) -> None:
    files = {f"{number}.js": {"sha256": digest("a"), "size": 1} for number in range(manifests.MOST_FILES)}
    status, problem = begun(ask, json.dumps({"files": {**files, "index.html": {"sha256": digest("a"), "size": 1}}}))
    assert status == 400
    assert "50,001 files" in problem["detail"]
    assert "more than 50,000" in problem["detail"]
    assert "table-admin deploy" in problem["detail"]


def test_a_digest_that_ends_in_a_newline_is_none(ask: Ask, bucket: str) -> None:
    assert ask("POST", "/manifests", {"sha256": "0" * 64 + "\n", "size": 5})[0] == 422
    assert ask("POST", "/deployments", {"manifest": "0" * 64 + "\n"})[0] == 422
