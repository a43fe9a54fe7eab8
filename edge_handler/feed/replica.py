"""The feed in one region: an index of the history, asked on a connection of its own."""

import hashlib
import json
import time
from collections.abc import Callable

from edge_handler.aws.inquiry import Inquiry
from edge_handler.aws.server import Pause
from edge_handler.aws.sigv4 import Credentials, Signer, load_credentials
from edge_handler.feed.page import FEED, INDEX, FeedPage, read_feed
from edge_handler.feed.times import AHEAD_SECONDS, as_text
from edge_handler.settings import Settings

HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.Query"}
MOST_ITEMS = 300
"""Of one answer. More than that, and the snapshot is loaded again instead."""


class FeedReplica:
    """Asked for what was announced since a time; one question at a time."""

    def __init__(
        self,
        table: str,
        region: str,
        endpoint: str,
        credentials: Credentials,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`table`: of the history."""
        self.region = region
        self.pause = Pause(clock)
        self._table = table
        self._since = ""
        self._inquiry = Inquiry(endpoint)
        self._signer = Signer("dynamodb", region, credentials)

    def is_ready(self) -> bool:
        """Tell whether `send` would have to open no connection."""
        return self._inquiry.is_ready()

    def send(self, since: str, deadline: float) -> None:
        """Ask for what was announced since a time (ISO 8601). Raises OSError."""
        self._since = since
        body = json.dumps(
            {
                "TableName": self._table,
                "IndexName": INDEX,
                "KeyConditionExpression": "#feed = :feed AND #at >= :since",
                "ExpressionAttributeNames": {"#feed": "feed", "#at": "announced_at"},
                "ExpressionAttributeValues": {":feed": {"S": FEED}, ":since": {"S": since}},
                "Limit": MOST_ITEMS,
            }
        ).encode()
        self.ask(HEADERS, body, deadline)

    def ask(self, headers: dict[str, str], body: bytes, deadline: float) -> None:
        """Ask this region's DynamoDB for anything. Raises OSError."""
        whole = {**headers, "host": self._inquiry.authority}
        signed = self._signer.sign("POST", "/", whole, hashlib.sha256(body).hexdigest())
        self._inquiry.send("POST", "/", signed, body, deadline)

    def answer(self) -> tuple[int, bytes] | None:
        """Return status and body of what was asked, None where they have not arrived yet. Raises OSError."""
        return self._inquiry.collect()

    def collect(self) -> FeedPage | None:
        """Return the answer, None where it has not arrived yet.

        Raises:
            OSError, Refused, Unreadable: there is none to be had.
        """
        found = self.answer()
        return None if found is None else self._read(found)

    def wait(self, deadline: float) -> FeedPage:
        """Return the answer. Raises as `collect` does, and where it does not come by the deadline."""
        return self._read(self._inquiry.wait(deadline))

    def close(self) -> None:
        """Give up what was asked."""
        self._inquiry.close()

    def _read(self, found: tuple[int, bytes]) -> FeedPage:
        try:
            return read_feed(*found, self._since, as_text(time.time() + AHEAD_SECONDS))
        except BaseException:
            self._inquiry.close()
            raise


def feed_replicas(settings: Settings) -> list[FeedReplica]:
    """Return the feed in all replica regions, nearest first. Connects to none."""
    credentials = load_credentials()
    endpoint = settings.endpoint or "https://dynamodb.{region}.amazonaws.com"
    return [
        FeedReplica(settings.history_table, region, endpoint.replace("{region}", region), credentials)
        for region in settings.regions
    ]
