"""doctor's walk, through an AWS that has every part of it - and in which every part can be wrong."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.doctor import covers, doctor
from table_admin.finding import Finding
from tests.table_admin.test_targets import balancer

HOST = "env-1.acme.example"


class Edge(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        assert self.headers["host"] == HOST
        self.send_response(self.status)
        self.send_header("x-cache", "Miss from cloudfront")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Edge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def certificate(aws: EmbeddedAws, name: str) -> str:
    arn: str = aws.client("acm").request_certificate(DomainName=name, ValidationMethod="DNS")["CertificateArn"]
    return arn


def distribution(aws: EmbeddedAws, table: RoutingTable, aliases: list[str], arn: str) -> tuple[str, str]:
    config = {
        "CallerReference": table.stack,
        "Comment": f"{table.stack} - all environments",
        "Enabled": True,
        "Aliases": {"Quantity": len(aliases), "Items": aliases},
        "ViewerCertificate": {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only"},
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "static",
                    "DomainName": "b.s3.us-east-1.amazonaws.com",
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "static",
            "ViewerProtocolPolicy": "redirect-to-https",
            "MinTTL": 0,
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        },
    }
    made = aws.client("cloudfront").create_distribution(DistributionConfig=config)["Distribution"]
    return made["Id"], made["DomainName"]


def zone(aws: EmbeddedAws, stack: str, name: str, target: str) -> None:
    route53 = aws.client("route53")
    made = route53.create_hosted_zone(Name="acme.example", CallerReference=stack)["HostedZone"]["Id"]
    alias = {"DNSName": target, "HostedZoneId": "Z2FDTNDATAQYW2", "EvaluateTargetHealth": False}
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": "A", "AliasTarget": alias}}
    route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch={"Changes": [change]})


@pytest.fixture
def clean(aws: EmbeddedAws) -> Iterator[None]:
    """Distributions and zones are the account's: leave none to the next test."""
    yield
    cloudfront, route53 = aws.client("cloudfront"), aws.client("route53")
    for item in cloudfront.list_distributions()["DistributionList"].get("Items", ()):
        found = cloudfront.get_distribution(Id=item["Id"])
        cloudfront.delete_distribution(Id=item["Id"], IfMatch=found["ETag"])
    for found in route53.list_hosted_zones()["HostedZones"]:
        for record in route53.list_resource_record_sets(HostedZoneId=found["Id"])["ResourceRecordSets"]:
            if record["Type"] == "A":
                change = {"Action": "DELETE", "ResourceRecordSet": record}
                route53.change_resource_record_sets(HostedZoneId=found["Id"], ChangeBatch={"Changes": [change]})
        route53.delete_hosted_zone(Id=found["Id"])


def walk(table: RoutingTable, edge: str, domain: str = HOST) -> dict[str, Finding]:
    return {finding.step: finding for finding in doctor(table, domain, edge=edge)}


def test_a_domain_that_is_well_is_well_at_every_step(
    aws: EmbeddedAws, table: RoutingTable, edge: str, clean: None
) -> None:
    aws.client("s3").put_object(Bucket="acme-static-sites", Key="well/index.html", Body=b"x")
    table.put(HOST, "s3://acme-static-sites/well", expires_in="7d")
    identifier, domain_name = distribution(
        aws, table, ["acme.example", "*.acme.example"], certificate(aws, "*.acme.example")
    )
    zone(aws, table.stack, "*.acme.example", domain_name)
    policy = (
        '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, '
        '"Action": "s3:GetObject", "Resource": "*", "Condition": {"StringEquals": '
        f'{{"AWS:SourceArn": "arn:aws:cloudfront::1:distribution/{identifier}"}}}}}}]}}'
    )
    aws.client("s3").put_bucket_policy(Bucket="acme-static-sites", Policy=policy)
    found = walk(table, edge)
    aws.client("s3").delete_bucket_policy(Bucket="acme-static-sites")
    # moto never issues a certificate that waits for its validation: the one thing that is not well.
    assert found.pop("certificate").text == "It is PENDING_VALIDATION, not issued."
    assert [(step, finding.status) for step, finding in found.items()] == [
        *(("row", "ok"), ("expiry", "ok"), ("distribution", "ok"), ("dns", "ok")),
        *(("bucket", "ok"), ("prefix", "ok"), ("policy", "ok"), ("answer", "ok")),
    ]


def test_each_step_that_is_wrong_says_how_to_mend_it(
    aws: EmbeddedAws, table: RoutingTable, edge: str, clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert walk(table, edge)["row"].mend == f"table-admin put {HOST} TARGET"
    assert walk(table, edge)["distribution"].text == "No distribution answers for it."
    table.put(HOST, "s3://acme-static-sites/nothing-there")
    distribution(aws, table, ["other.example"], certificate(aws, "other.example"))
    zone(aws, table.stack, HOST, "elsewhere.example.net")
    monkeypatch.setattr(Edge, "status", 503)
    found = walk(table, edge)
    assert "No alternate domain name" in found["distribution"].text
    assert found["certificate"].text == "It is for other.example."
    assert found["dns"].text == f"{HOST} points at elsewhere.example.net."
    assert found["prefix"].mend == "aws s3 sync ./public s3://acme-static-sites/nothing-there"
    assert found["answer"].text.startswith("503, Miss from cloudfront")
    wrong = {step for step, finding in found.items() if finding.status == "wrong"}
    assert wrong == {"distribution", "certificate", "dns", "prefix", "answer"}
    assert all(found[step].mend for step in wrong)
    table.delete(HOST)
    assert walk(table, edge)["row"].mend == f"table-admin rollback {HOST}"
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item={"domain": {"S": HOST}})
    assert "cannot be read" in walk(table, edge)["row"].text


def test_an_expired_row_and_a_server_that_is_not_there_are_found(aws: EmbeddedAws, table: RoutingTable) -> None:
    past = RoutingTable(table.stack, client=aws.client, clock=lambda: 1_000_000.0)
    past.put(HOST, "s3://acme-static-sites/env-a", expires_in="1h")
    found = walk(table, "http://127.0.0.1:9")
    assert found["expiry"].text == "It expired 1970-01-12 14:46:40Z."
    assert found["answer"].text.startswith("Nobody answers")


def test_a_load_balancer_is_looked_at_with_its_targets(aws: EmbeddedAws, table: RoutingTable, edge: str) -> None:
    arn = balancer(aws, "examined", [("HTTP", 80)])
    table.put(HOST, arn)
    elb = aws.client("elbv2")
    assert walk(table, edge)["targets"].text == "None of 0 is healthy (none is registered)."
    vpc = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["VpcId"]
    group = elb.create_target_group(Name="examined", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group_arn, Targets=[{"Id": "10.0.0.5", "Port": 80}])
    action = {"Type": "forward", "TargetGroupArn": group_arn}
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=8080, DefaultActions=[action])
    fresh = RoutingTable(table.stack, client=aws.client)
    found = walk(fresh, edge)
    assert found["load balancer"].status == "ok"
    assert found["targets"].text == "1 of 1 are healthy."
    elb.delete_load_balancer(LoadBalancerArn=arn)
    assert "does not exist" in walk(RoutingTable(table.stack, client=aws.client), edge)["load balancer"].text


@pytest.mark.parametrize(
    ("name", "domain", "does"),
    [
        ("a.example.com", "a.example.com", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "b.a.example.com", False),
        ("*.example.com", "example.com", False),
        ("example.com", "a.example.com", False),
    ],
)
def test_a_wildcard_is_for_one_label(name: str, domain: str, does: bool) -> None:
    assert covers(name, domain) == does
