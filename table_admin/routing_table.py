"""The routing table: every write is planned over the row that was read, and lands with its history or not at all."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import boto3

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item
from edge_handler.routes.canary import NEW
from edge_handler.routes.redirect import Answering
from edge_handler.routes.route import Route, decode_route, encode_route
from table_admin.changes import (
    Change,
    Put,
    Revision,
    change_of,
    default_environment,
    expired,
    first_expiry,
    is_live,
    is_managed,
    keeps_host,
    legible,
    promoted_from,
    refuse_another,
    refuse_overtaken,
    revision_from,
    same_but_note,
    unchanged,
)
from table_admin.contention import replanned
from table_admin.deployments.former import former_of
from table_admin.errors import InvalidInput, NotFound, TableAdminError
from table_admin.inputs import (
    iso,
    parse_domain,
    parse_duration,
    parse_environment,
    parse_label,
    parse_moment,
    parse_note,
)
from table_admin.path_rules import renewed, rules_before
from table_admin.policies import parse_policy, planned_policy, policy_of_broken, renewed_policy
from table_admin.redirect_loops import refuse_redirect_loops
from table_admin.rule_targets import parse_rules, planned_rules
from table_admin.second_targets import parse_canary, parse_standby, planned_canary, planned_standby, served_first, wrong
from table_admin.selection import Selection, selected_page
from table_admin.tables import TRANSACTION_ROWS, Action, Page, Tables, Write, follow, revision_of, together
from table_admin.targets import ClientFactory, TargetResolver

OnBroken = Callable[[str, str], object]


class RoutingTable:
    """The routes of one stack, and their history."""

    def __init__(
        self,
        stack: str = "edge-routing",
        *,
        actor: str = "unknown",
        client: ClientFactory = boto3.client,
        clock: Callable[[], float] = time.time,
        request: str = "",
    ) -> None:
        """Name the tables after `stack`.

        Args:
            stack: the edge's stack.
            actor: who the history says it was; text, as a note is.
            client: makes boto3 clients, called as `client(service, region_name=...)`.
            clock: epoch seconds.
            request: an idempotency key, kept in the history with every write.
        """
        self.stack = stack
        self.client = client
        self.clock = clock
        self.tables = Tables(stack, client("dynamodb"))
        self.actor = parse_note(actor) or "unknown"
        self.request = request
        self.targets = TargetResolver(client)

    def as_request(self, request: str) -> "RoutingTable":
        """Return the same table for another request: see `request` above."""
        return RoutingTable(self.stack, actor=self.actor, client=self.client, clock=self.clock, request=request)

    @replanned
    def put(
        self,
        domain: str,
        target: str,
        *,
        environment: str | None = None,
        service: str | None = None,
        expires_in: str | None = None,
        permanent: bool = False,
        default_expires_in: str | None = None,
        keep_host: bool | None = None,
        rules: Mapping[str, str | None] | None = None,
        only_rules: bool = False,
        policy: Mapping[str, Any] | None = None,
        canary: Mapping[str, Any] | str | None = None,
        standby: str | None = None,
        note: str = "",
        if_revision: int | None = None,
        if_generation: int | None = None,
        dry_run: bool = False,
    ) -> Change:
        """Create or update a route. What is not given stays as it is; a second run changes nothing.

        But `expires_in` counts from now: a second run moves the expiry. A note belongs to its revision: the next has
        none, unless it is given one.

        Args:
            domain: what viewers ask for; or a wildcard, `*.example.com`.
            target: see `TargetResolver.resolve`.
            environment: which manages the route from now on: see `environments`. By default none does, and the
                name that people see is the domain's first label.
            service: which of its environment's services this is.
            expires_in: a duration as in `7d`; makes the route ephemeral. A new route of an ephemeral environment
                expires with it by default.
            permanent: takes an expiry away.
            default_expires_in: of a route that has expired, where neither is given.
            keep_host: see `TargetResolver.resolve`.
            rules: for some of its paths: by pattern what is written for it, see `table_admin.rule_targets`; None for
                one that shall go.
            only_rules: rules that are not named go.
            policy: some of `private`, `allow`, `noindex`, `headers` and `maintenance`, see `table_admin.policies`.
            canary: some of `target`, `weight` and `cookie`; or `none` to end it. See `table_admin.canary`.
            standby: a second target, see `table_admin.failover`; `none` takes it away. While the domain is failed over
                `target` is where it leads after that.
            note: why, for people.
            if_revision: write only over this revision; 0 for a domain that must not exist. Where the route is as it
                shall be already, its revision does not matter.
            if_generation: write only where viewers get what they got then, see `generation_of`, or the same target.
            dry_run: say what would be done.

        Raises:
            InvalidInput, TargetRefused: nothing was written.
            RevisionConflict: it is another revision than `if_revision`; nothing was written.
            Overtaken: it is another generation than `if_generation`; nothing was written.
        """
        default = self.expiry(default_expires_in)
        wanted = Put(
            parse_domain(domain),
            target,
            environment=environment,
            service=service,
            expires_at=self.expiry(expires_in),
            permanent=permanent,
            keep_host=keep_host,
            note=note or None,
            managed=True if environment is not None else None,
            rules=parse_rules(rules) if rules is not None else {} if only_rules else None,
            only_rules=only_rules,
            policy=parse_policy(policy) if policy is not None else None,
            canary=parse_canary(canary),
            standby=parse_standby(standby),
        )
        item = self._read(wanted.domain)
        refuse_overtaken(wanted.domain, item, if_generation, target, self.clock())
        before, _ = legible(item)
        if not (expires_in or permanent or is_live(before, self.clock())):
            inherited = first_expiry(self.list(environment), self.clock()) if environment is not None else None
            wanted = replace(wanted, expires_at=inherited or (default if before is not None else None))
        write = self.plan_put(wanted, item)
        if write is None:
            return unchanged(decode_route(item or {}))
        refuse_another(wanted.domain, item, if_revision)
        return self.commit([write], dry_run=dry_run)[0]

    @replanned
    def touch(self, domain: str, *, note: str = "", if_revision: int | None = None, dry_run: bool = False) -> Change:
        """Give a route a new generation: nothing cached for it is served any more. Raises NotFound.

        Where the touch of `if_revision` is the newest write already, nothing is done.
        """
        domain = parse_domain(domain)
        item = self._read(domain)
        if if_revision is not None and revision_of(item) == if_revision + 1 and self._was_touched(domain, item):
            return unchanged(self.existing(domain, item))
        refuse_another(domain, item, if_revision)
        row = self.stamped(self.existing(domain, item), note)
        row = row._replace(rules=renewed(row.rules, ()), canary=row.canary and row.canary._replace(generation=NEW))
        return self.commit([self.write("touch", domain, item, encode_route(row), True)], dry_run=dry_run)[0]

    @replanned
    def delete(
        self,
        domain: str,
        *,
        note: str = "",
        if_revision: int | None = None,
        must_exist: bool = False,
        dry_run: bool = False,
    ) -> Change:
        """Remove a route, also a broken one. Its history stays, and its revisions go on from there.

        Where there is none, nothing is done.

        Raises:
            NotFound: there is none, and `must_exist`.
            RevisionConflict: it is another revision than `if_revision`; nothing was written.
        """
        domain = parse_domain(domain)
        item = self._read(domain)
        if item is None and not must_exist:
            return self.gone(domain)
        refuse_another(domain, item, if_revision)
        if item is None:
            raise NotFound(f"{domain} has no route.")
        return self.commit([self.plan_delete(domain, item, note)], dry_run=dry_run)[0]

    def get(self, domain: str) -> Route:
        """Return a route. Raises NotFound; TableAdminError where the row is broken."""
        domain = parse_domain(domain)
        return self.existing(domain, self._read(domain))

    def list(
        self,
        environment: str | None = None,
        on_broken: OnBroken | None = None,
        *,
        where: Selection | None = None,
        limit: int | None = None,
    ) -> Iterator[Route]:
        """Yield the routes page by page, of one environment through its index; the first `limit` that are wanted.

        Broken rows are left out; `on_broken` is called with the domain of each, and why.
        """
        found = follow(lambda cursor: self.page(environment, cursor=cursor, on_broken=on_broken))
        yield from itertools.islice(filter(where.wants, found) if where else found, limit)

    def page(
        self,
        environment: str | None = None,
        *,
        where: Selection | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        on_broken: OnBroken | None = None,
    ) -> Page[Route]:
        """Return one page of `list`: at most `limit` routes, or as many as one read of the table finds.

        Raises:
            InvalidInput: `cursor` is none of a page's.
        """
        if where:
            keys = ["domain"] if environment is None else ["environment", "domain"]
            items = partial(self._items, environment, None)
            return selected_page(items, where, limit, cursor, keys, lambda item: _decoded([item], on_broken))
        page = self._items(environment, limit, cursor)
        return Page(tuple(_decoded(page.items, on_broken)), page.cursor)

    def history(self, domain: str, *, limit: int | None = None) -> Iterator[Revision]:
        """Yield a domain's revisions, newest first. Raises NotFound where it never had one."""
        found = follow(lambda cursor: self.history_page(domain, limit=limit, cursor=cursor))
        yield from itertools.islice(found, limit)

    def history_page(self, domain: str, *, limit: int | None = None, cursor: str | None = None) -> Page[Revision]:
        """Return one page of `history`. Raises NotFound, and InvalidInput where `cursor` is none of a page's."""
        domain = parse_domain(domain)
        page = self.tables.revisions(domain, limit, cursor)
        if cursor is None and not page.items:
            raise NotFound(f"{domain} has no history: nothing was ever written for it here.")
        return Page(tuple(map(revision_from, page.items)), page.cursor)

    def read(self, domains: Sequence[str]) -> Sequence[Item]:
        """Return rows as the edge's own reader does; what `explain` resolves with."""
        return [*self.tables.read(domains).values()]

    def decoded(self, domains: Iterable[str]) -> Iterator[Route]:
        """Yield the routes of domains that have one which can be read."""
        yield from _decoded(self.tables.read(domains).values(), None)

    # ---- What plans of many rows are made with

    def plan_put(self, wanted: Put, item: Item | None) -> Write | None:
        """Return the write that makes a domain what is wanted, over the row `item`; None where it already is.

        Raises:
            InvalidInput, TargetRefused: it cannot be.
        """
        if wanted.expires_at is not None and wanted.permanent:
            raise InvalidInput("A route expires or is permanent, not both.")
        (before, lost), now = legible(item), self.clock()
        wanted = served_first(wanted, before if is_live(before, now) else None)
        keep_host = wanted.keep_host
        if keep_host is None and before is not None and wanted.target.startswith("https://"):
            keep_host = keeps_host(before)
        origin = self.targets.resolve(wanted.target, keep_host=bool(keep_host))
        live = is_live(before, now)
        if before is not None and not (live or wanted.permanent or wanted.expires_at is not None):
            raise InvalidInput(expired(wanted.domain))
        expires_at = before.expires_at if before is not None and live and not wanted.permanent else None
        if wanted.expires_at is not None:
            expires_at = wanted.expires_at
        after = Route(
            domain=wanted.domain,
            target=wanted.target,
            origin=origin,
            environment=parse_environment(
                _first(wanted.environment, before and before.environment, default_environment(wanted.domain))
            ),
            lifetime="permanent" if expires_at is None else "ephemeral",
            expires_at=expires_at,
            revision=1,
            generation=before.generation if before is not None else 1,
            updated_at=iso(now),
            updated_by=self.actor,
            note=parse_note(wanted.note or ""),
            service=parse_label(_first(wanted.service, before and before.service)),
            owner=_first(wanted.owner, before and before.owner),
            managed=wanted.managed if wanted.managed is not None else before is not None and is_managed(before),
            source=_source(wanted, before, origin),
        )
        # What another branch had here, and that expired, comes back to nobody by its URL being made again.
        kept = before if before is not None and (live or wanted.source in (None, before.source)) else None
        had = policy_of_broken(item) if before is None else kept.policy if kept is not None else None
        policy = planned_policy(had if live else renewed_policy(had, None), wanted.policy, whole=wanted.only_policy)
        rules = planned_rules(
            kept.rules if kept is not None else (), wanted.rules, self.targets, whole=wanted.only_rules
        )
        after = after._replace(policy=policy, rules=renewed(rules, rules_before(before, now)))
        after = after._replace(**self._second_targets(wanted, kept if live else None, origin))
        after = after._replace(former=former_of(before, after, now))
        if before is not None and not lost and same_but_note(before, after) and after.note in ("", before.note):
            return None
        new_generation = not live or before is None or before.origin != origin or bool(lost)
        if live and not lost and before is not None and before.canary is not None and before.canary.origin == origin:
            # As a promotion does: what its viewers have in the CDN is what all get.
            after, new_generation = after._replace(generation=before.canary.generation), False
        return self.write("put", wanted.domain, item, encode_route(after), new_generation)

    def _second_targets(self, wanted: Put, before: Route | None, origin: Answering) -> dict[str, Any]:
        had = (before.canary, before.standby) if before is not None else (None, None)
        standby = planned_standby(had[1], wanted.standby, self.targets)
        if standby is not None:
            if standby.origin == origin:
                raise wrong("standby", f"{wanted.domain} leads to its standby already; a standby is another target.")
            if wanted.failed_over is not None:
                standby = standby._replace(failed_over=wanted.failed_over)
        return {"canary": planned_canary(had[0], wanted.canary, origin, self.targets), "standby": standby}

    def plan_delete(self, domain: str, item: Item, note: str = "") -> Write:
        """Return the write that removes a row, also a broken one."""
        row = {
            **item,
            "updated_at": {"S": iso(self.clock())},
            "updated_by": {"S": self.actor},
            "note": {"S": parse_note(note)},
        }
        return self.write("delete", domain, item, row, False)

    def commit(
        self, writes: Iterable[Write], *, later: Iterable[Write] = (), dry_run: bool = False
    ) -> Sequence[Change]:
        """Write up to TRANSACTION_ROWS rows with their history, all or nothing.

        Args:
            writes: what.
            later: what is written after them: where that opens a circle of redirects, there is none.
            dry_run: say what would be done.

        Raises:
            InvalidInput: viewers would be redirected in a circle; nothing was written.
            RevisionConflict: a row is not what it was when it was read; nothing was written.
        """
        writes = [*writes]
        if len(writes) > (most := together(writes)):
            beside = "" if most == TRANSACTION_ROWS else " with as many deployments"
            raise InvalidInput(f"{len(writes)} routes at once; at most {most}{beside} can be written together.")
        refuse_redirect_loops(self.tables, writes, later)
        if writes and not dry_run:
            writes = self.tables.commit(writes)
        return [change_of(write) for write in writes]

    def expiry(self, expires_in: str | None) -> int | None:
        """Return the epoch seconds that a duration from now ends at. Raises InvalidInput."""
        return int(self.clock()) + parse_duration(expires_in) if expires_in is not None else None

    def since(self, text: str) -> int:
        """Return the epoch seconds of a time that has been, or of a duration ago, e.g. 10m. Raises InvalidInput."""
        moment = parse_moment(text, self.clock())
        if moment > self.clock():
            raise InvalidInput(f"{text} is yet to come.")
        return moment

    def selection(
        self, name: str | None = None, target: str | None = None, expires_before: str | None = None
    ) -> Selection:
        """Return what `list` filters by; `expires_before` is a time, or a duration from now. Raises InvalidInput."""
        until = parse_moment(expires_before, self.clock(), ahead=True) if expires_before is not None else None
        return Selection(name, target, until)

    def _items(self, environment: str | None, limit: int | None, cursor: str | None) -> Page[Item]:
        if environment is None:
            return self.tables.scan(limit, cursor)
        return self.tables.by_index("environment", parse_environment(environment), limit, cursor)

    def gone(self, domain: str, message: str = "there is nothing to remove") -> Change:
        """Return what is said of a domain that has no route, and shall have none."""
        return Change("unchanged", domain, self.tables.last_revision(domain), None, None, message)

    def _read(self, domain: str) -> Item | None:
        return self.tables.read([domain]).get(domain)

    def _was_touched(self, domain: str, item: Item | None) -> bool:
        newest = self.tables.revision(domain, revision_of(item))
        return newest is not None and revision_from(newest).action == "touch"

    def existing(self, domain: str, item: Item | None) -> Route:
        """Return a row as a route. Raises NotFound; TableAdminError where the row is broken."""
        if item is None:
            raise NotFound(f"{domain} has no route.")
        try:
            return decode_route(item)
        except BrokenRow as error:
            raise TableAdminError(f"The row of {domain} is broken: {error}. Put it again to mend it.") from error

    def stamped(self, route: Route, note: str) -> Route:
        """Return a route with who, when and why: the note of another revision is none of this one."""
        return route._replace(updated_at=iso(self.clock()), updated_by=self.actor, note=parse_note(note))

    def write(
        self, action: Action, domain: str, before: Item | None, row: Mapping[str, Mapping[str, object]], new: bool
    ) -> Write:
        """Return a write of `row` over `before`; `new` where viewers get something else by it."""
        return Write(action, domain, before, row, revision_of(before) + 1, new, self.request)


def _decoded(items: Iterable[Item], on_broken: OnBroken | None) -> Iterator[Route]:
    for item in items:
        try:
            yield decode_route(item)
        except BrokenRow as error:
            if on_broken is not None:
                on_broken(str(item["domain"]["S"]), str(error))


def _source(wanted: Put, before: Route | None, origin: Answering) -> str:
    """Return where a route comes from: elsewhere it is not what was promoted any more."""
    if wanted.source is not None or before is None:
        return parse_note(wanted.source or "")
    return "" if promoted_from(before) and before.origin != origin else before.source


def _first(*values: str | None) -> str:
    """Return the first that is given; an empty one is given."""
    return next((value for value in values if value is not None), "")
