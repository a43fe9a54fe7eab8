"""What the edge's stack says of itself."""

from table_admin.asking import ask
from table_admin.routing_table import RoutingTable

REGION = "us-east-1"
"""Where the edge's stack has to be."""


def stack_output(table: RoutingTable, name: str) -> tuple[str, str]:
    """Return an output of the edge's stack; else nothing, and why there is none."""
    cloudformation = table.client("cloudformation", region_name=REGION)
    stack, problem = ask(lambda: cloudformation.describe_stacks(StackName=table.stack)["Stacks"][0])
    for output in (stack or {}).get("Outputs", ()):
        if output["OutputKey"] == name:
            return str(output["OutputValue"]), ""
    return "", problem.rstrip(".") or f"the stack {table.stack} has no output {name}"
