"""Who is told the origin's secret: asked of the edge stack, which lists domain names and does not give the secret away.

A distribution lists them too, but beside the secret itself: whoever may only write rows shall not need to see that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_handler.origin_secret import is_listed
from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.redirect import Answering
from table_admin.asking import ask
from table_admin.routing_table import RoutingTable

_PARAMETER = "OriginSecretDomains"
_OUTPUT = "OriginSecretHeader"
"""The stack has it where it has a secret; whether a parameter that is not echoed is empty, nobody says."""
_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an origin is told the secret, None where that cannot be known; `mend` is what to do about it."""

    domain_name: str
    told: bool | None
    text: str
    mend: str = ""


def verdicts(table: RoutingTable, origins: Iterable[Answering]) -> list[Verdict]:
    """Return one for each of the origins that get the viewer's host, for those may ask for the secret.

    There is none where the stack has no secret. The stack is asked once, and only if it matters.
    """
    names = sorted({one.domain_name for one in origins if isinstance(one, CustomOrigin) and _may_ask_for_it(one)})
    if not names:
        return []
    cloudformation = table.client("cloudformation", region_name=_REGION)
    stack, problem = ask(lambda: cloudformation.describe_stacks(StackName=table.stack)["Stacks"][0])
    if stack is None:
        unknown, mend = problem.rstrip("."), f"It takes cloudformation:DescribeStacks on the stack {table.stack}."
        return [
            Verdict(name, None, f"whether {name} gets the origin's secret is unknown: {unknown}", mend)
            for name in names
        ]
    if all(output["OutputKey"] != _OUTPUT for output in stack.get("Outputs", ())):
        return []
    listed = _listed(stack)
    return [_verdict(name, listed, table.stack) for name in names]


def _may_ask_for_it(origin: CustomOrigin) -> bool:
    return origin.host_header == "viewer" and not origin.website


def _listed(stack: Mapping[str, Any]) -> str:
    given = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", ())}
    return str(given.get(_PARAMETER, ""))


def _verdict(name: str, listed: str, stack: str) -> Verdict:
    if is_listed(name, listed):
        return Verdict(name, True, f"{name} gets the origin's secret")
    text = f"{name} will not get the origin's secret: {_PARAMETER} of the stack {stack} does not list it"
    return Verdict(name, False, text, f"If it is yours, deploy template.yaml with it in {_PARAMETER}.")
