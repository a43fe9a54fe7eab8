"""What doctor says of a canary and a standby: whether one was forgotten."""

from collections.abc import Iterator
from datetime import datetime

from edge_handler.routes.canary import MAX_WEIGHT, Canary
from edge_handler.routes.route import Route
from table_admin.errors import TableAdminError
from table_admin.finding import Finding
from table_admin.history import revision_at
from table_admin.inputs import epoch_text
from table_admin.routing_table import RoutingTable

_DAY = 86_400
_LONG_DAYS = 7


def second_targets(table: RoutingTable, route: Route) -> Iterator[Finding]:
    """Yield what is found; nothing of a row that has neither."""
    if route.canary is not None:
        yield _canary(table, route, route.canary)
    if route.standby is None:
        return
    if route.standby.failed_over:
        text = f"Failed over: {route.target} stands in for {route.standby.target}."
        yield Finding("standby", "unknown", text, f"table-admin fail-back {route.domain}, once that is well again.")
    else:
        yield Finding("standby", "ok", f"table-admin fail-over {route.domain} leads to {route.standby.target}.")


def _canary(table: RoutingTable, route: Route, canary: Canary) -> Finding:
    text = f"{canary.weight} % get {canary.target}, since revision {canary.since}"
    promote, abort = f"table-admin canary promote {route.domain}", f"table-admin canary abort {route.domain}"
    days = 0.0
    try:
        began = datetime.fromisoformat(revision_at(table, route.domain, canary.since).updated_at).timestamp()
    except (TableAdminError, ValueError):
        pass  # its history is not kept for ever
    else:
        text += f", {epoch_text(int(began))}"
        days = (table.clock() - began) / _DAY
    if canary.weight == 0:
        return Finding(
            "canary",
            "unknown",
            f"{text}: nobody but testers.",
            f"table-admin canary weight {route.domain} 10, or {abort}",
        )
    if canary.weight == MAX_WEIGHT:
        return Finding("canary", "unknown", f"{text}: all do.", promote)
    if days > _LONG_DAYS:
        return Finding("canary", "unknown", f"{text}: for {days:,.1f} days. Is it forgotten?", f"{promote}, or {abort}")
    return Finding("canary", "ok", f"{text}.")
