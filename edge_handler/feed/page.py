"""What the feed says: the answer of its index, read, and what cannot be read of it."""

import json
from typing import Any, NamedTuple

from edge_handler.aws.status import check_status
from edge_handler.errors import Unreadable
from edge_handler.snapshot.pointer import is_time

INDEX = "feed"
FEED = "routes"
"""The one hash value of the index, which takes a thousand writes a second in all."""
ALL_ROUTES = "*"
"""The domain, which none can be, of what is announced of all routes together."""
SNAPSHOT_ACTION = "snapshot"
"""What the feed says of a snapshot, which is no change."""


class Change(NamedTuple):
    """A row that was written or deleted."""

    revision: int
    announced_at: str
    text: str | None
    """What is carried of the row: empty where it has to be read, None where the row was deleted."""


class Heartbeat(NamedTuple):
    """Whose feed this is: one item, written anew with each snapshot. Without it an empty answer would name nothing."""

    table: str
    epoch: str
    taken_at: str
    """When the newest snapshot was taken; see `Pointer`."""
    announced_at: str


class FeedPage(NamedTuple):
    """What was announced since a time."""

    changes: dict[str, Change]
    """By domain the highest revision."""
    heartbeat: Heartbeat | None
    reload_at: str
    """When it was last announced that any row may be another; empty where it was not."""
    is_whole: bool
    """Whether there is no more."""


def read_feed(status: int, content: bytes, since: str, until: str) -> FeedPage:
    """Return what an answer to a query of the feed says.

    Args:
        status: of the answer, as is content.
        content: see `status`.
        since: what was asked for.
        until: what was announced later than this was announced by nobody, and is passed over.

    Raises:
        Unreadable: it is no such answer, or is to another question.
        Refused: DynamoDB says that the request is wrong, or too much.
    """
    check_status(status, content)
    try:
        answer = json.loads(content)
        changes: dict[str, Change] = {}
        heartbeat, reload_at = None, ""
        for item in answer["Items"]:
            domain, at = item["domain"]["S"], item["announced_at"]["S"]
            if item["feed"]["S"] != FEED or not is_time(at) or at < since:
                raise LookupError("an item that was not asked for")
            if at > until:
                continue
            if domain != ALL_ROUTES:
                change = _change(item, at)
                if domain not in changes or changes[domain].revision < change.revision:
                    changes[domain] = change
            elif item["action"]["S"] == SNAPSHOT_ACTION:
                heartbeat = _heartbeat(item, at)
            else:
                reload_at = max(reload_at, at)
        whole = not answer.get("LastEvaluatedKey")
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise Unreadable(f"not what the feed says: {type(error).__name__}: {error}"[:200]) from error
    return FeedPage(changes, heartbeat, reload_at, whole)


def _change(item: Any, at: str) -> Change:
    revision = int(item["revision"]["N"])
    if item["action"]["S"] == "delete":
        return Change(revision, at, None)
    carried = item.get("edge", {}).get("S", "")
    return Change(revision, at, carried if type(carried) is str else "")


def _heartbeat(item: Any, at: str) -> Heartbeat:
    said = json.loads(item["edge"]["S"])
    found = Heartbeat(said["table"], said["epoch"], said["taken_at"], at)
    if not all(type(value) is str for value in found) or not is_time(found.taken_at):
        raise ValueError("a heartbeat that is none")
    return found
