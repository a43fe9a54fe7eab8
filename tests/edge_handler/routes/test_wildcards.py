"""Hosts that a wildcard answers for: which one, for how long, and at whose expense."""

import sys

import pytest

from edge_handler.errors import BrokenRow
from edge_handler.routes import memory
from edge_handler.routes.destination import SCHEMAS
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.policy import Policy
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.remembered import Known, Refusal, Ruled
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import encode_route
from edge_handler.routes.stamp import decode_stamp
from edge_handler.routes.wildcards import candidates, is_under
from tests.support import NOW, SETTINGS, STATIC, Clock, Rows, route

WIDE, NARROW = "*.example.com", "*.tenant.example.com"


def at(domain: str, prefix: str, **changes: object) -> object:
    return route(domain, STATIC._replace(prefix=prefix), **changes)


def make(*routes: object) -> tuple[Resolver, Rows, Clock]:
    rows, clock = Rows(*routes), Clock()  # type: ignore[arg-type]
    return Resolver(rows, SETTINGS, clock), rows, clock


def site(resolver: Resolver, host: str) -> str:
    found = resolver.resolve(host)
    assert not isinstance(found, Ruled)
    return found.stamp.split(";")[-1] if isinstance(found, Known) else str(found.status)


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("a.example.com", "/wide"),
        ("a.b.example.com", "/wide"),
        ("tenant.example.com", "/wide"),
        ("a.tenant.example.com", "/narrow"),
        ("a.b.c.tenant.example.com", "/narrow"),
        ("own.tenant.example.com", "/own"),
        ("a.own.tenant.example.com", "/narrow"),
        ("example.com", "404"),
        ("notexample.com", "404"),
        ("[::1]", "404"),
    ],
)
def test_the_most_specific_row_answers(host: str, answers: str) -> None:
    resolver, rows, _ = make(at(WIDE, "/wide"), at(NARROW, "/narrow"), at("own.tenant.example.com", "/own"))
    assert site(resolver, host) == answers
    assert rows.reads == 1, "one read for all candidates"


def test_a_host_with_a_row_of_its_own_is_read_again_alone_until_that_is_gone() -> None:
    """Else each read of any host would be one of the wildcard's row, too: what DynamoDB is asked for most."""
    own = "own.tenant.example.com"
    resolver, rows, clock = make(at(WIDE, "/wide"), at(own, "/own"))
    assert site(resolver, own) == "/own"
    clock.now += SETTINGS.fresh_seconds
    assert site(resolver, own) == "/own"
    assert rows.keys == [candidates(own), (own,)]
    del rows.items[own]
    clock.now += SETTINGS.fresh_seconds
    assert site(resolver, own) == "/wide"
    assert rows.keys[2:] == [(own,), candidates(own)[1:]]
    clock.now += SETTINGS.fresh_seconds
    rows.items |= Rows(at(own, "/again")).items  # type: ignore[arg-type]
    assert site(resolver, own) == "/again"


@pytest.mark.parametrize(
    ("rest", "answers"), [("com", "404"), ("b.com", "/w"), ("a.b.c.d.e.f.g.h", "/w"), ("a.b.c.d.e.f.g.h.i", "404")]
)
def test_a_wildcard_has_two_to_eight_labels(rest: str, answers: str) -> None:
    assert site(make(at(f"*.{rest}", "/w"))[0], f"x.{rest}") == answers


def test_a_host_has_few_candidates_however_long_it_is() -> None:
    longest = ".".join("a" * 127)
    assert len(candidates(longest)) == 1 + 7
    assert candidates("localhost") == ("localhost",)
    assert all(is_under(longest, one) for one in candidates(longest)[1:])
    assert not is_under("example.com", WIDE)


def test_the_stamp_names_the_viewers_host_and_not_the_wildcard() -> None:
    resolver, _, _ = make(at(WIDE, "/wide"))
    stamps = {resolver.resolve(host).stamp for host in ("a.example.com", "b.example.com")}  # type: ignore[union-attr]
    assert {stamp.split(";")[1] for stamp in stamps} == {"a.example.com", "b.example.com"}


def test_a_new_exact_row_takes_over_within_the_fresh_time_and_gives_back() -> None:
    resolver, rows, clock = make(at(WIDE, "/wide"))
    for wanted in ("/wide", "/own", "/wide"):
        rows.items = Rows(at(WIDE, "/wide"), *([at("a.example.com", "/own")] if wanted == "/own" else [])).items  # type: ignore[arg-type]
        clock.now += SETTINGS.fresh_seconds
        assert site(resolver, "a.example.com") == wanted


def test_a_more_specific_wildcard_takes_over_within_the_fresh_time() -> None:
    resolver, rows, clock = make(at(WIDE, "/wide"))
    assert site(resolver, "a.tenant.example.com") == "/wide"
    rows.items |= Rows(at(NARROW, "/narrow")).items  # type: ignore[arg-type]
    clock.now += SETTINGS.fresh_seconds
    assert site(resolver, "a.tenant.example.com") == "/narrow"


def test_a_row_that_has_expired_or_is_broken_is_not_made_good_for_by_a_wildcard() -> None:
    resolver, rows, _ = make(at(WIDE, "/wide"), at("old.example.com", "/old", expires_at=int(NOW) - 1))
    rows.items["broken.example.com"] = {"domain": {"S": "broken.example.com"}}
    assert site(resolver, "old.example.com") == "410"
    assert site(resolver, "broken.example.com") == "502"
    assert site(resolver, "other.example.com") == "/wide"


def test_a_wildcards_host_is_served_stale_in_an_outage_and_its_wildcards_row_is_expected() -> None:
    resolver, rows, clock = make(at(WIDE, "/wide"))
    assert site(resolver, "a.example.com") == "/wide"
    clock.now += SETTINGS.fresh_seconds
    rows.reachable = False
    assert site(resolver, "a.example.com") == "/wide"
    assert (round(rows.asked[-1][0], 1), rows.asked[-1][1]) == (0.8, WIDE)
    assert site(resolver, "never-seen.example.com") == "503"


def test_a_flood_of_names_under_a_wildcard_pushes_out_no_host_with_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_UNDER_WILDCARDS", 50)
    monkeypatch.setattr(memory, "MAX_ROUTES", 30)
    own = [f"own-{number}.example.com" for number in range(20)]
    resolver, rows, _ = make(at(WIDE, "/wide"), *(at(host, "/own") for host in own))
    for host in own[:-1]:
        site(resolver, host)
    for number in range(500):
        assert site(resolver, f"made-up-{number}.example.com") == "/wide"
    reads = rows.reads
    assert {site(resolver, host) for host in reversed(own)} == {"/own"}
    assert rows.reads == reads + 1, "the one that nobody had asked for"
    assert len(resolver.memory.wildcards) == 50
    assert len(resolver.known) == 70


def test_hosts_with_rows_push_out_none_of_a_wildcards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_ROUTES", 10)
    monkeypatch.setattr(memory, "EVICTED", 2)
    own = [f"own-{number}.example.com" for number in range(50)]
    resolver, rows, _ = make(at(WIDE, "/wide"), *(at(host, "/own") for host in own))
    for host in ("a.example.com", *own):
        site(resolver, host)
    reads = rows.reads
    assert site(resolver, "a.example.com") == "/wide"
    assert rows.reads == reads
    assert len(resolver.known) <= 11


def test_what_is_announced_of_a_wildcard_drops_all_it_concerns_and_nothing_else() -> None:
    resolver, _, _ = make(at(WIDE, "/wide"), at("own.tenant.example.com", "/own"))
    for host in ("a.example.com", "a.tenant.example.com", "own.tenant.example.com", "x.other.org", "tenant.other.org"):
        site(resolver, host)
    resolver.memory.refuse("refused.tenant.example.com", Refusal(404, "", NOW, NOW + 10))
    resolver.memory.forget([NARROW])
    assert set(resolver.known) == {"a.example.com", "own.tenant.example.com"}
    assert set(resolver.memory.refusals) == {"x.other.org", "tenant.other.org"}


RULES = tuple(Rule(f"/p{number}/*", STATIC, 1) for number in range(200))


def test_rules_that_are_remembered_are_bounded_and_the_oldest_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_RULES_OF_ALL", 1_000)
    hosts = [f"h{number}.example.com" for number in range(12)]
    resolver, rows, clock = make(*(at(host, "/own", rules=RULES) for host in hosts), at("plain.example.com", "/plain"))
    for host in ("plain.example.com", *hosts):
        resolver.resolve(host)
    assert set(resolver.known) == {"plain.example.com", *hosts[-5:]}
    rows.items = Rows(*(at(host, "/own") for host in hosts)).items  # type: ignore[arg-type]
    clock.now += SETTINGS.fresh_seconds
    for host in hosts:
        resolver.resolve(host)
    assert set(hosts) < set(resolver.known), "what has no rules any more counts for none"


def test_hosts_that_do_not_answer_everybody_are_bounded_with_those_that_have_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MAX_RULES_OF_ALL", 10)
    hosts = [f"h{number}.example.com" for number in range(12)]
    networks = Policy(allow=tuple(f"192.0.{number}.0/24" for number in range(50)))
    resolver, _, _ = make(
        *(at(host, "/own", policy=Policy(private=7)) for host in hosts),
        *(at(f"{kind}.example.com", "/own", policy=policy) for kind, policy in (("plain", None), ("net", networks))),
    )
    for host in ("plain.example.com", *hosts):
        resolver.resolve(host)
    assert set(resolver.known) == {"plain.example.com", *hosts[-10:]}
    resolver.resolve("net.example.com")
    assert set(resolver.known) == {"plain.example.com", "net.example.com", hosts[-1]}


def test_names_under_a_wildcard_share_its_rules() -> None:
    resolver, _, _ = make(at(WIDE, "/wide", rules=RULES))
    found = [resolver.resolve(f"made-up-{number}.example.com") for number in range(100)]
    tables = {id(one._table) for one in found if isinstance(one, Ruled)}
    assert len(tables) == 1
    one = found[0]
    assert isinstance(one, Ruled)
    assert sys.getsizeof(one) < 300


def test_rules_that_somebody_changed_by_hand_are_others_with_the_same_revision() -> None:
    for host in ("a.example.com", WIDE):
        resolver, rows, clock = make(at(host, "/own", rules=(Rule("/a", STATIC, 1),)))
        before = resolver.resolve("a.example.com")
        rows.items = Rows(at(host, "/own", rules=(Rule("/b", STATIC, 1),))).items  # type: ignore[arg-type]
        clock.now += SETTINGS.fresh_seconds
        after = resolver.resolve("a.example.com")
        assert isinstance(before, Ruled)
        assert isinstance(after, Ruled)
        assert (before.find("/b")[1], after.find("/a")[1]) == (None, None)


def test_a_wildcard_may_have_rules_and_may_redirect() -> None:
    rule = Rule("/api/*", STATIC._replace(prefix="/api"), 7)
    resolver, _, _ = make(at(WIDE, "/wide", rules=(rule,)), route(NARROW, Redirect("https://example.org", 308)))
    ruled, redirected = resolver.resolve("a.example.com"), resolver.resolve("a.tenant.example.com")
    assert isinstance(ruled, Ruled)
    assert isinstance(redirected, Ruled)
    known, found = ruled.find("/api/x")
    assert isinstance(known, Known)
    assert (known.stamp.split(";")[1:3], found) == (["a.example.com", "7"], rule)
    assert redirected.find("/")[0] == Redirect("https://example.org", 308)


def test_a_reader_takes_rows_of_the_schemas_that_it_knows_and_of_none_above() -> None:
    rows = Rows(at(WIDE, "/wide"))  # type: ignore[arg-type]
    assert rows.items[WIDE]["schema"] == {"N": "3"}
    rows.items[WIDE] = {**encode_route(route(WIDE)), "schema": {"N": str(SCHEMAS[-1] + 1)}}
    assert isinstance(rows.read([WIDE], 1)[WIDE], BrokenRow)


def test_a_wildcards_generations_are_not_a_names_own() -> None:
    """Else what a touch of the one emptied would come back with the other, under the same key of the CDN."""
    host = "a.example.com"
    resolver, rows, clock = make(at(WIDE, "/same", generation=3, revision=3))
    under = resolver.resolve(host)
    rows.items |= Rows(at(host, "/same", generation=3, revision=3)).items  # type: ignore[arg-type]
    clock.now += SETTINGS.fresh_seconds
    own = resolver.resolve(host)
    assert isinstance(under, Known)
    assert isinstance(own, Known)
    assert under.stamp != own.stamp
    assert decode_stamp(under.stamp).wildcard == WIDE
    assert decode_stamp(own.stamp).wildcard == ""


def test_names_under_a_wildcard_keep_few_of_its_rules_ready() -> None:
    rules = tuple(Rule(f"/{number}", STATIC, number + 1) for number in range(50))
    resolver, _, _ = make(at(WIDE, "/w", rules=rules))
    found = resolver.resolve("a.example.com")
    assert isinstance(found, Ruled)
    for _ in range(2):
        for number in range(50):
            known, rule = found.find(f"/{number}")
            assert isinstance(known, Known)
            assert rule == rules[number]._replace(target="")
            stamp = decode_stamp(known.stamp)
            assert (stamp.generation, stamp.wildcard) == (number + 1, WIDE)
    assert len(found._answers) <= 4
