from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import BrokenRow, BrokenStamp
from edge_handler.routes.route import CustomOrigin, Origin, Route, S3Origin, decode_route, encode_route
from edge_handler.routes.stamp import decode_stamp, encode_stamp
from tests.support import route

PATHS = st.from_regex(r"(/[A-Za-z0-9._~%-]{1,20}){0,5}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?\.[a-z0-9]{1,5}\.[a-z]{2,5}", fullmatch=True)
ORIGINS: st.SearchStrategy[Origin] = st.one_of(
    st.builds(S3Origin, NAMES, st.sampled_from(["us-east-1", "eu-west-3", "ap-southeast-2"]), PATHS),
    st.builds(
        CustomOrigin,
        NAMES,
        st.sampled_from(["http", "https"]),
        st.sampled_from([80, 443, 1024, 8080, 65535]),
        PATHS,
        st.sampled_from(["viewer", "origin"]),
        st.booleans(),
    ),
)
ROUTES = st.builds(
    Route,
    NAMES,
    st.text(),
    ORIGINS,
    st.text(),
    st.sampled_from(["permanent", "ephemeral"]),
    st.none() | st.integers(0, 2**40),
    st.integers(1, 2**40),
    st.integers(1, 2**40),
    st.text(),
    st.text(),
    st.text(),
)
ATTRIBUTE: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["S", "N", "M", "BOOL"]), inner),
    max_leaves=5,
)


@given(ROUTES)
def test_a_route_survives_its_row(given_route: Route) -> None:
    assert decode_route(encode_route(given_route)) == given_route


@given(ROUTES)
def test_a_row_is_what_boto3_reads(given_route: Route) -> None:
    row: Any = {
        name: TypeDeserializer().deserialize(value) for name, value in dict[str, Any](encode_route(given_route)).items()
    }
    assert row["domain"] == given_route.domain
    assert row["revision"] == given_route.revision
    assert row["origin"]["domain_name"] == given_route.origin.domain_name
    assert ("expires_at" in row) == (given_route.expires_at is not None)


@given(ROUTES, st.data())
def test_a_damaged_row_is_broken_or_a_route_and_never_another_error(given_route: Route, data: st.DataObject) -> None:
    item: dict[str, Any] = dict(encode_route(given_route))
    name = data.draw(st.sampled_from(sorted(item)))
    item[name] = data.draw(ATTRIBUTE)
    try:
        decode_route(item)
    except BrokenRow:
        return


def test_an_unknown_attribute_is_ignored() -> None:
    assert decode_route({**encode_route(route()), "weights": {"L": []}}) == route()


def test_a_row_of_a_newer_schema_is_broken() -> None:
    with pytest.raises(BrokenRow, match="schema 2"):
        decode_route({**encode_route(route()), "schema": {"N": "2"}})


@pytest.mark.parametrize(
    "origin",
    [
        S3Origin("10.0.0.1", "us-east-1", ""),
        S3Origin("a.example.com", "us east", ""),
        S3Origin("a.example.com", "us-east-1", "/trailing/"),
        S3Origin("a.example.com", "us-east-1", "/a;b"),
        CustomOrigin("a.example.com", "https", 22, "", "viewer", False),
        CustomOrigin("a.example.com", "ftp", 80, "", "viewer", False),  # type: ignore[arg-type]
        CustomOrigin("a.example.com", "https", 443, "/" + "a" * 255, "viewer", False),
    ],
)
def test_an_origin_that_cloudfront_would_refuse_is_a_broken_row(origin: Origin) -> None:
    with pytest.raises(BrokenRow):
        decode_route(encode_route(route(origin=origin)))


@given(NAMES, st.integers(1, 2**40), ORIGINS)
def test_a_stamp_says_exactly_what_was_stamped(host: str, generation: int, origin: Origin) -> None:
    stamp = encode_stamp(host, generation, origin)
    assert decode_stamp(stamp) == (host, generation, origin)
    assert stamp.isascii()
    assert stamp.isprintable()


@given(st.tuples(NAMES, st.integers(1, 50), ORIGINS), st.tuples(NAMES, st.integers(1, 50), ORIGINS))
def test_two_routes_never_share_a_stamp(one: tuple[str, int, Origin], other: tuple[str, int, Origin]) -> None:
    assert (encode_stamp(*one) == encode_stamp(*other)) == (one == other)


@given(st.text() | st.from_regex(r"1;[a-z.]{0,5};[0-9]{0,3};(s3|custom)(;[a-z0-9./]{0,9}){0,7}", fullmatch=True))
def test_any_other_stamp_is_refused(value: str) -> None:
    try:
        host, generation, origin = decode_stamp(value)
    except BrokenStamp:
        return
    assert encode_stamp(host, generation, origin) == value
