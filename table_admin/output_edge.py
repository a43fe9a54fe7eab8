"""What the command prints of what the edge does with a request: as it is worked out, and as the edge says it."""

from typing import Any

from table_admin.edge_answer import EdgeAnswer
from table_admin.explain import Explanation
from table_admin.terminal import echo


def print_explanation(found: Explanation) -> None:
    """Print the way of a request, a step a line."""
    echo(found.url)
    echo(f"  row             {found.reason}")
    if found.rule_reason:
        echo(f"  rule            {found.rule_reason}")
    for name, words in found.policy.items():
        echo(f"  {name:<15} {words}")
    if found.missing:
        echo(f"  target          {found.missing}")
    if found.known:
        echo(f"  known at edge   {found.known}")
    echo(f"  viewer-request  {_step(found.viewer_request)}")
    if found.let_in is not None:
        echo(f"  who is let in   {_step(found.let_in.viewer_request)}")
    origin_request = found.let_in.origin_request if found.let_in is not None else found.origin_request
    if origin_request is not None:
        echo(f"  origin-request  {_step(origin_request)} (on a cache miss)")
    if found.of_canary is not None:
        echo(f"  of the canary   {_step(found.of_canary.viewer_request)}")
        if found.of_canary.origin_request is not None:
            echo(f"  {'':<15} {_step(found.of_canary.origin_request)} (on a cache miss)")


def print_edge_answer(found: EdgeAnswer) -> None:
    """Print what the edge says, a name a line."""
    shown = {**found.said, **found.headers}
    width = max(map(len, shown)) + 2
    for name, value in shown.items():
        echo(f"{name:<{width}}{_edge_value(value)}")


def _edge_value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_edge_value(one)}" for name, one in value.items())
    return str(value)


def _step(step: dict[str, Any]) -> str:
    if "status" in step:
        return f"answers {step['status']}" + (f", to {step['location']}" if "location" in step else "")
    if "stamp" in step:
        return f"goes on with x-route: {step['stamp']}"
    asks = f"asks {step['origin']}{step['uri']} as Host {step['host']}"
    if "forwarded_prefix" in step:
        asks += f", with x-forwarded-prefix {step['forwarded_prefix']}"
    return f"{asks}: {step['file']}, sent with status {step['sent_with']}" if "file" in step else asks
