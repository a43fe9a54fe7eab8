"""Tested as deployed: what is wrong in template.yaml is wrong in the local edge."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from edge_handler.origin_request import handler as origin_request
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import CustomOrigin
from edge_handler.viewer_request import make_handler
from local_edge.cloudfront import CloudFront
from local_edge.template import TEMPLATE, Template, TemplateError, load_template
from tests.support import SETTINGS, Clock, Rows, route

TEXT = TEMPLATE.read_text()
ORIGIN = CustomOrigin("lb.example.com", "http", 80, "", "viewer", website=False)
ROWS = Rows(route("a.localhost", ORIGIN), route("b.localhost", ORIGIN))


def ask(text: str, hosts: list[str], function: Any = None) -> list[tuple[int, str]]:
    """Play the template in front of an origin that says which host it was asked for."""

    async def origin(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.headers["host"], headers={"cache-control": "max-age=60"})

    async def serve(handler: Any, runners: list[web.ServerRunner]) -> int:
        runner = web.ServerRunner(web.Server(handler))
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        return port

    async def play() -> list[tuple[int, str]]:
        runners: list[web.ServerRunner] = []
        distribution = Template(text, stack="s", bucket="b").distribution()
        functions = {
            "viewer-request": function or make_handler(Resolver(ROWS, SETTINGS, Clock())),
            "origin-request": origin_request,
        }
        async with ClientSession() as session:
            at = await serve(origin, runners)

            def locate(url: URL) -> URL:
                return url.with_scheme("http").with_host("127.0.0.1").with_port(at)

            cloudfront = CloudFront(distribution, functions, session, locate, lambda _: None)
            port = await serve(cloudfront.handle, runners)
            answers = []
            for host in hosts:
                async with session.get(f"http://127.0.0.1:{port}/", headers={"host": host}) as answer:
                    answers.append((answer.status, await answer.text()))
        for runner in runners:
            await runner.cleanup()
        return answers

    return asyncio.run(play())


def test_the_template_keeps_two_hosts_apart() -> None:
    assert ask(TEXT, ["a.localhost", "b.localhost"]) == [(200, "a.localhost"), (200, "b.localhost")]


def test_a_cache_policy_without_the_stamp_mixes_them_up_here_as_it_would_there() -> None:
    forgetful = TEXT.replace("Headers: [x-route, authorization]", "Headers: [authorization]")
    assert forgetful != TEXT
    assert ask(forgetful, ["a.localhost", "b.localhost"])[1] == (200, "a.localhost")


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
