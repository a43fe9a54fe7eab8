"""Fills an embedded AWS with the demo: bucket and sites, a load balancer, the rows that lead to them."""

import json
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edge_handler.access.session import Key
from edge_handler.origin_secret import HEADER as SECRET_HEADER
from local_edge.embedded_aws import REGION, EmbeddedAws
from local_edge.kubernetes import IngressRule, ingress_rules
from local_edge.snapshots import BUCKET as BUCKET_OF_SNAPSHOTS
from table_admin import RoutingTable
from table_admin.access import Access
from table_admin.access_table import AccessTable, SigningKey
from table_admin.deployments.deploy import deploy

STACK = "edge-routing"
BUCKET = "acme-static-sites"
SITES = Path(__file__).parent / "sites"
MARKET, OLD_MARKET, TENANTS = "market.localhost", "old-market.localhost", "*.tenant.localhost"
PRIVATE, OFFICE, MAINTENANCE, HEADERS = (
    f"{name}.localhost" for name in ("private", "office", "maintenance", "headers")
)
CANARY, CANARY_NEXT, FAILOVER, STANDBY = (
    f"{name}.localhost" for name in ("canary", "canary-next", "failover", "standby")
)
OFFICE_NETWORK = "203.0.113.0/24"
"""For examples (RFC 5737): no viewer of a demo is in it."""
KEY = Key("de300000", b"a demo's key, known to everybody")
"""What events/viewer-request-session.json is signed with; `access rotate` makes one that nobody knows."""


class DemoWorld(NamedTuple):
    """What the demo is run with."""

    load_balancer: str
    """The DNS name of the one that alone is told the secret."""
    link: str
    """What lets people in to the private site."""


def create_demo_world(aws: EmbeddedAws, port: int) -> DemoWorld:
    """Make everything and write the routes.

    The static sites are deployments; their files are under plain prefixes too, for routes that lead there.

    Args:
        aws: where.
        port: of the edge, to which the old name of a site redirects.
    """
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})  # as the template's has
    for file in sorted(SITES.rglob("*")):
        if file.is_file():
            s3.put_object(
                Bucket=BUCKET,
                Key=file.relative_to(SITES).as_posix(),
                Body=file.read_bytes(),
                ContentType=mimetypes.guess_type(file.name)[0] or "application/octet-stream",
                CacheControl="public, max-age=300",
            )
    balancer = create_load_balancer(aws, "demo-ingress")
    table = RoutingTable(STACK, actor="demo", client=aws.client)
    for environment in ("env-123", "env-456"):
        _deploy(table, f"{environment}.localhost")
    table.put(TENANTS, f"s3://{BUCKET}/tenant", note="all names that have no row of their own")
    api = {"/api/*": f"strip:{balancer['LoadBalancerArn']}"}
    table.put(MARKET, _deploy(table, MARKET), rules=api, note="what is under /api/ is the containerised service")
    table.put(OLD_MARKET, f"redirect:http://{MARKET}:{port}", note="the market's old name")
    for host in ingress_rules():
        table.put(_local(host), balancer["LoadBalancerArn"], note="the containerised service of the demo")
    link = _put_policies(aws, table, api, port)
    _put_second_targets(table)
    name: str = balancer["DNSName"]
    _record_stack(aws, name)
    return DemoWorld(name, link)


def _deploy(table: RoutingTable, domain: str) -> str:
    """Deploy the site that a domain is named after; return the target."""
    site = SITES / domain.partition(".")[0]
    return deploy(table, site, bucket=BUCKET, domain=domain, note="a static site of the demo").target


def _put_policies(aws: EmbeddedAws, table: RoutingTable, api: Mapping[str, str], port: int) -> str:
    """Write the routes that do not give everybody an answer, or more than that; return a link to the private one."""
    private = {"private": True}
    table.put(PRIVATE, _deploy(table, PRIVATE), rules=api, policy=private, note="for those who are let in")
    allow = {"allow": [OFFICE_NETWORK]}
    table.put(OFFICE, f"s3://{BUCKET}/env-456", policy=allow, note="for a network that is somewhere else")
    said = {"maintenance": {"retry_after": "30m", "message": "The shelves are being moved. Orders are safe."}}
    table.put(MAINTENANCE, f"s3://{BUCKET}/env-123", policy=said, note="somebody mends it")
    headers = {"headers": {"permissions-policy": "camera=()", "cache-control": "public, max-age=60"}}
    table.put(HEADERS, _deploy(table, HEADERS), expires_in="30d", policy=headers, note="what goes with its answers")
    known = SigningKey(KEY, "2026-01-01T00:00:00Z")
    AccessTable(STACK, aws.client("dynamodb")).change_keys(lambda before: before or [known], repair=False)
    return Access(table).link(PRIVATE, edge=f"http://{{domain}}:{port}").url


def _put_second_targets(table: RoutingTable) -> None:
    """Write the routes that have another target besides: for some of their viewers, or for a bad day."""
    canary = {"target": _deploy(table, CANARY_NEXT), "weight": 50, "cookie": "visitor"}
    table.put(CANARY, _deploy(table, CANARY), canary=canary, note="half of the visitors get the next version")
    table.put(FAILOVER, _deploy(table, FAILOVER), standby=_deploy(table, STANDBY), note="with a standby")


def _record_stack(aws: EmbeddedAws, domains: str) -> None:
    """Make a stack that says of itself what table-admin asks an edge stack, and has no resources."""
    outputs = {
        "OriginSecretHeader": SECRET_HEADER,
        "StaticBucketName": BUCKET,
        "SnapshotBuckets": str(BUCKET_OF_SNAPSHOTS),
    }
    template = {
        "Parameters": {"OriginSecretDomains": {"Type": "String"}},
        "Resources": {},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    given = [{"ParameterKey": "OriginSecretDomains", "ParameterValue": domains}]
    aws.client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(template), Parameters=given)


def demo_upstreams(services: Mapping[str, str]) -> dict[str, tuple[str, IngressRule]]:
    """Return the URL and the rule of each host, as the example environment's Ingress has it; `services` by name.

    The market has the same, and so has the private site: it is the service that is under their `/api/`.
    """
    found = {_local(host): (services[rule.service], rule) for host, rule in ingress_rules().items()}
    return found | dict.fromkeys((MARKET, PRIVATE), next(iter(found.values())))


def _local(host: str) -> str:
    return host.replace(".example.com", ".localhost")


def create_load_balancer(aws: EmbeddedAws, name: str) -> Any:
    """Make one with what it needs; return what AWS says of it."""
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate("ab")
    ]
    answer = elb.create_load_balancer(Name=name, Subnets=subnets, Scheme="internet-facing", Type="application")
    balancer = answer["LoadBalancers"][0]
    group = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
    action = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
    elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[action])
    return balancer
