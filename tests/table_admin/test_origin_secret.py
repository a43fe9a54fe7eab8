"""Who is told the origin's secret, as the stack says it - the real template's, made by moto."""

import json
from typing import Any

import pytest

from edge_handler.routes.origin import CustomOrigin
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.doctor import doctor
from table_admin.origin_secret import verdicts
from tests.stacks import for_moto, translated
from tests.support import NOBODY, STATIC
from tests.table_admin.conftest import Command
from tests.table_admin.test_targets import balancer

SECRET = "s" * 32
TARGET = "https://lb.acme.example"


def deploy(aws: EmbeddedAws, stack: str, **parameters: str) -> None:
    """Make a stack that has the template's parameters and outputs, and of its resources only one."""
    template = for_moto(translated("template.yaml"))
    template["Resources"] = {"LogBucket": template["Resources"]["LogBucket"]}
    template["Outputs"] = {"OriginSecretHeader": template["Outputs"]["OriginSecretHeader"]}
    aws.client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )


def test_put_says_when_its_target_will_not_get_the_secret(
    command: Command, table: RoutingTable, aws: EmbeddedAws
) -> None:
    deploy(aws, table.stack, OriginSecret=SECRET, OriginSecretDomains="one.example,*.ingress.example")
    status, out, err = command("put", "a.example.com", TARGET, "--keep-host")
    assert (status, out.startswith("created a.example.com")) == (0, True)
    assert err == (
        "table-admin: lb.acme.example will not get the origin's secret: OriginSecretDomains of the stack "
        f"{table.stack} does not list it. If it is yours, deploy template.yaml with it in OriginSecretDomains.\n"
    )
    for listed in ("https://one.example", "https://eu.ingress.example:8443"):
        assert command("put", "a.example.com", listed, "--keep-host")[2] == ""


def test_a_load_balancer_is_no_exception(command: Command, table: RoutingTable, aws: EmbeddedAws) -> None:
    deploy(aws, table.stack, OriginSecret=SECRET)
    arn = balancer(aws, f"unlisted-{table.stack}", [("HTTP", 80)])
    status, _, err = command("put", "a.example.com", arn, "--dry-run", "--json")
    assert (status, err.count("\n")) == (0, 1)
    assert f"unlisted-{table.stack}" in err
    assert "will not get the origin's secret" in err


def test_env_up_says_it_once_for_each_origin(command: Command, table: RoutingTable, aws: EmbeddedAws) -> None:
    deploy(aws, table.stack, OriginSecret=SECRET)
    arn = balancer(aws, f"env-up-{table.stack}", [("HTTP", 80)])
    services = [f"--service={name}={arn}" for name in ("web", "api")]
    status, _, err = command("env", "up", "env-1", "--base", "example.com", *services)
    assert (status, err.count("will not get the origin's secret")) == (0, 1)


def test_where_the_stack_may_not_be_asked_it_says_that_it_does_not_know(command: Command) -> None:
    status, _, err = command("put", "a.example.com", TARGET, "--keep-host")
    assert (status, err.count("\n")) == (0, 1)
    assert err.startswith("table-admin: whether lb.acme.example gets the origin's secret is unknown: ValidationError: ")
    assert "cloudformation:DescribeStacks" in err
    assert ".." not in err


def test_nothing_is_said_where_there_is_no_secret(command: Command, table: RoutingTable, aws: EmbeddedAws) -> None:
    deploy(aws, table.stack)
    assert command("put", "a.example.com", TARGET, "--keep-host")[2] == ""


@pytest.mark.parametrize("target", ["s3://acme-static-sites/env-a", TARGET, "https://storage.googleapis.com/b"])
def test_who_never_gets_the_secret_is_not_spoken_of(command: Command, target: str) -> None:
    """No stack is there: asking it would be said."""
    assert command("put", "a.example.com", target)[2] == ""


def test_the_stack_is_asked_only_if_it_matters(table: RoutingTable, aws: EmbeddedAws) -> None:
    asked: list[str] = []

    def client(service: str, **options: Any) -> Any:
        asked.append(service)
        return aws.client(service, **options)

    counting = RoutingTable(table.stack, client=client)
    ingress = CustomOrigin("lb.acme.example", "https", 443, "", "viewer", website=False)
    assert verdicts(counting, [STATIC, ingress._replace(host_header="origin"), ingress._replace(website=True)]) == []
    assert "cloudformation" not in asked
    assert len(verdicts(counting, [ingress])) == 1
    assert asked.count("cloudformation") == 1


@pytest.mark.parametrize(
    ("parameters", "status", "says"),
    [
        ({"OriginSecret": SECRET, "OriginSecretDomains": "lb.acme.example"}, "ok", "lb.acme.example gets"),
        ({"OriginSecret": SECRET}, "unknown", "lb.acme.example will not get"),
        (None, "unknown", "is unknown"),
    ],
)
def test_doctor_says_whether_an_origin_gets_the_secret(
    table: RoutingTable, aws: EmbeddedAws, parameters: dict[str, str] | None, status: str, says: str
) -> None:
    if parameters is not None:
        deploy(aws, table.stack, **parameters)
    table.put("a.example.com", TARGET, keep_host=True)
    (found,) = (finding for finding in doctor(table, "a.example.com", edge=NOBODY) if finding.step == "secret")
    assert (found.status, says in found.text) == (status, True)
    assert bool(found.mend) is (status != "ok")


def test_an_ingress_is_explained(command: Command) -> None:
    command("put", "a.example.com", TARGET, "--keep-host")
    assert "asks https://lb.acme.example/x as Host a.example.com" in command("explain", "https://a.example.com/x")[1]
