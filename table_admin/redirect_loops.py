"""Redirects that lead in a circle are refused when they are written, and so are long ways round.

What is followed are examples: of each redirect the shortest path that gets it, and one that is longer. Rows that are
written meanwhile, or removed later, may still close a circle: the edge sees one of one step, and answers 502.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge_handler.errors import MalformedHost, MalformedPath
from edge_handler.paths import comparable_path
from edge_handler.routes.attributes import Item
from edge_handler.routes.host import normalise_host
from edge_handler.routes.path_rules import WILDCARD, RuleTable, quote_path, redirected
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.route import Route
from edge_handler.routes.wildcards import candidates, is_wildcard
from table_admin.changes import decode
from table_admin.errors import InvalidInput
from table_admin.tables import Tables, Write

MOST_HOPS = 5
"""Browsers give up after some twenty; each costs a viewer a round trip."""
_LONGER = "/a/b"
_UNDER_WILDCARD = "a"


@dataclass(frozen=True, slots=True)
class Way:
    """Where a redirect leads."""

    pattern: str
    """Of its rule; empty for a row's own target."""
    is_first: bool
    """Whether it is the example with the shortest path."""
    urls: tuple[str, ...]
    """What is asked for, one after the other."""
    host: str
    """Of the last."""
    problem: str = ""
    """Why it does not end; empty where it does."""
    ours: bool = True
    """Whether a distribution may answer for the last: it is on a port that CloudFront has."""
    route: Route | None = None
    """What answers for the last, of the rows of this table."""

    def __str__(self) -> str:
        return " -> ".join(self.urls if len(self.urls) < 5 else (*self.urls[:3], "...", self.urls[-1]))


def refuse_redirect_loops(tables: Tables, writes: Sequence[Write], later: Iterable[Write] = ()) -> None:
    """Raise InvalidInput where what is to be written sends viewers in a circle, or through more than MOST_HOPS.

    `later`: what is written after it, and is there then.
    """
    planned = {write.domain: write.after() for write in writes}
    rows = _Rows(tables, {write.domain: write.after() for write in later} | planned)
    for domain, item in planned.items():
        if item is not None and may_redirect(item) and (route := decode(item)) is not None:
            for way in _ways(rows, route):
                if way.problem:
                    shown = " -> ".join(way.urls[:4])
                    raise InvalidInput(f"{domain}: viewers would be sent {way.problem}: {shown}. Nothing was written.")


def ways(tables: Tables, route: Route) -> Iterator[Way]:
    """Yield where the redirects of a route lead by the rows that there are now."""
    yield from _ways(_Rows(tables, {}), route)


def may_redirect(item: Item) -> bool:
    """Tell whether a row's own target, or one of its rules', may be a redirect."""
    origin = item.get("origin", {}).get("M", {})
    return "rules" in item or origin.get("kind") == {"S": "redirect"}


def _ways(rows: "_Rows", route: Route) -> Iterator[Way]:
    host = rows.example(route.domain)
    if isinstance(route.origin, Redirect):
        yield _follow(rows, host, "/", "", is_first=True)
        yield _follow(rows, host, _LONGER, "", is_first=False)
    for rule in route.rules:
        if isinstance(rule.origin, Redirect):
            path = quote_path(rule.pattern.removesuffix(WILDCARD))
            yield _follow(rows, host, path, rule.pattern, is_first=True)
            if rule.pattern.endswith(WILDCARD):
                yield _follow(rows, host, path + _LONGER, rule.pattern, is_first=False)


def _follow(rows: "_Rows", host: str, path: str, pattern: str, *, is_first: bool) -> Way:
    way = [f"https://{host}{path}"]

    def end(problem: str = "", *, ours: bool = True) -> Way:
        route = rows.find_named(host) if ours else None
        return Way(pattern, is_first, tuple(way), host, problem, ours, route)

    while (to := _next(rows, host, path)) is not None:
        known = to in way
        way.append(to)
        if known:
            return end("in a circle")
        if len(way) > MOST_HOPS + 1:
            return end(f"through more than {MOST_HOPS} redirects")
        parts = urlsplit(to)
        host, path = parts.hostname or "", parts.path or "/"
        if parts.port not in (None, 80, 443):
            return end(ours=False)  # another server than CloudFront
    return end()


def _next(rows: "_Rows", host: str, path: str) -> str | None:
    try:
        route = rows.find_named(host)
        if route is None:
            return None
        number = RuleTable(route.rules).find(comparable_path(path))
        rule = route.rules[number] if number >= 0 else None
        answering = rule.origin if rule is not None else route.origin
        if not isinstance(answering, Redirect):
            return None
        to = redirected(answering, rule, path, "")
    except MalformedPath:
        return None
    return f"https://{host}{to}" if to.startswith("/") else to.replace("http://", "https://", 1)


class _Rows:
    """Rows as they will be."""

    def __init__(self, tables: Tables, planned: Mapping[str, Item | None]) -> None:
        self._tables = tables
        self._items = dict(planned)

    def example(self, domain: str) -> str:
        """Return a host that a domain's row answers for: of a wildcard one that has no row of its own."""
        label = _UNDER_WILDCARD
        while is_wildcard(domain) and self._item(domain.replace("*", label, 1)) is not None:
            label += _UNDER_WILDCARD
        return domain.replace("*", label, 1)

    def _item(self, domain: str) -> Item | None:
        if domain not in self._items:
            self._items[domain] = self._tables.read([domain]).get(domain)
        return self._items[domain]

    def find(self, host: str) -> Route | None:
        """Return the route for a host."""
        domains = candidates(host)
        unread = [domain for domain in domains if domain not in self._items]
        if unread:
            found = self._tables.read(unread)
            self._items |= {domain: found.get(domain) for domain in unread}
        item = next((self._items[domain] for domain in domains if self._items[domain] is not None), None)
        return decode(item)

    def find_named(self, host: str) -> Route | None:
        """Return the route for a host as a URL has it."""
        try:
            return self.find(normalise_host(host))
        except MalformedHost:
            return None
