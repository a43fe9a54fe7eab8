"""Snapshots on this machine: by the writer that AWS runs each minute, here every few seconds."""

import threading
from collections.abc import Callable
from typing import Any

from edge_handler.errors import MalformedHost
from edge_handler.routes.host import normalise_host
from edge_handler.routes.known_from import KnownFrom
from edge_handler.routes.resolver import Resolver
from local_edge.embedded_aws import REGION, EmbeddedAws
from local_edge.functions import Function
from table_admin import RoutingTable
from table_admin.errors import TableAdminError
from table_admin.snapshots.places import Bucket
from table_admin.snapshots.writer import take_snapshot

SNAPSHOT_SECONDS = 10.0
_END_SECONDS = 1.0
BUCKET = Bucket("edge-routing-snapshot-local", REGION)


class SnapshotSchedule:
    """Takes one now, and then on a schedule, until it is closed."""

    def __init__(self, aws: EmbeddedAws, stack: str, seconds: float = SNAPSHOT_SECONDS) -> None:
        aws.client("s3").create_bucket(Bucket=BUCKET.name)
        self._table = RoutingTable(stack, actor="snapshot", client=aws.client)
        self._seconds = seconds
        self._stop = threading.Event()
        take_snapshot(self._table, [BUCKET])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more. One that waits for a table that says nothing is not waited for."""
        self._stop.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        failed = ""
        while not self._stop.wait(self._seconds):
            try:
                take_snapshot(self._table, [BUCKET])
                failed = ""
            except TableAdminError as error:
                if str(error) != failed and not self._stop.is_set():
                    failed = str(error)
                    print(f"no snapshot: {failed}", flush=True)


def telling_source(handler: Function, resolver: Resolver, tell: Callable[[str, str], None]) -> Function:
    """Return a viewer-request handler that tells, by request id, from where the host's route was known.

    See `edge_handler.routes.known_from`.
    """

    def invoke(event: dict[str, Any], context: object) -> dict[str, Any]:
        cf = event["Records"][0]["cf"]
        host = _host(cf["request"])
        known_from = KnownFrom(resolver, host)
        result = handler(event, context)
        tell(cf["config"]["requestId"], known_from.source(resolver.memory.get(host)) or "nowhere")
        return result

    return invoke


def _host(request: dict[str, Any]) -> str:
    try:
        return normalise_host(request["headers"]["host"][0]["value"])
    except (LookupError, MalformedHost):
        return ""
