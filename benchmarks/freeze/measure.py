"""Measures, with an account, whether an answer can be collected after the sandbox was frozen.

`python -m benchmarks.freeze.measure --stack edge-freeze`, after the commands of docs/performance.md: seven minutes a
round, a few cents. It prints a table of Markdown.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3

from benchmarks.freeze.handler import KILOBYTES

PAUSES = (1, 10, 60, 300)
TRIES = 3
"""Another sandbox knows nothing of the question."""
Invoke = Callable[[dict[str, Any]], dict[str, Any]]


def prepare(table: str, client: Any) -> None:
    """Put the rows whose reads are answers of so many KB."""
    for kilobytes in KILOBYTES:
        client.put_item(TableName=table, Item={"id": {"S": str(kilobytes)}, "content": {"S": "x" * kilobytes * 1_000}})


def measure(invoke: Invoke, region: str, pauses: tuple[float, ...], rounds: int) -> Iterator[dict[str, Any]]:
    """Yield what the function told of each answer, with the pause before it."""
    for pause in pauses * rounds:
        for _ in range(TRIES):
            sent = invoke({"send": region})
            time.sleep(pause)
            told = invoke({})
            if told["sandbox"] == sent["sandbox"]:
                yield from ({"pause": pause, **answer} for answer in told["answers"])
                break


def line(found: dict[str, Any]) -> str:
    """Return a row of the table."""
    there = "yes" if found["was_there"] else found["error"] or f"after {found['waited_seconds'] * 1e3:.0f} ms"
    clocks = f"{found['seconds']:.1f} / {found['monotonic_seconds']:.1f} s"
    return f"| {found['pause']} s | {found['kilobytes']} KB | {there} | {clocks} |"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="edge-freeze")
    parser.add_argument("--table-region", help="another region that has the stack too: its table is asked")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    functions: Any = boto3.client("lambda")
    region = options.table_region or functions.meta.region_name
    prepare(options.stack, boto3.client("dynamodb", region_name=region))

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        answer = functions.invoke(FunctionName=options.stack, Payload=json.dumps(event))
        content = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise SystemExit(content)
        told: dict[str, Any] = json.loads(content)
        return told

    print("| frozen for | answer | there without waiting | since it was asked: time of day / monotonic |")
    print("|--:|--:|---|---|")
    for found in measure(invoke, region, PAUSES, options.rounds):
        print(line(found), flush=True)


if __name__ == "__main__":
    main()
