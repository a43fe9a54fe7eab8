"""Plain prefixes: what a path gets is found out by asking S3, and what cannot be known is left to S3."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edge_handler.answers import MISSING
from edge_handler.aws.server import Server
from edge_handler.errors import StorageUnreachable
from edge_handler.origin_request import make_handler
from edge_handler.website import bucket, prefix
from local_edge.embedded_aws import EmbeddedAws
from tests.support import STATIC, event, header, run

_prefixes = itertools.count(1)
FILES = (
    *("index.html", "404.html", "about.html", "docs/index.html", "v1.2/index.html", "next.js/index.html"),
    *("both.html", "both/index.html", "a b/index.html", "blog/404.html", "app.js", "caf\u00e9.html"),
)


class Site:
    """Files under a prefix of their own, and the handler that serves them."""

    def __init__(self, aws: EmbeddedAws, *files: str) -> None:
        self.name = f"plain-{next(_prefixes)}"
        self._s3 = aws.client("s3")
        self._handler = make_handler(aws.endpoint)
        for file in files:
            self.put(file)

    def put(self, file: str) -> None:
        self._s3.put_object(Bucket="acme-static-sites", Key=f"{self.name}/{file}", Body=b"x")

    def remove(self, file: str) -> None:
        self._s3.delete_object(Bucket="acme-static-sites", Key=f"{self.name}/{file}")

    def ask(self, uri: str, query: str = "", **headers: str) -> dict[str, Any]:
        return run(self._handler, asking(uri, query, self.name, **headers))


def asking(uri: str, query: str = "", name: str = "env-123", **headers: str) -> dict[str, Any]:
    changed = event("origin-request-static")
    request = changed["Records"][0]["cf"]["request"]
    request |= {"uri": uri, "querystring": query}
    stamp = request["headers"]["x-route"][0]
    stamp["value"] = stamp["value"].replace("/env-123", f"/{name}")
    for key, value in headers.items():
        request["headers"][key.replace("_", "-")] = [{"value": value}]
    return changed


@pytest.fixture
def site(aws: EmbeddedAws) -> Site:
    return Site(aws, *FILES)


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("/", "index.html"),
        ("/docs/", "docs/index.html"),
        ("/about", "about.html"),
        ("/both", "both.html"),
        ("/both/", "both/index.html"),
        ("/app.js", "app.js"),
        ("/caf%C3%A9", "caf%C3%A9.html"),
    ],
)
def test_a_path_gets_the_file_that_generators_mean(site: Site, uri: str, file: str) -> None:
    result = site.ask(uri)
    assert (result["uri"], header(result, "x-route-kind")) == (f"/{site.name}/{file}", "website")


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("/docs", "/docs/"),
        ("/docs/index.html", "/docs/"),
        ("/about.html", "/about"),
        ("/about/", "/about"),
        ("/index.html", "/"),
        ("/v1.2", "/v1.2/"),
        ("/next.js", "/next.js/"),
        ("/a%20b", "/a%20b/"),
        ("//docs/", "/docs/"),
    ],
)
def test_a_file_has_one_address_and_others_lead_there_with_their_query(site: Site, uri: str, location: str) -> None:
    result = site.ask(uri, "page=2")
    assert (result["status"], header(result, "location")) == ("308", f"{location}?page=2")
    assert header(result, "cache-control") == MISSING


@pytest.mark.parametrize(
    ("uri", "page"), [("/nothing", "404.html"), ("/docs/x", "404.html"), ("/blog/x/y", "blog/404.html")]
)
def test_a_missing_page_shows_the_nearest_404_page_whole_and_with_its_status(site: Site, uri: str, page: str) -> None:
    result = site.ask(uri, range="bytes=0-9", if_match='"x"')
    assert result["uri"] == f"/{site.name}/{page}"
    assert header(result, "x-route-kind") == f'website {{"status":404,"headers":[["cache-control","{MISSING}"]]}}'
    assert not {"range", "if-match"} & set(result["headers"])


@pytest.mark.parametrize("uri", ["/missing.js", "/_next/static/x.css", "/data.json"])
def test_a_missing_asset_gets_no_page_of_the_sites(site: Site, uri: str) -> None:
    result = site.ask(uri)
    assert (result["status"], header(result, "cache-control")) == ("404", MISSING)
    assert result["body"].startswith("{" if uri.endswith(".json") else "<!doctype")


def test_without_a_404_page_it_is_ours(aws: EmbeddedAws) -> None:
    result = Site(aws, "index.html").ask("/nothing")
    assert (result["status"], header(result, "cache-control")) == ("404", MISSING)
    assert "<code>env-123.localhost</code>" in result["body"]


def test_a_name_in_another_of_unicodes_forms_is_as_whoever_copied_it_wrote_it(site: Site) -> None:
    assert site.ask("/cafe%CC%81")["uri"] == f"/{site.name}/cafe%CC%81"


def test_what_is_there_is_not_asked_about_again_for_a_while(site: Site) -> None:
    site.ask("/app.js")
    site.remove("app.js")
    assert site.ask("/app.js")["uri"] == f"/{site.name}/app.js"


def test_what_is_not_there_may_come_at_any_time(site: Site) -> None:
    assert site.ask("/new.js")["status"] == "404"
    site.put("new.js")
    assert site.ask("/new.js")["uri"] == f"/{site.name}/new.js"


def test_a_path_of_many_segments_is_not_many_questions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def nothing(_origin: Any, path: str, *_: Any, **__: Any) -> bool:
        asked.append(path)
        return False

    monkeypatch.setattr(prefix, "exists", nothing)
    site.ask("/a" * 400)
    assert len(asked) <= prefix.MAX_QUESTIONS + 1


@pytest.mark.parametrize("uri", ["/_blobs/abc", "/%5Fblobs/abc", "//_blobs/abc", "/_deployments/abc", "/_condemned"])
def test_a_site_that_is_the_whole_bucket_has_nothing_of_the_deployments_beside_it(aws: EmbeddedAws, uri: str) -> None:
    whole = asking(uri)
    stamp = whole["Records"][0]["cf"]["request"]["headers"]["x-route"][0]
    stamp["value"] = stamp["value"].replace("/env-123", "")
    for key in ("_blobs/abc", "_deployments/abc", "_condemned"):
        aws.client("s3").put_object(Bucket="acme-static-sites", Key=key, Body=b"another's")
    try:
        assert run(make_handler(aws.endpoint), whole)["status"] == "404"
    finally:
        for key in ("_blobs/abc", "_deployments/abc", "_condemned"):
            aws.client("s3").delete_object(Bucket="acme-static-sites", Key=key)


def test_s3_not_answering_is_no_dead_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert run(make_handler(endpoint), asking("/docs"))["uri"] == "/env-123/docs"


@pytest.mark.usefixtures("impatience")
def test_s3_that_is_silent_is_left_alone_for_a_while() -> None:
    """Not waited for on every miss: the clock of its pause is not wound on here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = make_handler(f"http://127.0.0.1:{listener.getsockname()[1]}")
        for _ in range(5):
            assert run(deaf, asking("/docs"))["uri"] == "/env-123/docs"
        listener.settimeout(0)
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()


def head(status: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 10\r\n\r\n" % status


@contextmanager
def s3_that_says(*connections: list[bytes]) -> Iterator[str]:
    """Yield the endpoint of an S3 that answers so, connection by connection; each stays open."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def serve() -> None:
        for answers in connections:
            found, _ = listener.accept()
            kept.append(found)
            for answer in answers:
                found.recv(65_536)
                found.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join()
    for found in kept:
        found.close()
    listener.close()


def test_an_answer_to_another_question_makes_no_redirect() -> None:
    """A surplus answer that arrives while the next question is on its way: it names no object."""
    # /x, /x.html, /x/index.html; what looks like a directory is none, as a connection of its own says.
    with s3_that_says([head(404), head(404), head(200), head(200)], [head(404)]) as endpoint:
        assert run(make_handler(endpoint), asking("/x"))["uri"] == "/env-123/x"


def test_an_answer_to_another_question_makes_no_page_missing() -> None:
    with s3_that_says([head(404), head(404), head(404), head(404)], [head(200)]) as endpoint:
        assert run(make_handler(endpoint), asking("/y.js"))["uri"] == "/env-123/y.js"


def test_a_directory_is_found_on_a_connection_made_for_the_question() -> None:
    with s3_that_says([head(404), head(404), head(200)], [head(200)]) as endpoint:
        assert run(make_handler(endpoint), asking("/z"))["status"] == "308"


def test_s3_failing_once_is_asked_once_more() -> None:
    with s3_that_says([head(503)], [head(200)]) as endpoint:
        assert run(make_handler(endpoint), asking("/once"))["uri"] == "/env-123/once"


@pytest.mark.parametrize("status", [301, 400, 403])
def test_what_s3_does_not_say_is_left_to_s3_and_no_failure(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with s3_that_says([head(status)]) as endpoint:
        assert run(make_handler(endpoint), asking("/w"))["uri"] == "/env-123/w"
    assert capsys.readouterr().out == ""


def test_a_pause_is_for_all_buckets_of_a_region(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one for each bucket the pages of many sites would each wait, and each write a line."""
    monkeypatch.setattr(bucket, "_pauses", {})
    asked = []

    def refuse(_self: Any, *_: Any) -> bool:
        asked.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr(Server, "ask", refuse)
    for number in range(200):
        origin = STATIC._replace(domain_name=f"sites-{number}.s3.us-east-1.amazonaws.com")
        with pytest.raises(StorageUnreachable):
            bucket.exists(origin, "/docs/index.html", None, time.monotonic() + 60)
    assert len(asked) == 1
    assert capsys.readouterr().out.count("S3 did not answer") == 1


def test_that_many_answers_took_the_time_is_no_failure_of_s3s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_pauses", {})
    with pytest.raises(StorageUnreachable):
        bucket.exists(STATIC, "/docs/index.html", "http://127.0.0.1:9", time.monotonic() + bucket.SECONDS / 4)
    assert not [pause for pause in bucket._pauses.values() if pause.seconds()]


def test_a_function_keeps_no_more_connections_than_it_has_descriptors_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "MAX_BUCKETS", 3)
    monkeypatch.setattr(bucket, "_buckets", {})
    for port in range(10):
        run(make_handler(f"http://127.0.0.1:{port + 1}"), asking("/docs"))
    assert len(bucket._buckets) == 3
