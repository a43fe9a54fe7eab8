"""What the command prints: tables for people, JSON for pipelines. Streams: no listing is held in memory."""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from edge_handler.route import Route
from table_admin.documents import route_document
from table_admin.explain import Explanation
from table_admin.inputs import epoch_text
from table_admin.routing_table import Change, Revision

_PAGE_ROWS = 200


def print_json(document: Any) -> None:
    """Print one document, indented."""
    click.echo(json.dumps(dataclasses.asdict(document), indent=2))


def print_json_array(documents: Iterable[Any]) -> None:
    """Print an array a line per document, while they come."""
    opening = "["
    for document in documents:
        click.echo(f"{opening}{json.dumps(dataclasses.asdict(document))}", nl=False)
        opening = ",\n "
    click.echo("]" if opening != "[" else "[]")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Print rows under heads, columns as wide as the first page needs; return how many there were."""
    rows = iter(rows)
    first = list(itertools.islice(rows, _PAGE_ROWS))
    widths = [max(map(len, column)) for column in zip(heads, *first, strict=True)]
    for row in itertools.chain([heads], first):
        click.echo(_line(row, widths))
    count = len(first)
    for row in rows:
        click.echo(_line(row, widths))
        count += 1
    return count


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def print_route(route: Route) -> None:
    """Print one route, an attribute a line."""
    values = dataclasses.asdict(route_document(route))
    values["origin"] = " ".join(f"{name}={value}" for name, value in values["origin"].items())
    values["expires_at"] = epoch_text(route.expires_at) or "never"
    for name, value in values.items():
        click.echo(f"{name + ':':<13}{value}".rstrip())


def print_change(change: Change) -> None:
    """Print one line about a write."""
    target = f" -> {change.after.target}" if change.after else ""
    expiry = f", expires {epoch_text(change.after.expires_at)}" if change.after and change.after.expires_at else ""
    click.echo(f"{change.action} {change.domain}{target} (revision {change.revision}{expiry})")


def print_explanation(found: Explanation) -> None:
    """Print the way of a request, a step a line."""
    click.echo(f"{found.url}\n  row             {found.reason}")
    click.echo(f"  viewer-request  {_step(found.viewer_request)}")
    if found.origin_request is not None:
        click.echo(f"  origin-request  {_step(found.origin_request)} (on a cache miss)")


def _step(step: dict[str, Any]) -> str:
    if "status" in step:
        return f"answers {step['status']}" + (f", to {step['location']}" if "location" in step else "")
    if "stamp" in step:
        return f"goes on with x-route: {step['stamp']}"
    return f"asks {step['origin']}{step['uri']} as Host {step['host']}"


def route_rows(routes: Iterable[Route]) -> Iterator[Sequence[str]]:
    """Yield the cells of a listing."""
    for route in routes:
        expires = epoch_text(route.expires_at) or "never"
        yield route.domain, route.target, route.environment, str(route.revision), expires, route.updated_by


def history_rows(revisions: Iterable[Revision]) -> Iterator[Sequence[str]]:
    """Yield the cells of a domain's history."""
    for entry in revisions:
        target = entry.route.target if entry.route else ""
        yield str(entry.revision), entry.action, target, entry.updated_at, entry.updated_by, entry.note
