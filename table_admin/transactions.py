"""Many routes written: in one transaction what must be together, the rest in several in turn."""

from collections.abc import Iterator, Mapping, Sequence

from edge_handler.routes.attributes import Item
from edge_handler.routes.route import decode_route
from table_admin.changes import Change, Put, unchanged
from table_admin.routing_table import RoutingTable
from table_admin.tables import Write, together


def commit_all(
    table: RoutingTable,
    wanted: Sequence[Put],
    items: Mapping[str, Item],
    dry_run: bool,
    *,
    also: Sequence[Write] = (),
    beside: Sequence[Write] = (),
) -> list[Change]:
    """Make all of them so, in one transaction, and `also` with them as far as one takes it; the rest after it.

    `beside`: what is written with them where there is something to write, and is no change that anybody asked for.
    """
    writes = [*filter(None, (table.plan_put(put, items.get(put.domain)) for put in wanted))]
    if writes:
        writes += beside
    first = max(len(writes), together([*writes, *also]))
    room = first - len(writes)
    done = {change.domain: change for change in table.commit([*writes, *also[:room]], dry_run=dry_run)}
    done |= {change.domain: change for change in commit_in_turn(table, also[room:], dry_run)}
    for write in beside:
        done.pop(write.domain, None)
    kept = [
        done.pop(put.domain) if put.domain in done else unchanged(decode_route(items[put.domain])) for put in wanted
    ]
    return [*kept, *done.values()]


def commit_in_turn(table: RoutingTable, writes: Sequence[Write], dry_run: bool) -> Iterator[Change]:
    """Write any number of rows, as many together as a transaction takes; yield each when it is written."""
    while writes:
        count = together(writes)
        yield from table.commit(writes[:count], dry_run=dry_run)
        writes = writes[count:]
    table.tables.announce_withheld(table.actor)
