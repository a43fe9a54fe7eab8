"""snapshot."""

import dataclasses
from typing import Any

import click

from table_admin import output
from table_admin.cli.options import AS_JSON
from table_admin.routing_table import RoutingTable
from table_admin.snapshots.places import parse_bucket
from table_admin.snapshots.stack import stack_buckets
from table_admin.snapshots.writer import Snapshot, SnapshotFailed, take_snapshot
from table_admin.terminal import counted, echo, sized


@click.command()
@click.option(
    "--bucket", "buckets", multiple=True, metavar="NAME@REGION", help="Where to; the stack's own buckets by default."
)
@AS_JSON
@click.pass_obj
def snapshot(table: RoutingTable, buckets: tuple[str, ...], as_json: bool) -> None:
    """Write the snapshot that the edge loads, now; else a schedule does. A second run finds little to send."""
    places = [parse_bucket(bucket) for bucket in buckets] or stack_buckets(table)
    try:
        done = take_snapshot(table, places, on_skipped=_tell_skipped)
    except SnapshotFailed as failed:
        if failed.snapshot is not None:
            _print(failed.snapshot, as_json)
        raise
    _print(done, as_json)


def _tell_skipped(domain: str, why: str) -> None:
    echo(f"table-admin: the row of {domain[:80]} is in no snapshot: {why}", err=True)


def _print(done: Snapshot, as_json: bool) -> None:
    if as_json:
        values: dict[str, Any] = dataclasses.asdict(done)
        values["bytes"] = values.pop("size")
        output.print_json(values)
        return
    if done.superseded:
        echo("table-admin: a newer snapshot is there already.", err=True)
    elif done.reload:
        echo("table-admin: rows were changed that nobody had announced; the edge was told.", err=True)
    sent = f"{done.sent:,} sent ({sized(done.size)})" if done.sent else "none sent"
    when = f"{done.taken_at[:19].replace('T', ' ')}Z"
    echo(f"{counted(done.rows, 'row')} in {counted(done.parts, 'part')}, {sent}; of {when}, epoch {done.epoch}")


COMMANDS = [snapshot]
