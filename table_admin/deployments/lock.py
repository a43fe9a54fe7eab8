"""One sweep at a time: an item of the deployments table says who sweeps, and until when."""

import contextlib
import uuid
from collections.abc import Iterator

from botocore.exceptions import ClientError

from table_admin.deployments.items import SWEEP
from table_admin.errors import TableAdminError
from table_admin.routing_table import RoutingTable
from table_admin.tables import plain_errors

LOCK_SECONDS = 900
"""So long one sweep may be silent before another is let in; it says before each step that it goes on."""


class SweepRunning(TableAdminError):
    """Another sweep is running."""


class SweepLock:
    """The right to sweep."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._holder = uuid.uuid4().hex

    def take(self) -> None:
        """Take it. Raises SweepRunning where another has it."""
        self._put(LOCK_SECONDS, "attribute_not_exists(deployment) OR held_until <= :now", ":now")

    def renew(self) -> None:
        """Go on. Raises SweepRunning where another was let in meanwhile."""
        self._put(LOCK_SECONDS, "holder = :holder", ":holder")

    def release(self) -> None:
        """Let others in; where another is in already, leave it alone."""
        with contextlib.suppress(SweepRunning):
            self._put(0, "holder = :holder", ":holder")

    def _put(self, seconds: int, condition: str, name: str) -> None:
        now = int(self._table.clock())
        values = {":holder": {"S": self._holder}, ":now": {"N": str(now)}}
        try:
            self._table.tables.dynamodb.put_item(
                TableName=self._table.tables.deployments,
                Item={
                    "deployment": {"S": SWEEP},
                    "holder": {"S": self._holder},
                    "held_until": {"N": str(now + seconds)},
                    "held_by": {"S": self._table.actor},
                },
                ConditionExpression=condition,
                ExpressionAttributeValues={name: values[name]},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise SweepRunning("Another sweep is running; this one leaves the deployments to it.") from error
            with plain_errors():
                raise


@contextlib.contextmanager
def one_at_a_time(table: RoutingTable, dry_run: bool) -> Iterator[SweepLock]:
    """Hold the right to sweep; nobody needs it to say what would be done. Raises SweepRunning."""
    lock = SweepLock(table)
    if dry_run:
        yield lock
        return
    lock.take()
    try:
        yield lock
    finally:
        lock.release()
