"""docs/deploy.md is true, as far as that can be seen without an account."""

import re
import shlex
import subprocess
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name
from samcli.yamlhelper import yaml_parse

from local_edge.template import load_template
from tests.support import ROOT
from tests.test_templates import BIN, ENVIRON

GUIDE = (ROOT / "docs" / "deploy.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", GUIDE, re.MULTILINE)
# Of the AWS CLI's own making, not operations of a service.
CLI_COMMANDS = {
    ("cloudformation", "deploy"): {"stack-name", "template-file", "capabilities", "parameter-overrides"},
    ("eks", "update-kubeconfig"): {"name"},
    ("s3", "rb"): {"force"},
}
SERVICES = {"s3api": "s3"}
"""Where the AWS CLI calls a service other than it is called."""
GLOBAL_OPTIONS = {"region", "query", "max-items"}


def aws_commands() -> list[list[str]]:
    found = [re.search(r"aws [a-z0-9]+ [a-z-]+[^;]*", command) for command in COMMANDS]
    return [shlex.split(match[0]) for match in found if match and "helm" not in match.string]


def option_names(words: list[str]) -> list[str]:
    return [word.removeprefix("--") for word in words if word.startswith("--")]


@pytest.mark.parametrize("words", aws_commands(), ids=lambda words: "-".join(words[1:3]))
def test_an_aws_command_is_one_that_the_service_knows(words: list[str]) -> None:
    _, service, command, *rest = words
    options = set(option_names(rest)) - GLOBAL_OPTIONS
    if (service, command) in CLI_COMMANDS:
        assert options <= CLI_COMMANDS[service, command]
        return
    model = botocore.session.get_session().get_service_model(SERVICES.get(service, service))
    operations: dict[str, Any] = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[command]).input_shape
    assert shape is not None
    known = {xform_name(member, "-") for member in shape.members}
    assert {option.removeprefix("no-") for option in options} <= known


def test_everything_before_the_account_is_needed_runs() -> None:
    before = GUIDE.partition("## Deploy the edge")[0]
    ran = 0
    for command in re.findall(r"^\$ (.+)$", before, re.MULTILINE):
        if command.startswith((".venv/bin/sam", "python3 -c")):
            words = shlex.split(command.partition(" > ")[0])
            words[0] = str(BIN / words[0].rpartition("/")[2])
            done = subprocess.run(words, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            ran += 1
            if "secrets" in command:
                pattern = yaml_parse((ROOT / "cluster.yaml").read_text())["Parameters"]["OriginSecret"][
                    "AllowedPattern"
                ]
                assert re.fullmatch(pattern, done.stdout.strip())
    assert ran == 3


def test_table_admin_is_called_as_it_can_be() -> None:
    commands = [shlex.split(command) for command in COMMANDS if command.startswith(".venv/bin/table-admin")]
    assert len(commands) == 3
    for _, verb, *rest in commands:
        help_text = subprocess.run(
            [str(BIN / "table-admin"), verb, "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert all(f"--{option}" in help_text for option in option_names(rest))


def test_every_parameter_that_is_named_exists_and_every_needed_one_is_named() -> None:
    edge = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    table = re.search(r"\| parameter \| give \|\n(.+?)\n\n", GUIDE, re.DOTALL)
    assert table
    assert set(re.findall(r"`([A-Z]\w+)`", re.sub(r"`DistributionDomainName`", "", table[1]))) == set(edge)
    cluster = yaml_parse((ROOT / "cluster.yaml").read_text())["Parameters"]
    deploy = next(command for command in COMMANDS if "cluster.yaml" in command and "parameter-overrides" in command)
    given = set(re.findall(r"([A-Z]\w+)=", deploy.partition("--parameter-overrides")[2]))
    assert {name for name, body in cluster.items() if "Default" not in body} <= given <= set(cluster)


def accepted(parameters: dict[str, str]) -> list[str]:
    """Return the secrets that the load balancer takes."""
    allowed = yaml_parse((ROOT / "cluster.yaml").read_text())["Parameters"]
    for name, value in parameters.items():
        assert re.fullmatch(allowed[name]["AllowedPattern"], value), name
    template = load_template(stack="c", bucket="b", parameters=parameters, path=ROOT / "cluster.yaml")
    (condition,) = template.properties("ThroughCloudFront")["Conditions"]
    values: list[str] = condition["HttpHeaderConfig"]["Values"]
    return values


def sent(parameters: dict[str, str]) -> str:
    """Return the secret that CloudFront sends."""
    return load_template(stack="s", bucket="b", parameters=parameters).distribution().origin_headers["x-origin-verify"]


def test_the_secret_is_replaced_without_a_gap_and_in_the_end_the_old_one_is_refused() -> None:
    old, new = "o" * 32, "n" * 32
    edge, cluster = {"OriginSecret": old}, {"OriginSecret": old, "PreviousOriginSecret": ""}
    update = GUIDE.partition("## Update")[2].partition("\n## ")[0]
    steps = [step for step in re.findall(r"^\$ (.+)$", update, re.MULTILINE) if "--parameter-overrides" in step]
    for step in steps:
        given = dict(re.findall(r"(\w+)=(\w*)", step.partition("--parameter-overrides")[2]))
        changed = {name: {"OLD": old, "NEW": new, "": ""}[value] for name, value in given.items()}
        # What a step does not name keeps its value.
        if "cluster.yaml" in step:
            cluster |= changed
        else:
            assert sent(edge | changed) in accepted(cluster)  # while CloudFront moves, edge by edge, both are sent
            edge |= changed
        assert sent(edge) in accepted(cluster)
    assert sent(edge) == new
    assert accepted(cluster) == [new]


def test_every_file_and_output_that_is_named_exists() -> None:
    for path in re.findall(r"(?:kubernetes|edge_handler|docs)/[\w.-]+", GUIDE):
        assert (ROOT / path).exists(), path
    outputs = yaml_parse((ROOT / "template.yaml").read_text())["Outputs"]
    assert set(re.findall(r"output `(\w+)`", GUIDE)) <= set(outputs)


def test_regions_of_the_log_loop_are_regional_edge_caches() -> None:
    (loop,) = (command for command in COMMANDS if command.startswith("for region in"))
    regions = loop.partition(" in ")[2].partition(";")[0].split()
    assert set(regions) <= set(botocore.session.get_session().get_available_regions("lambda"))


def test_the_buckets_of_the_guide_are_those_that_the_stack_makes_and_takes() -> None:
    copy = "edge-routing-snapshot-copy-123456789012@eu-west-1"
    template = load_template(stack="edge-routing", bucket="b", parameters={"SnapshotCopy": copy})
    named = set(re.findall(r"[a-z-]+-ACCOUNT@[a-z0-9-]+", GUIDE))
    written = template.properties("SnapshotFunction")["Environment"]["Variables"]["SNAPSHOT_BUCKETS"]
    assert {name.replace("ACCOUNT", "123456789012") for name in named} == set(written.split(","))
    for name in named:
        bucket, _, region = name.partition("@")
        commands = [command for command in COMMANDS if bucket in command.replace("//", " ").split()]
        assert commands
        assert all(f"--region {region}" in command for command in commands)


def test_parts_of_the_copy_expire_as_those_of_the_stacks_own_bucket_do() -> None:
    (command,) = (command for command in COMMANDS if "put-bucket-lifecycle-configuration" in command)
    rules = load_template(stack="s", bucket="b").properties("SnapshotBucket")["LifecycleConfiguration"]["Rules"]
    (rule,) = (rule for rule in rules if "ExpirationInDays" in rule)
    assert f"Prefix={rule['Prefix']}}}" in command
    assert f"Days={rule['ExpirationInDays']}}}" in command


def test_values_for_helm_are_yaml() -> None:
    for path in (ROOT / "kubernetes").glob("*.yaml"):
        assert list(yaml.safe_load_all(path.read_text()))
