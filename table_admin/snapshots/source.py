"""What a snapshot is taken of: the rows, read in parallel, and which life of the table they are of."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from edge_handler.routes.destination import ATTRIBUTES
from edge_handler.snapshot.records import encode_row
from table_admin.snapshots.partition import MAX_DOMAIN_BYTES
from table_admin.tables import Tables, plain_errors

OnSkipped = Callable[[str, str], object]
_SEGMENTS = 4
_NAMES = {f"#{number}": name for number, name in enumerate(("domain", *ATTRIBUTES))}


def life_of(tables: Tables) -> str:
    """Return what is another for tables that were made again under the same names; it tells DynamoDB's time too."""
    found = []
    for name in (tables.routes, tables.history):
        asked = tables.clock.begin()
        with plain_errors():
            answer = tables.dynamodb.describe_table(TableName=name)
        tables.clock.learn(answer, asked)
        described = answer["Table"]
        found.append(str(described.get("TableId") or described["CreationDateTime"].timestamp()))
    return " ".join(found)


def epoch_of(life: str, restores: int) -> str:
    """Return the epoch of a life of the table in which rows went back to earlier revisions so often."""
    return hashlib.sha256(f"{life} {restores}".encode()).hexdigest()[:16]


def read_rows(tables: Tables, on_skipped: OnSkipped) -> dict[str, bytes]:
    """Return what is carried of each row, by domain.

    Read for half the price of a consistent read: the edge looks back a minute before the snapshot, and what the feed
    does not tell of is in the next one.

    Args:
        tables: of the stack.
        on_skipped: told of each row that no snapshot can hold, and why.
    """
    rows: dict[str, bytes] = {}

    def segment(number: int) -> None:
        for item in _scan(tables.dynamodb, tables.routes, number):
            domain = item.get("domain", {}).get("S")
            if why := _why_not(domain):
                on_skipped(str(domain), why)
            else:
                rows[domain] = encode_row(item)

    with _only_json(tables.dynamodb), ThreadPoolExecutor(_SEGMENTS) as pool, plain_errors():
        for _ in pool.map(segment, range(_SEGMENTS)):
            pass
    return rows


def _why_not(domain: object) -> str:
    if not isinstance(domain, str) or not domain:
        return "it has no domain"
    try:
        return "" if len(domain.encode()) <= MAX_DOMAIN_BYTES else "its domain is longer than any"
    except UnicodeEncodeError:
        return "its domain is no text"


def _scan(dynamodb: Any, table: str, segment: int) -> Iterator[dict[str, Any]]:
    request = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": _SEGMENTS,
        "ProjectionExpression": ", ".join(_NAMES),
        "ExpressionAttributeNames": _NAMES,
    }
    while True:
        answer = dynamodb.scan(**request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@contextlib.contextmanager
def _only_json(dynamodb: Any) -> Iterator[None]:
    """Take a scan's answers as the JSON they are: botocore's model of them takes 14 times as long.

    Of a million rows that is two minutes. A binary value stays the text that it is in JSON.
    """
    event, name = "before-parse.dynamodb.Scan", "table-admin-snapshot"
    # Counted: another thread may be taking one with the same client.
    dynamodb.meta.events.register(event, _parse, unique_id=name, unique_id_uses_count=True)
    try:
        yield
    finally:
        dynamodb.meta.events.unregister(event, _parse, unique_id=name, unique_id_uses_count=True)


def _parse(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    if response_dict["status_code"] == 200:
        with contextlib.suppress(ValueError):  # botocore says what it is, and asks again
            customized_response_dict |= json.loads(response_dict["body"])
            response_dict["body"] = b"{}"
