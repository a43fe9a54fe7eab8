"""doctor's walk, through an AWS that has every part of it - and in which every part can be wrong."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.access import Access
from table_admin.doctor import doctor
from table_admin.finding import Finding
from table_admin.reaching import answers_for, covers
from tests.support import NOBODY
from tests.table_admin.test_targets import balancer

HOST = "env-1.acme.example"
TENANTS, ANY = "*.tenant.acme.example", "any-name.tenant.acme.example"
SITE = "s3://acme-static-sites/env-a"


class Edge(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        assert self.headers["host"] in (HOST, ANY)
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


def said(table: RoutingTable, step: str, domain: str = HOST) -> list[tuple[str, str]]:
    return [(one.status, one.text) for one in doctor(table, domain, edge=NOBODY) if one.step == step]


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


@pytest.mark.parametrize(
    ("alias", "domain", "does"),
    [
        ("a.example.com", "a.example.com", True),
        ("*.example.com", "b.a.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "aexample.com", False),
        ("*.example.com", "*.tenant.example.com", True),
        ("*.tenant.example.com", "*.tenant.example.com", True),
        ("*.tenant.example.com", "*.example.com", False),
        ("a.tenant.example.com", "*.tenant.example.com", False),
    ],
)
def test_an_alternate_domain_name_is_for_all_labels(alias: str, domain: str, does: bool) -> None:
    assert answers_for(alias, domain) == does


def test_a_wildcards_row_says_which_of_its_names_alias_and_certificate_cover(
    aws: EmbeddedAws, table: RoutingTable, edge: str, clean: None
) -> None:
    table.put(TENANTS, SITE)
    _, domain_name = distribution(aws, table, ["*.acme.example"], certificate(aws, "*.tenant.acme.example"))
    zone(aws, table.stack, "*.acme.example", domain_name)
    found = walk(table, edge, TENANTS)
    assert found["distribution"].text.endswith("has *.acme.example among its alternate domain names.")
    assert found["certificate"].text == "It is PENDING_VALIDATION, not issued."
    deeper = found["deeper names"]
    assert deeper.text.startswith("Names below that are not covered, a.b.tenant.acme.example say")
    assert deeper.mend.endswith("one for each level: *.b.tenant.acme.example.")
    assert (found["dns"].status, found["answer"].status) == ("ok", "ok")
    # Of the same row, a name that it answers for, and one that is deeper.
    first, second = (walk(table, NOBODY, f"{name}.tenant.acme.example") for name in ("x", "y.x"))
    assert first["row"].text.startswith(f"{TENANTS} answers for it: revision 1 ")
    assert "not issued" in first["certificate"].text
    assert second["certificate"].text == "It is for *.tenant.acme.example."
    assert "*.x.tenant.acme.example" in second["certificate"].mend
    assert "deeper names" not in second
    assert second["distribution"].status == second["dns"].status == "ok"


def test_a_wildcards_names_are_not_covered_by_what_is_for_some_of_them(
    aws: EmbeddedAws, table: RoutingTable, edge: str, clean: None
) -> None:
    table.put(TENANTS, SITE)
    distribution(aws, table, ["acme.example", "a.tenant.acme.example"], certificate(aws, "*.acme.example"))
    found = walk(table, edge, TENANTS)
    assert found["distribution"].text.endswith("covers it, only a.tenant.acme.example.")
    assert found["certificate"].text == "It is for *.acme.example."
    assert TENANTS in found["certificate"].mend


def test_a_wildcard_in_dns_ends_where_a_closer_name_exists(
    aws: EmbeddedAws, table: RoutingTable, edge: str, clean: None
) -> None:
    table.put(TENANTS, SITE)
    _, domain_name = distribution(aws, table, ["*.acme.example"], certificate(aws, "*.tenant.acme.example"))
    zone(aws, table.stack, "*.acme.example", domain_name)
    assert walk(table, NOBODY, "x.tenant.acme.example")["dns"].status == "ok"
    route53 = aws.client("route53")
    (made,) = route53.list_hosted_zones()["HostedZones"]
    nothing = "No zone of this account has a name for it."
    for name in ("mail", "*.sub"):
        record = {"Name": f"{name}.tenant.acme.example", "Type": "A", "TTL": 60}
        change = {"Action": "CREATE", "ResourceRecordSet": record | {"ResourceRecords": [{"Value": "192.0.2.1"}]}}
        route53.change_resource_record_sets(HostedZoneId=made["Id"], ChangeBatch={"Changes": [change]})
        assert walk(table, NOBODY, "x.tenant.acme.example")["dns"].text == nothing
    # It exists, for there is a name below it, and has no address.
    assert walk(table, NOBODY, "sub.tenant.acme.example")["dns"].text == nothing
    assert walk(table, NOBODY, "x.sub.tenant.acme.example")["dns"].text.endswith("points at 192.0.2.1.")


def test_the_most_specific_row_is_looked_at_even_if_it_serves_nobody(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put(TENANTS, SITE)
    host = "x.tenant.acme.example"
    past = RoutingTable(table.stack, client=aws.client, clock=lambda: 1_000_000.0)
    past.put(host, SITE, expires_in="1h")
    found = walk(table, NOBODY, host)
    assert "answers for it" not in found["row"].text
    assert found["expiry"].mend == f"table-admin put {host} {SITE} --expires-in 7d"
    table.delete(host)
    assert found["expiry"].status == "wrong"
    assert walk(table, NOBODY, host)["expiry"].status == "ok"


def test_targets_of_rules_are_looked_at_as_the_rows_own_and_each_once(aws: EmbeddedAws, table: RoutingTable) -> None:
    arn = balancer(aws, "behind-a-rule", [("HTTP", 80)])
    aws.client("s3").put_object(Bucket="acme-static-sites", Key="own/index.html", Body=b"x")
    rules = {"/a/*": f"strip:{arn}", "/b/*": arn, "/new/*": "s3://acme-static-sites/nothing-there"}
    table.put(HOST, "s3://acme-static-sites/own", rules={**rules, "/same/*": "s3://acme-static-sites/own"})
    assert said(table, "row")[0][1].endswith("s3://acme-static-sites/own and 4 rules")
    own, of_rule = said(table, "prefix")
    assert own == ("ok", "/own has objects.")
    assert of_rule == ("wrong", "/new/*: Nothing is under /nothing-there.")
    ((status, text),) = said(table, "load balancer")
    assert (status, text[:19]) == ("ok", "/a/* (and 1 more): ")
    assert said(table, "targets") == [("wrong", "/a/* (and 1 more): None of 0 is healthy (none is registered).")]
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=arn)
    fresh = RoutingTable(table.stack, client=aws.client)
    ((status, text),) = said(fresh, "load balancer")
    assert status == "wrong"
    assert "does not exist" in text


def test_a_redirect_is_followed_to_where_it_ends(aws: EmbeddedAws, table: RoutingTable, edge: str, clean: None) -> None:
    table.put("new.acme.example", SITE)
    table.put(HOST, "redirect:https://middle.acme.example", rules={"/go": "redirect:302:https://www.example.org/there"})
    table.put("middle.acme.example", "redirect:301:https://new.acme.example/in")
    way = f"https://{HOST}/ -> https://middle.acme.example/ -> https://new.acme.example/in/"
    assert said(table, "redirect") == [
        ("ok", f"{way}; a row of this table answers there."),
        ("ok", f"https://{HOST}/go -> https://www.example.org/there; no row of this table is for it."),
    ]
    identifier, _ = distribution(aws, table, ["*.acme.example"], certificate(aws, "*.acme.example"))
    table.delete("new.acme.example")
    wrong = [text for status, text in said(table, "redirect") if status == "wrong"]
    assert wrong[0] == f"No row is for new.acme.example, which {identifier} answers for: {way}."
    past = RoutingTable(table.stack, client=aws.client, clock=lambda: 1_000_000.0)
    past.put("new.acme.example", SITE, expires_in="1h")
    wrong = [text for status, text in said(table, "redirect") if status == "wrong"]
    assert wrong[0] == f"new.acme.example has expired, where viewers are sent: {way}."


def test_a_circle_that_other_rows_closed_is_found(aws: EmbeddedAws, table: RoutingTable) -> None:
    other = "other.acme.example"
    table.put(HOST, f"redirect:https://{other}")
    (row,) = aws.client("dynamodb").query(
        TableName=table.tables.routes,
        KeyConditionExpression="#d = :d",
        ExpressionAttributeNames={"#d": "domain"},
        ExpressionAttributeValues={":d": {"S": HOST}},
    )["Items"]
    # By hand, for put refuses it.
    back = {"kind": {"S": "redirect"}, "location": {"S": f"https://{HOST}"}, "status": {"N": "308"}}
    written = row | {"domain": {"S": other}, "origin": {"M": back}}
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=written)
    first = said(table, "redirect")[0]
    assert first == ("wrong", f"Viewers are sent in a circle: https://{HOST}/ -> https://{other}/ -> https://{HOST}/.")


def test_of_many_redirects_that_end_some_are_shown(table: RoutingTable) -> None:
    table.put(HOST, SITE, rules={f"/old-{number}": "redirect:/new" for number in range(9)})
    found = said(table, "redirect")
    assert len(found) == 6
    assert found[-1] == ("ok", "4 more lead somewhere.")


# ---- Rows that do not answer everybody


@pytest.mark.parametrize(
    ("policy", "status"), [({"private": True}, 403), ({"allow": ["192.0.2.1"]}, 403), ({"maintenance": {}}, 503)]
)
def test_what_a_row_refuses_on_purpose_is_no_fault(
    table: RoutingTable, edge: str, monkeypatch: pytest.MonkeyPatch, policy: Any, status: int
) -> None:
    monkeypatch.setattr(Edge, "status", status)
    table.put(HOST, SITE)
    assert walk(table, edge)["answer"].status == "wrong"
    table.put(HOST, SITE, policy=policy)
    found = walk(table, edge)["answer"]
    assert (found.status, found.text) == (
        "ok",
        f"{status}, Miss from cloudfront, as the row says who gets an answer",
    )
    monkeypatch.setattr(Edge, "status", 502)
    assert walk(table, edge)["answer"].status == "wrong"


def test_the_key_that_links_are_signed_with_is_looked_at_and_not_shown(aws: EmbeddedAws, table: RoutingTable) -> None:
    table.put(HOST, SITE, policy={"private": True})
    assert said(table, "private") == [
        (
            "ok",
            "Since revision 1 it takes a link or the password; no link was made in this stack yet: "
            "table-admin access link.",
        )
    ]
    Access(table).link(HOST)
    ((status, text),) = said(table, "private")
    assert (
        status,
        text.startswith("Since revision 1 it takes a link or the password; links are signed with a key"),
    ) == (
        "ok",
        True,
    )
    later = RoutingTable(table.stack, client=aws.client, clock=lambda: table.clock() + 91 * 86_400)
    (found,) = [one for one in doctor(later, HOST, edge=NOBODY) if one.step == "private"]
    assert (found.status, found.mend) == ("unknown", "table-admin access rotate")
    assert found.text.endswith(", 91 days old.")


def test_a_stack_without_the_access_table_lets_nobody_in(table: RoutingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table.put(HOST, SITE, policy={"private": True})
    monkeypatch.setattr(table, "stack", "made-before")
    ((status, text),) = said(table, "private")
    assert (status, text.startswith("Nobody gets in. The table made-before-access does not exist here")) == (
        "wrong",
        True,
    )


@pytest.mark.parametrize("policy", [{"private": True}, {"allow": ["203.0.113.0/24"]}])
def test_a_target_that_anybody_may_ask_is_named_where_the_row_lets_in_some_only(
    aws: EmbeddedAws, table: RoutingTable, policy: dict[str, Any]
) -> None:
    targets = {"/a/*": "https://open.acme.example", "/b/*": "s3://acme-public/x"}
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="acme-public")
    everybody = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}'
    s3.put_bucket_policy(Bucket="acme-public", Policy=everybody)
    table.put(HOST, SITE, rules=targets)
    assert said(table, "past the edge") == []
    table.put(HOST, SITE, policy=policy)
    assert said(table, "past the edge") == [
        (
            "unknown",
            f"open.acme.example is not told the origin's secret: what guards {HOST} is asked by the distribution only.",
        ),
        ("wrong", f"The bucket acme-public is public: what guards {HOST} is asked by the distribution only."),
    ]


def test_maintenance_that_somebody_forgot_is_asked_about(aws: EmbeddedAws, table: RoutingTable) -> None:
    table.put(HOST, SITE)
    table.put(HOST, SITE, policy={"maintenance": {}})
    ((status, text),) = said(table, "maintenance")
    assert (status, text.startswith("On since revision 2, 20")) == ("ok", True)
    later = RoutingTable(table.stack, client=aws.client, clock=lambda: table.clock() + 2 * 86_400)
    (found,) = [one for one in doctor(later, HOST, edge=NOBODY) if one.step == "maintenance"]
    assert (found.status, found.mend) == ("unknown", f"table-admin maintenance off {HOST}")
    assert found.text.endswith(": for 2.0 days. Is it forgotten?")
