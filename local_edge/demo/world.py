"""Fills an embedded AWS with the demo: bucket and sites, a load balancer, the rows that lead to them."""

import json
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_handler.origin_secret import HEADER as SECRET_HEADER
from local_edge.embedded_aws import REGION, EmbeddedAws
from local_edge.kubernetes import IngressRule, ingress_rules
from local_edge.snapshots import BUCKET as BUCKET_OF_SNAPSHOTS
from table_admin import RoutingTable
from table_admin.deployments.deploy import deploy

STACK = "edge-routing"
BUCKET = "acme-static-sites"
SITES = Path(__file__).parent / "sites"
MARKET, OLD_MARKET, TENANTS = "market.localhost", "old-market.localhost", "*.tenant.localhost"


def create_demo_world(aws: EmbeddedAws, port: int) -> str:
    """Make everything and write the routes; return the load balancer's DNS name, which alone is told the secret.

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
        domain = f"{environment}.localhost"
        deploy(table, SITES / environment, bucket=BUCKET, domain=domain, note="a static site of the demo")
    table.put(TENANTS, f"s3://{BUCKET}/tenant", note="all names that have no row of their own")
    market = deploy(table, SITES / "market", bucket=BUCKET, domain=MARKET, note="a static site of the demo")
    api = {"/api/*": f"strip:{balancer['LoadBalancerArn']}"}
    table.put(MARKET, market.target, rules=api, note="what is under /api/ is the containerised service")
    table.put(OLD_MARKET, f"redirect:http://{MARKET}:{port}", note="the market's old name")
    for host in ingress_rules():
        table.put(_local(host), balancer["LoadBalancerArn"], note="the containerised service of the demo")
    name: str = balancer["DNSName"]
    _record_stack(aws, name)
    return name


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

    The market has the same: it is the service that is under its `/api/`.
    """
    found = {_local(host): (services[rule.service], rule) for host, rule in ingress_rules().items()}
    return found | {MARKET: next(iter(found.values()))}


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
