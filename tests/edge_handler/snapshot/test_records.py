"""Records in blocks, blocks in parts: what was put in is found, and nothing else."""

import json
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_handler.errors import BrokenRow, BrokenSnapshot
from edge_handler.routes.canary import Canary
from edge_handler.routes.destination import read_destination
from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.route import Route, encode_route
from edge_handler.snapshot import records
from edge_handler.snapshot.records import BLOCKS_OF_PART, MAX_ROW_BYTES
from tests.edge_handler.routes.test_route import ROUTES
from tests.support import STATIC, destination_of, route

BALANCER = CustomOrigin(f"k8s-{'x' * 40}.elb.us-east-1.amazonaws.com", "https", 443, "", "viewer", website=False)
DICTIONARY = records.encode_row(encode_route(route()))
CONTENTS = st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=300), max_size=20)


@given(ROUTES)
def test_a_row_comes_back_as_the_edge_reads_it(given_route: Route) -> None:
    carried = records.encode_row(encode_route(given_route))
    assume(carried)  # a few are too large
    assert read_destination(records.decode_row(given_route.domain, carried)) == destination_of(given_route)


def test_what_people_wrote_is_not_carried() -> None:
    assert b"secret" not in records.encode_row(encode_route(route(note="secret", owner="secret", target="secret")))


def test_what_people_wrote_of_a_canary_is_not_carried() -> None:
    carried = records.encode_row(encode_route(route(canary=Canary(STATIC, 5, 1, 1, target="secret"))))
    assert b"canary" in carried
    assert b"secret" not in carried


@pytest.mark.parametrize("damaged", [{"S": "x"}, {"M": {}}, {"M": {"weight": {"S": "x"}}}, {"L": []}])
def test_a_canary_that_is_broken_comes_back_broken(damaged: Any) -> None:
    row = {**encode_route(route()), "canary": damaged}
    assert isinstance(read_destination(row), BrokenRow)
    assert isinstance(read_destination(records.decode_row(row["domain"]["S"], records.encode_row(row))), BrokenRow)


@pytest.mark.parametrize(
    "damaged",
    [
        {"S": "x"},
        {"L": []},
        {"L": [{"S": "x"}]},
        {"L": [{"M": {"pattern": {"S": "/a"}}}]},
        {"L": [{"M": {"pattern": {"N": "5"}, "generation": {"N": "1"}, "origin": {"M": {}}}}]},
        {"L": [{"M": {"pattern": {"S": "/a"}, "generation": {"N": "1"}, "origin": {"S": "x"}}}]},
        {
            "L": [
                {
                    "M": {
                        "pattern": {"S": "/a"},
                        "generation": {"N": "1"},
                        "origin": {"M": {}},
                        "strip_prefix": {"S": ""},
                    }
                }
            ]
        },
    ],
)
def test_rules_that_are_broken_come_back_broken(damaged: Any) -> None:
    row = {**encode_route(route()), "rules": damaged}
    assert isinstance(read_destination(row), BrokenRow)
    assert isinstance(read_destination(records.decode_row(row["domain"]["S"], records.encode_row(row))), BrokenRow)


@pytest.mark.parametrize(
    ("origins", "rules"),
    [([], 5), ([], [["/a", "1", 0, {}]]), ([{}], [5]), ([{}], [["/a", "1", 0, 5]]), (5, [["/a", "1", 0, {}]])],
)
def test_rules_that_were_not_carried_are_said(origins: Any, rules: Any) -> None:
    for carried in (rules, {}, {"origins": origins, "rules": rules}):
        with pytest.raises(BrokenSnapshot):
            records.decode_row("a", json.dumps({"rules": carried}))


def test_an_origin_that_many_rules_share_is_carried_once() -> None:
    rules = tuple(Rule(f"/service-{number:02}/*", BALANCER, number + 1, number % 2 == 0) for number in range(30))
    assert records.encode_row(encode_route(route(rules=rules))) != b""


def test_of_a_row_that_is_too_large_nothing_is_carried() -> None:
    assert records.encode_row({**encode_route(route()), "origin": {"S": "x" * MAX_ROW_BYTES}}) == b""


@pytest.mark.parametrize("text", ["", "5", "[]", "{", "x" * (MAX_ROW_BYTES + 1), "[" * 2_000])
def test_what_is_no_row_is_said(text: str) -> None:
    with pytest.raises(BrokenSnapshot):
        records.decode_row("a", text)


@given(CONTENTS, st.text(max_size=20))
def test_a_block_has_what_was_put_in_and_nothing_else(contents: dict[str, bytes], other: str) -> None:
    block = records.encode_block(contents.items(), DICTIONARY)
    for domain, text in contents.items():
        assert records.find_in_block(block, DICTIONARY, domain) == text
    if other not in contents:
        assert records.find_in_block(block, DICTIONARY, other) is None
    assert dict(records.decode_block(block, DICTIONARY)) == contents


@given(CONTENTS)
def test_the_same_rows_are_the_same_bytes(contents: dict[str, bytes]) -> None:
    shuffled = random.sample([*contents.items()], len(contents))
    assert records.encode_block(shuffled, DICTIONARY) == records.encode_block(contents.items(), DICTIONARY)


@given(CONTENTS.filter(bool), st.data())
def test_a_damaged_block_is_said_or_gives_what_was_put_in(contents: dict[str, bytes], data: st.DataObject) -> None:
    block = bytearray(records.encode_block(contents.items(), DICTIONARY))
    cut = data.draw(st.integers(0, len(block) - 1))
    with pytest.raises(BrokenSnapshot):
        records.decode_block(bytes(block[:cut]) or b"\x00", DICTIONARY)


def test_a_block_that_opens_to_more_than_any_is_not_opened() -> None:
    bomb = records.encode_block([("a", b"x" * 60_000), *((f"b{n}", b"x" * 60_000) for n in range(9))], b"")
    assert len(bomb) < 10_000
    with pytest.raises(BrokenSnapshot):
        records.decode_block(bomb, b"")


@given(st.lists(st.binary(max_size=50), min_size=BLOCKS_OF_PART, max_size=BLOCKS_OF_PART))
def test_a_part_comes_back(blocks: list[bytes]) -> None:
    content = records.encode_part(blocks)
    assert records.decode_part(content) == blocks
    for damaged in (content[:-1], content + b"x", content[:10]):
        if len(damaged) != len(content):
            with pytest.raises(BrokenSnapshot):
                records.decode_part(damaged)


@given(st.text(), st.integers(0, 16))
def test_a_domain_is_in_one_block(domain: str, power: int) -> None:
    blocks = 2**power
    assert 0 <= records.block_of(domain, blocks) < blocks
    # Where there are twice as many it is in the same, or in as many further on: a part is loaded for its former's.
    assert records.block_of(domain, blocks * 2) % blocks == records.block_of(domain, blocks)


def test_a_carried_row_is_json_of_the_rows_own_attributes() -> None:
    item = encode_route(route())
    assert json.loads(records.encode_row(item)) == {
        name: item[name] for name in ("schema", "revision", "generation", "origin")
    }
