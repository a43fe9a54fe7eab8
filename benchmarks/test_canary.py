"""What a hit costs of a host with a canary: the side is worked out anew each time."""

import json

import pytest

from benchmarks.conftest import Figures
from benchmarks.test_hit import COUNT, asking_again, knowing
from benchmarks.test_rules import HOST, asking
from edge_handler.routes.canary import Canary
from edge_handler.routes.origin import S3Origin
from tests.support import STATIC, route

NEXT = S3Origin(STATIC.domain_name, STATIC.region, "/next")
# Of some 20 us, see `test_rules`: nearly twice the dearest.
TWELVE_MICROSECONDS = 0.6


@pytest.mark.parametrize(
    ("by", "cookie", "address"),
    [
        ("address", "", "203.0.113.9"),
        ("address of IPv6", "", "2001:db8:1:2:3:4:5:6"),
        ("cookie", f"theme=dark; uid=42; session={'x' * 64}", "203.0.113.9"),
        ("choice", f"theme=dark; __Host-edge-side=canary.7; session={'x' * 64}", "203.0.113.9"),
    ],
)
def test_a_hit_of_a_host_with_a_canary(figures: Figures, by: str, cookie: str, address: str) -> None:
    canary = Canary(NEXT, 50, 7, 7, "uid" if by == "cookie" else "")
    split, plain = knowing([route(HOST, canary=canary)]), knowing([route(HOST)])
    given = asking("/")
    given["Records"][0]["cf"]["request"]["clientIp"] = address
    said = [{"key": "Cookie", "value": cookie}] if cookie else []
    figures.ratio(
        f"hit of a host with a canary, by {by}, less one without / JSON round trip of the event",
        asking_again(split, given, said),
        lambda: json.loads(json.dumps(given)),
        less=asking_again(plain, given, said),
        count=COUNT,
        limit=TWELVE_MICROSECONDS,
    )
