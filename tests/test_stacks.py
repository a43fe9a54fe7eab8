"""What moto's CloudFormation makes of the templates is what table-admin and the edge then work on."""

import io
import itertools
import json
import zipfile
from typing import Any

import pytest

from edge_handler.aws.sigv4 import Credentials
from edge_handler.routes.origin import CustomOrigin
from edge_handler.table.reader import Replica, RoutesTable
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from tests.stacks import LEFT_OUT, for_moto, translated

SECRET = "s" * 32
_buckets = itertools.count()


def create(
    aws: EmbeddedAws, stack: str, template: dict[str, Any], parameters: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Create a stack; return its outputs and its resources' physical ids."""
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE"
    resources = cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return (
        {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]},
        {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources},
    )


def uploaded_package(aws: EmbeddedAws) -> str:
    bucket = f"artifacts-{next(_buckets)}"
    aws.client("s3").create_bucket(Bucket=bucket)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("index.py", "")
    aws.client("s3").put_object(Bucket=bucket, Key="package.zip", Body=archive.getvalue())
    return f"s3://{bucket}/package.zip"


def test_table_admin_works_on_the_tables_that_the_edge_stack_makes(aws: EmbeddedAws) -> None:
    zone = aws.client("route53").create_hosted_zone(Name="acme.example", CallerReference="1")["HostedZone"]["Id"]
    parameters = {
        "DomainName": "acme.example",
        "HostedZoneId": zone.rpartition("/")[2],
        "ReplicaRegions": "eu-west-1,ap-southeast-1",
        "OtherBuckets": "one,two-*",
        "OriginSecret": SECRET,
        "SnapshotCopy": "acme-copy@eu-west-1",
    }
    template = for_moto(translated("template.yaml", uploaded_package(aws)))
    outputs, resources = create(aws, "acme", template, parameters)
    assert outputs["RoutesTableName"] == "acme-routes"
    functions = {"ViewerRequestFunction", "OriginRequestFunction", "OriginResponseFunction"}
    functions |= {"AdminFunction", "SnapshotFunction"}
    assert {"EdgeRole", *functions} <= set(resources)

    table = RoutingTable("acme", actor="tester", client=aws.client)
    table.put("env-1.acme.example", f"s3://{outputs['StaticBucketName']}/env-1", environment="shop")
    assert [route.domain for route in table.list("shop")] == ["env-1.acme.example"]
    assert [entry.revision for entry in table.history("env-1.acme.example")] == [1]
    reader = RoutesTable([Replica("acme-routes", "us-east-1", aws.endpoint, Credentials("local", "local", ""))])
    assert len(reader.read(("env-1.acme.example",), 60)) == 1

    assert outputs["SnapshotBuckets"] == "acme-snapshot-123456789012@us-east-1,acme-copy@eu-west-1"
    function = aws.client("lambda").get_function_configuration(FunctionName="acme-snapshot")
    assert function["Environment"]["Variables"]["SNAPSHOT_BUCKETS"] == outputs["SnapshotBuckets"]
    (rule,) = aws.client("events").list_rule_names_by_target(TargetArn=function["FunctionArn"])["RuleNames"]
    assert aws.client("events").describe_rule(Name=rule)["ScheduleExpression"] == "rate(1 minute)"

    records = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    aliases = {
        (record["Name"].replace("\\052", "*").rstrip("."), record["Type"])
        for record in records
        if "AliasTarget" in record
    }
    assert aliases == {(name, kind) for name in ("acme.example", "*.acme.example") for kind in ("A", "AAAA")}


@pytest.mark.parametrize("zones", [2, 3])
def test_an_environment_is_routed_to_the_load_balancer_that_the_cluster_stack_makes(
    aws: EmbeddedAws, table: RoutingTable, zones: int
) -> None:
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    # EKS makes it, moto's does not.
    group = ec2.create_security_group(GroupName=f"eks-{zones}", Description="-")["GroupId"]
    parameters = {
        "CertificateArn": aws.client("acm").request_certificate(DomainName="*.acme.example")["CertificateArn"],
        "CloudFrontPrefixListId": "pl-3b927c52",
        "OriginSecret": SECRET,
        "PreviousOriginSecret": "p" * 32,
        "AdminPrincipalArn": "arn:aws:iam::123456789012:role/admin",
        "ZoneCount": str(zones),
    }
    unmet = ["HasThirdZone"] if zones == 2 else []
    template = for_moto(translated("cluster.yaml"), {"Cluster.ClusterSecurityGroupId": group}, unmet)
    outputs, resources = create(aws, f"cluster-{zones}", template, parameters)

    origin = table.put("env-789.acme.example", outputs["LoadBalancerArn"]).after.origin  # type: ignore[union-attr]
    assert isinstance(origin, CustomOrigin)
    assert (origin.protocol, origin.port, origin.host_header) == ("https", 443, "viewer")

    (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[outputs["LoadBalancerArn"]])["LoadBalancers"]
    public = {zone["SubnetId"] for zone in balancer["AvailabilityZones"]}
    assert public == {resources[f"PublicSubnet{number}"] for number in range(1, zones + 1)}
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [outputs["VpcId"]]}])["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == zones
    assert len({subnet["CidrBlock"] for subnet in subnets}) == 2 * zones
    for number in range(1, zones + 1):
        assert gateway_of(ec2, resources[f"PrivateRouteTable{number}"]).startswith("nat-")
    assert gateway_of(ec2, resources["PublicRouteTable"]).startswith("igw-")

    listener = elb.describe_listeners(LoadBalancerArn=outputs["LoadBalancerArn"])["Listeners"][0]
    rule, default = elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    assert rule["Conditions"][0]["HttpHeaderConfig"] == {
        "HttpHeaderName": "x-origin-verify",
        "Values": [SECRET, "p" * 32],
    }
    assert default["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "403"


def gateway_of(ec2: Any, route_table: str) -> str:
    (table,) = ec2.describe_route_tables(RouteTableIds=[route_table])["RouteTables"]
    (route,) = (route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0")
    gateway: str = route.get("NatGatewayId") or route["GatewayId"]
    return gateway


def versions(template: dict[str, Any]) -> dict[str, str]:
    """Return the version that the distribution names, by event type."""
    config = template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    associations = config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]
    return {association["EventType"]: association["LambdaFunctionARN"]["Ref"] for association in associations}


def test_a_version_is_published_for_a_change_of_the_configuration_alone() -> None:
    def runtime(template: dict[str, Any]) -> None:
        template["Globals"]["Function"]["Runtime"] = "python3.12"

    def memory(template: dict[str, Any]) -> None:
        template["Resources"]["OriginRequestFunction"]["Properties"]["MemorySize"] = 1024

    before = versions(translated("template.yaml"))
    assert versions(translated("template.yaml")) == before
    other_runtime = versions(translated("template.yaml", change=runtime))
    assert {event for event in before if before[event] != other_runtime[event]} == set(before)
    more_memory = versions(translated("template.yaml", change=memory))
    assert {event for event in before if before[event] != more_memory[event]} == {"origin-request"}
    for version in before.values():
        assert translated("template.yaml")["Resources"][version]["Type"] == "AWS::Lambda::Version"


def test_nothing_is_left_out_that_the_templates_do_not_have() -> None:
    types = {
        resource["Type"]
        for name in ("template.yaml", "cluster.yaml")
        for resource in translated(name)["Resources"].values()
    }
    assert types >= LEFT_OUT
