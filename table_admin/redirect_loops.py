"""Redirects that lead in a circle are refused when they are written, and so are long ways round.

What is followed are examples: of each redirect the shortest path that gets it, and one that is longer. Rows that are
written meanwhile, or removed later, may still close a circle: the edge sees one of one step, and answers 502.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from edge_handler.errors import MalformedHost, MalformedPath
from edge_handler.paths import comparable_path
from edge_handler.routes.attributes import Item
from edge_handler.routes.host import normalise_host
from edge_handler.routes.path_rules import WILDCARD, RuleTable, quote_path, redirected
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.route import Route
from edge_handler.routes.wildcards import candidates
from table_admin.changes import decode
from table_admin.errors import InvalidInput
from table_admin.tables import Tables, Write

MOST_HOPS = 5
"""Browsers give up after some twenty; each costs a viewer a round trip."""
_LONGER = "/a/b"
_UNDER_WILDCARD = "a"


def refuse_redirect_loops(tables: Tables, writes: Sequence[Write], later: Iterable[Write] = ()) -> None:
    """Raise InvalidInput where what is to be written sends viewers in a circle, or through more than MOST_HOPS.

    `later`: what is written after it, and is there then.
    """
    planned = {write.domain: write.after() for write in writes}
    rows = _Rows(tables, {write.domain: write.after() for write in later} | planned)
    for domain, item in planned.items():
        if item is not None and _may_redirect(item) and (route := decode(item)) is not None:
            for host, path in _examples(route):
                _follow(rows, host, path, domain)


def _may_redirect(item: Item) -> bool:
    origin = item.get("origin", {}).get("M", {})
    return "rules" in item or origin.get("kind") == {"S": "redirect"}


def _examples(route: Route) -> Iterator[tuple[str, str]]:
    host = route.domain.replace("*", _UNDER_WILDCARD, 1)
    if isinstance(route.origin, Redirect):
        yield host, "/"
        yield host, _LONGER
    for rule in route.rules:
        if isinstance(rule.origin, Redirect):
            yield host, quote_path(rule.pattern.removesuffix(WILDCARD))
            if rule.pattern.endswith(WILDCARD):
                yield host, quote_path(rule.pattern.removesuffix(WILDCARD)) + _LONGER


def _follow(rows: "_Rows", host: str, path: str, domain: str) -> None:
    way = [f"https://{host}{path}"]
    while (to := _next(rows, host, path)) is not None:
        if to in way or len(way) > MOST_HOPS:
            what = "in a circle" if to in way else f"through more than {MOST_HOPS} redirects"
            raise InvalidInput(
                f"{domain}: viewers would be sent {what}: {' -> '.join([*way, to][:4])}. Nothing was written."
            )
        way.append(to)
        parts = urlsplit(to)
        if parts.port not in (None, 80, 443):
            return  # another server than CloudFront
        host, path = parts.hostname or "", parts.path or "/"


def _next(rows: "_Rows", host: str, path: str) -> str | None:
    try:
        route = rows.find(normalise_host(host))
        if route is None:
            return None
        number = RuleTable(route.rules).find(comparable_path(path))
        rule = route.rules[number] if number >= 0 else None
        answering = rule.origin if rule is not None else route.origin
        if not isinstance(answering, Redirect):
            return None
        to = redirected(answering, rule, path, "")
    except (MalformedHost, MalformedPath):
        return None
    return f"https://{host}{to}" if to.startswith("/") else to.replace("http://", "https://", 1)


class _Rows:
    """Rows as they will be."""

    def __init__(self, tables: Tables, planned: Mapping[str, Item | None]) -> None:
        self._tables = tables
        self._items = dict(planned)

    def find(self, host: str) -> Route | None:
        """Return the route for a host."""
        domains = candidates(host)
        unread = [domain for domain in domains if domain not in self._items]
        if unread:
            found = self._tables.read(unread)
            self._items |= {domain: found.get(domain) for domain in unread}
        item = next((self._items[domain] for domain in domains if self._items[domain] is not None), None)
        return decode(item)
