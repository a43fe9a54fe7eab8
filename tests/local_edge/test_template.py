"""Tested as deployed: what is wrong in template.yaml is wrong in the local edge."""

from typing import Any

import pytest
from aiohttp import web

from local_edge.template import Template, TemplateError, load_template
from tests.local_edge.playing import TEXT, play, playing


def ask(text: str, hosts: list[str], function: Any = None) -> list[tuple[int, str]]:
    """Play the template in front of an origin that says which host it was asked for."""

    async def origin(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.headers["host"], headers={"cache-control": "max-age=60"})

    async def test() -> list[tuple[int, str]]:
        async with playing(origin, text, {"viewer-request": function} if function else None) as played:
            answers = [await played.get(host=host) for host in hosts]
            return [(answer.status, answer.text) for answer in answers]

    return play(test())


def test_the_template_keeps_two_hosts_apart() -> None:
    assert ask(TEXT, ["a.localhost", "b.localhost"]) == [(200, "a.localhost"), (200, "b.localhost")]


def test_a_cache_policy_without_the_stamp_mixes_them_up_here_as_it_would_there() -> None:
    forgetful = TEXT.replace("Headers: [x-route, authorization]", "Headers: [authorization]")
    assert forgetful != TEXT
    assert ask(forgetful, ["a.localhost", "b.localhost"])[1] == (200, "a.localhost")


@pytest.mark.parametrize(("domains", "heard"), [("lb.example.com", "s" * 32), ("other.example.com", None), ("", None)])
def test_the_secret_goes_to_the_origins_that_a_parameter_lists(domains: str, heard: str | None) -> None:
    seen: list[dict[str, str]] = []

    async def origin(request: web.BaseRequest) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response()

    async def test() -> None:
        parameters = {"OriginSecret": "s" * 32, "OriginSecretDomains": domains}
        headers = Template(TEXT, stack="s", bucket="b", parameters=parameters).distribution().origin_headers
        async with playing(origin, origin_headers=headers) as played:
            await played.get(x_origin_verify="forged", x_origin_verify_domains="lb.example.com")
            await played.get(host="site.localhost")

    play(test())
    to_application, to_bucket = seen
    assert to_application.get("x-origin-verify") == heard
    assert "x-origin-verify" not in to_bucket
    assert not [headers for headers in seen if "x-origin-verify-domains" in headers]


def test_policies_that_forward_no_stamp_are_answered_with_502() -> None:
    forgetful = TEXT.replace("Headers: [x-route, authorization]", "Headers: [authorization]")
    forgetful = forgetful.replace("HeaderBehavior: allExcept, Headers: [host]", "HeaderBehavior: none")
    status, text = ask(forgetful, ["a.localhost"])[0]
    assert status == 502
    assert "came without a route" in text


def test_a_result_that_cloudfront_refuses_is_502_and_names_the_rule() -> None:
    def rude(event: dict[str, Any], _: object) -> dict[str, Any]:
        request: dict[str, Any] = event["Records"][0]["cf"]["request"]
        request["headers"]["x-edge-route"] = [{"value": "1"}]
        return request

    status, text = ask(TEXT, ["a.localhost"], rude)[0]
    assert status == 502
    assert "the header x-edge-route is disallowed" in text


def test_a_function_that_fails_is_502_as_in_lambda() -> None:
    def failing(_event: dict[str, Any], _: object) -> dict[str, Any]:
        raise KeyError("host")

    def careless(event: dict[str, Any], _: object) -> dict[str, Any]:
        return {**event["Records"][0]["cf"]["request"], "seen": {1, 2}}

    for function, reason in ((failing, "KeyError: 'host'"), (careless, "TypeError: Object of type set")):
        status, text = ask(TEXT, ["a.localhost"], function)[0]
        assert status == 502
        assert f"The Lambda function failed: {reason}" in text


def test_the_distribution_is_read_with_its_conditions() -> None:
    distribution = load_template(stack="s", bucket="acme").distribution()
    assert distribution.functions == {
        "viewer-request": "edge_handler.viewer_request.handler",
        "origin-request": "edge_handler.origin_request.handler",
        "origin-response": "edge_handler.origin_response.handler",
    }
    assert distribution.origin_domain_name == "acme.s3.us-east-1.amazonaws.com"
    assert distribution.origin_access_control
    template = Template(TEXT, stack="s", bucket="b", parameters={"CertificateArn": "arn:x", "DomainName": "d.example"})
    assert template.properties("Distribution")["DistributionConfig"]["Aliases"] == ["d.example", "*.d.example"]


def test_what_it_cannot_play_it_refuses() -> None:
    with pytest.raises(TemplateError, match="no resource"):
        Template(TEXT, stack="s", bucket="b").properties("Nothing")
    more = TEXT.replace(
        "        DefaultCacheBehavior:", "        CacheBehaviors: [{PathPattern: /x}]\n        DefaultCacheBehavior:"
    )
    with pytest.raises(TemplateError, match="default cache behavior"):
        Template(more, stack="s", bucket="b").distribution()


def with_custom_error_responses(entries: str) -> Template:
    """Return the template with these and none of its own."""
    before = "        DefaultCacheBehavior:"
    text = TEXT.replace("CustomErrorResponses:", "Others:")
    assert before in text
    return Template(text.replace(before, f"        CustomErrorResponses: [{entries}]\n{before}"), stack="s", bucket="b")


def test_error_caching_minimum_ttls_are_read() -> None:
    two = with_custom_error_responses(
        "{ErrorCode: 500, ErrorCachingMinTTL: 0}, {ErrorCode: 404, ErrorCachingMinTTL: 5}"
    )
    assert two.distribution().error_caching_min_ttls == {500: 0, 404: 5}
    assert with_custom_error_responses("").distribution().error_caching_min_ttls == {}


def test_an_entry_without_its_ttl_has_the_default_of_the_resource_not_that_of_cloudfront() -> None:
    assert with_custom_error_responses("{ErrorCode: 503}").distribution().error_caching_min_ttls == {503: 300}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{ErrorCode: 404, ResponsePagePath: /404.html, ResponseCode: 404}", "not played"),
        ("{ErrorCode: 404, ResponsePagePath: /404.html}", "not played"),
        ("{ErrorCode: 410, ErrorCachingMinTTL: 0}", "no custom error response for 410"),
    ],
)
def test_a_custom_error_page_is_not_played_and_a_code_that_cloudfront_does_not_take_is_refused(
    entry: str, reason: str
) -> None:
    with pytest.raises(TemplateError, match=reason):
        with_custom_error_responses(entry).distribution()
