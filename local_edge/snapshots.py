"""Snapshots on this machine: by the writer that AWS runs each minute, here every few seconds."""

import threading
from collections.abc import Callable
from typing import Any

from edge_handler.errors import MalformedHost
from edge_handler.routes.host import normalise_host
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

    `memory`, `snapshot`, `feed` (announced since the snapshot), or `table`, for which the viewer waited.
    """

    def invoke(event: dict[str, Any], context: object) -> dict[str, Any]:
        cf = event["Records"][0]["cf"]
        host = _host(cf["request"])
        known, reads, following = resolver.known.get(host), resolver.reads, resolver.following
        was_fresh = known is not None and known.fresh_from <= resolver.clock() < known.fresh_until
        result = handler(event, context)
        if resolver.reads > reads:
            source = "table"
        elif was_fresh or following is None or resolver.known.get(host) is known is not None:
            source = "memory"
        else:
            source = "feed" if following.was_announced(host) else "snapshot"
        tell(cf["config"]["requestId"], source)
        return result

    return invoke


def _host(request: dict[str, Any]) -> str:
    try:
        return normalise_host(request["headers"]["host"][0]["value"])
    except (LookupError, MalformedHost):
        return ""
