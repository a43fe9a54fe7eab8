from dataclasses import replace

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from local_edge.object_cache import ObjectCache, byte_range, is_unmodified
from local_edge.template import load_template
from tests.support import Clock

DISTRIBUTION = load_template(stack="s", bucket="b").distribution()
KEY = ("/",)


def headers(**values: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in values.items()}))


def stored(status: int = 200, method: str = "GET", **values: str) -> tuple[ObjectCache, Clock]:
    clock = Clock()
    cache = ObjectCache(DISTRIBUTION, clock)
    cache.store(KEY, method, status, headers(**values), b"0123456789")
    return cache, clock


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({"cache_control": "max-age=60"}, 60),
        ({"cache_control": "max-age=60, s-maxage=10"}, 10),
        ({"expires": "Fri, 15 Jan 2027 08:01:40 GMT"}, 100),
        ({"cache_control": "max-age=99999999999"}, 31536000),
    ],
)
def test_an_object_is_fresh_for_as_long_as_the_origin_says(values: dict[str, str], seconds: int) -> None:
    cache, clock = stored(200, "GET", **values)
    clock.now += seconds - 1
    found, fresh = cache.find(KEY, "GET")
    assert found is not None
    assert fresh
    assert cache.age(found) == seconds - 1
    clock.now += 1
    assert cache.find(KEY, "GET")[1] is False


@pytest.mark.parametrize("control", ["no-store", "private, max-age=60", "no-cache", "max-age=0"])
def test_what_the_origin_keeps_to_itself_is_not_kept(control: str) -> None:
    assert stored(cache_control=control)[0].find(KEY, "GET") == (None, False)


def test_without_cache_control_nothing_is_fresh_for_a_page_may_depend_on_a_cookie() -> None:
    assert stored()[0].find(KEY, "GET") == (None, False)
    assert stored(etag='"x"')[0].find(KEY, "GET")[1] is False


def test_errors_are_kept_for_ten_seconds_where_the_distribution_does_not_say() -> None:
    clock = Clock()
    cache = ObjectCache(replace(DISTRIBUTION, error_caching_min_ttls={}), clock)
    cache.store(KEY, "GET", 404, headers(), b"0123456789")
    assert cache.find(KEY, "GET")[1]
    clock.now += 10
    assert not cache.find(KEY, "GET")[1]


def test_a_get_answers_head_but_not_the_other_way_round() -> None:
    assert stored(cache_control="max-age=9")[0].find(KEY, "HEAD")[1]
    assert stored(method="HEAD", cache_control="max-age=9")[0].find(KEY, "GET")[0] is None


def test_a_revalidated_object_is_fresh_again() -> None:
    cache, clock = stored(cache_control="max-age=9", etag='"x"')
    clock.now += 10
    found, fresh = cache.find(KEY, "GET")
    assert found is not None
    assert not fresh
    cache.refresh(KEY, found, headers(cache_control="max-age=9"))
    assert cache.find(KEY, "GET")[1]


def test_conditions_are_answered_from_the_cache() -> None:
    found, _ = stored(cache_control="max-age=9", etag='"x"', last_modified="Fri, 15 Jan 2027 08:00:00 GMT")[0].find(
        KEY, "GET"
    )
    assert found is not None
    assert is_unmodified(found, "GET", {"if-none-match": '"x"'})
    assert not is_unmodified(found, "GET", {"if-none-match": '"y"'})
    assert is_unmodified(found, "GET", {"if-modified-since": "Fri, 15 Jan 2027 08:00:00 GMT"})
    assert not is_unmodified(found, "GET", {})


def test_a_range_is_cut_from_a_cached_object() -> None:
    found, _ = stored(cache_control="max-age=9", etag='"x"')[0].find(KEY, "GET")
    assert found is not None
    assert byte_range(found, {"range": "bytes=2-4"}) == (2, 5)
    assert byte_range(found, {"range": "bytes=-3"}) == (7, 10)
    assert byte_range(found, {}) is None
    assert byte_range(found, {"range": "bytes=2-4", "if-range": '"other"'}) is None
    with pytest.raises(ValueError, match="10"):
        byte_range(found, {"range": "bytes=99-"})
