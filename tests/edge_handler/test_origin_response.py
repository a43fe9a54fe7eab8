import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.origin_response import handler
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
