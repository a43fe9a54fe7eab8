"""How long errors are kept, against a reference that says CloudFront's sentences one after the other."""

from dataclasses import replace
from email.utils import formatdate

from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from local_edge.freshness import seconds_fresh
from local_edge.template import load_template
from tests.support import NOW

DISTRIBUTION = load_template(stack="s", bucket="b").distribution()
SECONDS = st.integers(0, 40)
DIRECTIVES = st.lists(
    st.one_of(
        st.sampled_from(["no-store", "no-cache", "private", "public", "must-revalidate"]),
        SECONDS.map(lambda n: f"max-age={n}"),
        SECONDS.map(lambda n: f"s-maxage={n}"),
    ),
    max_size=3,
    unique_by=lambda directive: directive.partition("=")[0],
)
STATUSES = (400, 401, 403, 404, 405, 410, 412, 414, 415, 416, 418, 429, 500, 501, 502, 503, 504, 505)


def is_kept(status: int, stated: dict[str, str]) -> bool:
    # "CloudFront only caches the following status codes if your origin returns max-age or s-maxage."
    if status in (400, 403, 405, 412, 415):
        return "max-age" in stated or "s-maxage" in stated
    # "If the origin adds no-store, no-cache or private for 404, 410, 414 or 501, CloudFront does not cache the error."
    if status in (404, 410, 414, 501):
        return not ("no-store" in stated or "no-cache" in stated or "private" in stated)
    return status in (500, 502, 503, 504)


def reference(
    status: int, directives: list[str], expires_in: int | None, minimums: dict[int, int], max_ttl: int, bucket: bool
) -> int:
    """Return for how many seconds: each is tried."""
    stated = {name: value for name, _, value in (directive.partition("=") for directive in directives)}
    lifetime = int(stated.get("s-maxage", stated.get("max-age", expires_in or 0)))
    minimum = minimums.get(status, 10)
    if bucket and minimum == 0:
        minimum = 1
    second = 0
    # "For the greater of the value in the header or the minimum TTL"; no value "can be greater than the maximum TTL".
    while is_kept(status, stated) and (second < minimum or (second < lifetime and second < max_ttl)):
        second += 1
    return second


@given(
    directives=DIRECTIVES,
    expires_in=st.none() | st.integers(-10, 40),
    minimums=st.dictionaries(st.sampled_from(STATUSES), SECONDS, max_size=6),
    min_ttl=st.integers(0, 5),
    max_ttl=st.integers(5, 30),
    bucket=st.booleans(),
)
@example(["no-store"], None, {500: 0}, 0, 30, False)
@example(["no-store"], None, {}, 0, 30, False)
@example(["private"], None, {}, 5, 30, False)
@example([], None, {404: 0}, 0, 30, True)
def test_an_error_is_kept_for_as_long_as_cloudfront_says(
    directives: list[str],
    expires_in: int | None,
    minimums: dict[int, int],
    min_ttl: int,
    max_ttl: int,
    bucket: bool,
) -> None:
    headers: CIMultiDict[str] = CIMultiDict()
    if directives:
        headers["Cache-Control"] = ", ".join(directives)
    if expires_in is not None:
        headers["Expires"] = formatdate(NOW + expires_in, usegmt=True)
    limits = replace(DISTRIBUTION, error_caching_min_ttls=minimums, min_ttl=min_ttl, max_ttl=max_ttl)
    for status in STATUSES:
        found = seconds_fresh(limits, status, CIMultiDictProxy(headers), NOW, bucket=bucket)
        assert (found or 0) == reference(status, directives, expires_in, minimums, max_ttl, bucket), status


def test_a_policy_that_disables_caching_keeps_no_error() -> None:
    disabled = replace(DISTRIBUTION, max_ttl=0, error_caching_min_ttls={})
    assert seconds_fresh(disabled, 500, CIMultiDictProxy(CIMultiDict()), NOW, bucket=False) is None
