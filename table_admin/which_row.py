"""Which row answers for a URL, and which of its rules, and why these: in words for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_handler.errors import BrokenRow, MalformedPath
from edge_handler.paths import comparable_path
from edge_handler.routes.attributes import Item
from edge_handler.routes.path_rules import WILDCARD, Rule, RuleTable
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.route import Route, decode_route
from edge_handler.routes.wildcards import candidates
from table_admin.changes import is_live
from table_admin.inputs import epoch_text
from table_admin.routing_table import RoutingTable

_NAMED = 3
"""So many rules that match too are named; there may be dozens."""


@dataclass(frozen=True, slots=True)
class Which:
    """What answers for a URL."""

    domain: str
    """The row's, which may be a wildcard; the host itself where there is none."""
    row: Route | None
    """None where there is none, and where it is broken."""
    reason: str
    rule: Rule | None
    rule_reason: str
    """Empty where the row has no rules."""

    @property
    def origin(self) -> Answering | None:
        """What the row names for the path."""
        if self.rule is not None:
            return self.rule.origin
        return self.row.origin if self.row is not None else None


def which_row(table: RoutingTable, host: str, uri: str) -> Which:
    """Return what answers for a normalised host and a path as viewers write it."""
    domains = candidates(host)
    items = {str(item["domain"]["S"]): item for item in table.read(domains)}
    present = [domain for domain in domains if domain in items]
    if not present:
        return Which(host, None, f"there is no row {', nor '.join(domains)}", None, "")
    return _of_row(items, present, host, uri, table.clock())


def _of_row(items: Mapping[str, Item], present: list[str], host: str, uri: str, now: float) -> Which:
    domain, *others = present
    # Nothing makes good for a row that does not serve; who has a wildcard may believe that it does.
    instead = f"; {others[0]} does not answer instead while the row is there" if others else ""
    try:
        row = decode_route(items[domain])
    except BrokenRow as error:
        return Which(domain, None, f"the row {domain} cannot be read: {error}{instead}", None, "")
    live = is_live(row, now)
    expiry = f", expire{'s' if live else 'd'} {epoch_text(row.expires_at)}" if row.expires_at is not None else ""
    reason = f"the row {domain} at revision {row.revision} names {row.target}{expiry}"
    if not live:
        return Which(domain, row, reason + instead, None, "")
    if domain != host:
        reason += f"; {host} has no row of its own" + (", and it is the most specific wildcard" if others else "")
    return Which(domain, row, reason, *_rule(row, uri))


def _rule(row: Route, uri: str) -> tuple[Rule | None, str]:
    """Return the rule for a path, and why it is this one; as the edge does, which looks at no path without need."""
    if not row.rules and not isinstance(row.origin, Redirect):
        return None, ""
    try:
        path = comparable_path(uri)
    except MalformedPath as error:
        return None, str(error)
    if not row.rules:
        return None, ""
    compared = f" ({uri} is compared as {path})" if path != uri else ""
    number = RuleTable(row.rules).find(path)
    if number < 0:
        count = "the row's one rule is not" if len(row.rules) == 1 else f"none of the row's {len(row.rules)} rules is"
        return None, f"{count} for {path}; the row's own target answers{compared}"
    rule = row.rules[number]
    return rule, f"{rule.pattern} names {rule.target}{_before_others(row, rule, path)}{compared}"


def _before_others(row: Route, rule: Rule, path: str) -> str:
    also = [one.pattern for one in row.rules if one is not rule and RuleTable((one,)).find(path) == 0]
    if not also:
        return ""
    also.sort(key=len, reverse=True)
    named = ", ".join(also[:_NAMED]) + (f" and {len(also) - _NAMED} more" if len(also) > _NAMED else "")
    wins = "the longest wins" if rule.pattern.endswith(WILDCARD) else "a whole path wins over a prefix"
    return f"; {named} {'match' if len(also) > 1 else 'matches'} too, and {wins}"
