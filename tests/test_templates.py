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
