"""The templates pass every check that needs no account."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from edge_handler.settings import load_settings
from edge_handler.snapshot.pointer import part_key
from local_edge.template import load_template
from tests.support import ROOT, need

BIN = Path(sys.executable).parent
ENVIRON = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "AWS_DEFAULT_REGION": "us-east-1"}
TEMPLATES = ["template.yaml", "cluster.yaml"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("template", TEMPLATES)
def test_sam_accepts_it(template: str) -> None:
    done = run(str(BIN / "sam"), "validate", "--lint", "--template", template)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("template", TEMPLATES)
def test_cfn_lint_finds_nothing_and_nothing_is_suppressed(template: str) -> None:
    done = run(str(BIN / "cfn-lint"), template)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert "cfn-lint" not in (ROOT / template).read_text()


@pytest.mark.parametrize("template", TEMPLATES)
def test_checkov_finds_nothing_and_every_skipped_check_is_justified(template: str) -> None:
    checkov = ROOT / ".venv" / "checkov" / "bin" / "checkov"
    need(checkov.exists(), "checkov, in an environment of its own (make test installs it)")
    done = run(
        *(str(checkov), "--file", template, "--framework", "cloudformation", "--output", "json", "--skip-download")
    )
    report = json.loads(done.stdout)
    found = [f"{check['check_id']} {check['resource']}" for check in report["results"]["failed_checks"]]
    assert found == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 30
    skipped = {
        (check["resource"].rpartition(".")[2], check["check_id"]): check["check_result"]["suppress_comment"]
        for check in report["results"]["skipped_checks"]
    }
    said = {
        (name, skip["id"]): skip["comment"]
        for name, resource in resources(template).items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", ())
    }
    assert skipped == said, "a skip that skips nothing"
    assert all(len(comment) > 10 and "\n" not in comment for comment in said.values())


def resources(template: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse((ROOT / template).read_text())["Resources"]
    return found


def test_a_template_that_cloudformation_gets_as_it_is_has_no_yaml_aliases() -> None:
    # template.yaml may: sam expands them before it deploys.
    for line in (ROOT / "cluster.yaml").read_text().splitlines():
        assert not line.partition("#")[0].rpartition(": ")[2].startswith(("&", "*")), line


def test_replicas_in_the_template_and_in_the_package_are_the_same_by_default() -> None:
    default = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]["ReplicaRegions"]["Default"]
    assert list(load_settings({}).regions) == ["us-east-1", *filter(None, default.split(","))]


@pytest.mark.parametrize(
    ("domains", "accepted"),
    [
        ("", True),
        ("Ingress-1.eu-west-1.elb.amazonaws.com", True),
        ("*.ingress.acme.example,one-1.us-east-1.elb.amazonaws.com", True),
        ("*.notamazonaws.com", True),
        ("*.amazonaws.com", False),
        ("*.elb.amazonaws.com", False),
        ("lb.acme.example,*.eu-west-1.elb.amazonaws.com,x.example", False),
        ("*.elb.cn-north-1.amazonaws.com.cn", False),
        ("*", False),
        ("*.example", False),
        ("lb.*.example", False),
        ("https://lb.acme.example", False),
        ("lb.acme.example:443", False),
        ("lb.acme.example, x.example", False),
        ("lb.acme.example,", False),
    ],
)
def test_the_secret_cannot_be_told_to_load_balancers_of_everybody(domains: str, accepted: bool) -> None:
    pattern = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]["OriginSecretDomains"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, domains)) is accepted


def test_what_the_builders_make_is_for_the_runtime_that_loads_it() -> None:
    """Bytecode and native modules are of one version of Python; with another nothing would start."""
    runtime = yaml_parse((ROOT / "template.yaml").read_text())["Globals"]["Function"]["Runtime"]
    own = [name for name, body in resources("template.yaml").items() if "Runtime" in body.get("Properties", {})]
    assert own == []
    edge = re.search(r"^RUNTIME \?= (.+)$", (ROOT / "edge_handler" / "Makefile").read_text(), re.MULTILINE)
    admin = re.search(r"--python-version (\S+)", (ROOT / "table_admin" / "Makefile").read_text())
    assert edge
    assert admin
    assert [f"python{edge[1]}", f"python{admin[1]}"] == [runtime] * 2


def test_the_admin_apis_alarm_counts_what_its_callers_get() -> None:
    alarm = resources("template.yaml")["AdminErrorsAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/ApiGateway", "5xx")
    assert alarm["Dimensions"] == [{"Name": "ApiId", "Value": {"Ref": "AdminApi"}}]


def parameter_takes(name: str, value: str) -> bool:
    pattern = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"][name]["AllowedPattern"]
    return bool(re.fullmatch(pattern, value))


TWELVE = [f"eu-west-{number % 10}" for number in range(12)]


@pytest.mark.parametrize("count", range(13))
def test_routes_feed_and_secrets_have_replicas_in_up_to_twelve_regions_and_deployments_in_none(count: int) -> None:
    value = ",".join(TWELVE[:count])
    assert parameter_takes("ReplicaRegions", value)
    template = load_template(stack="acme", bucket="b", parameters={"ReplicaRegions": value})
    for table in ("RoutesTable", "RouteHistoryTable", "AccessTable"):
        replicas = template.properties(table)["Replicas"]
        assert [replica["Region"] for replica in replicas] == ["us-east-1", *TWELVE[:count]]
        for replica in replicas:
            assert replica["DeletionProtectionEnabled"]
            assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert [replica["Region"] for replica in template.properties("DeploymentsTable")["Replicas"]] == ["us-east-1"]


def test_secrets_are_encrypted_kept_and_found_by_one_key_only() -> None:
    table = resources("template.yaml")["AccessTable"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = table["Properties"]
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert [key["AttributeName"] for key in properties["KeySchema"]] == ["domain"]
    assert "GlobalSecondaryIndexes" not in properties
    assert "TimeToLiveSpecification" not in properties  # a password does not outlive its row: `since` is another


def test_no_access_log_has_what_lets_somebody_in() -> None:
    fields = resources("template.yaml")["AccessLogsDelivery"]["Properties"]["RecordFields"]
    assert {"date", "time", "c-ip", "cs(Host)", "cs-uri-stem", "sc-status"} <= set(fields)
    assert len(fields) == len(set(fields)) == 32
    assert [name for name in fields if re.search("cookie|authorization|headers", name, re.IGNORECASE)] == []


@pytest.mark.parametrize("value", ["eu-west-1,", "eu-west-1, eu-west-2", "Europe", ",".join([*TWELVE, "sa-east-1"])])
def test_what_is_no_list_of_regions_is_refused(value: str) -> None:
    assert not parameter_takes("ReplicaRegions", value)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("", True),
        ("acme-copy@eu-west-1", True),
        ("acme-copy@us-gov-west-1", True),
        ("acme-copy@us-east-1", False),  # what takes the first away takes this one away too
        ("acme-copy", False),
        ("a.cme@eu-west-1", False),
        ("acme-copy@eu-west-1,other@eu-west-2", False),
    ],
)
def test_a_copy_of_the_snapshot_is_in_another_region_and_one_that_the_edge_takes(value: str, taken: bool) -> None:
    assert parameter_takes("SnapshotCopy", value) is taken
    if taken and value:
        (bucket,) = load_settings({"EDGE_SNAPSHOT_BUCKETS": value}).snapshot_buckets
        assert "@".join(bucket) == value


def test_the_edge_takes_the_buckets_that_the_stack_names() -> None:
    template = load_template(stack="acme", bucket="b", parameters={"SnapshotCopy": "acme-copy@eu-west-1"})
    named = template.properties("SnapshotFunction")["Environment"]["Variables"]["SNAPSHOT_BUCKETS"]
    buckets = load_settings({"EDGE_SNAPSHOT_BUCKETS": named}).snapshot_buckets
    assert buckets == (("acme-snapshot-123456789012", "us-east-1"), ("acme-copy", "eu-west-1"))
    assert buckets[0][0] == template.properties("SnapshotBucket")["BucketName"]


def test_of_snapshots_only_parts_expire_and_only_when_they_are_no_longer_put_again() -> None:
    rules = resources("template.yaml")["SnapshotBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {f"{part_key('0' * 16, 'x').partition('/')[0]}/": 3}


def test_the_feed_projects_what_the_edge_and_watch_need() -> None:
    indexes = resources("template.yaml")["RouteHistoryTable"]["Properties"]["GlobalSecondaryIndexes"]
    (feed,) = (index for index in indexes if index["IndexName"] == "feed")
    assert set(feed["Projection"]["NonKeyAttributes"]) == {"action", "updated_by", "edge"}


def test_an_alarm_tells_of_snapshots_that_fail_and_of_a_function_that_does_not_run() -> None:
    alarm = resources("template.yaml")["SnapshotAgeAlarm"]["Properties"]
    expression, *counts = alarm["Metrics"]
    assert expression["Expression"] == "runs - FILL(failed, 0)"
    assert {metric["Id"]: metric["MetricStat"]["Metric"]["MetricName"] for metric in counts} == {
        "runs": "Invocations",
        "failed": "Errors",
    }
    for metric in counts:
        (dimension,) = metric["MetricStat"]["Metric"]["Dimensions"]
        assert dimension == {"Name": "FunctionName", "Value": {"Ref": "SnapshotFunction"}}
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"
    # What failed is not tried again: a retry would be a second invocation of the same minute.
    function = resources("template.yaml")["SnapshotFunction"]["Properties"]
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == 0


def test_the_load_balancer_admits_cloudfront_only() -> None:
    group = resources("cluster.yaml")["LoadBalancerSecurityGroup"]["Properties"]
    (rule,) = group["SecurityGroupIngress"]
    assert rule["SourcePrefixListId"] == {"Ref": "CloudFrontPrefixListId"}
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    sources = [
        rule["Properties"]["SourceSecurityGroupId"]
        for rule in resources("cluster.yaml").values()
        if rule["Type"] == "AWS::EC2::SecurityGroupIngress"
    ]
    assert sources == [{"Ref": "LoadBalancerSecurityGroup"}] * 2
