"""The two tables in DynamoDB: rows and history, read in pages and batches, written in transactions."""

import base64
import contextlib
import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from edge_handler.feed.page import ALL_ROUTES, FEED, INDEX
from edge_handler.routes.attributes import Item
from edge_handler.snapshot.records import encode_row
from table_admin.announcing import Announcements, clock_of
from table_admin.contention import pause
from table_admin.deployments.keys import keys_of_row
from table_admin.errors import InvalidInput, NoFeed, RevisionConflict, TableAdminError, TargetRefused
from table_admin.inputs import iso
from table_admin.path_rules import canary_in_revision, in_revision
from table_admin.policies import policy_in_revision

Action = Literal["put", "touch", "delete", "rollback"]
T = TypeVar("T")
TRANSACTION_ROWS = 33
"""At most, see `together`: every row comes with its history, and with a check of a deployment that is new to it."""
_TRANSACTION_ITEMS = 100
BATCH_KEYS = 100
_ATTEMPTS = 8
_PAUSE_SECONDS = 0.05
_MOST_SECONDS = 2
_FAILED = "ConditionalCheckFailed"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a listing; `cursor` is where the next page begins, None where there is none."""

    items: tuple[T, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """One row's change, made over exactly the row that was read; it lands with its history row or not at all."""

    action: Action
    domain: str
    before: Item | None
    row: Item
    """The row as it shall be; as it was, with who and why, where it is deleted."""
    revision: int
    new_generation: bool
    """Whether what viewers get changes with this write."""
    request: str = ""
    """The idempotency key it was asked for with; kept in the history."""
    restores: int | None = None
    """The revision that a rollback goes back to, 0 for before the first; kept in the history."""
    announced_at: str = ""
    """When the feed says it was made; empty where it does not."""

    def numbered(self, revision: int) -> "Write":
        """Return the same change as another revision."""
        return replace(self, revision=revision)

    def noted(self, note: str) -> "Write":
        """Return the same change with another note."""
        return replace(self, row={**self.row, "note": {"S": note}})

    def after(self) -> dict[str, Any] | None:
        """Return the row that is written, None where one is deleted."""
        return None if self.action == "delete" else self._stamped()

    def record(self) -> dict[str, Any]:
        """Return the row of the history."""
        record = {**self._stamped(), "action": {"S": self.action}}
        # What the edge is told of it by the feed; nothing says that it was deleted, or has to be read.
        record.pop("edge", None)
        if self.action != "delete" and (text := encode_row(record)):
            record["edge"] = {"S": text.decode()}
        if self.request:
            record["request"] = {"S": self.request}
        if self.restores is not None:
            record["restores"] = {"N": str(self.restores)}
        if self.announced_at:
            record |= {"feed": {"S": FEED}, "announced_at": {"S": self.announced_at}}
        # A key of an index must be a string; in a row that was damaged by hand it may be anything.
        return {name: value for name, value in record.items() if name != "environment" or _is_text(value)}

    def _stamped(self) -> dict[str, Any]:
        stamps: dict[str, Any] = {"revision": {"N": str(self.revision)}}
        if self.new_generation:
            stamps["generation"] = {"N": str(self.revision)}
        if "rules" in self.row:
            stamps["rules"] = in_revision(self.row["rules"], self.revision)
        if "policy" in self.row:
            stamps["policy"] = policy_in_revision(self.row["policy"], self.revision)
        if "canary" in self.row:
            stamps["canary"] = canary_in_revision(self.row["canary"], self.revision)
        return {**self.row, **stamps}


def together(writes: Sequence[Write]) -> int:
    """Return how many of them, from the first on, go into one transaction: at least one, TRANSACTION_ROWS at most."""
    count = min(len(writes), TRANSACTION_ROWS)
    while count > 1 and 2 * count + len(_checked(writes[:count])) > _TRANSACTION_ITEMS:
        count -= 1
    return count


def _checked(writes: Sequence[Write]) -> list[str]:
    """Return the keys of the deployments that have to be ready.

    Not of those that a row names already: they are kept for as long as it does. So whatever becomes of what a domain is
    moved away from, it can be moved.
    """
    found: dict[str, None] = {}
    for write in writes:
        had = keys_of_row(write.before)
        found |= dict.fromkeys(key for key in keys_of_row(write.after()) if key not in had)
    return [*found]


class Tables:
    """The rows of one stack, and their history."""

    def __init__(self, stack: str, dynamodb: Any) -> None:
        self.routes = f"{stack}-routes"
        self.history = f"{stack}-route-history"
        self.deployments = f"{stack}-deployments"
        self.dynamodb = dynamodb
        self.clock = clock_of(dynamodb.meta.endpoint_url)
        self._announcements = Announcements(self.clock)

    @property
    def is_here(self) -> bool:
        """Whether this machine keeps the tables, as `make run` does, and not AWS."""
        host = urlsplit(self.dynamodb.meta.endpoint_url).hostname or ""
        return host == "::1" or host.startswith("127.") or host.rpartition(".")[2] == "localhost"

    def read(self, domains: Iterable[str]) -> dict[str, Item]:
        """Return the rows that exist, by domain, as they are now."""
        found: dict[str, Item] = {}
        unread = iter(dict.fromkeys(domains))
        while keys := [{"domain": {"S": domain}} for domain in itertools.islice(unread, BATCH_KEYS)]:
            found |= {item["domain"]["S"]: item for item in self._batch(self.routes, keys)}
        return found

    def revisions_of(self, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Item]:
        """Return rows of the history by domain and revision, those that exist."""
        found: dict[tuple[str, int], Item] = {}
        for start in range(0, len(keys), BATCH_KEYS):
            some = keys[start : start + BATCH_KEYS]
            asked = [{"domain": {"S": domain}, "revision": {"N": str(revision)}} for domain, revision in some]
            found |= {(item["domain"]["S"], revision_of(item)): item for item in self._batch(self.history, asked)}
        return found

    def _batch(self, table: str, keys: list[Any]) -> Iterator[Item]:
        pause = _PAUSE_SECONDS
        while keys:
            asked = self.clock.begin()
            with plain_errors():
                answer = self.dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
            self.clock.learn(answer, asked)
            yield from answer["Responses"].get(table, ())
            keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if keys:
                time.sleep(pause)
                pause = min(pause * 2, 2)

    def scan(self, limit: int | None = None, cursor: str | None = None, *, consistent: bool = False) -> Page[Item]:
        """Return a page of all rows; `consistent`: as they are now, for twice the price."""
        return self._page(self.dynamodb.scan, {"TableName": self.routes, "ConsistentRead": consistent}, limit, cursor)

    def by_index(
        self, index: Literal["environment", "owner"], value: str, limit: int | None = None, cursor: str | None = None
    ) -> Page[Item]:
        """Return a page of the rows whose attribute `index` is `value`. Seconds behind the table, at worst."""
        return self._page(self.dynamodb.query, _question(self.routes, index, value, IndexName=index), limit, cursor)

    def revisions(self, domain: str, limit: int | None = None, cursor: str | None = None) -> Page[Item]:
        """Return a page of a domain's history, newest first."""
        request = _question(self.history, "domain", domain, ScanIndexForward=False, ConsistentRead=True)
        return self._page(self.dynamodb.query, request, limit, cursor)

    def changed_domains(self, environment: str, since: str) -> list[str]:
        """Return the domains of an environment that were written since a time (ISO 8601), removed ones too."""
        times = ("updated_at", since)
        request = _question(self.history, "environment", environment, times, IndexName="environment")
        pages = follow(lambda cursor: self._page(self.dynamodb.query, request, None, cursor))
        return list(dict.fromkeys(item["domain"]["S"] for item in pages))

    def environment_history(self, environment: str) -> Iterator[Item]:
        """Yield what was written in an environment, newest first: domain, revision and idempotency key."""
        request = _question(self.history, "environment", environment, IndexName="environment", ScanIndexForward=False)
        return follow(lambda cursor: self._page(self.dynamodb.query, request, None, cursor))

    def revision(self, domain: str, revision: int) -> Item | None:
        """Return one row of the history."""
        key = {"domain": {"S": domain}, "revision": {"N": str(revision)}}
        with plain_errors():
            item: Item | None = self.dynamodb.get_item(TableName=self.history, Key=key, ConsistentRead=True).get("Item")
        return item

    def last_revision(self, domain: str) -> int:
        """Return the newest revision of the history: it outlives the row, and a damaged one. 0 for none."""
        newest = self.revisions(domain, limit=1).items
        return revision_of(newest[0]) if newest else 0

    def commit(self, writes: Sequence[Write]) -> list[Write]:
        """Write up to TRANSACTION_ROWS rows with their history, all or nothing; return them as they were written.

        Where a domain had a life before this row, its revisions go on from there.

        Raises:
            RevisionConflict: a row is not what it was when it was read; nothing was written.
            TargetRefused: a row names a deployment that is not ready; nothing was written.
        """
        stamp = self._announcements.stamp(len(writes))
        writes = [replace(write, announced_at=stamp) for write in writes]
        checked = _checked(writes)
        for attempt in range(_ATTEMPTS):
            found = self._transact(writes, checked)
            if found is None:
                if self._announcements.is_overdue:
                    self.announce_withheld(str(writes[-1].row.get("updated_by", {}).get("S", "unknown")))
                return writes
            reasons, checks = found
            moved = [write for write, (row, _) in zip(writes, reasons, strict=True) if row == _FAILED]
            taken = [write for write, (_, past) in zip(writes, reasons, strict=True) if past == _FAILED]
            # It may be our own transaction, whose answer was lost: then history has it, word for word.
            if taken and all(self.revision(write.domain, write.revision) == write.record() for write in taken):
                return writes
            if moved:
                raise RevisionConflict(moved[0].domain, self.last_revision(moved[0].domain))
            if unready := [key for key, code in zip(checked, checks, strict=True) if code == _FAILED]:
                raise TargetRefused(
                    f"The deployment {unready[0].rpartition('/')[2]} is not ready: its files are still being sent, or "
                    "were removed because nobody needed them; nothing was written. Deploy it again."
                )
            if taken:
                past = {write.domain for write in taken}
                writes = [
                    write.numbered(self.last_revision(write.domain) + 1) if write.domain in past else write
                    for write in writes
                ]
            else:
                # Others are at the same rows: who waits as long as they do meets them again.
                time.sleep(random.uniform(0.5, 1) * pause(_PAUSE_SECONDS, attempt, _MOST_SECONDS))
        raise TableAdminError(f"The table is too busy with {writes[0].domain}; nothing was written. Try again.")

    def announce_withheld(self, actor: str) -> None:
        """Tell the feed that more was written than it was told of, where that is so: whoever follows it reads all.

        Where that fails, the next time says it: what was written is written.
        """
        if self._announcements.withheld:
            with contextlib.suppress(TableAdminError):
                self.announce_reload(actor)
                self._announcements.reload_announced()

    def announce_reload(self, actor: str, announced_at: str = "") -> None:
        """Tell the feed that rows were written that it was not told of: whoever follows it reads all.

        The edge then loads a snapshot that was taken after `announced_at` (ISO 8601), by default now.
        """
        now = self.clock.now()
        record = {
            "domain": {"S": ALL_ROUTES},
            "revision": {"N": str(int(now * 1000))},
            "action": {"S": "reload"},
            "updated_at": {"S": iso(now)},
            "updated_by": {"S": actor},
            "feed": {"S": FEED},
            "announced_at": {"S": announced_at or iso(now)},
        }
        with plain_errors():
            self.dynamodb.put_item(TableName=self.history, Item=record)

    def announced(self, since: str, cursor: str | None = None) -> Page[Item]:
        """Return a page of what the feed says since a time (ISO 8601), the oldest first: keys, times and actions.

        Raises:
            NoFeed: the stack was made before there was one.
        """
        request = _question(self.history, "feed", FEED, ("announced_at", since), IndexName=INDEX)
        return self._page(self._query_feed, request, None, cursor)

    def _query_feed(self, **request: Any) -> Any:
        try:
            return self.dynamodb.query(**request)
        except ClientError as error:
            text = error.response["Error"].get("Message", "")
            code = error.response["Error"]["Code"]
            if code in ("ValidationException", "ResourceNotFoundException") and "ndex" in text:
                raise NoFeed(
                    f"The table {self.history} has no index feed: the stack is of before there was one. Update it."
                ) from error
            raise

    def _transact(
        self, writes: Sequence[Write], checked: Sequence[str]
    ) -> tuple[list[tuple[str, str]], list[str]] | None:
        """Return None where it went through, else why not.

        That is for each write what its row and its history said, and what the deployment of each key said.
        """
        items = [item for write in writes for item in self._items(write)]
        # One for several rows: a transaction takes no item twice.
        items += [self._check(key) for key in checked]
        try:
            self.dynamodb.transact_write_items(TransactItems=items)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException" and checked:
                raise TargetRefused(_NO_DEPLOYMENTS) from error
            if code not in ("TransactionCanceledException", "TransactionConflictException"):
                with plain_errors():
                    raise
            codes = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", ())]
            codes += ["None"] * (len(items) - len(codes))
            rows = 2 * len(writes)
            if "ResourceNotFoundException" in codes[rows:]:
                raise TargetRefused(_NO_DEPLOYMENTS) from error
            return list(zip(codes[:rows:2], codes[1:rows:2], strict=True)), codes[rows:]
        except BotoCoreError:
            with plain_errors():
                raise
        return None

    def _check(self, key: str) -> dict[str, Any]:
        return {
            "ConditionCheck": {
                "TableName": self.deployments,
                "Key": {"deployment": {"S": key}},
                "ConditionExpression": "#state = :ready",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {":ready": {"S": "ready"}},
            }
        }

    def _items(self, write: Write) -> Iterator[dict[str, Any]]:
        condition: dict[str, Any] = {
            "ConditionExpression": "attribute_not_exists(#domain)",
            "ExpressionAttributeNames": {"#domain": "domain"},
        }
        history = {"TableName": self.history, "Item": write.record(), **condition}
        if write.before is not None and "revision" in write.before:
            condition = {
                "ConditionExpression": "#revision = :revision",
                "ExpressionAttributeNames": {"#revision": "revision"},
                "ExpressionAttributeValues": {":revision": write.before["revision"]},
            }
        elif write.before is not None:
            condition = {
                "ConditionExpression": "attribute_exists(#domain) AND attribute_not_exists(#revision)",
                "ExpressionAttributeNames": {"#domain": "domain", "#revision": "revision"},
            }
        after = write.after()
        if after is None:
            yield {"Delete": {"TableName": self.routes, "Key": {"domain": {"S": write.domain}}, **condition}}
        else:
            yield {"Put": {"TableName": self.routes, "Item": after, **condition}}
        # The history never expires, whatever the row does.
        yield {"Put": history}

    def _page(
        self, read: Callable[..., Any], request: Mapping[str, Any], limit: int | None, cursor: str | None
    ) -> Page[Item]:
        more: dict[str, Any] = {}
        if limit is not None:
            more["Limit"] = limit
        if cursor is not None:
            more["ExclusiveStartKey"] = _decode_cursor(cursor)
        asked = self.clock.begin()
        with plain_errors():
            answer = read(**request, **more)
        self.clock.learn(answer, asked)
        last = answer.get("LastEvaluatedKey")
        return Page(tuple(answer["Items"]), _encode_cursor(last) if last else None)


def _question(
    table: str, key: str, value: str, since: tuple[str, str] | None = None, **options: object
) -> dict[str, Any]:
    """Return what a query asks: the items of one value of a key, and of them those whose time is not before `since`."""
    condition, names, values = "#key = :key", {"#key": key}, {":key": {"S": value}}
    if since is not None:
        condition += " AND #time >= :since"
        names["#time"], values[":since"] = since[0], {"S": since[1]}
    return {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        **options,
    }


def follow(read: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Yield the items of all pages; `read` returns the page at a cursor."""
    page = read(None)
    yield from page.items
    while page.cursor is not None:
        page = read(page.cursor)
        yield from page.items


def cursor_at(item: Item, *names: str) -> str:
    """Return the cursor of a page that ends with a row; `names` are the keys of what is listed."""
    return _encode_cursor({name: item[name] for name in names})


def revision_of(item: Item | None) -> int:
    """Return what a row says its revision is; 0 for none and for one damaged by hand."""
    try:
        return int(item["revision"]["N"]) if item is not None else 0
    except (KeyError, TypeError, ValueError):
        return 0


class plain_errors:  # noqa: N801  # reads as the statement it is
    """Turn botocore's exceptions into one sentence each."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, ClientError):
            code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code == "ResourceNotFoundException":
                raise TableAdminError("The tables do not exist here; check --stack, the region and the account.")
            if code == "ValidationException" and "tarting" in text:
                raise InvalidInput(_NO_CURSOR)
            raise TableAdminError(f"DynamoDB refused: {code}: {text}") from error
        if isinstance(error, BotoCoreError):
            raise TableAdminError(f"DynamoDB does not answer: {error}") from error


_NO_DEPLOYMENTS = (
    "The tables for it do not exist here; check --stack, the region and the account. A stack of before deployments has "
    "none for them: update it."
)
_NO_CURSOR = "The cursor is none that a page of this listing ended with."


def _encode_cursor(key: Item) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decode_cursor(cursor: str) -> Item:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor))
        if all(isinstance(value, str) for attribute in key.values() for value in attribute.values()):
            return dict(key)
    except (ValueError, AttributeError):
        pass
    raise InvalidInput(_NO_CURSOR)


def _is_text(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("S"), str) and value["S"] != ""
