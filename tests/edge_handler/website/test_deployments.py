"""Deployments at origin-request: lists are read from S3, paths become blobs, and what cannot be read is 503."""

import itertools
import json
import socket
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from edge_handler.answers import MISSING
from edge_handler.aws.server import Server
from edge_handler.origin_request import make_handler
from edge_handler.routes.canary import Canary
from edge_handler.routes.kind import MAX_BYTES, MAX_SITE_BYTES
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.stamp import encode_stamp
from edge_handler.website import bucket, lists
from edge_handler.website.listing import File, HeaderRule, Listing, Options, RedirectRule, encode_listing
from edge_handler.website.lists import Lists
from edge_handler.website.resolution import CACHE
from local_edge.embedded_aws import EmbeddedAws
from tests.support import NOBODY, OWN_BUCKET, Rows, broken_list, event, header, route, run

BUCKET = "acme-static-sites"
HOST = "env-123.localhost"
_numbers = itertools.count(1)
ENOUGH = {"/index.html": "home", "/404.html": "nothing", "/about.html": "about", "/assets/app.0a1b2c.js": "app"}


def blob(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def made(files: Mapping[str, str], options: Options = Options()) -> Listing:  # noqa: B008
    """Return a list that no other test has made."""
    given = {**files, f"/{next(_numbers)}.txt": "its own"}
    return encode_listing(
        {
            path: File(
                blob(content),
                "text/javascript" if path.endswith(".js") else "text/html; charset=utf-8",
                path.startswith("/assets/"),
                len(content),
            )
            for path, content in given.items()
        },
        options,
    )


class World:
    """A bucket with deployments, a table, and one instance of the function."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.s3 = aws.client("s3")
        self.rows = Rows()
        self.handler = make_handler(aws.endpoint, self.rows)

    def deploy(self, files: Mapping[str, str], options: Options = Options()) -> DeploymentOrigin:  # noqa: B008
        listing = made(files, options)
        self.s3.put_object(Bucket=BUCKET, Key=listing.key, Body=listing.content)
        return origin_of(listing, options.cors)

    def ask(self, origin: DeploymentOrigin, uri: str = "/", query: str = "", **more: Any) -> dict[str, Any]:
        return run(self.handler, asking(origin, uri, query, **more))


def origin_of(listing: Listing, cors: str = "") -> DeploymentOrigin:
    return DeploymentOrigin(OWN_BUCKET, "us-east-1", listing.id, "pages", cors)


def asking(
    origin: DeploymentOrigin,
    uri: str = "/",
    query: str = "",
    former: tuple[str, ...] = (),
    generation: int = 1,
    method: str = "GET",
    **headers: str,
) -> dict[str, Any]:
    changed = event("origin-request-static")
    request = changed["Records"][0]["cf"]["request"]
    request |= {"uri": uri, "querystring": query, "method": method}
    request["headers"]["x-route"][0]["value"] = encode_stamp(HOST, generation, origin, former)
    for name, value in headers.items():
        request["headers"][name.replace("_", "-")] = [{"value": value}]
    return changed


def told(result: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """Return status and headers that origin-response is told."""
    kind, _, text = str(header(result, "x-route-kind")).partition(" ")
    assert kind == "site"
    said = json.loads(text)
    return said["status"], dict(said["headers"])


@pytest.fixture
def world(aws: EmbeddedAws) -> World:
    return World(aws)


@pytest.mark.parametrize(
    ("uri", "content", "cache"), [("/", "home", "P"), ("/about", "about", "P"), ("/assets/app.0a1b2c.js", "app", "I")]
)
def test_a_path_becomes_a_blob_and_the_lists_headers(world: World, uri: str, content: str, cache: str) -> None:
    result = world.ask(world.deploy(ENOUGH), uri, "utm=x", range="bytes=0-1", if_match='"e"')
    assert result["uri"] == f"/_blobs/{blob(content)}"
    assert (result["querystring"], header(result, "host"), header(result, "range")) == ("", OWN_BUCKET, "bytes=0-1")
    content_type = "text/javascript" if cache == "I" else "text/html; charset=utf-8"
    assert told(result) == (200, {"content-type": content_type, "cache-control": CACHE[cache]})


def test_another_buckets_deployment_is_signed_for(world: World) -> None:
    world.s3.create_bucket(Bucket="other-sites")
    listing = made(ENOUGH)
    world.s3.put_object(Bucket="other-sites", Key=listing.key, Body=listing.content)
    name = "other-sites.s3.us-east-1.amazonaws.com"
    result = world.ask(origin_of(listing)._replace(domain_name=name))
    assert result["origin"]["custom"]["domainName"] == name
    assert str(header(result, "authorization")).startswith("AWS4-HMAC-SHA256 ")


def test_a_redirect_keeps_the_query_and_each_viewer_gets_their_own(world: World) -> None:
    origin = world.deploy(ENOUGH)
    for query in ("a=1", "b=2", ""):
        result = world.ask(origin, "/about.html", query)
        location = "/about" + (f"?{query}" if query else "")
        assert (result["status"], header(result, "location")) == ("308", location)
        assert header(result, "cache-control") == CACHE["P"]


@pytest.mark.parametrize(("status"), [301, 302, 303, 307, 308])
def test_a_rule_redirects_with_its_status(world: World, status: int) -> None:
    origin = world.deploy(ENOUGH, Options(redirects=(RedirectRule("/old/*", "/:splat", status, False),)))
    result = world.ask(origin, "/old//evil.com")
    assert (result["status"], header(result, "location")) == (str(status), "/evil.com")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_missing_page_is_the_sites_own_whole_whatever_part_is_asked_for(world: World, method: str) -> None:
    origin = world.deploy(ENOUGH)
    result = world.ask(origin, "/nothing", method=method, range="bytes=0-1", if_match='"e"', if_none_match="*")
    assert result["uri"] == f"/_blobs/{blob('nothing')}"
    assert told(result) == (404, {"content-type": "text/html; charset=utf-8", "cache-control": MISSING})
    assert not {"range", "if-match"} & set(result["headers"])
    assert header(result, "if-none-match") == "*"  # read-only here: origin-response has the last word


def test_a_missing_asset_is_404_and_no_page(world: World) -> None:
    result = world.ask(world.deploy(ENOUGH), "/missing.js")
    assert (result["status"], header(result, "cache-control")) == ("404", MISSING)
    assert f"<code>{HOST}</code>" in result["body"]
    assert world.ask(world.deploy(ENOUGH), "/missing.json")["body"].startswith("{")


def test_a_missing_page_of_a_single_page_application_is_its_page(world: World) -> None:
    result = world.ask(world.deploy({"/index.html": "home"}, Options(fallback="/index.html")), "/deep/link")
    assert (result["uri"], told(result)[0]) == (f"/_blobs/{blob('home')}", 200)


def test_own_headers_come_with_the_file_and_are_no_lifetime_of_what_is_missing(world: World) -> None:
    rules = (
        HeaderRule("/*", (("X-Frame-Options", "DENY"), ("Cache-Control", "max-age=9")), ()),
        HeaderRule("/about", (("Content-Type", "text/x"),), ()),
    )
    origin = world.deploy(ENOUGH, Options(headers=rules))
    assert told(world.ask(origin, "/about"))[1] == {
        "content-type": "text/x",
        "x-frame-options": "DENY",
        "cache-control": "max-age=9",
    }
    status, headers = told(world.ask(origin, "/nothing"))
    assert (status, headers["cache-control"], headers["x-frame-options"]) == (404, MISSING, "DENY")


def test_headers_that_s3_would_refuse_are_an_answer_of_ours(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    rules = (HeaderRule("/*", (("X-Long", "a" * MAX_BYTES),), ()),)
    assert world.ask(world.deploy(ENOUGH, Options(headers=rules)))["status"] == "400"
    assert "longer than S3 takes" in capsys.readouterr().out


def test_another_origin_may_read_what_a_block_says_and_nothing_else(world: World) -> None:
    every = (HeaderRule("/*", (("Access-Control-Allow-Origin", "*"),), ()),)
    but_one = (*every, HeaderRule("/", (), ("Access-Control-Allow-Origin",)))
    origin = world.deploy(ENOUGH, Options(headers=but_one, cors="*"))
    assert told(world.ask(origin, "/nothing"))[1]["access-control-allow-origin"] == "*"
    for uri in ("/about.html", "/missing.js"):
        assert header(world.ask(origin, uri), "access-control-allow-origin") == "*"
    assert "access-control-allow-origin" not in told(world.ask(origin))[1]


@pytest.mark.parametrize("uri", ["/../x", "/%ff", "/a%00b"])
def test_a_path_that_cannot_be_read_is_400(world: World, uri: str) -> None:
    assert world.ask(world.deploy(ENOUGH), uri)["status"] == "400"


def test_a_tab_that_is_still_open_gets_its_files_from_a_former_deployment(world: World) -> None:
    before, between = world.deploy({**ENOUGH, "/assets/old.0a1b.js": "old", "/x.js": "x"}), world.deploy(ENOUGH)
    former = (between.deployment, before.deployment)
    now = world.deploy(ENOUGH)
    result = world.ask(now, "/assets/old.0a1b.js", former=former)
    assert (result["uri"], told(result)[1]["cache-control"]) == (f"/_blobs/{blob('old')}", CACHE["I"])
    assert told(world.ask(now, "/x.js", former=former))[1]["cache-control"] == CACHE["N"]
    assert world.ask(now, "/assets/old.0a1b.js")["status"] == "404"
    assert world.ask(now, "/assets/none.js", former=former)["status"] == "404"


def test_a_former_deployment_whose_list_is_gone_has_nothing(world: World) -> None:
    assert world.ask(world.deploy(ENOUGH), "/x.js", former=("0" * 32,))["status"] == "404"


@pytest.mark.parametrize("kind", ["deep", "length", "record"])
def test_a_list_that_somebody_else_made_is_503(world: World, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    broken = broken_list(kind)
    world.s3.put_object(Bucket=BUCKET, Key=broken.key, Body=broken.content)
    result = world.ask(origin_of(broken), "/")
    assert (result["status"], header(result, "retry-after")) == ("503", "10")
    assert "list is broken" in capsys.readouterr().out


def test_an_instance_that_lags_finds_a_new_pages_files_in_the_row_and_keeps_them_nowhere(world: World) -> None:
    before, after = world.deploy(ENOUGH), world.deploy({**ENOUGH, "/assets/new.0a1b.js": "new"})
    world.rows = Rows(route(HOST, after, generation=2))
    handler = make_handler(world.s3.meta.endpoint_url, world.rows)
    result = run(handler, asking(before, "/assets/new.0a1b.js", generation=1))
    assert (result["uri"], told(result)[1]["cache-control"]) == (f"/_blobs/{blob('new')}", "no-store")
    # The table is asked once in a while, however many files are missing; and never by a stamp that is not older.
    for _ in range(5):
        assert run(handler, asking(before, "/assets/none.js", generation=1))["status"] == "404"
    assert world.rows.reads == 1
    assert run(handler, asking(before, "/assets/new.0a1b.js", generation=2))["status"] == "404"


@pytest.mark.parametrize("generation", [1, 3])
def test_a_page_of_the_canary_finds_its_files_where_its_viewer_is_on_the_stable_side_since(
    world: World, generation: int
) -> None:
    stable, other = world.deploy(ENOUGH), world.deploy({**ENOUGH, "/assets/new.0a1b.js": "new"})
    row = route(HOST, stable, revision=3, generation=generation, canary=Canary(other, 10, 2, 2))
    handler = make_handler(world.s3.meta.endpoint_url, Rows(row))
    # Also where the row's own target has changed since the canary began.
    result = run(handler, asking(stable, "/assets/new.0a1b.js", generation=generation))
    assert (result["uri"], told(result)[1]["cache-control"]) == (f"/_blobs/{blob('new')}", "no-store")
    assert run(handler, asking(stable, "/assets/none.js", generation=generation))["status"] == "404"


@pytest.mark.parametrize("what", ["expired", "another bucket", "no deployment", "unreachable", "gone"])
def test_a_row_that_is_no_newer_deployment_of_the_same_bucket_has_nothing(world: World, what: str) -> None:
    before, after = world.deploy(ENOUGH), world.deploy({**ENOUGH, "/new.js": "new"})
    row = route(HOST, after, generation=2)
    if what == "expired":
        row = row._replace(expires_at=1, lifetime="ephemeral")
    if what == "another bucket":
        # Which has the list, but what is served comes from the one that the stamp names.
        world.s3.create_bucket(Bucket="b-sites")
        key = f"_deployments/{after.deployment}"
        world.s3.copy_object(Bucket="b-sites", Key=key, CopySource=f"{BUCKET}/{key}")
        row = row._replace(origin=after._replace(domain_name="b-sites.s3.us-east-1.amazonaws.com"))
    if what == "no deployment":
        row = route(HOST, generation=2)
    rows = Rows(*([] if what == "gone" else [row]))
    rows.reachable = what != "unreachable"
    handler = make_handler(world.s3.meta.endpoint_url, rows)
    assert run(handler, asking(before, "/new.js", generation=1))["status"] == "404"
    assert rows.reads == 1


def test_a_list_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count_questions(monkeypatch)
    origin = world.deploy(ENOUGH)
    for uri in ("/", "/about", "/nothing", "/missing.js", "/"):
        world.ask(origin, uri)
    assert len(asked) == 1


def count_questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    real = Server.ask

    def ask(self: Server, method: str, path: str, *rest: Any) -> Any:
        asked.append(f"{method} {path}")
        return real(self, method, path, *rest)

    monkeypatch.setattr(Server, "ask", ask)
    return asked


def test_of_a_large_list_only_the_pages_that_are_needed_are_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count_questions(monkeypatch)
    origin = world.deploy({f"/{number}.html": str(number) for number in range(20_000)})
    for number in (0, 19_999, 0, 7):
        result = world.ask(origin, f"/{number}")
        assert result["uri"] == f"/_blobs/{blob(str(number))}"
    assert 2 <= len(asked) <= 6


def test_a_head_that_is_longer_than_what_is_read_at_first_is_read_whole(world: World) -> None:
    rules = tuple(RedirectRule(f"/from/{number}", f"/about?{'x' * 80}", 301, False) for number in range(1_500))
    origin = world.deploy(ENOUGH, Options(redirects=rules))
    assert header(world.ask(origin, "/from/1499"), "location") == f"/about?{'x' * 80}"
    assert world.ask(origin, "/about")["uri"] == f"/_blobs/{blob('about')}"


def test_lists_are_kept_within_a_bound_of_bytes(world: World, aws: EmbeddedAws) -> None:
    many = [world.deploy({f"/{number}.html": str(number) for number in range(500)}) for _ in range(20)]
    kept = Lists(aws.endpoint, 400_000)
    for origin in many:
        site = kept.site(origin, origin.deployment, time.monotonic() + 60)
        assert site is not None
        assert site.find("/7.html")
    assert kept._heads.currsize + kept._pages.currsize <= 400_000
    assert 1 < len(kept._pages) < 20


@pytest.mark.parametrize("what", ["gone", "another one's", "cut off", "no list", "a page damaged"])
def test_a_list_that_cannot_be_read_is_503_and_never_404(
    what: str, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "FIRST_READ_BYTES", 4_096)
    listing = made({f"/{number}.html": str(number) for number in range(100)})
    content = {
        "another one's": made(ENOUGH).content,
        "cut off": listing.content[:-10],
        "no list": b"<html>",
        "a page damaged": listing.content[:-10] + b"0123456789",
    }.get(what)
    if content is not None:
        world.s3.put_object(Bucket=BUCKET, Key=listing.key, Body=content)
    result = world.ask(origin_of(listing), "/nothing")
    assert (result["status"], header(result, "cache-control")) == ("503", "no-store")
    assert int(str(header(result, "retry-after"))) >= 1
    assert "<h1>This site cannot be read right now</h1>" in result["body"]
    assert '"ERROR"' in capsys.readouterr().out
    # And no other site has to bear it.
    assert "uri" in world.ask(world.deploy(ENOUGH), "/about")


@pytest.mark.usefixtures("impatience")
def test_an_s3_that_does_not_answer_is_503_at_once_while_it_is_left_alone() -> None:
    handler = make_handler(NOBODY)
    for _ in range(3):
        assert run(handler, asking(origin_of(made(ENOUGH))))["status"] == "503"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = make_handler(f"http://127.0.0.1:{listener.getsockname()[1]}")
        for _ in range(3):
            assert run(deaf, asking(origin_of(made(ENOUGH))))["status"] == "503"
        listener.settimeout(0)
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_what_was_read_keeps_serving_while_s3_does_not_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = world.deploy(ENOUGH)
    world.ask(origin)

    def refuse(_self: Server, *_: Any) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr(bucket, "_pauses", {})
    monkeypatch.setattr(Server, "ask", refuse)
    assert world.ask(origin, "/about")["uri"] == f"/_blobs/{blob('about')}"
    assert world.ask(origin, "/missing.js")["status"] == "404"


SAID = (("cache-control", "public, max-age=60"), ("content-language", ""), ("x-frame-options", "SAMEORIGIN"))


def saying(origin: DeploymentOrigin, uri: str, *headers: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return an event of a row that says something of the answer's headers, and of robots."""
    asked = asking(origin, uri, **more)
    stamp = encode_stamp(HOST, 1, origin, more.get("former", ()), noindex=True, headers=tuple(sorted(headers)))
    asked["Records"][0]["cf"]["request"]["headers"]["x-route"][0]["value"] = stamp
    return asked


def test_a_rows_headers_win_over_the_sites_but_not_how_long_what_is_missing_lasts(world: World) -> None:
    rules = (HeaderRule("/*", (("X-Frame-Options", "DENY"), ("Content-Language", "de"), ("X-Own", "1")), ()),)
    origin = world.deploy(ENOUGH, Options(headers=rules))
    said = {"content-language": "", "x-frame-options": "SAMEORIGIN", "x-own": "1", "x-robots-tag": "noindex"}
    for uri, status, cache in (("/about", 200, "public, max-age=60"), ("/nothing", 404, MISSING)):
        found = told(run(world.handler, saying(origin, uri, *SAID)))
        assert found == (status, {"content-type": "text/html; charset=utf-8", "cache-control": cache, **said})


def test_a_file_of_a_former_deployment_lasts_as_long_as_we_say(world: World) -> None:
    former = world.deploy({**ENOUGH, "/old.css": "old"})
    found = told(run(world.handler, saying(world.deploy(ENOUGH), "/old.css", *SAID, former=(former.deployment,))))
    assert (found[0], found[1]["cache-control"]) == (200, CACHE["N"])


def test_what_a_site_answers_without_a_file_has_its_rows_headers_over_its_own(world: World) -> None:
    cors = "access-control-allow-origin"
    origin = world.deploy(ENOUGH, Options(headers=(HeaderRule("/*", ((cors, "*"),), ()),), cors="*"))
    for uri, status in (("/about.html", "308"), ("/missing.js", "404")):
        before = world.ask(origin, uri)
        result = run(world.handler, saying(origin, uri, *SAID, (cors, "https://a.example")))
        assert (result["status"], header(result, "x-robots-tag")) == (status, "noindex")
        assert (header(before, cors), header(result, cors)) == ("*", "https://a.example")
        assert header(result, "cache-control") == header(before, "cache-control")


def test_the_most_that_a_site_and_its_row_may_say_fits_and_one_more_is_ours(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """S3 reads 8 KB of headers in all."""

    def ask(length: int, *headers: tuple[str, str]) -> dict[str, Any]:
        rules = (HeaderRule("/*", (("X-Long", "a" * length),), ()),)
        return run(world.handler, saying(world.deploy(ENOUGH, Options(headers=rules)), "/", *headers))

    long = ("x-said", "b" * 1_000)
    result = ask(5_900, long)
    assert len(str(header(result, "x-route-kind"))) <= MAX_BYTES
    assert told(result)[1]["x-said"] == long[1]
    quoted = ("x-said", '"' * 1_000)
    result = ask(5_900, quoted)
    assert (result["status"], header(result, "cache-control")) == ("502", "no-store")
    assert "page and route" in capsys.readouterr().out
    assert ask(MAX_SITE_BYTES)["status"] == "400"
