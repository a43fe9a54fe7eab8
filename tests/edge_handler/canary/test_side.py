"""Which side of a canary a viewer is on: the shares, that it stays so, and that the two sides are two."""

import random
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from edge_handler.canary.side import is_on_canary, side_of
from edge_handler.routes.canary import Canary
from edge_handler.routes.destination import Destination, Former
from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, Origin, S3Origin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.remembered import Known, Ruled, remembered_as
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import Route, encode_route
from edge_handler.routes.stamp import decode_stamp
from edge_handler.viewer_request import make_handler
from table_admin.deployments.former import former_of
from tests.canaries import WEIGHTS, canaries
from tests.edge_handler.routes.test_route import ORIGINS, ROUTES
from tests.support import NOW, OWN_BUCKET, SETTINGS, STATIC, Clock, Rows, destination_of, header, route, run

NEXT = S3Origin(OWN_BUCKET, "us-east-1", "/next")
APPLICATION = CustomOrigin("one.example.com", "https", 443, "", "origin", website=False)
HOST = "shop.localhost"
VIEWERS = 100_000
AGENTS = [f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{number}.0.0.0" for number in range(120, 140)]
SIDE = "__Host-edge-side"


def asking(
    host: str = HOST,
    *,
    uri: str = "/",
    query: str = "",
    method: str = "GET",
    address: str = "192.0.2.1",
    **headers: str,
) -> dict[str, Any]:
    said = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = {
        "headers": {name: [{"key": name, "value": value}] for name, value in said.items()},
        "method": method,
        "uri": uri,
        "querystring": query,
        "clientIp": address,
    }
    return {"Records": [{"cf": {"config": {"requestId": "id", "eventType": "viewer-request"}, "request": request}}]}


def request(address: str = "192.0.2.1", **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = asking(address=address, **headers)["Records"][0]["cf"]["request"]
    return found


def origin_of(result: dict[str, Any]) -> Origin:
    return decode_stamp(str(header(result, "x-route"))).origin


def handler_of(*rows: Route) -> Any:
    return make_handler(Resolver(Rows(*rows), SETTINGS, Clock()))


def viewers(kind: str) -> Iterator[dict[str, Any]]:
    """Yield different viewers: of a few providers' ranges, where many are neighbours."""
    drawn = random.Random(7)
    for number in range(VIEWERS):
        agent = AGENTS[drawn.randrange(len(AGENTS))]
        if kind == "cookie":
            yield request("192.0.2.1", user_agent=AGENTS[0], cookie=f"theme=dark; uid={number}")
        elif kind == "IPv6":
            first = 0x2A02_8100_0000_0000 + number  # one after the other, as providers give networks to homes
            yield request(str(IPv6Address((first << 64) + drawn.getrandbits(64))), user_agent=agent)
        else:
            first = drawn.choice([0x5D84_0000, 0x5511_0000, 0x4E2F_0000, 0xB2C8_0000])
            yield request(str(IPv4Address(first + number)), user_agent=agent)


@pytest.mark.parametrize("kind", ["IPv4", "IPv6", "cookie"])
def test_a_weight_is_the_share_of_viewers_within_one_per_cent(kind: str) -> None:
    weights = (0, 1, 5, 10, 25, 50, 90, 100)
    canaries = {weight: Canary(NEXT, weight, 7, 7, "uid" if kind == "cookie" else "") for weight in weights}
    on_canary = dict.fromkeys(weights, 0)
    for viewer in viewers(kind):
        sides = [is_on_canary(HOST, canaries[weight], viewer) for weight in weights]
        assert sides == sorted(sides), "whoever is on the canary stays there as its weight grows"
        for weight, is_there in zip(weights, sides, strict=True):
            on_canary[weight] += is_there
    assert (on_canary[0], on_canary[100]) == (0, VIEWERS)
    for weight, count in on_canary.items():
        assert abs(count / VIEWERS - weight / 100) < 0.01, weight


TEXT = st.text(st.characters(), max_size=40)
ADDRESSES = st.ip_addresses().map(str) | TEXT


@given(ADDRESSES, TEXT, TEXT, WEIGHTS, st.booleans())
@example("192.0.2.1", "\ud800", "\udfff", 50, True)  # as JSON may have it
def test_any_viewer_is_on_one_side_whatever_is_sent(
    address: str, agent: str, cookie: str, weight: int, by_cookie: bool
) -> None:
    canary = Canary(NEXT, weight, 7, 7, "uid" if by_cookie else "")
    for said in (cookie, f"uid={cookie}; {SIDE}={cookie}", f"{SIDE}"):
        first = side_of(HOST, canary, request(address, user_agent=agent, cookie=said))
        assert first == side_of(HOST, canary, request(address, user_agent=agent, cookie=said))


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1), st.ip_addresses(v=4))
def test_a_device_that_changes_its_address_in_its_network_stays(v6: IPv6Address, other: int, v4: IPv4Address) -> None:
    canary = Canary(NEXT, 50, 7, 7)
    if v6.ipv4_mapped is None:
        moved = IPv6Address(int(v6) >> 64 << 64 | other)
        if moved.ipv4_mapped is None:
            assert side_of(HOST, canary, request(str(v6))) == side_of(HOST, canary, request(str(moved)))
    assert side_of(HOST, canary, request(str(v4))) == side_of(HOST, canary, request(f"::ffff:{v4}"))


def test_a_viewer_stays_on_a_side_for_all_paths_times_and_instances() -> None:
    row = route(HOST, STATIC, canary=Canary(NEXT, 50, 7, 7))
    rows, clock = Rows(row), Clock()
    first, second = (make_handler(Resolver(rows, SETTINGS, clock)) for _ in range(2))
    addresses = [f"192.0.2.{number}" for number in range(40)]
    seen = {address: origin_of(run(first, asking(address=address))) for address in addresses}
    assert set(seen.values()) == {STATIC, NEXT}
    for reachable in (True, False):
        rows.reachable = reachable
        clock.now += SETTINGS.fresh_seconds * 3
        for address in addresses:
            for handler in (first, second):
                for uri in ("/", "/a/b", "/%ff", "/a/../b"):
                    assert origin_of(run(handler, asking(uri=uri, address=address))) == seen[address]


def test_a_cookie_says_who_a_viewer_is_and_address_and_user_agent_where_it_is_not_there() -> None:
    canary = Canary(NEXT, 50, 7, 7, "uid")
    for number in range(50):
        side = side_of(HOST, canary, request("192.0.2.1", cookie=f"a=b; uid={number}"))
        assert side[1] == "cookie"
        assert side == side_of(HOST, canary, request("198.51.100.9", user_agent="x", cookie=f"uid={number} ; c"))
    assert side_of(HOST, canary, request(cookie="uid=; uid=5")) == side_of(HOST, canary, request(cookie="uid=5"))
    for cookie in ("uid=", "uid", "UID=5", "xuid=5"):
        assert side_of(HOST, canary, request(cookie=cookie))[1] == "address"


def test_each_canary_begins_with_other_viewers() -> None:
    """Of the same domain or not: otherwise the same few would try all that is new."""
    several = [
        (HOST, Canary(NEXT, 50, 7, 7)),
        (HOST, Canary(NEXT, 50, 8, 8)),
        ("other.localhost", Canary(NEXT, 50, 7, 7)),
    ]
    on_canary = [
        {number for number in range(1_000) if is_on_canary(domain, canary, request(str(IPv4Address(number))))}
        for domain, canary in several
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert 150 < len(on_canary[one] & on_canary[other]) < 350


@pytest.mark.parametrize(
    ("cookie", "side"),
    [
        ("canary.7", "canary"),
        ("stable.7", "stable"),
        (f"canary.6; {SIDE}=canary.7", "canary"),
        ("canary.6", None),
        ("canary.07", None),
        ("canary.7.1", None),
        ("canary", None),
        ("none.7", None),
        ("", None),
    ],
)
def test_a_choice_is_of_this_canary(cookie: str, side: str | None) -> None:
    for weight in (0, 100):
        said = side_of(HOST, Canary(NEXT, weight, 7, 9), request(cookie=f"{SIDE}={cookie}"))
        assert said == ((side, "choice") if side else ("canary" if weight else "stable", "address"))


def test_what_a_tester_chose_reaches_no_origin() -> None:
    rules = (Rule("/api/*", APPLICATION, 1), Rule("/old", Redirect("/new", 301), 1))
    handler = handler_of(route(HOST, APPLICATION, canary=Canary(NEXT, 0, 7, 7), rules=rules))
    for uri in ("/", "/api/x"):
        for choice in ("canary.7", "stable.7", "canary.3", "nonsense"):
            result = run(handler, asking(uri=uri, cookie=f"a=b; {SIDE}={choice}; c=d"))
            assert header(result, "cookie") == "a=b; c=d"
            assert header(run(handler, asking(uri=uri, cookie=f"{SIDE}={choice}")), "cookie") is None


def test_a_rule_is_for_both_sides() -> None:
    handler = handler_of(route(HOST, canary=Canary(NEXT, 100, 7, 7), rules=(Rule("/api/*", APPLICATION, 3),)))
    assert origin_of(run(handler, asking(uri="/api/x"))) == APPLICATION
    assert origin_of(run(handler, asking(uri="/x"))) == NEXT


def test_each_side_answers_as_its_own_target_does() -> None:
    handler = handler_of(route(HOST, STATIC, canary=Canary(APPLICATION, 0, 7, 7)))
    sides = {side: f"{SIDE}={side}.7" for side in ("stable", "canary")}
    assert run(handler, asking(method="POST", cookie=sides["stable"]))["status"] == "405"
    assert "status" not in run(handler, asking(method="POST", cookie=sides["canary"]))
    for side, query in (("stable", ""), ("canary", "a=b")):
        result = run(handler, asking(query="a=b", cookie=sides[side], authorization="Basic x"))
        assert (result["querystring"], header(result, "authorization") is None) == (query, side == "stable")


def test_all_names_under_a_wildcard_have_a_viewer_on_one_side() -> None:
    handler = handler_of(route("*.tenant.localhost", canary=Canary(NEXT, 50, 7, 7)))
    sides = []
    for number in range(20):
        found = [run(handler, asking(f"{name}.tenant.localhost", address=f"192.0.2.{number}")) for name in "abc"]
        assert len({origin_of(one) for one in found}) == 1
        sides.append(origin_of(found[0]))
    assert set(sides) == {STATIC, NEXT}


def stamps(row: Destination, host: str) -> tuple[str, str]:
    found = remembered_as(host, row, NOW, NOW + 10)
    assert isinstance(found, Ruled)
    assert isinstance(found._default, Known)
    return found._default.stamp, found.of_canary.stamp


@given(ROUTES.filter(lambda one: not isinstance(one.origin, Redirect)), canaries(ORIGINS))
def test_two_sides_never_share_a_stamp_and_are_filed_as_if_each_were_all(row: Route, canary_of: Canary) -> None:
    row = row._replace(domain=row.domain.removeprefix("*."), canary=canary_of)
    stable, canary = stamps(destination_of(row), row.domain)
    plain = remembered_as(row.domain, destination_of(row._replace(canary=None, rules=(), policy=None)), NOW, NOW + 10)
    assert isinstance(plain, Known)
    assert decode_stamp(stable).origin == row.origin
    assert decode_stamp(canary).origin == canary_of.origin
    assert decode_stamp(canary).generation == canary_of.generation
    if canary_of.origin != row.origin:
        assert stable != canary
    if row.policy is None:
        assert stable == plain.stamp


IDS = [letter * 32 for letter in "abcd"]
BUCKETS = (OWN_BUCKET, "other-sites.s3.us-east-1.amazonaws.com")
DEPLOYMENTS = st.sampled_from(
    [DeploymentOrigin(bucket, "us-east-1", one, "files", "") for bucket in BUCKETS for one in IDS]
)
FORMER = st.lists(
    st.builds(Former, st.sampled_from(IDS), st.sampled_from([int(NOW) - 9, int(NOW) + 9])),
    max_size=2,
    unique_by=lambda one: one.deployment,
)
SIDES = DEPLOYMENTS | st.sampled_from([NEXT, STATIC, APPLICATION])


@given(SIDES, SIDES, FORMER)
@example(
    DeploymentOrigin(OWN_BUCKET, "us-east-1", IDS[0], "files", ""),
    DeploymentOrigin(OWN_BUCKET, "us-east-1", IDS[1], "files", ""),
    [Former(IDS[2], int(NOW) - 9), Former(IDS[3], int(NOW) + 9)],
)
def test_a_promotion_keeps_what_is_cached(stable: Origin, origin: Origin, former: list[Former]) -> None:
    assume(stable != origin)
    ran = stable.deployment if isinstance(stable, DeploymentOrigin) else None
    kept = tuple(one for one in former if ran not in (None, one.deployment))
    before = route(HOST, stable, generation=3, former=kept, canary=Canary(origin, 5, 7, 9))
    after = before._replace(origin=origin, generation=9, canary=None, revision=10)
    after = after._replace(former=former_of(before, after, NOW))
    plain = remembered_as(HOST, destination_of(after), NOW + 1, NOW + 11)
    assert isinstance(plain, Known)
    assert stamps(destination_of(before), HOST)[1] == plain.stamp
    assert encode_route(after)["schema"] != {"N": "5"}


def test_a_host_with_a_canary_counts_in_memory() -> None:
    found = remembered_as(HOST, destination_of(route(HOST, canary=Canary(NEXT, 5, 7, 9))), NOW, NOW + 10)
    assert isinstance(found, Ruled)
    assert found.weight == 1
