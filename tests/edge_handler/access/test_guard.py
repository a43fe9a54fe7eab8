"""Who gets an answer of a host that does not answer everybody, by the handler that CloudFront asks."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest

from edge_handler.access.attempts import ALL_AT_ONCE, Attempts
from edge_handler.access.guard import Guard, is_in
from edge_handler.access.keys import AccessTable, Entry, decode_entry, hash_password
from edge_handler.access.session import COOKIE, Key, Kind, encode_token
from edge_handler.errors import TableUnreachable, UnreadableRow
from edge_handler.routes.attributes import Item
from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.policy import Maintenance, Policy
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.resolver import KNOWN_HOST_SECONDS, Resolver
from edge_handler.routes.route import Route
from edge_handler.time_left import HEADER as TIME_LEFT
from edge_handler.time_left import decode_time_left, encode_time_left
from edge_handler.viewer_request import make_handler
from tests.support import NOW, SETTINGS, Clock, Rows, header, route, run

HOST = "env-123.localhost"
APP = CustomOrigin("app.example.com", "https", 443, "", "viewer", website=False)
KEYS = (Key("00000002", b"2" * 32), Key("00000001", b"1" * 32))
PREFIX = "/.well-known/edge-access/"
LATER = int(NOW) + 3600
PRIVATE = Policy(private=7)
MENDED = Policy(maintenance=Maintenance(9, 600, "The database <moves>."))


def keys_item(*keys: Key) -> Item:
    made = {"made_at": {"S": "2026-01-01T00:00:00Z"}}
    return {
        "domain": {"S": "*"},
        "revision": {"N": "1"},
        "keys": {"L": [{"M": {"id": {"S": key.id}, "secret": binary(key.secret), **made}} for key in keys]},
    }


def binary(value: bytes) -> dict[str, str]:
    return {"B": base64.b64encode(value).decode()}


def password_item(domain: str = HOST, since: int = 7) -> Item:
    salt = b"s" * 16
    return {
        "domain": {"S": domain},
        "name": {"S": "guest"},
        "salt": binary(salt),
        "hash": binary(hash_password("p\u00e4ss:word", salt)),
        "since": {"N": str(since)},
    }


class Items:
    """The access table in memory; it counts what it is asked."""

    def __init__(self, *items: Item) -> None:
        self.items = {item["domain"]["S"]: item for item in items}
        self.asked: list[tuple[str, ...]] = []
        self.seconds: list[float] = []
        self.expected: list[str | None] = []
        self.reachable = True

    def read_as(
        self,
        decode: Callable[[Item], Entry],
        domains: Sequence[str],
        seconds: float,
        *,
        expected: str | None = None,
    ) -> Mapping[str, Entry]:
        self.asked.append(tuple(domains))
        self.seconds.append(seconds)
        self.expected.append(expected)
        if not self.reachable:
            raise TableUnreachable("no replica answers", 2.5)
        return {domain: decode(self.items[domain]) for domain in domains if domain in self.items}


class Edge:
    """A viewer-request handler, and what it reads from."""

    def __init__(self, *routes: Route, items: Items | None = None) -> None:
        self.clock, self.monotonic = Clock(), Clock()
        self.rows = Rows(*routes)
        self.items = Items(keys_item(*KEYS), password_item()) if items is None else items
        guard = Guard(AccessTable(self.items, self.clock), self.clock, Attempts(self.monotonic))
        self.resolver = Resolver(self.rows, SETTINGS, self.clock)
        self.handler = make_handler(self.resolver, guard)

    def ask(self, uri: str = "/", **changes: Any) -> dict[str, Any]:
        return run(self.handler, asking(uri, **changes))


def asking(
    uri: str = "/",
    *,
    host: str = HOST,
    query: str = "",
    method: str = "GET",
    address: str = "192.0.2.1",
    **headers: str,
) -> dict[str, Any]:
    sent = {name.replace("_", "-"): [{"value": value}] for name, value in headers.items()}
    sent["host"] = [{"key": "Host", "value": host}]
    request = {"headers": sent, "method": method, "uri": uri, "querystring": query, "clientIp": address}
    return {"Records": [{"cf": {"config": {"requestId": "id", "eventType": "viewer-request"}, "request": request}}]}


def session(
    kind: Kind = "view",
    domain: str = HOST,
    since: int = 7,
    expires_at: int = LATER,
    key: Key = KEYS[0],
    use: Literal["link", "session"] = "session",
) -> str:
    return encode_token(use, kind, domain, since, expires_at, key)


def cookie(*values: Any, **changes: Any) -> str:
    return f"{COOKIE}={session(*values, **changes)}"


def is_let_in(result: dict[str, Any]) -> bool:
    return "status" not in result


def assert_kept_and_found_by_nobody(result: dict[str, Any]) -> None:
    assert header(result, "cache-control") == "no-store"
    assert header(result, "x-robots-tag") == "noindex"


PLAIN = route(HOST, APP, policy=PRIVATE)
REDIRECT = Redirect("https://www.example.com", 308)
ROUTES = {
    "application": PLAIN,
    "website": route(HOST, policy=PRIVATE),
    "rules": route(HOST, APP, rules=(Rule("/api/*", APP, 1), Rule("/old", REDIRECT, 1)), policy=PRIVATE),
    "redirect": route(HOST, REDIRECT, policy=PRIVATE),
}


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("uri", ["/", "/api/x", "/old", "/%2ewell-known/edge-access/link", "/../x", "/%ff"])
def test_without_a_session_nothing_private_is_answered(name: str, method: str, uri: str) -> None:
    edge = Edge(ROUTES[name])
    result = edge.ask(uri, method=method)
    assert result["status"] == "403"
    assert "This preview is private" in result["body"]
    assert_kept_and_found_by_nobody(result)
    assert edge.items.asked == [], "who brings nothing costs no read"


def test_a_session_lets_in_and_goes_no_further() -> None:
    sent = f"theme=dark; {cookie()}; session=1"
    result = Edge(PLAIN).ask("/x", query="a=1", cookie=sent, authorization="Bearer of-the-application")
    assert is_let_in(result)
    assert header(result, "cookie") == "theme=dark; session=1"
    assert header(result, "authorization") == "Bearer of-the-application"
    assert (result["uri"], result["querystring"]) == ("/x", "a=1")
    assert header(result, "x-route") == f"1;{HOST};1;custom;app.example.com;https;443;;viewer;application"


def test_the_opening_request_of_a_websocket_needs_the_session_too() -> None:
    upgrade = {"sec_websocket_key": "eA==", "sec_websocket_version": "13"}
    edge = Edge(PLAIN)
    assert edge.ask("/socket", **upgrade)["status"] == "403"
    assert is_let_in(edge.ask("/socket", **upgrade, cookie=cookie()))


@pytest.mark.parametrize("name", ROUTES)
def test_with_a_session_everything_is_as_on_a_public_host(name: str) -> None:
    private, public = Edge(ROUTES[name]), Edge(ROUTES[name]._replace(policy=None))
    for uri in ("/", "/api/x", "/old", "//a", "/../x", "/%ff", "/%2e%2e/x"):
        for method in ("GET", "POST"):
            found = private.ask(uri, method=method, query="b=2", cookie=cookie())
            assert found == public.ask(uri, method=method, query="b=2"), uri


@pytest.mark.parametrize(
    "sent",
    [
        f"{COOKIE}=",
        f"{COOKIE}=x",
        cookie(domain="env-456.localhost"),
        cookie(since=6),
        cookie(since=8),
        cookie(expires_at=int(NOW)),
        cookie(use="link"),
        cookie(key=Key("00000002", b"x" * 32)),
        cookie(key=Key("0000000f", b"x" * 32)),
        cookie("bypass"),
        cookie().replace("__Host-", ""),
        cookie().replace("view", "bypass"),
    ],
)
def test_what_is_no_session_of_this_host_and_time_lets_nobody_in(sent: str) -> None:
    result = Edge(PLAIN).ask(cookie=sent)
    assert result["status"] == "403"


@pytest.mark.parametrize("sent", [cookie(expires_at=int(NOW)), cookie("bypass"), f"{COOKIE}=view.1.2.3"])
def test_what_cannot_be_good_costs_no_read(sent: str) -> None:
    edge = Edge(PLAIN)
    assert edge.ask(cookie=sent)["status"] == "403"
    assert edge.items.asked == []


def test_a_session_among_others_of_its_name_is_found_but_not_among_any_number() -> None:
    other = cookie(domain="env-456.localhost")
    assert is_let_in(Edge(PLAIN).ask(cookie=f"{other}; {cookie()}"))
    assert Edge(PLAIN).ask(cookie="; ".join([other] * 50 + [cookie()]))["status"] == "403"


def test_a_session_of_a_wildcard_is_good_for_its_names() -> None:
    edge = Edge(route("*.preview.localhost", APP, policy=PRIVATE))
    for host in ("a.preview.localhost", "b.preview.localhost"):
        assert is_let_in(edge.ask(host=host, cookie=cookie(domain="*.preview.localhost")))
        assert edge.ask(host=host, cookie=cookie(domain=host))["status"] == "403"


def test_the_page_leads_to_the_password_and_back() -> None:
    edge = Edge(PLAIN)
    body = edge.ask("/a/b&c", query='q="x"&r=1')["body"]
    (href,) = re.findall(r'href="([^"]*)"', body)
    assert href.startswith(f"{PREFIX}password?to=/")
    asked = edge.ask(f"{PREFIX}password", query=href.partition("?")[2], authorization=basic())
    assert header(asked, "location") == '/a/b&c?q="x"&r=1'
    assert json.loads(edge.ask(accept="application/json")["body"])["status"] == 403


# Networks.


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        ("192.0.2.1", ["192.0.2.0/24"], True),
        ("192.0.3.1", ["192.0.2.0/24"], False),
        ("192.0.3.1", ["192.0.2.0/24", "192.0.3.1/32"], True),
        ("::ffff:192.0.2.1", ["192.0.2.0/24"], True),
        ("::ffff:c000:201", ["192.0.2.0/24"], True),
        ("::192.0.2.1", ["192.0.2.0/24"], False),
        ("2001:db8::ffff:c000:201", ["192.0.2.0/24"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:DB8:0::1", ["2001:db8::/32"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("192.0.2.1", ["::/0"], False),
        ("192.0.2.1", ["0.0.0.0/0"], True),
        ("", ["0.0.0.0/0", "::/0"], False),
        ("192.0.2.1\0", ["0.0.0.0/0"], False),
        ("192.0.2.01", ["0.0.0.0/0"], False),
    ],
)
def test_networks(address: str, networks: list[str], expected: bool) -> None:
    assert is_in(address, tuple(networks)) is expected
    result = Edge(route(HOST, APP, policy=Policy(allow=tuple(networks)))).ask(address=address)
    assert is_let_in(result) is expected
    if not expected:
        assert result["status"] == "403"
        assert address in result["body"]
        assert_kept_and_found_by_nobody(result)


def test_the_network_comes_before_everything() -> None:
    edge = Edge(route(HOST, APP, policy=Policy(7, ("192.0.2.0/24",), Maintenance(9, 60))))
    for uri in ("/", f"{PREFIX}link", f"{PREFIX}password"):
        result = edge.ask(uri, address="198.51.100.1", cookie=cookie("bypass", since=9), authorization=basic())
        assert result["status"] == "403"
        assert "198.51.100.1" in result["body"]
    assert edge.items.asked == []


# Maintenance.


def test_maintenance_is_a_page_that_says_when_to_come_again() -> None:
    edge = Edge(route(HOST, APP, policy=MENDED))
    for sent in ({}, {"cookie": cookie()}, {"cookie": cookie("bypass", since=8)}):
        result = edge.ask(**sent)
        assert (result["status"], header(result, "retry-after")) == ("503", "600")
        assert "The database &lt;moves&gt;. Please" in result["body"]
        assert_kept_and_found_by_nobody(result)


def test_those_who_mend_it_pass_maintenance_and_what_is_private() -> None:
    edge = Edge(route(HOST, APP, policy=MENDED._replace(private=7)))
    assert is_let_in(edge.ask(cookie=cookie("bypass", since=9)))
    assert edge.ask(cookie=cookie())["status"] == "503"
    assert edge.ask(cookie=cookie("bypass", since=7))["status"] == "503"


# Links.


def test_a_link_opens_a_page_whose_script_hands_the_token_over() -> None:
    result = Edge(PLAIN).ask(f"{PREFIX}link", accept="application/json")
    (script,) = re.findall("<script>(.*)</script>", result["body"], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(header(result, "content-security-policy"))
    assert (result["status"], header(result, "referrer-policy")) == ("200", "no-referrer")
    assert_kept_and_found_by_nobody(result)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_links_token_is_answered_with_a_session_until_it_expires(key: Key, method: str) -> None:
    edge = Edge(PLAIN)
    result = edge.ask(f"{PREFIX}link", method=method, authorization=f"Bearer {session(use='link', key=key)}")
    assert result["status"] == "204"
    assert_kept_and_found_by_nobody(result)
    set_cookie = str(header(result, "set-cookie"))
    assert set_cookie == f"{cookie(key=KEYS[0])}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600"
    assert is_let_in(edge.ask(cookie=set_cookie.partition(";")[0]))
    edge.clock.now = LATER
    assert edge.ask(cookie=set_cookie.partition(";")[0])["status"] == "403"


def test_a_link_past_maintenance_begins_a_session_past_it() -> None:
    edge = Edge(route(HOST, APP, policy=MENDED._replace(private=7)))
    token = session("bypass", since=9, use="link")
    found = str(header(edge.ask(f"{PREFIX}link", authorization=f"bearer {token}"), "set-cookie"))
    assert is_let_in(edge.ask(cookie=found.partition(";")[0]))
    edge.rows.items[HOST] = Rows(PLAIN).items[HOST]
    edge.clock.now += 60
    assert edge.ask(cookie=found.partition(";")[0])["status"] == "403", "it is over"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        session(),
        session(use="link", domain="env-456.localhost"),
        session(use="link", since=8),
        session(use="link", expires_at=int(NOW)),
        session("bypass", use="link"),
        session(use="link", key=Key("0000000f", b"2" * 32)),
    ],
)
def test_a_link_of_another_host_or_time_begins_nothing(token: str) -> None:
    result = Edge(PLAIN).ask(f"{PREFIX}link", authorization=f"Bearer {token}")
    assert result["status"] == "401"
    assert header(result, "set-cookie") is None
    assert str(header(result, "www-authenticate")).startswith("Bearer")
    assert_kept_and_found_by_nobody(result)


def test_a_browser_that_sends_its_password_along_gets_the_links_page() -> None:
    assert Edge(PLAIN).ask(f"{PREFIX}link", authorization=basic())["status"] == "200"


@pytest.mark.parametrize("uri", [PREFIX, f"{PREFIX}links", f"{PREFIX}link/"])
def test_other_reserved_paths_are_nobodys(uri: str) -> None:
    result = Edge(PLAIN).ask(uri, cookie=cookie())
    assert result["status"] == "404"
    assert_kept_and_found_by_nobody(result)


def test_on_a_host_that_answers_everybody_no_path_is_reserved() -> None:
    assert is_let_in(Edge(PLAIN._replace(policy=Policy(noindex=True))).ask(f"{PREFIX}link"))


# Passwords.


def basic(name: str = "guest", password: str = "p\u00e4ss:word") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_name_and_a_password_begin_a_session_of_twelve_hours() -> None:
    edge = Edge(PLAIN)
    asked = edge.ask(f"{PREFIX}password", query="to=%2Fdocs%3Fa%3D1")
    assert (asked["status"], header(asked, "www-authenticate")) == (
        "401",
        'Basic realm="Private preview", charset="UTF-8"',
    )
    assert edge.items.asked == []
    result = edge.ask(f"{PREFIX}password", query="to=%2Fdocs%3Fa%3D1", authorization=basic())
    assert (result["status"], header(result, "location")) == ("303", "/docs?a=1")
    assert_kept_and_found_by_nobody(result)
    found = str(header(result, "set-cookie"))
    assert found.endswith("Max-Age=43200")
    assert is_let_in(edge.ask(cookie=found.partition(";")[0]))
    edge.clock.now += 12 * 3600
    assert edge.ask(cookie=found.partition(";")[0])["status"] == "403"


@pytest.mark.parametrize(
    "authorization",
    [
        basic("guest", "password"),
        basic("Guest"),
        basic("", ""),
        "Basic",
        "Basic %%%",
        "Basic /w==",
        "Basic " + base64.b64encode(b"guest").decode(),
        "Bearer x",
        f"Bearer {session(use='link')}",
    ],
)
def test_a_wrong_one_is_asked_for_again(authorization: str) -> None:
    result = Edge(PLAIN).ask(f"{PREFIX}password", authorization=authorization)
    assert result["status"] == "401"
    assert header(result, "set-cookie") is None
    assert str(header(result, "www-authenticate")).startswith("Basic")
    assert_kept_and_found_by_nobody(result)


@pytest.mark.parametrize("item", [None, password_item(since=6), password_item(since=8), {"domain": {"S": HOST}}])
def test_a_password_that_is_not_there_or_of_another_time_is_wrong(item: Item | None) -> None:
    edge = Edge(PLAIN, items=Items(keys_item(*KEYS), *([item] if item else [])))
    assert edge.ask(f"{PREFIX}password", authorization=basic())["status"] == "401"


def test_a_password_is_read_for_each_attempt() -> None:
    edge = Edge(PLAIN)
    assert edge.ask(f"{PREFIX}password", authorization=basic())["status"] == "303"
    del edge.items.items[HOST]
    assert edge.ask(f"{PREFIX}password", authorization=basic())["status"] == "401"


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "/\\evil.example",
        "%2F%2Fevil.example",
        "/%5Cevil.example",
        "https://evil.example/",
        "/a%0d%0aset-cookie: x=y",
        "/%09/evil.example",
        "evil.example",
        "/%ff",
        f"{PREFIX}password",
        "",
    ],
)
def test_a_session_goes_on_to_a_path_of_its_host_alone(to: str) -> None:
    result = Edge(PLAIN).ask(f"{PREFIX}password", query=f"to={to}", authorization=basic())
    assert (result["status"], header(result, "location")) == ("303", "/")


def test_attempts_are_limited_right_or_wrong_but_no_other_domains() -> None:
    other = "env-456.localhost"
    items = Items(keys_item(*KEYS), password_item(), password_item(other))
    edge = Edge(PLAIN, PLAIN._replace(domain=other), items=items)
    for _ in range(5):
        assert edge.ask(f"{PREFIX}password", authorization=basic("x"))["status"] == "401"
    reads = len(items.asked)
    refused = edge.ask(f"{PREFIX}password", authorization=basic())
    assert (refused["status"], header(refused, "retry-after")) == ("429", "10")
    assert_kept_and_found_by_nobody(refused)
    assert len(items.asked) == reads
    assert edge.ask(f"{PREFIX}password")["status"] == "401", "to ask is no attempt"
    assert edge.ask(f"{PREFIX}password", host=other, authorization=basic())["status"] == "303"
    edge.monotonic.now += 10
    assert edge.ask(f"{PREFIX}password", authorization=basic())["status"] == "303"
    assert edge.ask(f"{PREFIX}password", authorization=basic())["status"] == "429"


def test_attempts_at_domains_without_a_password_take_none_from_the_others() -> None:
    others = [f"env-{number}.localhost" for number in range(ALL_AT_ONCE + 1)]
    edge = Edge(route(HOST, APP, policy=PRIVATE), *(route(other, APP, policy=PRIVATE) for other in others))
    for other in others:
        assert edge.ask(f"{PREFIX}password", host=other, authorization=basic())["status"] == "401"
    assert edge.ask(f"{PREFIX}password", authorization=basic())["status"] == "303"


def test_attempts_at_the_passwords_of_all_domains_are_limited_together() -> None:
    hosts = [f"env-{number}.localhost" for number in range(ALL_AT_ONCE + 1)]
    items = Items(keys_item(*KEYS), *map(password_item, hosts))
    edge = Edge(*(route(host, APP, policy=PRIVATE) for host in hosts), items=items)
    for host in hosts[:-1]:
        assert edge.ask(f"{PREFIX}password", host=host, authorization=basic("x"))["status"] == "401"
    refused = edge.ask(f"{PREFIX}password", host=hosts[-1], authorization=basic())
    assert (refused["status"], header(refused, "retry-after")) == ("429", "1")
    assert_kept_and_found_by_nobody(refused)
    edge.monotonic.now += 1
    assert edge.ask(f"{PREFIX}password", host=hosts[-1], authorization=basic())["status"] == "303"


def test_where_nothing_is_private_a_password_is_not_asked_for() -> None:
    result = Edge(route(HOST, APP, policy=MENDED)).ask(f"{PREFIX}password", query="to=/x", authorization=basic())
    assert (result["status"], header(result, "location"), header(result, "set-cookie")) == ("303", "/x", None)


def test_a_password_without_a_key_to_sign_with_begins_nothing() -> None:
    edge = Edge(PLAIN, items=Items(password_item()))
    assert edge.ask(f"{PREFIX}password", authorization=basic())["status"] == "503"


# The table of keys.


def test_a_table_that_does_not_answer_opens_nothing() -> None:
    edge = Edge(PLAIN)
    edge.items.reachable = False
    for uri, sent in (
        ("/", {"cookie": cookie()}),
        (f"{PREFIX}link", {"authorization": f"Bearer {session(use='link')}"}),
        (f"{PREFIX}password", {"authorization": basic()}),
    ):
        result = edge.ask(uri, **sent)
        assert (result["status"], header(result, "retry-after")) == ("503", "3")
        assert_kept_and_found_by_nobody(result)
    assert edge.ask()["status"] == "403"


def test_keys_serve_on_while_the_table_does_not_answer() -> None:
    edge = Edge(PLAIN)
    assert is_let_in(edge.ask(cookie=cookie()))
    edge.items.reachable = False
    edge.clock.now += 3000
    edge.rows.reachable = True
    assert is_let_in(edge.ask(cookie=cookie()))
    assert edge.ask(cookie=cookie(key=Key("0000000f", b"f" * 32)))["status"] == "403"


def test_keys_are_read_again_after_a_minute_and_for_an_unknown_one_after_five_seconds() -> None:
    edge, new = Edge(PLAIN), Key("00000003", b"3" * 32)
    assert is_let_in(edge.ask(cookie=cookie()))
    edge.items.items["*"] = keys_item(new, *KEYS)
    edge.clock.now += 4
    assert edge.ask(cookie=cookie(key=new))["status"] == "403"
    edge.clock.now += 1
    assert is_let_in(edge.ask(cookie=cookie(key=new)))
    assert len(edge.items.asked) == 2
    edge.items.items["*"] = keys_item(new)
    edge.clock.now += 59
    assert is_let_in(edge.ask(cookie=cookie()))
    edge.clock.now += 1
    assert edge.ask(cookie=cookie())["status"] == "403"
    assert is_let_in(edge.ask(cookie=cookie(key=new)))
    assert len(edge.items.asked) == 3


def test_that_keys_are_gone_is_not_taken_from_a_connection_of_before() -> None:
    edge = Edge(PLAIN)
    assert is_let_in(edge.ask(cookie=cookie()))
    edge.clock.now += 60
    assert is_let_in(edge.ask(cookie=cookie()))
    assert edge.items.expected == [None, "*"]


def test_a_clock_that_was_put_back_has_them_read_again() -> None:
    edge = Edge(PLAIN)
    assert is_let_in(edge.ask(cookie=cookie()))
    edge.clock.now -= 100
    assert is_let_in(edge.ask(cookie=cookie()))
    assert len(edge.items.asked) == 2


@pytest.mark.parametrize(
    "item",
    [
        {"domain": {"S": "*"}},
        {"domain": {"S": "*"}, "keys": {"S": "x"}},
        {"domain": {"S": "*"}, "keys": {"L": [{"M": {"id": {"S": "1"}, "secret": binary(b"1" * 32)}}]}},
        {"domain": {"S": "*"}, "keys": {"L": [{"M": {"id": {"S": "00000001"}, "secret": binary(b"1")}}]}},
        {"domain": {"S": "*"}, "keys": {"L": [{"M": {"id": {"S": "00000001"}, "secret": {"B": "%"}}}]}},
    ],
)
def test_keys_that_somebody_broke_take_nothing_from_those_known(item: Item, capsys: pytest.CaptureFixture[str]) -> None:
    edge = Edge(PLAIN)
    assert is_let_in(edge.ask(cookie=cookie()))
    edge.items.items["*"] = item
    edge.clock.now += 60
    assert is_let_in(edge.ask(cookie=cookie()))
    assert "an item of the access table is broken" in capsys.readouterr().out
    assert Edge(PLAIN, items=Items(item)).ask(cookie=cookie())["status"] == "403"


def test_nothing_secret_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    edge = Edge(PLAIN, items=Items({**keys_item(*KEYS), "keys": {"L": [{"M": {"id": {"S": "secret-id"}}}]}}))
    edge.ask(cookie=cookie())
    edge.items.items |= {"*": keys_item(*KEYS), HOST: {**password_item(), "hash": binary(b"hush")}}
    edge.ask(f"{PREFIX}password", authorization=basic())
    out = capsys.readouterr().out
    assert "broken" in out
    for secret in ("secret-id", session().rpartition(".")[2], "guest", base64.b64encode(b"hush").decode()):
        assert secret not in out


def test_who_waited_for_the_row_has_the_rest_of_the_time_for_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = Edge(PLAIN)
    edge.ask(cookie=cookie())
    assert edge.items.seconds[0] == pytest.approx(KNOWN_HOST_SECONDS, abs=0.1)
    edge.clock.now += 60
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    told = encode_time_left("id", 0.7, was_known=True)
    edge.ask(cookie=cookie(), **{TIME_LEFT: told})
    assert edge.items.seconds[1] == pytest.approx(0.25)


def test_what_was_waited_for_the_keys_is_told_to_origin_request(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = Edge(PLAIN)
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    read = edge.items.read_as

    def slow(*given: Any, **named: Any) -> Any:
        now[0] += 0.3
        return read(*given, **named)

    monkeypatch.setattr(edge.items, "read_as", slow)
    result = edge.ask(cookie=cookie(), **{TIME_LEFT: encode_time_left("id", 0.2, was_known=True)})
    assert decode_time_left(header(result, TIME_LEFT), "id") == pytest.approx(0.45)
    result = edge.ask(cookie=cookie())
    assert header(result, TIME_LEFT) is None


def test_an_item_of_another_shape_is_a_failing_table() -> None:
    with pytest.raises(UnreadableRow):
        decode_entry({"domain": {"S": 5}})
