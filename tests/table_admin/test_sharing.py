"""doctor's look at an application's answer: a cookie or a version that other viewers would get."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from local_edge.embedded_aws import EmbeddedAws
from local_edge.template import load_template
from table_admin import RoutingTable
from table_admin.doctor import doctor
from table_admin.finding import Finding
from table_admin.sharing import TEMPLATES, CachePolicy, read_cache_policy, sharing
from tests.support import NOW

KEPT = ("Cache-Control", "public, max-age=60")
COOKIE = ("Set-Cookie", "session=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT")
ETAG = ("ETag", '"1"')


def found(*headers: tuple[str, str], policy: CachePolicy | None = TEMPLATES) -> list[tuple[str, str]]:
    return [(one.status, one.text) for one in sharing(headers, policy, "AccessDenied: no.", NOW)]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([KEPT, COOKIE], "wrong"),
        ([("cache-control", "s-maxage=60, max-age=0"), COOKIE], "wrong"),
        ([("expires", "Fri, 15 Jan 2027 08:01:40 GMT"), COOKIE], "wrong"),
        ([ETAG, COOKIE], "unknown"),
        ([("last-modified", "Fri, 15 Jan 2027 08:00:00 GMT"), ("cache-control", "max-age=0"), COOKIE], "unknown"),
        ([COOKIE], "ok"),
        ([("expires", "0"), COOKIE], "ok"),
        ([("cache-control", f"max-age={'9' * 5000}"), COOKIE], "wrong"),
        ([("cache-control", "max-age=soon"), COOKIE], "ok"),
        ([("cache-control", "private, max-age=60"), ETAG, COOKIE], "ok"),
        ([("cache-control", "max-age=60"), ("cache-control", "No-Store"), COOKIE], "ok"),
        ([("cache-control", 'max-age=60, no-cache="Set-Cookie"'), COOKIE], "ok"),
        ([KEPT], "ok"),
    ],
)
def test_a_cookie_with_a_public_lifetime_is_found(headers: list[tuple[str, str]], status: str) -> None:
    ((said, text),) = found(*headers)
    assert said == status
    assert ("cookie" in text) is (status != "ok")


@pytest.mark.parametrize(
    ("vary", "named"),
    [
        ("Origin", "origin"),
        ("Accept-Encoding, Accept-Language", "accept-language"),
        ("cookie,User-Agent", "cookie, user-agent"),
        ("Accept-Encoding", None),
        ("Authorization", None),
        ("*", None),
    ],
)
def test_a_vary_that_is_not_in_the_key_is_found(vary: str, named: str | None) -> None:
    ((status, text),) = found(KEPT, ("Vary", vary))
    assert status == ("wrong" if named else "ok")
    assert named is None or f"Vary: {named}, and is kept for 60 s" in text
    assert found(("Cache-Control", "private"), ("Vary", vary))[0][0] == "ok"


def test_where_the_key_cannot_be_read_a_vary_is_unknown_and_a_cookie_is_not() -> None:
    (cookie, vary) = found(KEPT, COOKIE, ("Vary", "Origin"), policy=None)
    assert (cookie[0], vary[0]) == ("wrong", "unknown")
    assert "unknown: AccessDenied: no." in vary[1]


def test_a_policys_lifetimes_count() -> None:
    assert found(COOKIE, policy=CachePolicy(frozenset(), default_ttl=300))[0][0] == "wrong"
    assert found(COOKIE, ("cache-control", "private"), policy=CachePolicy(frozenset(), min_ttl=1))[0][0] == "wrong"


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        for name, value in (KEPT, COOKIE, ("Vary", "Origin"), ("Content-Length", "0")):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def edge() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def cloudfront(aws: EmbeddedAws) -> Any:
    """Return a client which knows the template's cache policy; moto, which is asked for the rest, has none."""
    config = load_template(stack="s", bucket="b").properties("CachePolicy")["CachePolicyConfig"]
    selected = config["ParametersInCacheKeyAndForwardedToOrigin"]
    names = selected["HeadersConfig"]["Headers"]
    selected["HeadersConfig"]["Headers"] = {"Quantity": len(names), "Items": names}
    client = aws.client("cloudfront")
    answer = (AWSResponse("", 200, HTTPHeaders(), None), {"CachePolicy": {"CachePolicyConfig": config}})
    client.meta.events.register("before-call.cloudfront.GetCachePolicy", lambda **_: answer)
    return client


def distribution(aws: EmbeddedAws, stack: str) -> str:
    made = aws.client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": stack,
            "Comment": f"{stack} - all environments",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "static", "DomainName": "b.s3.us-east-1.amazonaws.com"}]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "static",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": "by-route",
            },
        }
    )
    return str(made["Distribution"]["Id"])


def test_the_key_is_the_templates() -> None:
    aws = EmbeddedAws(0)
    assert read_cache_policy(cloudfront(aws), "by-route") == TEMPLATES
    aws.close()


def test_doctor_reads_the_key_of_the_distribution(aws: EmbeddedAws, table: RoutingTable, edge: str) -> None:
    identifier = distribution(aws, table.stack)
    table.put("a.acme.example", "https://app.acme.example")
    known = RoutingTable(
        table.stack,
        client=lambda service, **options: (
            cloudfront(aws) if service == "cloudfront" else aws.client(service, **options)
        ),
    )
    statuses = []
    for rows in (known, table):
        said: list[Finding] = [one for one in doctor(rows, "a.acme.example", edge=edge) if one.step == "sharing"]
        statuses.append([one.status for one in said])
    client = aws.client("cloudfront")
    client.delete_distribution(Id=identifier, IfMatch=client.get_distribution(Id=identifier)["ETag"])
    assert statuses == [["wrong", "wrong"], ["wrong", "unknown"]]


def test_a_websites_answer_is_not_looked_at(table: RoutingTable, edge: str) -> None:
    """What varies there is not asked for: origin-request passes no such header on."""
    table.put("a.acme.example", "s3://acme-static-sites/env-a")
    assert "sharing" not in [one.step for one in doctor(table, "a.acme.example", edge=edge)]
