"""What a host costs that does not answer everybody: its hits, and an attempt at a password."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from time import process_time

import pytest

from benchmarks.conftest import Figures
from benchmarks.rows import RULED_PATH, rules
from benchmarks.test_hit import Handler, asking_again, knowing
from benchmarks.test_rules import HOST, asking
from edge_handler.access.guard import Guard
from edge_handler.access.keys import KEYS, AccessTable, Entry, hash_password
from edge_handler.access.session import COOKIE, Key, encode_token
from edge_handler.debug import HEADER, SINCE
from edge_handler.routes.attributes import Item
from edge_handler.routes.policy import Policy
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from tests.support import NOW, SETTINGS, Clock, Rows, route

ALL_KEYS = tuple(Key(f"0000000{number}", bytes([number]) * 32) for number in range(3))
COUNT = 5_000
# The round trip of the event takes some 20 us; see `test_rules`.
THIRTY_MICROSECONDS = 1.5
NETWORKS = tuple(f"198.51.{number}.0/24" for number in range(49))


class Items:
    """A table of keys."""

    def read_as(
        self, _decode: Callable[[Item], Entry], _domains: Sequence[str], _seconds: float, *, expected: str | None = None
    ) -> Mapping[str, Entry]:
        del expected
        return {KEYS: ALL_KEYS}


def guarding(policy: Policy) -> Handler:
    """Return a handler that knows a host with rules and a policy, and never reads its row again."""
    clock = Clock()
    resolver = Resolver(Rows(route(HOST, rules=rules(2), policy=policy)), SETTINGS._replace(fresh_seconds=1e9), clock)
    resolver.resolve(HOST)
    return make_handler(resolver, Guard(AccessTable(Items(), clock), clock))


@pytest.mark.parametrize(
    ("what", "policy"),
    [
        ("private host, with a session", Policy(private=7)),
        ("private host of one of 50 networks, with a session", Policy(7, (*NETWORKS, "203.0.113.0/24"))),
        ("host of one of 50 networks", Policy(allow=(*NETWORKS, "203.0.113.0/24"))),
    ],
)
def test_a_hit_of_a_host_that_does_not_answer_everybody(figures: Figures, what: str, policy: Policy) -> None:
    guarded, public = guarding(policy), knowing([route(HOST, rules=rules(2))])
    given = asking(RULED_PATH)
    request = given["Records"][0]["cf"]["request"]
    # With the newest key but one's, among the cookies that an application has.
    token = encode_token("session", "view", HOST, 7, int(NOW) + 3600, ALL_KEYS[1])
    request["headers"]["cookie"] = [{"key": "Cookie", "value": f"theme=dark; {COOKIE}={token}; session={'x' * 64}"}]
    request["clientIp"] = "203.0.113.9"
    assert "status" not in guarded(copy.deepcopy(given), None)
    cookies = request["headers"]["cookie"]
    figures.ratio(
        f"hit of a {what}, less one of a public host / JSON round trip of the event",
        asking_again(guarded, given, cookies),
        lambda: json.loads(json.dumps(given)),
        less=asking_again(public, given, cookies),
        count=COUNT,
        limit=THIRTY_MICROSECONDS,
    )


def test_an_attempt_at_a_password(figures: Figures) -> None:
    def took() -> float:
        started = process_time()
        hash_password("a-password-as-it-is-made", b"0123456789abcdef")
        return (process_time() - started) * 1000

    least = min(took() for _ in range(20))
    figures.add("hash of a password, CPU / 15 ms", least, 15, "ms", least / 15, least / 15, 1.0)


@pytest.mark.parametrize("what", ["unsigned", "signed"])
def test_a_hit_that_asks_the_edge(figures: Figures, what: str) -> None:
    """Without a signature it costs the look at the header; with one, what is told."""
    handler, plain = guarding(Policy(noindex=True)), guarding(Policy(noindex=True))
    given = asking(RULED_PATH)
    token = encode_token("debug", "debug", HOST, SINCE, int(NOW) + 3600, ALL_KEYS[1])
    asks = [{"key": HEADER, "value": token if what == "signed" else token.replace("debug", "view")}]
    mine, others = copy.deepcopy(given), copy.deepcopy(given)
    headers = mine["Records"][0]["cf"]["request"]["headers"]

    def again() -> object:
        headers[HEADER] = asks  # it is taken out
        return handler(mine, None)

    assert ("status" in copy.deepcopy(again())) == (what == "signed")  # type: ignore[operator]
    figures.ratio(
        f"hit that asks the edge, {what}, less one that does not / JSON round trip of the event",
        again,
        lambda: json.loads(json.dumps(given)),
        less=lambda: plain(others, None),
        count=COUNT,
    )
