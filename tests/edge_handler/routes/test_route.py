import json
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import botocore.session
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import BrokenRow, BrokenStamp, UnreadableRow
from edge_handler.routes import destination
from edge_handler.routes.canary import Canary
from edge_handler.routes.destination import Former, read_destination
from edge_handler.routes.origin import (
    CustomOrigin,
    DeploymentOrigin,
    Origin,
    S3Origin,
    _is_bucket_domain_name,
    bucket_domain_name,
    is_origin_path,
)
from edge_handler.routes.path_rules import Rule, encode_answering, is_pattern
from edge_handler.routes.policy import Maintenance, Policy
from edge_handler.routes.redirect import STATUSES, Answering, Redirect
from edge_handler.routes.remembered import Known, Refusal
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import Route, Standby, decode_route, encode_route
from edge_handler.routes.stamp import Stamp, decode_stamp, encode_stamp, names_former
from tests.canaries import canaries, standbys
from tests.policies import HEADERS, POLICIES, PRINTABLE
from tests.support import SETTINGS, STATIC, Clock, Rows, route

PATHS = st.from_regex(r"(/([A-Za-z0-9._~-]|%[2-9A-F][0-9A-F]){1,20}){0,5}", fullmatch=True).filter(is_origin_path)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?\.[a-z0-9]{1,5}\.[a-z]{2,5}", fullmatch=True)
DEPLOYMENTS = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
ORIGINS: st.SearchStrategy[Origin] = st.one_of(
    st.builds(
        lambda bucket, region, path: S3Origin(bucket_domain_name(bucket, region), region, path),
        st.from_regex(r"[a-z0-9]([a-z0-9-]|\.(?!\.)){1,20}[a-z0-9]", fullmatch=True),
        st.sampled_from(["us-east-1", "eu-west-3", "ap-southeast-2", "cn-north-1", "us-iso-east-1"]),
        PATHS,
    ),
    st.builds(
        lambda bucket, region, *rest: DeploymentOrigin(bucket_domain_name(bucket, region), region, *rest),
        st.from_regex(r"[a-z0-9]([a-z0-9-]|\.(?!\.)){1,20}[a-z0-9]", fullmatch=True),
        st.sampled_from(["us-east-1", "eu-west-3"]),
        DEPLOYMENTS,
        st.sampled_from(["files", "pages", "all"]),
        st.sampled_from(["", "*", "https://app.example.com", "http://localhost:3000"]),
    ),
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
REDIRECTS = st.builds(
    lambda base, path, status: Redirect(base + path or "/", status),
    st.just("")
    | st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), NAMES, st.sampled_from(["", ":8443"])),
    PATHS,
    st.sampled_from(STATUSES),
)
ANSWERING: st.SearchStrategy[Answering] = ORIGINS | REDIRECTS
RULES = st.lists(
    st.builds(
        lambda path, under, origin, generation, strip, target: Rule(
            path + "/*" * under, origin, generation, strip and under, target
        ),
        st.from_regex(r"(/[a-z0-9 ;\u00e9.-]*[a-z\u00e9][.]?){1,4}", fullmatch=True),
        st.booleans(),
        ANSWERING.filter(lambda origin: not isinstance(origin, DeploymentOrigin)),
        st.integers(1, 2**40),
        st.booleans(),
        st.text(),
    ).filter(lambda rule: is_pattern(rule.pattern)),
    max_size=4,
    unique_by=lambda rule: rule.pattern,
).map(tuple)
ROUTES = st.builds(
    Route,
    NAMES | NAMES.map("*.{}".format),
    st.text(),
    ANSWERING,
    st.text(),
    st.sampled_from(["permanent", "ephemeral"]),
    st.none() | st.integers(0, 2**40),
    st.integers(1, 2**40),
    st.integers(1, 2**40),
    st.text(),
    st.text(),
    st.text(),
    st.text(),
    st.text(),
    st.none() | st.booleans(),
    st.text(),
    st.lists(st.builds(Former, DEPLOYMENTS, st.integers(0, 2**40)), max_size=2).map(tuple),
    RULES,
    st.none() | POLICIES,
    st.none() | canaries(ORIGINS),
    st.none() | standbys(ANSWERING),
).map(lambda found: found._replace(canary=None) if isinstance(found.origin, Redirect) else found)
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
    assert row["origin"] == TypeDeserializer().deserialize({"M": encode_answering(given_route.origin)})
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
    decode_route({**encode_route(route()), "schema": {"N": "5"}})
    with pytest.raises(BrokenRow, match="schema 6"):
        decode_route({**encode_route(route()), "schema": {"N": "6"}})


@pytest.mark.parametrize(
    "origin",
    [
        STATIC._replace(prefix="/trailing/"),
        STATIC._replace(prefix="/a;b"),
        CustomOrigin("10.0.0.1", "https", 443, "", "viewer", False),
        CustomOrigin("a.example.com", "https", 22, "", "viewer", False),
        CustomOrigin("a.example.com", "ftp", 80, "", "viewer", False),  # type: ignore[arg-type]
        CustomOrigin("a.example.com", "https", 443, "/" + "a" * 255, "viewer", False),
    ],
)
def test_an_origin_that_cloudfront_would_refuse_is_a_broken_row(origin: Origin) -> None:
    with pytest.raises(BrokenRow):
        decode_route(encode_route(route(origin=origin)))


@pytest.mark.parametrize("digits", ["1_0", " 7", "+7", "\u0663", "1.0", "1e3", "9" * 39])
def test_a_number_is_read_as_dynamodb_writes_it(digits: str) -> None:
    with pytest.raises(BrokenRow):
        decode_route({**encode_route(route()), "generation": {"N": digits}})


def test_a_broken_row_is_not_kept_in_memory_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    _is_bucket_domain_name.cache_clear()
    for origin in (STATIC._replace(domain_name="a" * 300_000), STATIC._replace(region="a" * 300_000)):
        with pytest.raises(BrokenRow):
            decode_route(encode_route(route(origin=origin)))
    assert _is_bucket_domain_name.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("evil.example.com", "us-east-1"),
        ("sites.s3.us-east-1.amazonaws.com.evil.com", "us-east-1"),
        ("sites.s3.us-east-1.evil.com", "us-east-1"),
        ("sites.s3.eu-west-1.amazonaws.com", "us-east-1"),
        ("sites.s3.us-east-1.amazonaws.com.cn", "us-east-1"),
        ("sites.s3.cn-north-1.amazonaws.com", "cn-north-1"),
        ("sites.s3.amazonaws.com", ""),
        ("s3.us-east-1.amazonaws.com", "us-east-1"),
        ("a..b.s3.us-east-1.amazonaws.com", "us-east-1"),
        ("UPPER.s3.us-east-1.amazonaws.com", "us-east-1"),
        ("a" * 63 + "." + "b" * 63 + ".s3.us-east-1.amazonaws.com", "us-east-1"),
        ("sites.s3.us-east-1.amazonaws.com\n", "us-east-1"),
    ],
)
def test_a_bucket_that_is_not_at_s3_is_a_broken_row(name: str, region: str) -> None:
    """What goes there is signed with the functions' key, and carries their session token."""
    with pytest.raises(BrokenRow):
        decode_route(encode_route(route(origin=S3Origin(name, region, ""))))


def test_a_buckets_name_is_what_botocore_says_in_every_partition() -> None:
    session = botocore.session.Session()
    partitions = session.get_available_partitions()
    assert len(partitions) > 5
    for partition in partitions:
        for region in session.get_available_regions("s3", partition):
            client = boto3.client("s3", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
            url = client.generate_presigned_url("get_object", {"Bucket": "sites", "Key": "x"})
            assert bucket_domain_name("sites", region) in (urlsplit(url).hostname, f"sites.{regional(client)}")


def regional(client: Any) -> str:
    """Return the endpoint's host: us-east-1's global one is the region's own."""
    host = urlsplit(client.meta.endpoint_url).hostname
    return "s3.us-east-1.amazonaws.com" if host == "s3.amazonaws.com" else str(host)


BAD_PATHS = ["/..", "/a/../b", "/%2e%2e/b", "/.%2E", "/a/.", "/a%2f..%2fb", "/a%5C..", "/%", "/%zz", "/%2", "/a%0d%0ab"]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_could_lead_out_or_is_not_encoded_is_a_broken_row(path: str) -> None:
    assert not is_origin_path(path)
    for origin in (STATIC._replace(prefix=path), CustomOrigin("a.example.com", "https", 443, path, "viewer", False)):
        with pytest.raises(BrokenRow):
            decode_route(encode_route(route(origin=origin)))


@pytest.mark.parametrize("path", ["", "/a", "/..a", "/a..", "/...", "/.well-known", "/a%20b", "/a%2eb", "/%C3%A9"])
def test_what_only_looks_like_it_is_a_path(path: str) -> None:
    assert decode_route(encode_route(route(origin=STATIC._replace(prefix=path)))).origin == STATIC._replace(prefix=path)


@given(st.from_regex(r"(/([a.]|%2[eEfF]|%5[cC]){1,6}){0,3}", fullmatch=True))
def test_no_path_of_a_row_leads_out_of_itself_once_it_is_decoded(path: str) -> None:
    decoded = unquote(path) if is_origin_path(path) else ""
    assert not {".", ".."} & set(decoded.replace("\\", "/").split("/"))


@given(
    NAMES,
    st.integers(1, 2**40),
    ORIGINS,
    st.lists(DEPLOYMENTS, max_size=2).map(tuple),
    PATHS,
    st.booleans(),
    st.just(()) | HEADERS,
)
def test_a_stamp_says_exactly_what_was_stamped(
    host: str,
    generation: int,
    origin: Origin,
    former: tuple[str, ...],
    prefix: str,
    noindex: bool,
    headers: tuple[tuple[str, str], ...],
) -> None:
    if not isinstance(origin, DeploymentOrigin):
        former = ()
    said = (noindex, headers)
    stamp = encode_stamp(host, generation, origin, former, prefix, "", *said)
    assert decode_stamp(stamp) == Stamp(host, generation, origin, former, prefix, "", *said)
    mark = "n;" if noindex else ";"
    assert stamp.startswith(("3" if headers else "2" if prefix else "1") + mark)
    wildcard = f"*.{host}"
    of_a_wildcard = encode_stamp(f"a.{host}", generation, origin, former, prefix, wildcard, *said)
    assert of_a_wildcard.startswith(("3" if headers else "2") + mark)
    if len(host) < 250:
        assert decode_stamp(of_a_wildcard) == Stamp(f"a.{host}", generation, origin, former, prefix, wildcard, *said)
        with pytest.raises(BrokenStamp):
            decode_stamp(encode_stamp(host, generation, origin, former, prefix, wildcard, *said))
    assert names_former(stamp) == bool(former)
    assert stamp.isascii()
    assert stamp.isprintable()


STAMPED = st.tuples(
    NAMES,
    st.integers(1, 50),
    ORIGINS,
    st.just(()),
    PATHS,
    st.sampled_from(["", "*.b.c", "*.c.d"]),
    st.booleans(),
    st.just(()) | HEADERS,
)


@given(STAMPED, STAMPED)
def test_two_routes_never_share_a_stamp(one: Any, other: Any) -> None:
    assert (encode_stamp(*one) == encode_stamp(*other)) == (one == other)


@given(
    st.text()
    | st.from_regex(r"1;[a-z.]{0,5};[0-9]{0,3};(s3|custom|deployment)(;[a-z0-9./]{0,9}){0,7}", fullmatch=True)
    | st.from_regex(r"2;[a-z.]{1,5};[0-9]{1,3};[*a-z.]{0,4};[a-z/%.]{0,5};s3(;[a-z0-9./]{0,9}){0,7}", fullmatch=True)
    | st.from_regex(r"3n?;a.b;1;;;([a-z-]{0,3}=([a-z =;%]|%[23][0-9A-Fa-f])*&?){0,3};s3;s\.s3", fullmatch=True).map(
        "{}.us-east-1.amazonaws.com;us-east-1;".format
    )
)
def test_any_other_stamp_is_refused(value: str) -> None:
    try:
        stamp = decode_stamp(value)
    except BrokenStamp:
        return
    assert encode_stamp(*stamp) == value


DEPLOYMENT = f"1;env-123.localhost;1;deployment;sites.s3.us-east-1.amazonaws.com;us-east-1;{'a' * 32};all;*;{'b' * 32}"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("a" * 32, "a" * 31),
        ("a" * 32, "A" * 32),
        ("b" * 32, ",".join("bcd") * 11),
        ("b" * 32, f"{'b' * 32},"),
        ("b" * 32, ",".join([c * 32 for c in "bcd"])),
        (";all;", ";some;"),
        (";*;", ";https://x.example/path;"),
        (";*;", ";null;"),
        ("us-east-1;", "eu-west-1;"),
    ],
)
def test_what_names_no_deployment_is_no_stamp(good: str, bad: str) -> None:
    decode_stamp(DEPLOYMENT)
    assert good in DEPLOYMENT
    with pytest.raises(BrokenStamp):
        decode_stamp(DEPLOYMENT.replace(good, bad, 1))


@given(ROUTES)
def test_a_row_has_the_lowest_schema_that_says_it(given_route: Route) -> None:
    """So a reader of before answers for every row that needs nothing new, and 502 for the others."""
    is_new = given_route.rules or isinstance(given_route.origin, Redirect) or given_route.domain.startswith("*.")
    lowest = "3" if is_new else "2" if isinstance(given_route.origin, DeploymentOrigin) else "1"
    lowest = "5" if given_route.canary is not None else "4" if given_route.policy is not None else lowest
    assert encode_route(given_route)["schema"] == {"N": lowest}


@pytest.mark.parametrize(
    ("given_route", "said"),
    [
        (
            route(),
            '{"domain":{"S":"env-123.localhost"},"target":{"S":"s3://x"},"environment":{"S":"env-123"},'
            '"lifetime":{"S":"permanent"},"revision":{"N":"1"},"generation":{"N":"1"},"schema":{"N":"1"},'
            '"updated_at":{"S":"2026-01-01T00:00:00Z"},"updated_by":{"S":"me"},"note":{"S":""},"origin":{"M":'
            '{"kind":{"S":"s3"},"domain_name":{"S":"acme-static-sites.s3.us-east-1.amazonaws.com"},'
            '"region":{"S":"us-east-1"},"prefix":{"S":"/env-123"}}}}',
        ),
        (
            route("a.example.com", CustomOrigin("b.example.com", "http", 80, "/c", "viewer", False)),
            '{"domain":{"S":"a.example.com"},"target":{"S":"s3://x"},"environment":{"S":"env-123"},'
            '"lifetime":{"S":"permanent"},"revision":{"N":"1"},"generation":{"N":"1"},"schema":{"N":"1"},'
            '"updated_at":{"S":"2026-01-01T00:00:00Z"},"updated_by":{"S":"me"},"note":{"S":""},"origin":{"M":'
            '{"kind":{"S":"custom"},"domain_name":{"S":"b.example.com"},"protocol":{"S":"http"},"port":{"N":"80"},'
            '"path":{"S":"/c"},"host_header":{"S":"viewer"},"website":{"BOOL":false}}}}',
        ),
        (
            route(
                origin=DeploymentOrigin("s.s3.us-east-1.amazonaws.com", "us-east-1", "a" * 32, "files", "*"),
                former=(Former("b" * 32, 9),),
                expires_at=7,
                owner="o",
                managed=True,
            ),
            '{"domain":{"S":"env-123.localhost"},"target":{"S":"s3://x"},"environment":{"S":"env-123"},'
            '"owner":{"S":"o"},"lifetime":{"S":"permanent"},"expires_at":{"N":"7"},"revision":{"N":"1"},'
            '"generation":{"N":"1"},"schema":{"N":"2"},"updated_at":{"S":"2026-01-01T00:00:00Z"},'
            '"updated_by":{"S":"me"},"note":{"S":""},"managed":{"BOOL":true},"origin":{"M":'
            '{"kind":{"S":"deployment"},"domain_name":{"S":"s.s3.us-east-1.amazonaws.com"},'
            '"region":{"S":"us-east-1"},"deployment":{"S":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},'
            '"query":{"S":"files"},"cors":{"S":"*"}}},"former":{"L":[{"M":'
            '{"deployment":{"S":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},"until":{"N":"9"}}}]}}',
        ),
    ],
    ids=["s3", "custom", "deployment"],
)
def test_rows_with_nothing_new_are_byte_for_byte_what_the_last_release_wrote(given_route: Route, said: str) -> None:
    assert json.dumps(encode_route(given_route), separators=(",", ":")) == said


def test_a_policy_is_written_as_it_is_pinned_here() -> None:
    policy = Policy(7, ("2001:db8::/32", "203.0.113.0/24"), Maintenance(8, 600, "soon"), False, (("a", "b"), ("c", "")))
    item = encode_route(route(policy=policy))
    assert item["schema"] == {"N": "4"}
    assert json.dumps(item["policy"], separators=(",", ":")) == (
        '{"M":{"private":{"N":"7"},"allow":{"L":[{"S":"2001:db8::/32"},{"S":"203.0.113.0/24"}]},"maintenance":{"M":'
        '{"since":{"N":"8"},"retry_after":{"N":"600"},"message":{"S":"soon"}}},"noindex":{"BOOL":false},'
        '"headers":{"M":{"a":{"S":"b"},"c":{"S":""}}}}}'
    )


CANARY = Canary(S3Origin(STATIC.domain_name, STATIC.region, "/next"), 5, 7, 9, "uid", "s3://sites/next")


def test_a_canary_is_written_as_it_is_pinned_here() -> None:
    item = encode_route(route(canary=CANARY))
    assert item["schema"] == {"N": "5"}
    assert json.dumps(item["canary"], separators=(",", ":")) == (
        '{"M":{"target":{"S":"s3://sites/next"},"origin":{"M":{"kind":{"S":"s3"},'
        f'"domain_name":{{"S":"{STATIC.domain_name}"}},"region":{{"S":"us-east-1"}},"prefix":{{"S":"/next"}}}}}},'
        '"weight":{"N":"5"},"since":{"N":"7"},"generation":{"N":"9"},"cookie":{"S":"uid"}}}'
    )


def test_a_standby_needs_no_newer_reader() -> None:
    item = encode_route(route(standby=Standby("s3://sites/other", CANARY.origin, failed_over=True)))
    assert item["schema"] == {"N": "1"}
    assert read_destination(item) == read_destination(encode_route(route()))


def test_the_last_releases_reader_answers_502_for_a_canary_and_goes_on_with_a_standby(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(destination, "SCHEMAS", (1, 2, 3, 4))
    standby = Standby("s3://sites/other", CANARY.origin, failed_over=False)
    rows = Rows(route("canary.localhost", canary=CANARY), route("standby.localhost", standby=standby))
    resolver = Resolver(rows, SETTINGS, Clock())
    refused = resolver.resolve("canary.localhost")
    assert isinstance(refused, Refusal)
    assert refused.status == 502
    assert isinstance(resolver.resolve("standby.localhost"), Known)


@pytest.mark.parametrize(
    "broken",
    [
        {"weight": {"N": "101"}},
        {"weight": {"N": "-1"}},
        {"weight": {"N": "2.5"}},
        {"weight": {"S": "5"}},
        {"weight": None},
        {"since": {"N": "0"}},
        {"since": None},
        {"generation": {"N": "0"}},
        {"generation": None},
        {"cookie": {"S": "a b"}},
        {"cookie": {"S": "a;b"}},
        {"cookie": {"S": "a=b"}},
        {"cookie": {"S": "caf\u00e9"}},
        {"cookie": {"S": "a" * 101}},
        {"cookie": {"N": "1"}},
        {"origin": {"M": encode_answering(Redirect("https://www.example.com", 301))}},
        {"origin": {"M": {}}},
        {"origin": {"S": "s3://x"}},
        {"origin": None},
        {"target": None},
    ],
    ids=str,
)
def test_a_canary_that_cannot_be_read_is_a_broken_row(broken: dict[str, Any]) -> None:
    item: dict[str, Any] = encode_route(route(canary=CANARY))
    said = {name: value for name, value in {**item["canary"]["M"], **broken}.items() if value is not None}
    with pytest.raises(BrokenRow):
        decode_route({**item, "canary": {"M": said}})


def test_a_redirected_domain_has_no_canary() -> None:
    with pytest.raises(BrokenRow, match="beside a redirect"):
        decode_route(encode_route(route(origin=Redirect("https://www.example.com", 301), canary=CANARY)))


HEADED = "3;env-123.localhost;1;;;a-b=c%3B d&e=;s3;sites.s3.us-east-1.amazonaws.com;us-east-1;"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("%3B", "%3b"),
        ("c%3B d", "c%3B%20d"),
        ("c%3B d", " c"),
        ("c%3B d", "c%0D%0Ax: y"),
        ("c%3B d", "c%09d"),
        ("c%3B d", "%C3%A9"),
        ("c%3B d", "\u00e9"),
        ("c%3B d", "%FF"),
        ("c%3B d", "%"),
        ("c%3B d", "c" * 1_021),
        ("a-b=", "A-b="),
        ("a-b=", "="),
        ("a-b=", "a b="),
        ("a-b=", "%61-b="),
        ("a-b=", "via="),
        ("a-b=", "set-cookie="),
        ("a-b=", "x-route-kind="),
        ("a-b=", "x-edge-a="),
        ("a-b=", "f="),
        ("a-b=", "e="),
        ("&e=", "&e"),
        ("&e=", "&"),
        ("&e=", "&&e="),
        ("&e=", "".join(f"&e{number:02}=" for number in range(20))),
        (";a-b=c%3B d&e=;", ";;"),
        ("3;env", "2;env"),
        ("3;env", "4;env"),
        ("3;env", "n3;env"),
        ("3;env", "3nn;env"),
        ("3;env", "3N;env"),
        ("3;env", "n;env"),
    ],
)
def test_a_stamps_headers_are_as_they_would_be_written(good: str, bad: str) -> None:
    assert decode_stamp(HEADED).headers == (("a-b", "c; d"), ("e", ""))
    assert HEADED.count(good) == 1
    with pytest.raises(BrokenStamp):
        decode_stamp(HEADED.replace(good, bad))


def test_what_separates_in_a_stamp_is_encoded_in_its_headers() -> None:
    headers = (("a%&", PRINTABLE.strip()), ("b", "a=b;c=d&e=%3B"))
    stamp = encode_stamp("a.localhost", 1, STATIC, headers=headers)
    assert ";b=a=b%3Bc=d%26e=%253B;" in stamp.replace("&b=", ";b=")
    assert decode_stamp(stamp).headers == headers


def test_the_largest_headers_there_may_be_fit_into_a_request() -> None:
    """CloudFront takes 20,480 bytes; most of those are the viewer's."""
    headers = tuple((f"x-{number:02}", ";" * 47) for number in range(20))
    stamp = encode_stamp("a.localhost", 1, STATIC, headers=headers)
    assert decode_stamp(stamp).headers == headers
    assert len(stamp) < 4_096


@pytest.mark.parametrize(
    ("noindex", "headers", "said"),
    [
        (False, (), []),
        (True, (), [("x-robots-tag", "noindex")]),
        (True, (("a", "b"),), [("a", "b"), ("x-robots-tag", "noindex")]),
        (True, (("x-robots-tag", "none"),), [("x-robots-tag", "none")]),
        (True, (("x-robots-tag", ""),), [("x-robots-tag", "")]),
    ],
)
def test_what_a_row_says_of_robots_itself_wins(
    noindex: bool, headers: tuple[tuple[str, str], ...], said: list[tuple[str, str]]
) -> None:
    stamp = decode_stamp(encode_stamp("a.localhost", 1, STATIC, noindex=noindex, headers=headers))
    assert stamp.response_headers == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "a") for name in ("via", "transfer-encoding", "connection", "x-cache", "x-amz-cf-id", "x-edge-a")),
        *((name, "a") for name in ("set-cookie", "content-length", "x-route-kind", "Upper", "a b", "a:", "", "\u00e9")),
        *(("a", value) for value in ("\u00e9", "a\r\nb: c", "\0", "\t", " a", "a ", "a" * 1_024)),
    ],
)
def test_a_header_that_no_answer_can_have_is_a_broken_row(name: str, value: str) -> None:
    """CloudFront would answer 502 to the function that sets it, for every request of the host."""
    for written in ({"b": "c"}, {"b": "c", name: value}):
        policy = {"headers": {"M": {one: {"S": said} for one, said in written.items()}}}
        item: dict[str, Any] = {**encode_route(route()), "schema": {"N": "4"}, "policy": {"M": policy}}
        if name not in written:
            assert decode_route(item).policy == Policy(headers=(("b", "c"),))
    with pytest.raises(BrokenRow):
        decode_route(item)


GOOD = "1;env-123.localhost;1;s3;sites.s3.us-east-1.amazonaws.com;us-east-1;/env-123"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (";1;s3", ";01;s3"),
        (";1;s3", ";+1;s3"),
        (";1;s3", "; 1;s3"),
        (";1;s3", ";1_0;s3"),
        (";1;s3", ";\u0661;s3"),
        (";1;s3", ";0;s3"),
        (";1;s3", ";-1;s3"),
        ("env-123.localhost", "ENV-123.localhost"),
        ("env-123.localhost", "env-123.localhost."),
        ("env-123.localhost", "env-123.localhost:80"),
        ("env-123.localhost", ""),
        ("env-123.localhost", "a\r\nx: y"),
        ("/env-123", "/env-123/"),
        ("/env-123", "/%2e%2e"),
        ("1;env", "01;env"),
        ("1;env", "2;env"),
        ("1;env", "3;env"),
        (";1;s3", ";1;;s3"),
        (";1;s3", ";1;/api;s3"),
    ],
)
def test_what_would_not_have_been_written_is_no_stamp(good: str, bad: str) -> None:
    decode_stamp(GOOD)
    assert good in GOOD
    with pytest.raises(BrokenStamp):
        decode_stamp(GOOD.replace(good, bad, 1))


@pytest.mark.parametrize(
    "prefix", ["", "/", "api", "/api/", "/a//b", "/..", "/%2e%2e", "/a b", "/a\r\nx:y", "/" + "a" * 255]
)
def test_a_stamp_takes_nothing_off_a_path_but_a_prefix(prefix: str) -> None:
    good = GOOD.replace("1;env-123.localhost;1;", "2;env-123.localhost;1;;/api;")
    assert decode_stamp(good).prefix == "/api"
    with pytest.raises(BrokenStamp):
        decode_stamp(good.replace(";/api;", f";{prefix};"))


@given(ROUTES, st.data())
def test_a_row_that_dynamodb_could_not_have_sent_is_unreadable_not_broken(
    given_route: Route, data: st.DataObject
) -> None:
    item: dict[str, Any] = dict(encode_route(given_route))
    item[data.draw(st.sampled_from(sorted(item)))] = data.draw(
        st.sampled_from([None, 5, "x", [], {}, {"S": 5}, {"X": "a"}, {"N": "x"}, {"M": {"a": 1}}])
    )
    with pytest.raises(UnreadableRow):
        decode_route(item)


@given(ROUTES, st.data())
def test_a_row_that_dynamodb_could_have_sent_is_never_unreadable(given_route: Route, data: st.DataObject) -> None:
    item: dict[str, Any] = dict(encode_route(given_route))
    value = data.draw(st.none() | st.booleans() | st.text() | st.integers() | st.lists(st.text(), max_size=2))
    item[data.draw(st.sampled_from(sorted(item)))] = TypeSerializer().serialize(value)
    assert read_destination(item)
    try:
        decode_route(item)
    except UnreadableRow:
        pytest.fail("DynamoDB could have sent it")
    except BrokenRow:
        pass
