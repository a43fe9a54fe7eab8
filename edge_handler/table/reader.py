"""The reader of the routing table: BatchGetItem on the nearest replica that answers.

Not boto3: a client of its costs ten times the CPU to get ready, and eight times per read (`make bench`).
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from edge_handler.aws.server import Pause, Server
from edge_handler.aws.sigv4 import Credentials, Signer, load_credentials
from edge_handler.aws.status import check_status
from edge_handler.errors import BrokenRow, Refused, TableUnreachable, Unreadable, UnreadableRow
from edge_handler.log import log
from edge_handler.routes.attributes import Item
from edge_handler.routes.destination import Destination, read_destination
from edge_handler.settings import Settings

Rows = dict[str, Destination | BrokenRow]
"""The rows that exist, by their domains; in place of a broken one, why it is."""
T = TypeVar("T")
Decode = Callable[[Item], T]
"""What is made of an item. It raises UnreadableRow for what is none."""

# Of the start, which Lambda lets take ten.
WARM_UP_SECONDS = 1.0


HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.BatchGetItem"}


class Replica:
    """The table in one region, and whether it is worth asking."""

    def __init__(
        self,
        table: str,
        region: str,
        endpoint: str,
        credentials: Credentials,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.region = region
        self.pause = Pause(clock)
        self._table = table
        self._server = Server(endpoint)
        self._signer = Signer("dynamodb", region, credentials)

    def read(
        self, decode: Decode[T], domains: Sequence[str], deadline: float, *, expected: str | None = None
    ) -> dict[str, T]:
        """Return what `decode` makes of the items that exist.

        Raises:
            OSError, Refused, Unreadable: the replica does not answer by the deadline, or not with items.
        """

        def read(status: int, content: bytes) -> dict[str, T]:
            return read_items(decode, status, content, self._table, domains)

        def read_expected(status: int, content: bytes) -> dict[str, T]:
            rows = read(status, content)
            if expected not in rows:
                # It names nothing by which to tell that it answers this question: another row may be of many hosts.
                raise Unreadable("the row that was there is gone")
            return rows

        body = question(self._table, domains)
        headers = {**HEADERS, "host": self._server.authority}
        signed = self._signer.sign("POST", "/", headers, hashlib.sha256(body).hexdigest())
        return self._server.ask(
            "POST", "/", signed, body, deadline, read, read_expected if expected is not None else read
        )

    def connect(self, deadline: float) -> None:
        """Open the connection. Raises OSError."""
        self._server.connect(deadline)


def question(table: str, domains: Sequence[str]) -> bytes:
    """Return the body that asks for the rows of some domains."""
    # json.dumps for the whole of it would be a thirtieth of what a read costs.
    keys = ",".join([f'{{"domain":{{"S":{json.dumps(domain)}}}}}' for domain in domains])
    return f'{{"RequestItems":{{"{table}":{{"Keys":[{keys}]}}}}}}'.encode()


def read_items(decode: Decode[T], status: int, content: bytes, table: str, domains: Sequence[str]) -> dict[str, T]:
    """Return the items in an answer of BatchGetItem's to the question about `domains`.

    Nothing is learned from an answer that is not whole, or is another question's: what cannot be read is a failing
    table, never a missing or broken row.

    Raises:
        Unreadable: it is no such answer.
        Refused: DynamoDB says that the request is wrong, or too much.
    """
    check_status(status, content)
    try:
        answer = json.loads(content)
        if answer.get("UnprocessedKeys"):
            # How BatchGetItem says that it was throttled.
            raise Refused("throttled: some keys were not processed")
        items = answer["Responses"][table]
        if type(items) is not list:
            raise TypeError("the rows are no list")
        rows: dict[str, T] = {}
        for item in items:
            domain = item["domain"]["S"]
            if domain not in domains or domain in rows:
                raise LookupError("a row that was not asked for")
            rows[domain] = decode(item)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError, UnreadableRow) as error:
        raise Unreadable(f"not an answer to what was asked: {type(error).__name__}: {error}"[:200]) from error
    return rows


class ReplicatedTable:
    """A table with the key `domain`, wherever a replica of it answers."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        """`replicas` nearest first."""
        self._replicas = replicas

    @classmethod
    def from_settings(cls, settings: Settings, table: str = "") -> Self:
        """Make the readers of all replica regions; of the routing table where none is named. Connects to none."""
        credentials = load_credentials()
        endpoint = settings.endpoint or "https://dynamodb.{region}.amazonaws.com"
        return cls(
            [
                Replica(table or settings.table, region, endpoint.replace("{region}", region), credentials)
                for region in settings.regions
            ]
        )

    def warm_up(self) -> None:
        """Connect to the nearest replica, and certify it: work for the start, which has a whole processor."""
        with contextlib.suppress(OSError):
            self._replicas[0].connect(time.monotonic() + WARM_UP_SECONDS)

    def read_as(
        self, decode: Decode[T], domains: Sequence[str], seconds: float, *, expected: str | None = None
    ) -> dict[str, T]:
        """Return what is made of the items of up to 100 domains, those that exist, in one round trip.

        Args:
            decode: see there.
            domains: the keys.
            seconds: how long it may take, whatever is broken. Each replica gets half of what is left, the last all.
            expected: the domain of an item that was there: that it is gone is believed only if a connection made for
                the question says so.

        Raises:
            TableUnreachable: no replica answered, or all have failed so recently that none was asked.
        """
        deadline = time.monotonic() + seconds
        worth_asking = [replica for replica in self._replicas if not replica.pause.seconds()]
        for position, replica in enumerate(worth_asking, 1):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            share = deadline if position == len(worth_asking) else deadline - left / 2
            try:
                rows = replica.read(decode, domains, share, expected=expected)
            except (OSError, Refused, Unreadable) as error:
                _log_failure(replica, replica.pause.begin(), error)
            else:
                replica.pause.end()
                return rows
        raise TableUnreachable(
            "no replica of the routing table answers", min(replica.pause.seconds() for replica in self._replicas)
        )


class RoutesTable(ReplicatedTable):
    """The routing table."""

    def read(self, domains: Sequence[str], seconds: float, *, expected: str | None = None) -> Rows:
        """Return the rows of up to 100 domains, those that exist. See `read_as`."""
        return self.read_as(read_destination, domains, seconds, expected=expected)


def _log_failure(replica: Replica, pause: float, error: Exception) -> None:
    fields: dict[str, Any] = {"region": replica.region, "error": f"{type(error).__name__}: {error}"}
    log("ERROR", "a replica of the routing table failed", pause_seconds=pause, **fields)
