"""The buckets that snapshots are in: the nearest that answers is asked."""

import time
from collections.abc import Sequence

from edge_handler.aws.server import Pause, Server
from edge_handler.aws.sigv4 import UNSIGNED_PAYLOAD, Credentials, Signer, load_credentials
from edge_handler.aws.status import check_status
from edge_handler.errors import Refused, StorageUnreachable, Unreadable
from edge_handler.log import log
from edge_handler.routes.origin import bucket_domain_name
from edge_handler.settings import Settings


class SnapshotBucket:
    """One bucket."""

    def __init__(self, name: str, region: str, endpoint: str | None, credentials: Credentials) -> None:
        self.name = name
        self.pause = Pause()
        self._host = bucket_domain_name(name, region)
        self._server = Server(endpoint or f"https://{self._host}")
        self._signer = Signer("s3", region, credentials)

    def read(self, key: str, deadline: float) -> bytes:
        """Return an object. Raises OSError, Refused, Unreadable."""
        headers = {"host": self._host, "x-amz-content-sha256": UNSIGNED_PAYLOAD}
        signed = self._signer.sign("GET", f"/{key}", headers, UNSIGNED_PAYLOAD)
        return self._server.ask("GET", f"/{key}", signed, b"", deadline, _body)


def _body(status: int, content: bytes) -> bytes:
    check_status(status, content)
    return content


class SnapshotBuckets:
    """All of them, nearest first."""

    def __init__(self, buckets: Sequence[SnapshotBucket]) -> None:
        self._buckets = buckets

    @classmethod
    def from_settings(cls, settings: Settings) -> "SnapshotBuckets":
        """Return those that the settings name. Connects to none."""
        credentials = load_credentials()
        return cls(
            [
                SnapshotBucket(name, region, settings.s3_endpoint, credentials)
                for name, region in settings.snapshot_buckets
            ]
        )

    def read(self, key: str, deadline: float) -> bytes:
        """Return an object, from the first bucket that has it.

        Raises:
            StorageUnreachable: none gave it by the deadline.
        """
        for position, bucket in enumerate(self._buckets, 1):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if bucket.pause.seconds():
                continue
            share = deadline if position == len(self._buckets) else deadline - left / 2
            try:
                found = bucket.read(key, share)
            except (OSError, Refused, Unreadable) as error:
                said = f"{type(error).__name__}: {error}"
                log("WARNING", "a snapshot's bucket did not answer", bucket=bucket.name, key=key, error=said)
                bucket.pause.begin()
            else:
                bucket.pause.end()
                return found
        raise StorageUnreachable("no bucket of the snapshot answers", 1)
