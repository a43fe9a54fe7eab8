"""The reader of the routing table: BatchGetItem on the nearest replica that answers.

Not boto3: a client of its costs ten times the CPU to get ready, and eight times per read (`make bench`).
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from edge_handler.aws.connection import Connection
from edge_handler.aws.sigv4 import Credentials, Signer, load_credentials
from edge_handler.errors import EdgeError, TableUnreachable
from edge_handler.log import log
from edge_handler.routes.route import Item
from edge_handler.settings import Settings

# viewer-request has 5 seconds in all; what is not known by then is answered with 503.
TOTAL_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 8.0


class _ReplicaError(EdgeError):
    """The replica answered, but not with rows."""


class Replica:
    """The table in one region, and since when it is not worth asking."""

    def __init__(self, table: str, region: str, endpoint: str, credentials: Credentials) -> None:
        self.region = region
        self.retry_at = 0.0
        self._failures = 0
        self._table = table
        self._connection = Connection(endpoint)
        self._signer = Signer("dynamodb", region, credentials)

    def read(self, domains: Sequence[str]) -> list[Item]:
        """Return the rows that exist, in no order."""
        keys = [{"domain": {"S": domain}} for domain in domains]
        body = json.dumps({"RequestItems": {self._table: {"Keys": keys}}}).encode()
        headers = {
            "host": self._connection.authority,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "DynamoDB_20120810.BatchGetItem",
        }
        signed = self._signer.sign("POST", "/", headers, hashlib.sha256(body).hexdigest())
        status, content = self._connection.request("POST", "/", signed, body)
        if status != 200:
            raise _ReplicaError(f"status {status}: {content[:200].decode('utf-8', 'replace')}")
        answer = json.loads(content)
        if answer.get("UnprocessedKeys"):
            # How BatchGetItem says that it was throttled.
            raise _ReplicaError("throttled: some keys were not processed")
        rows: list[Item] = answer["Responses"].get(self._table, [])
        return rows

    def connect(self) -> None:
        """Open the connection. Raises OSError."""
        self._connection.connect()

    def succeeded(self) -> None:
        """Ask it again next time."""
        self._failures = 0
        self.retry_at = 0.0

    def failed(self, now: float) -> None:
        """Leave it alone for a while, for longer each time."""
        self.retry_at = now + min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, 10)


class RoutesTable:
    """The routing table, wherever a replica of it answers."""

    def __init__(self, replicas: Sequence[Replica], clock: Callable[[], float] = time.time) -> None:
        """`replicas` nearest first."""
        self._replicas = replicas
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: Settings) -> "RoutesTable":
        """Make the readers of all replica regions. Connects to none."""
        credentials = load_credentials()
        endpoint = settings.endpoint or "https://dynamodb.{region}.amazonaws.com"
        return cls(
            [
                Replica(settings.table, region, endpoint.replace("{region}", region), credentials)
                for region in settings.regions
            ]
        )

    def warm_up(self) -> None:
        """Connect to the nearest replica, and certify it: work for the start, which has a whole processor."""
        with contextlib.suppress(OSError):
            self._replicas[0].connect()

    def read(self, domains: Sequence[str]) -> list[Item]:
        """Return the rows of up to 100 domains, those that exist, in one round trip.

        Raises:
            TableUnreachable: no replica answered, or all have failed so recently that none was asked.
        """
        started = self._clock()
        for replica in self._replicas:
            now = self._clock()
            if now < replica.retry_at:
                continue
            if now - started > TOTAL_SECONDS:
                break
            try:
                rows = replica.read(domains)
            except (OSError, ValueError, KeyError, AttributeError, EdgeError) as error:
                replica.failed(self._clock())
                _log_failure(replica, error)
            else:
                replica.succeeded()
                return rows
        raise TableUnreachable(
            "no replica of the routing table answers", min(replica.retry_at for replica in self._replicas)
        )


def _log_failure(replica: Replica, error: Exception) -> None:
    fields: dict[str, Any] = {"region": replica.region, "error": f"{type(error).__name__}: {error}"}
    log("ERROR", "a replica of the routing table failed", retry_at=replica.retry_at, **fields)
