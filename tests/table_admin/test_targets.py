from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import BrokenRow
from edge_handler.routes.origin import CustomOrigin, S3Origin
from edge_handler.routes.path_rules import decode_answering, encode_answering
from edge_handler.routes.redirect import Answering, Redirect
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, TargetRefused
from table_admin.targets import TargetResolver


def resolve_target(target: str, client: Any = boto3.client, **options: Any) -> Answering:
    return TargetResolver(client).resolve(target, **options)


def balancer(aws: EmbeddedAws, name: str, listeners: list[tuple[str, int]], **options: Any) -> str:
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{z}")["Subnet"]["SubnetId"]
        for n, z in enumerate("ab")
    ]
    options = {"Scheme": "internet-facing", "Type": "application", **options}
    arn: str = elb.create_load_balancer(Name=name, Subnets=subnets, **options)["LoadBalancers"][0]["LoadBalancerArn"]
    for protocol, port in listeners:
        certificate = aws.client("acm").request_certificate(DomainName="example.com")["CertificateArn"]
        secure = {"Certificates": [{"CertificateArn": certificate}]}
        elb.create_listener(
            LoadBalancerArn=arn,
            Protocol=protocol,
            Port=port,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
            **(secure if protocol in ("HTTPS", "TLS") else {}),
        )
    return arn


def test_a_bucket_is_resolved_with_its_region(aws: EmbeddedAws) -> None:
    aws.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="acme-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    expected = S3Origin("acme-eu.s3.eu-west-1.amazonaws.com", "eu-west-1", "/a/caf%C3%A9")
    assert resolve_target("s3://acme-eu/a/caf\u00e9/", client=aws.client) == expected
    assert resolve_target("s3://acme-eu", client=aws.client) == expected._replace(prefix="")


def test_aws_is_asked_once_about_each_bucket_and_balancer(aws: EmbeddedAws) -> None:
    asked: list[str] = []

    def client(service: str, **options: Any) -> Any:
        asked.append(service)
        return aws.client(service, **options)

    targets, arn = TargetResolver(client), balancer(aws, "once", [("HTTP", 80)])
    for target in ("s3://acme-static-sites/a", "s3://acme-static-sites/b", arn, arn):
        targets.resolve(target)
    assert sorted(asked) == ["elbv2", "s3"]


def test_a_missing_bucket_is_refused(aws: EmbeddedAws) -> None:
    with pytest.raises(TargetRefused, match="does not exist"):
        resolve_target("s3://no-such-bucket-here/x", client=aws.client)


def test_a_load_balancer_is_reached_by_its_safest_listener(aws: EmbeddedAws) -> None:
    arn = balancer(aws, "both", [("HTTP", 80), ("HTTPS", 443)])
    origin = resolve_target(arn, client=aws.client)
    assert isinstance(origin, CustomOrigin)
    assert (origin.protocol, origin.port, origin.host_header) == ("https", 443, "viewer")
    assert origin.domain_name.endswith(".elb.amazonaws.com")
    assert resolve_target(balancer(aws, "plain", [("HTTP", 8080)]), client=aws.client)[1:3] == ("http", 8080)


@pytest.mark.parametrize(
    ("name", "listeners", "options", "why"),
    [
        ("internal", [("HTTP", 80)], {"Scheme": "internal"}, "internal"),
        ("deaf", [], {}, "no listener"),
        ("low-port", [("HTTP", 81)], {}, "no listener"),
    ],
)
def test_a_load_balancer_that_cannot_serve_is_refused(
    aws: EmbeddedAws, name: str, listeners: list[tuple[str, int]], options: dict[str, str], why: str
) -> None:
    with pytest.raises(TargetRefused, match=why):
        resolve_target(balancer(aws, name, listeners, **options), client=aws.client)


def test_a_load_balancer_that_is_not_active_yet_is_refused(aws: EmbeddedAws) -> None:
    arn = balancer(aws, "young", [("HTTP", 80)])
    client = aws.client("elbv2")

    def provisioning(parsed: dict[str, Any], **_: Any) -> None:
        for found in parsed["LoadBalancers"]:
            found["State"]["Code"] = "provisioning"

    client.meta.events.register("after-call.elastic-load-balancing-v2.DescribeLoadBalancers", provisioning)
    with pytest.raises(TargetRefused, match="provisioning, not active"):
        resolve_target(arn, client=lambda *_, **__: client)


def test_a_load_balancer_that_does_not_exist_is_refused(aws: EmbeddedAws) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/nope/0123456789abcdef"
    with pytest.raises(TargetRefused, match="does not exist"):
        resolve_target(arn, client=aws.client)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("redirect:301:/docs/", Redirect("/docs/", 301)),
        ("redirect:/", Redirect("/", 308)),
        ("redirect:https://www.example.com/docs/", Redirect("https://www.example.com/docs/", 308)),
        ("redirect:https://www.example.com/", Redirect("https://www.example.com", 308)),
    ],
)
def test_a_redirect_keeps_the_slash_at_its_end(target: str, expected: Redirect) -> None:
    assert resolve_target(target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://lb.example.com", CustomOrigin("lb.example.com", "https", 443, "", "origin", False)),
        ("https://lb.example.com:8443/v1/", CustomOrigin("lb.example.com", "https", 8443, "/v1", "origin", False)),
        (
            "https://storage.googleapis.com/acme/env-1",
            CustomOrigin("storage.googleapis.com", "https", 443, "/acme/env-1", "origin", True),
        ),
    ],
)
def test_a_url_is_an_origin(target: str, expected: CustomOrigin) -> None:
    assert resolve_target(target) == expected
    if not expected.website:
        assert resolve_target(target, keep_host=True) == expected._replace(host_header="viewer")


@pytest.mark.parametrize(
    "target",
    ["", "env-123", "http://a.example.com", "https://10.0.0.1", "https://localhost", "https://a.example.com:22"]
    + [
        "https://a.example.com?x=1",
        "https://u:p@a.example.com",
        "https://a.example.com:x",
        "https://a.example.com/../b",
    ]
    + ["s3://", "s3://UPPER/x", "s3://acme-static-sites/../env", "s3://acme-static-sites/a//b", "s3://a..b/x"]
    + ["s3://acme-static-sites/" + "x" * 300, "arn:aws:s3:::bucket", "https://[::1"],
)
def test_what_is_not_a_target_is_refused_before_anything_is_asked(target: str) -> None:
    with pytest.raises(InvalidInput):
        resolve_target(target, client=_never)


def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("AWS was asked")


class _AnyBucket:
    def head_bucket(self, **_: Any) -> dict[str, Any]:
        return {"BucketRegion": "us-east-1"}


@given(
    st.builds(
        "{}{}".format, st.sampled_from(["s3://bucket/", "https://a.example.com/", "https://", "s3://"]), st.text()
    )
)
def test_what_is_accepted_the_edge_can_read(target: str) -> None:
    try:
        origin = resolve_target(target, client=lambda *_, **__: _AnyBucket())
    except InvalidInput:
        return
    try:
        assert decode_answering(encode_answering(origin)) == origin
    except BrokenRow as error:
        raise AssertionError(f"{target!r} makes a broken row") from error
