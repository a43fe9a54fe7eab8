"""The one writer of the routing table: every write is conditional and lands with its history or not at all."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from edge_handler.errors import BrokenRow
from edge_handler.route import Item, Route, decode_route, encode_route
from table_admin.errors import InvalidInput, NotFound, RevisionConflict, TableAdminError
from table_admin.inputs import parse_domain, parse_duration, parse_environment, parse_note
from table_admin.targets import ClientFactory, resolve_target

Action = Literal["put", "touch", "delete"]
OnBroken = Callable[[str, str], object]
T = TypeVar("T")
ENVIRONMENT_INDEX = "environment"


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did. `before` is None for a new domain, `after` for a deleted one."""

    action: Literal["created", "updated", "unchanged", "deleted"]
    domain: str
    revision: int
    before: Route | None
    after: Route | None


@dataclass(frozen=True, slots=True)
class Revision:
    """One row of the history: what was done, and the route as it was from then on (before, if deleted)."""

    domain: str
    revision: int
    action: Action
    route: Route | None
    """None where the row was broken when it was deleted."""
    updated_at: str
    updated_by: str
    note: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a listing; `cursor` is where the next page begins, None where there is none."""

    items: tuple[T, ...]
    cursor: str | None


class RoutingTable:
    """The routes of one stack, and their history."""

    def __init__(
        self,
        stack: str = "edge-routing",
        *,
        actor: str = "unknown",
        client: ClientFactory = boto3.client,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the tables after `stack`; `actor` is who the history says it was."""
        self.routes = f"{stack}-routes"
        self.history_table = f"{stack}-route-history"
        self._actor = actor
        self._make_client = client
        self._clock = clock
        self._dynamodb = client("dynamodb")

    def put(
        self,
        domain: str,
        target: str,
        *,
        environment: str | None = None,
        expires_in: str | None = None,
        permanent: bool = False,
        keep_host: bool = False,
        note: str = "",
        if_revision: int | None = None,
    ) -> Change:
        """Create or update a route. What is not given stays as it is; a second run changes nothing.

        Args:
            domain: what viewers ask for.
            target: see `resolve_target`.
            environment: defaults to the domain's first label.
            expires_in: a duration as in `7d`; makes the route ephemeral.
            permanent: takes an expiry away.
            keep_host: see `resolve_target`.
            note: why, for people.
            if_revision: write only over this revision; 0 for a domain that must not exist.

        Raises:
            InvalidInput, TargetRefused: nothing was written.
            RevisionConflict: somebody else was faster; nothing was written.
        """
        domain, note = parse_domain(domain), parse_note(note)
        if expires_in and permanent:
            raise InvalidInput("A route expires or is permanent, not both.")
        seconds = parse_duration(expires_in) if expires_in else None
        origin = resolve_target(target, keep_host=keep_host, client=self._make_client)
        item = self._read(domain)
        before = _decode(item)
        revision = self._next_revision(domain, item, if_revision)
        now = self._clock()
        live = before is not None and (before.expires_at is None or now < before.expires_at)
        expires_at = before.expires_at if before and live and not permanent else None
        if seconds is not None:
            expires_at = int(now) + seconds
        same_answer = before is not None and live and before.origin == origin
        after = Route(
            domain=domain,
            target=target,
            origin=origin,
            environment=parse_environment(environment or (before.environment if before else domain.partition(".")[0])),
            lifetime="permanent" if expires_at is None else "ephemeral",
            expires_at=expires_at,
            revision=revision,
            generation=before.generation if before and same_answer else revision,
            updated_at=_iso(now),
            updated_by=self._actor,
            note=note or (before.note if before else ""),
        )
        if before and _content(before) == _content(after):
            return Change("unchanged", domain, before.revision, before, before)
        self._write("put", encode_route(after), revision, item)
        return Change("updated" if item else "created", domain, revision, before, after)

    def touch(self, domain: str, *, note: str = "", if_revision: int | None = None) -> Change:
        """Give a route a new generation: nothing cached for it is served any more. Raises NotFound."""
        domain = parse_domain(domain)
        item, before = self._existing(domain)
        revision = self._next_revision(domain, item, if_revision)
        after = before._replace(
            revision=revision,
            generation=revision,
            updated_at=_iso(self._clock()),
            updated_by=self._actor,
            note=parse_note(note) or before.note,
        )
        self._write("touch", encode_route(after), revision, item)
        return Change("updated", domain, revision, before, after)

    def delete(self, domain: str, *, note: str = "", if_revision: int | None = None) -> Change:
        """Remove a route, also a broken one. Its history stays, and its revisions go on from there.

        Raises:
            NotFound: there is none.
            RevisionConflict: somebody else was faster; nothing was written.
        """
        domain = parse_domain(domain)
        item = self._read(domain)
        if item is None:
            raise NotFound(f"{domain} has no route.")
        revision = self._next_revision(domain, item, if_revision)
        gone = {
            **item,
            "updated_at": {"S": _iso(self._clock())},
            "updated_by": {"S": self._actor},
            "note": {"S": parse_note(note)},
        }
        self._write("delete", gone, revision, item)
        return Change("deleted", domain, revision, _decode(item), None)

    def get(self, domain: str) -> Route:
        """Return a route. Raises NotFound; TableAdminError where the row is broken."""
        return self._existing(parse_domain(domain))[1]

    def list(self, environment: str | None = None, on_broken: OnBroken | None = None) -> Iterator[Route]:
        """Yield the routes page by page, of one environment through its index.

        Broken rows are left out; `on_broken` is called with the domain of each, and why.
        """
        page = self.page(environment, on_broken=on_broken)
        yield from page.items
        while page.cursor is not None:
            page = self.page(environment, cursor=page.cursor, on_broken=on_broken)
            yield from page.items

    def page(
        self,
        environment: str | None = None,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        on_broken: OnBroken | None = None,
    ) -> Page[Route]:
        """Return one page of `list`: at most `limit` routes, or as many as one read of the table finds.

        Raises:
            InvalidInput: `cursor` is none of a page's.
        """
        request: dict[str, Any] = {"TableName": self.routes}
        read = self._dynamodb.scan
        if environment is not None:
            read = self._dynamodb.query
            request |= {
                "IndexName": ENVIRONMENT_INDEX,
                "KeyConditionExpression": "environment = :environment",
                "ExpressionAttributeValues": {":environment": {"S": parse_environment(environment)}},
            }
        items, following = self._read_page(read, request, limit, cursor)
        routes = []
        for item in items:
            try:
                routes.append(decode_route(item))
            except BrokenRow as error:
                if on_broken is not None:
                    on_broken(str(item["domain"]["S"]), str(error))
        return Page(tuple(routes), following)

    def history(self, domain: str) -> Iterator[Revision]:
        """Yield a domain's revisions, newest first."""
        page = self.history_page(domain)
        yield from page.items
        while page.cursor is not None:
            page = self.history_page(domain, cursor=page.cursor)
            yield from page.items

    def history_page(self, domain: str, *, limit: int | None = None, cursor: str | None = None) -> Page[Revision]:
        """Return one page of `history`. Raises InvalidInput where `cursor` is none of a page's."""
        request = {
            "TableName": self.history_table,
            "KeyConditionExpression": "#domain = :domain",
            "ExpressionAttributeNames": {"#domain": "domain"},
            "ExpressionAttributeValues": {":domain": {"S": parse_domain(domain)}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        items, following = self._read_page(self._dynamodb.query, request, limit, cursor)
        return Page(tuple(map(_revision, items)), following)

    def _read_page(
        self, read: Callable[..., Any], request: dict[str, Any], limit: int | None, cursor: str | None
    ) -> tuple[Sequence[Item], str | None]:
        if limit is not None:
            request["Limit"] = limit
        if cursor is not None:
            request["ExclusiveStartKey"] = _decode_cursor(cursor)
        with _plain_errors():
            answer = read(**request)
        last = answer.get("LastEvaluatedKey")
        return answer["Items"], _encode_cursor(last) if last else None

    def read(self, domains: Sequence[str]) -> Sequence[Item]:
        """Return rows as the edge's own reader does; what `explain` resolves with."""
        return [item for item in map(self._read, domains) if item is not None]

    def _read(self, domain: str) -> Item | None:
        with _plain_errors():
            answer = self._dynamodb.get_item(TableName=self.routes, Key={"domain": {"S": domain}}, ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    def _existing(self, domain: str) -> tuple[Item, Route]:
        item = self._read(domain)
        if item is None:
            raise NotFound(f"{domain} has no route.")
        try:
            return item, decode_route(item)
        except BrokenRow as error:
            raise TableAdminError(f"The row of {domain} is broken: {error}. Put it again to mend it.") from error

    def _last_revision(self, domain: str) -> int:
        """Of the history: it outlives the row, and a damaged one."""
        with _plain_errors():
            newest = self._dynamodb.query(
                TableName=self.history_table,
                KeyConditionExpression="#domain = :domain",
                ExpressionAttributeNames={"#domain": "domain"},
                ExpressionAttributeValues={":domain": {"S": domain}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=1,
            )["Items"]
        return int(newest[0]["revision"]["N"]) if newest else 0

    def _next_revision(self, domain: str, item: Item | None, if_revision: int | None) -> int:
        last = self._last_revision(domain)
        current = _revision_of(item)
        if if_revision is not None and if_revision != current:
            raise RevisionConflict(domain, current)
        return max(last, current) + 1

    def _write(self, action: Action, row: Item, revision: int, before: Item | None) -> None:
        """Write row and history in one transaction, over exactly the row that was read."""
        domain = row["domain"]
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#domain)"}
        condition["ExpressionAttributeNames"] = {"#domain": "domain"}
        if before is not None and "revision" in before:
            condition = {
                "ConditionExpression": "#revision = :revision",
                "ExpressionAttributeNames": {"#revision": "revision"},
                "ExpressionAttributeValues": {":revision": before["revision"]},
            }
        elif before is not None:
            condition = {
                "ConditionExpression": "attribute_exists(#domain) AND attribute_not_exists(#revision)",
                "ExpressionAttributeNames": {"#domain": "domain", "#revision": "revision"},
            }
        record = {**row, "revision": {"N": str(revision)}, "action": {"S": action}}
        # The history never expires, whatever the row does.
        history = {
            "TableName": self.history_table,
            "Item": record,
            "ConditionExpression": "attribute_not_exists(#domain)",
            "ExpressionAttributeNames": {"#domain": "domain"},
        }
        write = {"Put": {"TableName": self.routes, "Item": row, **condition}}
        if action == "delete":
            write = {"Delete": {"TableName": self.routes, "Key": {"domain": domain}, **condition}}
        try:
            with _plain_errors():
                self._dynamodb.transact_write_items(TransactItems=[write, {"Put": history}])
        except _Cancelled as error:
            # It may be our own write whose answer was lost: then history has it, word for word.
            key = {"domain": domain, "revision": record["revision"]}
            found = self._dynamodb.get_item(TableName=self.history_table, Key=key, ConsistentRead=True).get("Item")
            if found != record:
                raise RevisionConflict(str(domain["S"]), self._last_revision(str(domain["S"]))) from error


class _Cancelled(TableAdminError):
    """A condition of a transaction did not hold."""


class _plain_errors:  # noqa: N801  # reads as the statement it is
    """Turn botocore's exceptions into one sentence each."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, ClientError):
            code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code in ("TransactionCanceledException", "TransactionConflictException"):
                raise _Cancelled(text) from error
            if code == "ResourceNotFoundException":
                raise TableAdminError("The tables do not exist here; check --stack, the region and the account.")
            raise TableAdminError(f"DynamoDB refused: {code}: {text}") from error
        if isinstance(error, BotoCoreError):
            raise TableAdminError(f"DynamoDB does not answer: {error}") from error


def _encode_cursor(key: Item) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decode_cursor(cursor: str) -> Item:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor))
        if all(isinstance(value, str) for attribute in key.values() for value in attribute.values()):
            return dict(key)
    except (ValueError, AttributeError):
        pass
    raise InvalidInput("The cursor is none that a page of this listing ended with.")


def _decode(item: Item | None) -> Route | None:
    try:
        return decode_route(item) if item is not None else None
    except BrokenRow:
        return None


def _revision(item: Item) -> Revision:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    action: Any = text("action")
    return Revision(
        text("domain"),
        _revision_of(item),
        action,
        _decode(item),
        text("updated_at"),
        text("updated_by"),
        text("note"),
    )


def _revision_of(item: Item | None) -> int:
    """Return what a row says its revision is; 0 for none and for one damaged by hand."""
    try:
        return int(item["revision"]["N"]) if item is not None else 0
    except (KeyError, TypeError, ValueError):
        return 0


def _content(route: Route) -> Route:
    """Return what a second run of the same command must find unchanged."""
    return route._replace(revision=0, generation=0, updated_at="", updated_by="")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
