"""That the feed is of this table, in this life of it: one item of the history, written anew with each snapshot.

Each poll of the edge looks back far enough to find it, so that an answer without it is no answer of this feed's.
"""

import contextlib
import json

from edge_handler.feed.page import ALL_ROUTES, FEED, SNAPSHOT_ACTION
from table_admin.inputs import iso
from table_admin.snapshots.source import epoch_of
from table_admin.tables import Tables, plain_errors

_REVISION = 0
"""No write's: they begin with 1."""
FUTURE_SECONDS = 60.0
"""What says it is of so much later than now, by DynamoDB's clock, is damaged."""


def put_heartbeat(tables: Tables, epoch: str, taken_at: str, restores: int) -> None:
    """Tell the feed of a snapshot. Raises TableAdminError."""
    said = {"table": tables.routes, "epoch": epoch, "taken_at": taken_at, "restores": restores}
    _put(tables, json.dumps(said, separators=(",", ":")), taken_at)


def renew_heartbeat(tables: Tables, life: str) -> None:
    """Tell the feed once more of the last snapshot, where it is of this life of the table.

    For when no bucket answers: the feed is as good as it was, and nobody shall stop believing it. Raises
    TableAdminError.
    """
    item = tables.revision(ALL_ROUTES, _REVISION) or {}
    edge = item.get("edge", {}).get("S", "")
    try:
        said = json.loads(edge)
        if said["table"] == tables.routes and said["epoch"] == epoch_of(life, int(said["restores"])):
            _put(tables, edge, str(said["taken_at"]))
    except (ValueError, TypeError, LookupError):
        return


def _put(tables: Tables, edge: str, taken_at: str) -> None:
    now = tables.clock.now()
    item = {
        "domain": {"S": ALL_ROUTES},
        "revision": {"N": str(_REVISION)},
        "action": {"S": SNAPSHOT_ACTION},
        "feed": {"S": FEED},
        "announced_at": {"S": iso(now)},
        "updated_at": {"S": iso(now)},
        "updated_by": {"S": "snapshot"},
        "taken_at": {"S": taken_at},
        "edge": {"S": edge},
    }
    with plain_errors(), contextlib.suppress(tables.dynamodb.exceptions.ConditionalCheckFailedException):
        tables.dynamodb.put_item(
            TableName=tables.history,
            Item=item,
            # Not over what a later run said meanwhile; but what is no time, or one of the future, would stay for ever.
            ConditionExpression="attribute_not_exists(taken_at) OR NOT attribute_type(taken_at, :text) "
            "OR taken_at <= :taken_at OR taken_at > :soon",
            ExpressionAttributeValues={
                ":text": {"S": "S"},
                ":taken_at": {"S": taken_at},
                ":soon": {"S": iso(now + FUTURE_SECONDS)},
            },
        )
