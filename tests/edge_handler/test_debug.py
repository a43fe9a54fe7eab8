"""Who asks the edge why it answers as it does, and what everybody else who sends that header gets."""

import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler import debug
from edge_handler.access.session import COOKIE, SIDE_COOKIE, Key, Kind, Use, encode_token
from edge_handler.debug import HEADER as DEBUG
from edge_handler.routes.canary import Canary
from edge_handler.routes.destination import Former
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.policy import Maintenance, Policy
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.resolver import KNOWN_HOST_SECONDS
from edge_handler.routes.route import Route
from edge_handler.time_left import HEADER as TIME_LEFT
from tests.edge_handler.access.test_guard import APP, KEYS, LATER, PREFIX, Edge, Items, asking, keys_item, session
from tests.support import NOW, OWN_BUCKET, Clock, Rows, header, route, run

HOST = "env-123.localhost"
WILD = "*.tenant.localhost"


def token(host: str = HOST, expires_at: int = LATER, key: Key = KEYS[0]) -> str:
    return encode_token("debug", "debug", host, debug.SINCE, expires_at, key)


def ask(edge: Edge, uri: str = "/", host: str = HOST, **changes: Any) -> dict[str, Any]:
    """Return what somebody is told who may ask."""
    result = edge.ask(uri, host=host, **{"x_route_debug": token(host), **changes})
    assert (result["status"], header(result, "content-type")) == ("200", "application/json")
    assert header(result, "cache-control") == "no-store"
    assert header(result, "x-robots-tag") == "noindex"
    said: dict[str, Any] = json.loads(result["body"])
    assert tuple(said) == debug.NAMES
    return said


def says(said: Mapping[str, Any], **expected: Any) -> None:
    assert {name: said[name] for name in expected} == expected


def test_the_header_is_one_that_the_documents_name() -> None:
    assert DEBUG == "x-route-debug"


def test_an_applications_row_is_told_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    edge = Edge(route(HOST, APP, revision=7, generation=3))
    first = ask(edge)
    says(
        first,
        host=HOST,
        status=None,
        reason=None,
        location=None,
        domain=HOST,
        rule=None,
        revision=7,
        generation=3,
        side=None,
        known_from="table",
        age_seconds=0.0,
        remembered_is_newest=True,
        stamp=header(edge.ask(), "x-route"),
        region="eu-west-1",
        snapshot=None,
        feed_age_seconds=None,
        request_id="id",
    )
    edge.clock.now += 5
    left = pytest.approx(first["fresh_seconds"] - 5)
    says(ask(edge), known_from="memory", age_seconds=5.0, fresh_seconds=left)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_it_is_answered_whatever_the_method(method: str) -> None:
    said = ask(Edge(route(HOST)), method=method)
    assert said["status"] == (None if method in ("GET", "HEAD") else 405)
    assert ask(Edge(route(HOST, APP)), method=method)["status"] is None


def test_what_a_plain_request_gets_is_what_is_told_of_it() -> None:
    redirect = Redirect("https://www.example.com", 308)
    rows = [
        route(HOST, APP, rules=(Rule("/api/*", APP, 4), Rule("/old/*", redirect, 2)), revision=9, generation=5),
        route(WILD, revision=2),
        route("to.localhost", redirect, revision=3, generation=2),
        route("over.localhost", expires_at=int(NOW) - 1, revision=6),
        route("private.localhost", APP, policy=Policy(private=7), revision=8),
        route("mended.localhost", policy=Policy(maintenance=Maintenance(9, 600, "Tea."))),
        route("office.localhost", policy=Policy(allow=("203.0.113.0/24",))),
    ]
    edge, plain = Edge(*rows), Edge(*rows)
    for each in (edge, plain):
        each.rows.items["broken.localhost"] = {"domain": {"S": "broken.localhost"}}
    for host, uri, expected in (
        (HOST, "/", {"rule": None, "generation": 5, "revision": 9}),
        (HOST, "/api/x", {"rule": "/api/*", "generation": 4, "revision": 9}),
        (HOST, "/old/x", {"rule": "/old/*", "generation": 2, "stamp": None}),
        (HOST, "/../x", {"rule": None, "stamp": None, "revision": 9, "status": 400}),
        ("a.tenant.localhost", "/", {"domain": WILD, "revision": 2}),
        ("to.localhost", "/x", {"generation": 2, "revision": 3, "location": "https://www.example.com/x"}),
        ("over.localhost", "/", {"domain": "over.localhost", "revision": 6, "remembered_is_newest": True}),
        ("none.localhost", "/", {"domain": None, "revision": None, "remembered_is_newest": True}),
        ("broken.localhost", "/", {"domain": "broken.localhost", "revision": None, "remembered_is_newest": True}),
        ("private.localhost", "/", {"revision": 8, "reason": "it is for those who were given a link"}),
        ("private.localhost", f"{PREFIX}link", {"status": 200}),
        ("mended.localhost", "/", {"status": 503, "reason": "Tea"}),
        ("office.localhost", "/", {"status": 403, "reason": "the address 192.0.2.1 may not see this"}),
    ):
        said, seen = ask(edge, uri, host), plain.ask(uri, host=host)
        assert said["status"] == (int(seen["status"]) if "status" in seen else None), (host, uri)
        if "status" in seen:
            assert said["location"] == header(seen, "location")
        else:
            assert said["stamp"] == header(seen, "x-route")
        says(said, **expected)
    assert {*edge.rows.keys} >= {*plain.rows.keys}


def test_it_is_told_of_this_very_request_with_its_cookies_and_its_address() -> None:
    edge = Edge(route(HOST, APP, policy=Policy(7, ("192.0.2.0/24",))))
    assert ask(edge)["status"] == 403
    said = ask(edge, cookie=f"{COOKIE}={session()}")
    assert said["status"] is None
    assert said["stamp"] == header(edge.ask(cookie=f"{COOKIE}={session()}"), "x-route")
    assert "192.0.2.9" not in json.dumps(said)
    assert ask(edge, cookie=f"{COOKIE}={session()}", address="198.51.100.1")["status"] == 403


def test_nothing_secret_is_told() -> None:
    edge = Edge(route(HOST, APP, policy=Policy(7)))
    cookie = session()
    given = asking(f"{PREFIX}password", cookie=f"{COOKIE}={cookie}", authorization="Basic Z3Vlc3Q6cMOkc3M6d29yZA==")
    given["Records"][0]["cf"]["request"]["headers"][DEBUG] = [{"value": token()}]
    result = run(edge.handler, given)
    assert json.loads(result["body"])["status"] == 303
    for secret in (cookie, token(), "Z3Vlc3Q", *(key.secret.decode() for key in KEYS), *(key.id for key in KEYS)):
        assert secret not in json.dumps(result)
    assert "set-cookie" not in result["headers"]


def test_a_host_is_asked_by_any_spelling_and_signed_for_by_one() -> None:
    result = Edge(route(HOST)).ask(host="ENV-123.localhost.:443", x_route_debug=token())
    assert json.loads(result["body"])["host"] == HOST


# Who may not.

BAD = {
    "nothing": "",
    "no token": "x",
    "of another host": token("env-456.localhost"),
    "of a wildcard": token("*.localhost"),
    "expired": token(expires_at=int(NOW)),
    "of a key that is not there": token(key=Key("0000000f", b"f" * 32)),
    "of another secret": token(key=Key(KEYS[0].id, b"x" * 32)),
    "a link": session(use="link"),
    "a link of its time": session(use="link", since=1),
    "a session": session(since=1),
    "a bypass": session("bypass", use="link", since=1),
    "a link that says debug": session(use="link", since=1).replace("view", "debug"),
    "a session that says debug": session(since=1).replace("view", "debug"),
    "twice": f"{token()},{token()}",
    "with more": f"{token()} ",
}
PLAIN = {
    "website": route(HOST),
    "application": route(HOST, APP),
    "rules": route(HOST, APP, rules=(Rule("/api/*", APP, 1),)),
    "private": route(HOST, APP, policy=Policy(private=7)),
    "redirect": route(HOST, Redirect("https://www.example.com", 308)),
    "none": route("another.localhost"),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_without_a_good_token_all_is_as_without_the_header(name: str, text: str) -> None:
    asked, plain = Edge(PLAIN[name]), Edge(PLAIN[name])
    for method in ("GET", "POST"):
        for _ in range(2):
            assert asked.ask(method=method, x_route_debug=text) == plain.ask(method=method)
    assert asked.rows.keys == plain.rows.keys


@given(
    st.text().filter(lambda text: text != token())
    | st.sampled_from([*BAD.values()])
    | st.integers(0, len(token()) - 1).map(lambda at: token()[:at] + token()[at + 1 :])
)
def test_whatever_the_header_holds_nothing_is_raised_and_nothing_told(text: str) -> None:
    found = FUZZED.handler(asking(x_route_debug=text), None)
    assert found == FUZZED.handler(asking(), None)


FUZZED = Edge(route(HOST, APP))


@pytest.mark.parametrize("values", [[], None, [{}], [{"value": 7}], [{"value": token()}] * 2, "x", {}])
def test_what_is_no_header_is_taken_away(values: Any) -> None:
    edge = Edge(route(HOST, APP))
    given = asking()
    given["Records"][0]["cf"]["request"]["headers"][DEBUG] = values
    assert edge.handler(given, None) == edge.handler(asking(), None)


def test_a_host_that_is_none_is_400_whatever_is_signed() -> None:
    assert Edge(route(HOST)).ask(host="a b", x_route_debug=token())["status"] == "400"


@pytest.mark.parametrize("text", ["x", token(expires_at=int(NOW)), session(use="link"), session()])
def test_what_cannot_be_good_costs_no_read(text: str) -> None:
    edge = Edge(route(HOST, APP))
    edge.ask(x_route_debug=text)
    assert edge.items.asked == []


def test_a_flood_of_tokens_that_are_made_up_costs_a_read_in_five_seconds() -> None:
    edge = Edge(route(HOST, APP))
    for number in range(500):
        edge.ask(x_route_debug=token(key=Key(f"{number:08x}", b"x" * 32)))
        edge.clock.now += 0.02
    assert len(edge.items.asked) == 2


def test_while_the_keys_cannot_be_read_all_is_as_without_the_header() -> None:
    edge = Edge(route(HOST, APP))
    edge.items.reachable = False
    assert edge.ask(x_route_debug=token()) == edge.ask()
    none = Edge(route(HOST, APP), items=Items())
    assert none.ask(x_route_debug=token()) == none.ask()


# What lets nobody in elsewhere.


@pytest.mark.parametrize("use", get_args(Use))
@pytest.mark.parametrize("kind", get_args(Kind))
def test_of_all_uses_and_kinds_one_pair_asks_and_opens_nothing(use: Use, kind: Kind) -> None:
    if (use == "debug") != (kind == "debug"):
        with pytest.raises(ValueError, match="no token"):
            encode_token(use, kind, HOST, 1, LATER, KEYS[0])
        return
    text = encode_token(use, kind, HOST, 1, LATER, KEYS[0])
    policy = Policy(private=1, maintenance=Maintenance(1, 60) if kind == "bypass" else None)
    for row in (route(HOST, APP, policy=policy), route(HOST, APP, policy=Policy(maintenance=Maintenance(1, 60)))):
        edge = Edge(row)
        opens = "status" not in edge.ask(cookie=f"{COOKIE}={text}")
        begins = edge.ask(f"{PREFIX}link", authorization=f"Bearer {text}")["status"] == "204"
        answers = header(edge.ask(x_route_debug=text), "content-type") == "application/json"
        assert answers == (use == "debug")
        if use == "debug":
            assert not opens
            assert not begins


# What it costs, and what it leaves.


class Slow(Items):
    """Keys that take their time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(keys_item(*KEYS))
        self.clock = clock

    def read_as(self, *arguments: Any, **options: Any) -> Any:
        self.clock.now += 0.3
        return super().read_as(*arguments, **options)


@pytest.mark.parametrize("text", [token(), token("env-456.localhost")], ids=["good", "bad"])
def test_what_the_keys_took_is_told_and_comes_off_the_time(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = Clock()
    monkeypatch.setattr("time.monotonic", monotonic)
    items = Slow(monotonic)
    edge = Edge(route(HOST, APP), items=items)
    result = edge.handler(asking(x_route_debug=text), None)
    assert items.seconds == [pytest.approx(KNOWN_HOST_SECONDS)]
    if "status" in result:
        # The row's second read has what is left.
        assert edge.rows.asked[-1][0] == pytest.approx(KNOWN_HOST_SECONDS - 0.3)
    else:
        assert header(result, TIME_LEFT) == "id 0.65"


def test_who_asks_changes_nothing_of_what_is_remembered() -> None:
    rows = (route(HOST, APP), route(WILD), route("over.localhost", expires_at=int(NOW)))
    asked, plain = Edge(*rows), Edge(*rows)
    found = []
    for edge, more in ((asked, True), (plain, False)):
        for host in (HOST, "a.tenant.localhost", "over.localhost", "none.localhost"):
            edge.ask(host=host, **({"x_route_debug": token(host)} if more else {}))
        resolver = edge.resolver
        found.append((_texts(resolver.memory.known), _texts(resolver.memory.refusals), resolver.memory.wildcards))
    assert found[0] == found[1]


def _texts(remembered: Any) -> dict[str, tuple[Any, ...]]:
    return {
        host: (type(one).__name__, getattr(one, "stamp", getattr(one, "status", None)), one.fresh_from, one.read_at)
        if hasattr(one, "read_at")
        else (one.status, one.fresh_from)
        for host, one in remembered.items()
    }


# Which side.


@pytest.mark.parametrize(("chosen", "generation"), [("stable", 3), ("canary", 5)])
def test_of_a_canary_the_viewers_side_is_told_with_its_key(chosen: str, generation: int) -> None:
    canary = Canary(APP._replace(path="/next"), 50, 4, 5, "visitor")
    edge = Edge(route(HOST, APP, revision=7, generation=3, canary=canary, rules=(Rule("/api/*", APP, 2),)))
    cookie = f"visitor=ann; {SIDE_COOKIE}={chosen}.4"
    asked = {"side": chosen, "side_from": "choice", "revision": 7}
    for _ in range(2):
        stamp = header(edge.ask(cookie=cookie), "x-route")
        says(ask(edge, cookie=cookie), **asked, rule=None, generation=generation, stamp=stamp)
    says(ask(edge, "/api/", cookie=cookie), **asked, rule="/api/*", generation=2)
    by_cookie = ask(edge, cookie="visitor=ann")
    assert (by_cookie["side_from"], ask(edge)["side_from"]) == ("cookie", "address")
    assert by_cookie["stamp"] == header(edge.ask(cookie="visitor=ann"), "x-route")


# From where, and how old.


def test_what_is_remembered_but_not_what_the_row_says_now_claims_no_revision() -> None:
    edge = Edge(route(HOST, APP, revision=7))
    ask(edge)
    edge.rows.items[HOST] = Rows(route(HOST, APP, revision=8)).items[HOST]
    says(ask(edge), known_from="memory", revision=8, remembered_is_newest=True)  # a note, say: viewers get the same
    edge.rows.items[HOST] = Rows(route(HOST, APP, revision=9, generation=9)).items[HOST]
    says(ask(edge), known_from="memory", revision=None, generation=1, remembered_is_newest=False)
    edge.clock.now += 60
    says(ask(edge), known_from="table", revision=9, generation=9, remembered_is_newest=True)


def test_of_a_row_with_rules_the_revision_is_remembered() -> None:
    rules = (Rule("/api/*", APP, 1),)
    edge = Edge(route(HOST, APP, revision=7, rules=rules))
    ask(edge)
    edge.rows.items[HOST] = Rows(route(HOST, APP, revision=8, rules=rules)).items[HOST]
    says(ask(edge), revision=7, remembered_is_newest=False)
    edge.rows.items[HOST] = Rows(route(HOST, APP, revision=6, rules=rules)).items[HOST]
    says(ask(edge), revision=7, remembered_is_newest=True)  # a replica is behind


@pytest.mark.parametrize(
    "after", [None, route(HOST, APP), route("*.tenant.localhost")], ids=["gone", "made", "wildcard"]
)
def test_a_refusal_that_is_remembered_is_held_against_the_row_too(after: Route | None) -> None:
    host = HOST if after is None or after.domain == HOST else "a.tenant.localhost"
    edge = Edge()
    says(ask(edge, host=host), status=404, known_from="table", remembered_is_newest=True)
    if after is not None:
        edge.rows.items |= Rows(after).items
    expected = {"status": 404, "known_from": "memory", "domain": None, "revision": None}
    says(ask(edge, host=host), **expected, remembered_is_newest=after is None)


def test_a_missing_row_and_a_broken_one_are_told_apart() -> None:
    broken = {"domain": {"S": HOST}}
    edge = Edge()
    ask(edge)
    edge.rows.items[HOST] = broken
    says(ask(edge), status=404, remembered_is_newest=False)
    edge.clock.now += 60
    says(ask(edge), status=502, known_from="table", remembered_is_newest=True)
    del edge.rows.items[HOST]
    says(ask(edge), status=502, known_from="memory", remembered_is_newest=False)


def test_a_former_deployment_that_is_named_for_a_while_makes_no_other_row_of_it() -> None:
    deployment = DeploymentOrigin(OWN_BUCKET, "us-east-1", "0" * 32, "files", "")
    edge = Edge(route(HOST, deployment, former=(Former("1" * 32, int(NOW) + 5),)))
    assert "1" * 32 in ask(edge)["stamp"]
    edge.clock.now += 6
    says(ask(edge), known_from="memory", remembered_is_newest=True, revision=1)


def test_in_an_outage_what_was_known_is_told_with_its_age() -> None:
    edge = Edge(route(HOST, APP))
    ask(edge)
    edge.clock.now += 100
    edge.rows.reachable = False
    says(ask(edge), status=None, known_from="memory", age_seconds=100.0, revision=None, remembered_is_newest=None)
    says(ask(edge, host="none.localhost"), status=503, known_from=None, age_seconds=None, remembered_is_newest=None)


def test_in_an_outage_what_has_expired_meanwhile_is_known_from_memory() -> None:
    edge = Edge(route(HOST, APP, expires_at=int(NOW) + 5))
    ask(edge)
    edge.clock.now += 10
    edge.rows.reachable = False
    says(ask(edge), status=410, known_from="memory", remembered_is_newest=None)


def test_the_largest_answer_is_one_that_cloudfront_takes() -> None:
    to = Redirect("https://www.example.com/" + "a" * 200, 308)
    edge = Edge(route(HOST, to, rules=(Rule(f"/{chr(0x65E5) * 27}/*", to, 1),)))
    said = ask(edge, "/" + "<" * 4000, query='"' * 4100)
    assert len(said["location"]) > 20_000
