"""Redirects lead where the row says, whatever a viewer asks for."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import BrokenRow
from edge_handler.routes.destination import decode_destination
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.redirect import STATUSES, Redirect, location
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import encode_route
from edge_handler.viewer_request import make_handler
from tests.support import SETTINGS, STATIC, Clock, Rows, header, route, run

HOST = "old.example.com"
WWW = Redirect("https://www.example.com", 308)


def ask(row: Any, uri: str, query: str = "", method: str = "GET") -> dict[str, Any]:
    headers = {"host": [{"key": "Host", "value": HOST}]}
    request = {"headers": headers, "method": method, "uri": uri, "querystring": query, "clientIp": "192.0.2.1"}
    cf = {"config": {"requestId": "id", "eventType": "viewer-request"}, "request": request}
    return run(make_handler(Resolver(Rows(row), SETTINGS, Clock())), {"Records": [{"cf": cf}]})


def to(origin: Redirect, uri: str, query: str = "", pattern: str = "", *, strip: bool = False) -> str | None:
    """Return where a host, or a rule of it, sends to."""
    row = route(HOST, STATIC, rules=(Rule(pattern, origin, 1, strip),)) if pattern else route(HOST, origin)
    return header(ask(row, uri, query), "location")


def test_what_has_no_slash_first_is_still_a_path() -> None:
    assert location(WWW, "@evil.example", "") == "https://www.example.com/@evil.example"
    assert location(Redirect("/", 308), "@evil.example", "") == "/@evil.example"


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_host_is_sent_on_with_path_and_query(status: int, method: str) -> None:
    result = ask(route(HOST, WWW._replace(status=status)), "/a%20b/c", "x=1&y=%2F", method)
    assert result["status"] == str(status)
    assert header(result, "location") == "https://www.example.com/a%20b/c?x=1&y=%2F"
    assert header(result, "cache-control") == "public, max-age=0, must-revalidate"


@pytest.mark.parametrize(
    ("location", "pattern", "strip", "uri", "sent"),
    [
        ("https://a.example", "", False, "/", "https://a.example/"),
        ("https://a.example/b", "", False, "/c", "https://a.example/b/c"),
        ("https://a.example:8443", "", False, "/c", "https://a.example:8443/c"),
        ("/new", "/old", False, "/old", "/new"),
        ("/new/", "/new", False, "/new", "/new/"),
        ("/new/", "/old/*", True, "/old/x", "/new/x"),
        ("/new/", "/old/*", True, "/old", "/new/"),
        ("https://a.example/b/", "", False, "/c", "https://a.example/b/c"),
        ("https://a.example/new", "/old", False, "/old", "https://a.example/new"),
        ("https://a.example", "/old", False, "/old", "https://a.example/"),
        ("/new", "/old/*", False, "/old/x", "/new/old/x"),
        ("/new", "/old/*", True, "/old/x", "/new/x"),
        ("/new", "/old/*", True, "/old", "/new"),
        ("/", "/old/*", True, "/old", "/"),
        ("/", "/old/*", True, "/old/x", "/x"),
        ("https://a.example", "/old/*", True, "/old", "https://a.example/"),
        ("https://a.example", "/old/*", False, "/old/x", "https://a.example/old/x"),
        ("/", "/old/*", True, "/old//evil.example", "/evil.example"),
        ("/", "/old/*", True, "/old/%2Fevil.example", "/%2Fevil.example"),
        ("/", "/old/*", True, "/old/%5cevil.example", "/%5cevil.example"),
        ("/", "/old/*", True, "/old/\\evil.example", "/%5Cevil.example"),
        ("/", "/old/*", True, "//old/\\evil.example", "/%5Cevil.example"),
        ("/", "/old/*", True, "/old%2F%2Fevil.example", "/evil.example"),
    ],
)
def test_a_rule_sends_on_what_is_under_its_prefix_and_a_path_to_one_place(
    location: str, pattern: str, strip: bool, uri: str, sent: str
) -> None:
    assert to(Redirect(location, 302), uri, "", pattern, strip=strip) == sent
    assert to(Redirect(location, 302), uri, "q=1", pattern, strip=strip) == f"{sent}?q=1"


BASES = ["https://www.example.com", "https://www.example.com/a", "http://b.example:8080", "/", "/new"]
ANY = st.text(max_size=20) | st.text(st.sampled_from("/\\.@:%5c2fA?#\r\n\t \0"), max_size=12)


@given(st.sampled_from(BASES), st.sampled_from([("", False), ("/p/*", False), ("/p/*", True)]), ANY, ANY)
def test_no_path_and_no_query_leads_to_another_host(base: str, kind: tuple[str, bool], path: str, query: str) -> None:
    pattern, strip = kind
    location = to(Redirect(base, 308), f"/p/{path}" if pattern else f"/{path}", query, pattern, strip=strip)
    if location is None:
        return  # refused
    assert location.isascii()
    assert location.isprintable()
    assert not {"\\", " ", "\r", "\n", "#"} & set(location)
    wanted, found = urlsplit(base), urlsplit(location)
    assert (found.scheme, found.netloc) == (wanted.scheme, wanted.netloc)
    assert found.path.startswith(wanted.path)
    if base.startswith("/"):
        assert not location.startswith("//")


@pytest.mark.parametrize(
    ("location", "pattern", "strip", "uri"),
    [
        (f"https://{HOST}", "", False, "/x"),
        ("/", "", False, "/x"),
        ("/a", "/a", False, "/a"),
        (f"https://{HOST}/a", "/a", False, "/a"),
        ("/a", "/a/*", True, "/a"),
        ("/a", "/a/*", True, "/a/b"),
        (f"http://{HOST}", "", False, "/x"),
    ],
)
def test_what_leads_to_itself_is_502(location: str, pattern: str, strip: bool, uri: str) -> None:
    """Also by http: CloudFront sends that to https."""
    origin = Redirect(location, 308)
    row = route(HOST, STATIC, rules=(Rule(pattern, origin, 1, strip),)) if pattern else route(HOST, origin)
    assert ask(row, uri)["status"] == ask(row, uri, "q=1")["status"] == "502"


@pytest.mark.parametrize(
    "origin",
    [
        *(
            Redirect(location, 308)
            for location in (
                "",
                "//evil.example",
                "//",
                "/a//",
                "/..",
                "/a?b",
                "/a#b",
                "javascript:alert(1)",
                "https://",
                "https:///a",
                "https://user@a.example",
                "https://a.example//",
                "https://a.example\\@evil.example",
                "https://a.example/a b",
                "https://a.example\r\nx: y",
                "https://a.example:123456",
                "https://a.example:65536",
                "https://A.example",
                "ftp://a.example",
            )
        ),
        *(Redirect("https://a.example", status) for status in (200, 300, 303, 304, 404)),
    ],
)
def test_what_is_no_redirect_is_a_broken_row(origin: Redirect) -> None:
    with pytest.raises(BrokenRow):
        decode_destination(encode_route(route(HOST, origin)))
    assert ask(route(HOST, origin), "/")["status"] == "502"


@pytest.mark.parametrize("uri", ["/..", "/%2e%2e/x", "/%ff", "/%00"])
def test_a_path_that_cannot_be_compared_is_sent_nowhere(uri: str) -> None:
    assert ask(route(HOST, WWW), uri)["status"] == "400"
