"""deployments list, deployments show."""

import dataclasses
from typing import Any

import click

from table_admin import output
from table_admin.cli.options import AS_JSON
from table_admin.deployments.items import Deployment, Deployments
from table_admin.deployments.keys import deployment_at
from table_admin.deployments.naming import named_by_rows
from table_admin.errors import InvalidInput, NotFound
from table_admin.routing_table import RoutingTable

_SHORTEST = 6
"""So many digits of a deployment are enough where no other begins so."""


@click.group()
def deployments() -> None:
    """Look at deployments: what was sent, and what is kept."""


@deployments.command("list")
@click.option("--bucket", help="Only those in this bucket.")
@click.option("--all", "also_gone", is_flag=True, help="Also those whose files were removed.")
@AS_JSON
@click.pass_obj
def list_deployments(table: RoutingTable, bucket: str | None, also_gone: bool, as_json: bool) -> None:
    """List deployments, the newest first."""
    wanted = [
        one for one in Deployments(table).list() if bucket in (None, one.bucket) and (also_gone or one.state != "gone")
    ]
    wanted.sort(key=lambda one: one.created_at, reverse=True)
    if as_json:
        output.print_json_array(map(_document, wanted))
        return
    rows = output.deployment_rows(wanted)
    count = output.print_table(output.DEPLOYMENT_HEADS, rows, spare=output.DEPLOYMENT_SPARE)
    output.print_count(count, "deployment", None)


@deployments.command()
@click.argument("deployment")
@AS_JSON
@click.pass_obj
def show(table: RoutingTable, deployment: str, as_json: bool) -> None:
    """Show DEPLOYMENT, the first digits of it or its target, and which domains need it."""
    found = _find(table, deployment)
    domains = named_by_rows(table).get(found.key, set())
    if as_json:
        output.print_json({**_document(found), "domains": sorted(domains)})
    else:
        output.print_deployment(found, domains)


def _find(table: RoutingTable, text: str) -> Deployment:
    bucket, slash, path = text.removeprefix("s3://").partition("/")
    if slash:
        deployment = deployment_at(f"/{path.rstrip('/')}")
        if deployment is None or not text.startswith("s3://"):
            raise InvalidInput(f"{text[:80]!r} is no deployment's target; write s3://bucket/_deployments/ID, or ID.")
        return Deployments(table).get(bucket, deployment)
    if len(text) < _SHORTEST:
        raise InvalidInput(f"{text!r} is too short; write at least {_SHORTEST} digits of the deployment.")
    found = [one for one in Deployments(table).list() if one.id.startswith(text.lower())]
    if not found:
        raise NotFound(f"There is no deployment {text[:80]}.")
    if len(found) > 1:
        raise InvalidInput(f"{text} may be {', '.join(sorted(one.target for one in found)[:3])}; say which.")
    return found[0]


def _document(found: Deployment) -> dict[str, Any]:
    values = dataclasses.asdict(found)
    values["bytes"] = values.pop("size")
    for name in ("version", "epoch", "list_versions"):
        del values[name]
    return {**values, "target": found.target}


COMMANDS = [deployments]
