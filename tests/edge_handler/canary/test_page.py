"""The tester's page: where it is, what it says, and where it leads on to."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from edge_handler.routes.canary import Canary
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.policy import Policy
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from tests.corpus import guard
from tests.edge_handler.canary.test_side import APPLICATION, NEXT, asking, origin_of
from tests.support import SETTINGS, STATIC, Clock, Rows, header, route, run

PAGE = "/.well-known/edge-canary"
CANARY = Canary(NEXT, 0, 7, 9, "uid")
RULES = (Rule("/.well-known/*", APPLICATION, 1), Rule(PAGE, APPLICATION, 1))
HANDLER = make_handler(
    Resolver(
        Rows(
            route("canary.localhost", canary=CANARY),
            route("plain.localhost"),
            route(
                "ruled.localhost",
                canary=CANARY,
                rules=(Rule("/.well-known/*", APPLICATION, 1), Rule(PAGE, APPLICATION, 1)),
            ),
            route("private.localhost", canary=CANARY, policy=Policy(private=7)),
            route("all.localhost", canary=CANARY._replace(weight=100, cookie="")),
        ),
        SETTINGS,
        Clock(),
    ),
    guard(),
)


def page(query: str = "", host: str = "canary.localhost", **changes: Any) -> dict[str, Any]:
    return run(HANDLER, asking(host, uri=PAGE, query=query, **changes))


def test_a_tester_is_told_which_side_and_why() -> None:
    found = page()
    assert found["status"] == "200"
    assert header(found, "cache-control") == "no-store"
    assert header(found, "x-robots-tag") == "noindex"
    assert "You get the stable side" in found["body"]
    assert "the address and the user agent; of a hundred viewers, 0 get the canary" in found["body"]
    assert "the cookie uid" in page(cookie="uid=5")["body"]
    chosen = page(cookie="__Host-edge-side=canary.7")["body"]
    assert "You get the canary" in chosen
    assert "was chosen here" in chosen
    assert "You get the canary" in page(host="all.localhost")["body"]


def test_a_client_that_asks_for_json_gets_it() -> None:
    said = json.loads(page(accept="application/json")["body"])
    assert (said["side"], said["reason"], said["weight"]) == ("stable", "address", 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("side", "cookie"), [("canary", "canary.7; "), ("stable", "stable.7; "), ("none", "; ")], ids=str
)
def test_a_choice_is_a_cookie_and_leads_back(side: str, cookie: str, method: str) -> None:
    found = page(f"side={side}", method=method)
    assert (found["status"], header(found, "location")) == ("303", PAGE)
    assert header(found, "cache-control") == "no-store"
    seconds = 0 if side == "none" else 43_200
    assert header(found, "set-cookie") == (
        f"__Host-edge-side={cookie}Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"
    )


def test_a_choice_leads_on_to_a_path() -> None:
    found = page(f"side=canary&to={quote('/a%20b?c=d&e=f')}")
    assert header(found, "location") == "/a%20b?c=d&e=f"


def test_the_links_keep_where_a_tester_wants_to_go_on() -> None:
    body = page(f"to={quote('/a?b=<c>&d')}")["body"]
    assert f'href="{PAGE}?side=canary&amp;to=/a%3Fb%3D%3Cc%3E%26d"' in body


@pytest.mark.parametrize(
    "to",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:x", "", "/a\r\nb: c"],
)
def test_nobody_is_led_off_the_host(to: str) -> None:
    for written in (quote(to), quote(to, safe=":/\\")):
        assert header(page(f"side=canary&to={written}"), "location") == PAGE


@pytest.mark.parametrize("query", ["side=other", "side", "side=canary.7", "=canary", "%", "&&"])
def test_what_is_no_side_chooses_none(query: str) -> None:
    found = page(query)
    assert found["status"] == "200"
    assert header(found, "set-cookie") is None


def test_other_methods_are_refused() -> None:
    found = page("side=canary", method="POST")
    assert (found["status"], header(found, "allow")) == ("405", "GET, HEAD")
    assert header(found, "set-cookie") is None


def test_it_is_there_where_there_is_a_canary_and_nowhere_else() -> None:
    assert page(host="ruled.localhost")["status"] == "200"
    assert "status" not in page(host="plain.localhost")
    for uri in (f"{PAGE}/", f"{PAGE}.html", "/.well-known/"):
        assert "status" not in run(HANDLER, asking("canary.localhost", uri=uri))


def test_a_private_hosts_guard_goes_first() -> None:
    assert page("side=canary", host="private.localhost")["status"] == "403"


def test_who_chose_is_on_that_side_from_then_on() -> None:
    cookie = str(header(page("side=canary"), "set-cookie")).partition(";")[0]
    assert origin_of(run(HANDLER, asking("canary.localhost", cookie=cookie))) == NEXT
    assert origin_of(run(HANDLER, asking("canary.localhost"))) == STATIC
