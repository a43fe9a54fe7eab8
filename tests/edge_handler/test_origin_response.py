import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.answers import MISSING
from edge_handler.origin_response import handler
from edge_handler.routes.kind import APPLICATION, SITE, WEBSITE, encode_kind
from tests.policies import HEADERS
from tests.support import event, header, run


def saying(name: str, **headers: str | None) -> dict[str, Any]:
    changed = event(name)
    response = changed["Records"][0]["cf"]["response"]
    for key, value in headers.items():
        response["headers"].pop(key.replace("_", "-"), None)
        if value is not None:
            response["headers"][key.replace("_", "-")] = [{"value": value}]
    return changed


@pytest.mark.parametrize("name", ["origin-response-static", "origin-response-static-304"])
def test_what_a_bucket_says_about_itself_goes_no_further(name: str) -> None:
    before = event(name)["Records"][0]["cf"]["response"]
    result = run(handler, event(name))
    gone = {"x-amz-id-2", "x-amz-request-id", "x-amz-version-id", "x-amz-meta-built-by", "server"}
    assert gone <= set(before["headers"]) - set(result["headers"])
    assert not [name for name in result["headers"] if name.startswith("x-amz")]
    assert (result["status"], header(result, "etag")) == (before["status"], before["headers"]["etag"][0]["value"])
    assert header(result, "last-modified")
    assert header(result, "cache-control") == (None if name.endswith("304") else "no-cache")


def test_googles_storage_is_a_bucket_too() -> None:
    found = saying("origin-response-static", x_goog_hash="crc32c=x", x_guploader_uploadid="y")
    assert not [name for name in run(handler, found)["headers"] if name.startswith(("x-goog", "x-gup"))]


def test_an_applications_headers_are_its_own() -> None:
    before = event("origin-response-elb")["Records"][0]["cf"]["response"]
    result = run(handler, event("origin-response-elb"))
    assert set(result["headers"]) == set(before["headers"])
    assert header(result, "x-amz-meta-shop") == "the application's own"


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [
        ("private, max-age=0", "private, max-age=0, stale-if-error=0"),
        ("No-Store", "No-Store, stale-if-error=0"),
        ("no-cache", "no-cache, stale-if-error=0"),
        ("private, stale-if-error=60", "private, stale-if-error=60"),
        ("public, max-age=60", "public, max-age=60"),
        (None, None),
    ],
)
def test_a_private_answer_does_not_stand_in_for_an_application_that_fails(
    said: str | None, goes_on: str | None
) -> None:
    assert header(run(handler, saying("origin-response-elb", cache_control=said)), "cache-control") == goes_on


def test_of_several_lines_any_may_make_an_answer_private_and_the_last_one_says_the_rest() -> None:
    found = saying("origin-response-elb", cache_control=None)
    lines = [{"value": "max-age=60"}, {"value": "private"}]
    found["Records"][0]["cf"]["response"]["headers"]["cache-control"] = lines
    said = [pair["value"] for pair in run(handler, found)["headers"]["cache-control"]]
    assert said == ["max-age=60", "private, stale-if-error=0"]


def test_an_answer_that_says_nothing_of_caches_is_nothing_to_log(capsys: pytest.CaptureFixture[str]) -> None:
    run(handler, saying("origin-response-elb", cache_control=None))
    assert capsys.readouterr().out == ""


def test_what_goes_wrong_is_logged_and_the_answer_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    broken = event("origin-response-static")
    del broken["Records"][0]["cf"]["request"]["headers"]
    broken["Records"][0]["cf"]["response"]["headers"]["cache-control"] = [{}]
    result = handler(broken, None)
    assert result["status"] == "200"
    assert "KeyError" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("response", [{}, None, "status", ["status"]])
def test_what_is_no_response_goes_no_further(response: Any) -> None:
    nothing_known = {"Records": [{"cf": {"request": {}, "response": response}}]}
    assert handler(nothing_known, None)["status"] == "502"


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_event_makes_it_raise(nonsense: Any) -> None:
    assert handler(nonsense, None)["status"] == "502"
    nested = {"Records": [{"cf": {"request": nonsense, "response": nonsense}}]}
    assert handler(nested, None) is not None


def answered(name: str, status: str, method: str = "GET", uri: str | None = None, **headers: str) -> dict[str, Any]:
    """Return an event in which the bucket answers otherwise."""
    changed = saying(name, **headers)
    cf = changed["Records"][0]["cf"]
    cf["response"]["status"] = status
    cf["request"]["method"] = method
    cf["request"]["uri"] = uri or cf["request"]["uri"]
    return changed


PAGE = "origin-response-deployment"
MISSING_PAGE = "origin-response-deployment-missing-page"


@pytest.mark.parametrize("status", ["200", "206", "304"])
def test_a_file_of_a_deployment_has_the_lists_headers_and_not_its_blobs(status: str) -> None:
    found = answered(PAGE, status, content_range="bytes 0-9/1042", content_disposition="attachment", expires="0")
    result = run(handler, found)
    assert result["status"] == status
    assert set(result["headers"]) == {
        *("accept-ranges", "cache-control", "content-length", "content-range", "content-type", "date", "etag"),
        "x-frame-options",
    }
    assert header(result, "content-type") == "text/html; charset=utf-8"
    assert header(result, "cache-control") == "public, max-age=0, must-revalidate, s-maxage=31536000"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_sites_own_missing_page_keeps_its_body_and_is_404(method: str) -> None:
    result = run(handler, answered(MISSING_PAGE, "200", method))
    assert (result["status"], result["statusDescription"], "body" in result) == ("404", "Not Found", False)
    assert header(result, "cache-control") == MISSING
    # Or a browser would ask again with a condition, and S3 would answer that.
    assert not {"etag", "last-modified", "accept-ranges", "content-range"} & set(result["headers"])


@pytest.mark.parametrize("status", ["304", "412"])
def test_a_missing_page_asked_for_with_a_condition_is_404_and_nobody_elses(status: str) -> None:
    result = run(handler, answered(MISSING_PAGE, status))
    assert (result["status"], header(result, "cache-control")) == ("404", "no-store")
    assert "<h1>This page does not exist</h1>" in result["body"]


def test_a_plain_prefixs_missing_page_keeps_its_own_content_type() -> None:
    found = saying("origin-response-static")
    kind = encode_kind(WEBSITE, 404, [("cache-control", MISSING)])
    found["Records"][0]["cf"]["request"]["headers"]["x-route-kind"][0]["value"] = kind
    result = run(handler, found)
    assert (result["status"], header(result, "content-type")) == ("404", "text/html")
    assert (header(result, "cache-control"), header(result, "etag")) == (MISSING, None)


@pytest.mark.parametrize("status", ["403", "404"])
def test_what_a_bucket_says_of_a_missing_object_is_replaced_by_a_page(status: str) -> None:
    result = run(handler, answered("origin-response-static-missing", status))
    assert (result["status"], header(result, "cache-control")) == ("404", MISSING)
    assert header(result, "content-type") == "text/html; charset=utf-8"
    assert header(result, "transfer-encoding") == "chunked"
    assert "env-123" not in result["body"]
    assert "<code>" not in result["body"]


def test_a_missing_json_file_is_told_in_json() -> None:
    result = run(handler, answered("origin-response-static-missing", "404", uri="/env-123/config.json"))
    assert json.loads(result["body"])["status"] == 404
    result = run(handler, answered("origin-response-static-missing", "404", uri="/env-123/json"))
    assert "<h1>" in result["body"]


def test_an_answer_to_head_has_no_body() -> None:
    result = run(handler, answered("origin-response-static-missing", "404", "HEAD"))
    assert (result["status"], "body" in result) == ("404", False)


@pytest.mark.parametrize("status", ["403", "404"])
def test_a_file_that_the_list_names_and_the_bucket_lacks_is_502_and_counted(
    status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(handler, answered("origin-response-deployment-missing-blob", status))
    assert (result["status"], header(result, "cache-control")) == ("502", "no-store")
    # Whoever deploys the same site again finds it ready, and sends nothing.
    assert "The platform team can bring it back." in result["body"]
    line = json.loads(capsys.readouterr().out)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    (metric,) = directive["Metrics"]
    assert line[metric["Name"]] == 1
    assert set(directive["Dimensions"][0]) <= set(line)
    assert line["key"].startswith("/_blobs/")


@pytest.mark.parametrize("name", ["origin-response-static", PAGE, MISSING_PAGE])
@pytest.mark.parametrize(("status", "becomes"), [("500", "503"), ("503", "503"), ("400", "502"), ("301", "502")])
def test_a_bucket_that_fails_is_no_xml(name: str, status: str, becomes: str) -> None:
    result = run(handler, answered(name, status))
    assert (result["status"], header(result, "cache-control")) == (becomes, "no-store")
    assert "<h1>" in result["body"]


@pytest.mark.parametrize("name", ["origin-response-static", PAGE])
def test_a_range_or_a_condition_that_does_not_hold_is_between_viewer_and_file(name: str) -> None:
    result = run(handler, answered(name, "416", content_range="bytes */1042", content_type="application/xml"))
    assert (result["status"], result["body"], header(result, "content-range")) == ("416", "", "bytes */1042")
    assert run(handler, answered(name, "412"))["status"] == "412"


HEADED = "origin-response-headers"
CSP = "default-src 'self'; frame-ancestors 'none'"


def told(name: str, status: str, kind: str, *headers: tuple[str, str], told_status: int = 200) -> dict[str, Any]:
    """Return an event in which the route says something of the answer."""
    found = answered(name, status)
    value = encode_kind(kind, told_status, headers)
    found["Records"][0]["cf"]["request"]["headers"]["x-route-kind"] = [{"value": value}]
    return found


@pytest.mark.parametrize("status", ["200", "204", "302", "304", "404", "500"])
def test_an_application_gets_its_routes_headers_whatever_it_answers(status: str) -> None:
    before = event(HEADED)["Records"][0]["cf"]["response"]["headers"]
    assert {"x-powered-by", "transfer-encoding", "x-amz-meta-shop", "server"} <= set(before)
    result = run(handler, answered(HEADED, status))
    assert (result["status"], "body" in result) == (status, False)
    assert set(result["headers"]) == set(before) - {"x-powered-by"} | {"content-security-policy", "x-robots-tag"}
    assert header(result, "content-security-policy") == CSP
    assert header(result, "x-robots-tag") == "noindex"
    assert header(result, "x-amz-meta-shop") == "the application's own"


def test_a_header_that_is_set_takes_the_place_of_all_lines_of_it() -> None:
    found = told(HEADED, "200", APPLICATION, ("link", "</a>"), ("vary", ""))
    response = found["Records"][0]["cf"]["response"]
    response["headers"] |= {"link": [{"value": "</b>"}, {"value": "</c>"}], "vary": [{"value": "a"}, {"value": "b"}]}
    result = run(handler, found)
    assert [pair["value"] for pair in result["headers"]["link"]] == ["</a>"]
    assert "vary" not in result["headers"]


PUBLIC = "public, max-age=60"


@pytest.mark.parametrize(
    ("status", "cookie", "own", "said", "goes_on"),
    [
        ("200", False, None, PUBLIC, PUBLIC),
        ("200", False, "private", PUBLIC, "private, stale-if-error=0"),
        ("304", False, "private", PUBLIC, "private, stale-if-error=0"),
        ("200", False, PUBLIC, "", None),
        ("200", False, PUBLIC, "private", "private, stale-if-error=0"),
        ("200", False, None, "no-store", "no-store, stale-if-error=0"),
        ("500", False, None, PUBLIC, None),
        ("404", False, "max-age=1", PUBLIC, "max-age=1"),
        ("404", False, "max-age=1", "", "max-age=1"),
        ("404", False, "max-age=1", "No-Store", "No-Store, stale-if-error=0"),
        ("200", True, None, PUBLIC, None),
        ("200", True, "private", PUBLIC, "private, stale-if-error=0"),
        ("302", True, "max-age=1", "no-store", "no-store, stale-if-error=0"),
        ("200", False, "private", "", "private, stale-if-error=0"),
    ],
)
def test_a_route_says_how_long_an_answer_lasts_but_of_nobodys_own_nor_of_errors(
    status: str, cookie: bool, own: str | None, said: str, goes_on: str | None
) -> None:
    found = told(HEADED, status, APPLICATION, ("cache-control", said))
    headers = found["Records"][0]["cf"]["response"]["headers"]
    del headers["cache-control"]
    if own is not None:
        headers["cache-control"] = [{"value": own}]
    if cookie:
        headers["set-cookie"] = [{"value": "session=1"}]
    assert header(run(handler, found), "cache-control") == goes_on


@pytest.mark.parametrize("name", [HEADED, "origin-response-elb"])
def test_what_an_origin_calls_itself_does_not_count(name: str) -> None:
    found = saying(name, x_route_kind='site {"status":404,"headers":[["a","b"]]}')
    result = run(handler, found)
    assert (result["status"], header(result, "a")) == ("200", None)
    assert header(result, "content-type") == "text/html; charset=utf-8"


@pytest.mark.parametrize(("name", "kind"), [("origin-response-static", WEBSITE), (PAGE, SITE)])
@pytest.mark.parametrize(("status", "told_status"), [("200", 200), ("206", 200), ("304", 200), ("200", 404)])
def test_a_site_gets_its_routes_headers_with_its_own_missing_page_too(
    name: str, kind: str, status: str, told_status: int
) -> None:
    given_headers = [
        ("cache-control", PUBLIC),
        ("content-disposition", ""),
        ("etag-like", "x"),
        ("x-robots-tag", "all"),
    ]
    found = told(name, status, kind, *given_headers, told_status=told_status)
    found["Records"][0]["cf"]["response"]["headers"]["content-disposition"] = [{"value": "attachment"}]
    result = run(handler, found)
    assert result["status"] == (str(told_status) if told_status != 200 else status)
    assert (header(result, "cache-control"), header(result, "etag-like")) == (PUBLIC, "x")
    assert (header(result, "x-robots-tag"), header(result, "content-disposition")) == ("all", None)


@pytest.mark.parametrize(("name", "kind"), [("origin-response-static", WEBSITE), (PAGE, SITE)])
@pytest.mark.parametrize(("status", "cache"), [("403", None), ("500", "no-store"), ("400", "no-store")])
def test_a_page_that_is_made_here_has_the_routes_headers_but_for_what_it_is_itself(
    name: str, kind: str, status: str, cache: str | None
) -> None:
    ours = [(one, "x") for one in ("cache-control", "content-encoding", "content-type", "expires", "retry-after")]
    result = run(handler, told(name, status, kind, *ours, ("strict-transport-security", "max-age=1")))
    assert result["status"] >= "400"
    assert header(result, "content-type") == "text/html; charset=utf-8"
    assert header(result, "cache-control") == (cache or (MISSING if kind == WEBSITE else "no-store"))
    assert header(result, "retry-after") == ("1" if status == "500" else None)
    assert not {"expires", "content-encoding"} & set(result["headers"])
    assert header(result, "strict-transport-security") == "max-age=1"


@pytest.mark.parametrize("name", ["origin-response-static", PAGE])
def test_search_engines_keep_away_from_every_page_that_is_made_here(name: str) -> None:
    for status in ("403", "500", "400"):
        assert header(run(handler, answered(name, status)), "x-robots-tag") == "noindex"


@given(HEADERS, st.sampled_from([APPLICATION, SITE, WEBSITE]), st.sampled_from(["200", "304", "404", "500"]))
def test_every_header_that_a_row_can_have_makes_an_answer_that_cloudfront_takes(
    headers: tuple[tuple[str, str], ...], kind: str, status: str
) -> None:
    result = run(handler, told(HEADED, status, kind, *headers))
    assert (header(result, "transfer-encoding"), header(result, "via")) == ("chunked", None)
