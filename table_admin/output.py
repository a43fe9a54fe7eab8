"""What the command prints: tables for people, JSON for pipelines. Streams: no listing is held in memory."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from edge_handler.routes.route import Route
from table_admin import second_target_words
from table_admin.access import Link
from table_admin.changes import Change, Revision, differences
from table_admin.deployments.items import Deployment
from table_admin.deployments.retention import Swept
from table_admin.documents import change_document, revision_document, route_document
from table_admin.environments import Environment
from table_admin.finding import Finding
from table_admin.inputs import epoch_text
from table_admin.path_rules import written_rules
from table_admin.plan import Plan
from table_admin.policies import FIELDS
from table_admin.policy_words import badges, difference_words, route_words
from table_admin.second_target_words import FIELDS as SECOND_FIELDS
from table_admin.terminal import Progress as progress  # noqa: N813  # a function to who calls it
from table_admin.terminal import counted, echo
from table_admin.terminal import table as print_table

__all__ = ["counted", "echo", "print_table", "progress"]

ROUTE_HEADS = ("DOMAIN", "TARGET", "ENVIRONMENT", "REVISION", "EXPIRES", "BY", "RULES", "POLICY")
HISTORY_HEADS = ("REVISION", "ACTION", "TARGET", "WHEN", "BY", "RULES", "POLICY", "NOTE")
ROUTE_SPARE = ("BY", "REVISION", "ENVIRONMENT", "EXPIRES", "RULES", "POLICY")
"""What a narrow terminal is not shown, the first first."""
ENVIRONMENT_HEADS = ("ENVIRONMENT", "ROUTES", "EXPIRES", "CHANGED", "BY")
DEPLOYMENT_HEADS = ("DEPLOYMENT", "BUCKET", "STATE", "FILES", "BYTES", "CREATED", "BY", "NOTE")
DEPLOYMENT_SPARE = ("NOTE", "BY", "BYTES", "BUCKET")
ENVIRONMENT_SPARE = ("BY", "CHANGED")
_OF_RULES = {"rules": "rule", "rule_origins": "origin of"}
"""What is different by pattern, and printed a pattern a line."""
_SIGNS = {"created": ("+", "green"), "updated": ("~", "yellow"), "deleted": ("-", "red"), "unchanged": ("=", "")}
_MARKS = {"ok": ("ok", "green"), "wrong": ("WRONG", "red"), "unknown": ("?", "yellow")}


def print_json(document: Any) -> None:
    """Print one document, indented."""
    click.echo(json.dumps(plain(document), indent=2))


def print_json_array(documents: Iterable[Any]) -> None:
    """Print an array a line per document, while they come."""
    opening = "["
    for document in documents:
        click.echo(f"{opening}{json.dumps(plain(document))}", nl=False)
        opening = ",\n "
    click.echo("]" if opening != "[" else "[]")


def plain(document: Any) -> Any:
    """Return plain data for `json.dumps`."""
    if dataclasses.is_dataclass(document) and not isinstance(document, type):
        return dataclasses.asdict(document)
    if isinstance(document, tuple) and hasattr(document, "_asdict"):
        return document._asdict()
    if isinstance(document, Mapping):
        return {name: plain(value) for name, value in document.items()}
    return [plain(item) for item in document] if isinstance(document, list | tuple) else document


def print_route(route: Route) -> None:
    """Print one route, an attribute a line."""
    values = dataclasses.asdict(route_document(route))
    values["origin"] = " ".join(f"{name}={value}" for name, value in values["origin"].items())
    values["expires_at"] = epoch_text(route.expires_at) or "never"
    values["rules"] = f"\n{'':<13}".join(f"{pattern} -> {target}" for pattern, target in written_rules(route).items())
    words = route_words(route) | second_target_words.route_words(route)
    values |= {name: text.replace("\n", f"\n{'':<13}") for name, text in words.items()}
    for name, value in values.items():
        for line in f"{name + ':':<13}{value}".split("\n"):
            echo(line.rstrip())


def print_changes(
    changes: Sequence[Change],
    *,
    as_json: bool,
    dry_run: bool,
    urls: bool = False,
    single: bool = False,
    links: Mapping[str, Sequence[Link]] | None = None,
) -> None:
    """Print a line for each write, or would-be write; as JSON one object where there can be one only, else an array.

    `links`, by domain, are in the JSON only: nobody else's listing has them.
    """
    if as_json:
        documents = [_with_links(change, links) for change in changes]
        print_json(documents[0] if single else documents)
        return
    for change in changes:
        words = [f"would be {change.action}" if dry_run and change.action != "unchanged" else change.action]
        words.append(f"https://{change.domain}/" if urls else change.domain)
        if change.after:
            words += ["->", change.after.target]
        expires = change.after.expires_at if change.after else None
        expiry = f", expires {epoch_text(expires)}" if expires else ""
        message = f": {change.message}" if change.message else ""
        echo(f"{' '.join(words)} (revision {change.revision}{expiry}{_beside(change.after)}){message}")
        if change.action in ("created", "updated"):
            _print_differences_beside(change)


def _with_links(change: Change, links: Mapping[str, Sequence[Link]] | None) -> Any:
    document = change_document(change)
    if links is None:
        return document
    return {**dataclasses.asdict(document), "links": [link.url for link in links.get(change.domain, ())]}


def print_revision(entry: Revision, as_json: bool) -> None:
    """Print one change, on a line, as it is made."""
    if as_json:
        click.echo(json.dumps(plain(revision_document(entry))))
        return
    target = f" -> {entry.state.target}" if entry.state else ""
    why = f": {entry.note}" if entry.note else ""
    when = entry.updated_at[:19].replace("T", " ")
    what = f"revision {entry.revision}{_beside(entry.state)}, by {entry.updated_by}"
    echo(f"{when}Z  {entry.action:<8}  {entry.domain}{target} ({what}){why}")


def print_count(count: int, noun: str, limit: int | None) -> None:
    """Say beside a listing how long it is, and whether it may go on."""
    more = f", for --limit is {limit}; there may be more" if count == limit else ""
    click.echo(f"{counted(count, noun)}{more}", err=True)


def print_differences(found: Mapping[str, tuple[Any, Any]], indent: str = "") -> None:
    """Print what is different, an attribute a line."""
    for name, (before, after) in found.items():
        if name in _OF_RULES:
            one, other = before or {}, after or {}
            for pattern in sorted({*one, *other}):
                if one.get(pattern) != other.get(pattern):
                    print_differences({f"{_OF_RULES[name]} {pattern}": (one.get(pattern), other.get(pattern))}, indent)
            continue
        for what, old, new in _difference(name, before, after):
            echo(f"{indent}{what}: ", (old, "red"), " -> ", (new, "green"))


def _difference(name: str, before: Any, after: Any) -> Iterable[tuple[str, str, str]]:
    if name in FIELDS:
        return difference_words(name, before, after)
    if name in SECOND_FIELDS:
        return [second_target_words.difference_words(name, before, after)]
    return [(name, _cell(name, before), _cell(name, after))]


def _print_differences_beside(change: Change) -> None:
    """Print what the line of a change has no room for."""
    found = differences(change.before, change.after)
    print_differences(
        {name: found[name] for name in (*_OF_RULES, *FIELDS, *SECOND_FIELDS) if name in found}, indent="    "
    )


def print_update(change: Change) -> None:
    """Print a domain that is updated, and what is different then."""
    sign, colour = _SIGNS["updated"]
    echo((f"{sign} {change.domain}", colour))
    print_differences(differences(change.before, change.after), indent="    ")


def print_plan(plan: Plan) -> None:
    """Print what a plan changes, and its id."""
    for change in plan.changes:
        if change.action == "updated":
            print_update(change)
            continue
        sign, colour = _SIGNS[change.action]
        route = change.after or change.before
        echo((f"{sign} {change.domain}  {route.target if route else ''}".rstrip(), colour))
        if change.action == "created":
            _print_differences_beside(change)
    counts = (plan.count("created"), plan.count("updated"), plan.count("deleted"), plan.unchanged)
    click.echo("Plan {}: {} to create, {} to update, {} to delete, {} unchanged.".format(plan.id, *counts))


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan for `json.dumps`."""
    return {
        "id": plan.id,
        "owner": plan.owner,
        "changes": [dataclasses.asdict(change_document(change)) for change in plan.changes],
        "unchanged": plan.unchanged,
    }


def print_swept(swept: Iterable[Swept], dry_run: bool) -> None:
    """Print what was done to deployments; beside it what was left."""
    for one in swept:
        action = f"would be {one.action}" if dry_run and one.action != "left" else one.action
        echo(f"{action} {one.target}: {one.reason}", err=one.action == "left")


def print_deployment(found: Deployment, domains: Iterable[str]) -> None:
    """Print one deployment, an attribute a line."""
    values = deployment_values(found)
    values["needed by"] = ", ".join(sorted(domains)) or "no row"
    for name, value in values.items():
        echo(f"{name + ':':<17}{value}".rstrip())


def deployment_values(found: Deployment) -> dict[str, str]:
    """Return what people are told of a deployment, in the order of a listing."""
    times = {"lease until": found.lease_until, "unneeded since": found.unneeded_since, "condemned": found.condemned_at}
    return {
        "deployment": found.id,
        "bucket": found.bucket,
        "state": found.state,
        "files": f"{found.files:,}",
        "bytes": f"{found.size:,}",
        "created": f"{found.created_at[:19].replace('T', ' ')}Z",
        "by": found.created_by,
        "note": found.note,
        "target": found.target,
        **{name: epoch_text(seconds) for name, seconds in times.items() if seconds},
    }


def deployment_rows(found: Iterable[Deployment]) -> Iterator[Sequence[str]]:
    """Yield the cells of a listing."""
    for one in found:
        yield tuple(deployment_values(one).values())[: len(DEPLOYMENT_HEADS)]


def print_finding(finding: Finding) -> None:
    """Print a step of doctor's, and how to mend it where it is wrong."""
    mark, colour = _MARKS[finding.status]
    echo((f"{mark:<6}", colour), f" {finding.step:<14} {finding.text}")
    if finding.mend:
        echo(f"{'':<22}{finding.mend}")


def route_rows(routes: Iterable[Route]) -> Iterator[Sequence[str]]:
    """Yield the cells of a listing."""
    for route in routes:
        expires = epoch_text(route.expires_at) or "never"
        about = route.domain, route.target, route.environment, str(route.revision), expires, route.updated_by
        yield *about, *_beside_cells(route)


def history_rows(revisions: Iterable[Revision]) -> Iterator[Sequence[str]]:
    """Yield the cells of a domain's history."""
    for entry in revisions:
        target = entry.route.target if entry.route else ""
        done = str(entry.revision), entry.action, target, entry.updated_at, entry.updated_by
        yield *done, *_beside_cells(entry.route), entry.note


def environment_rows(found: Iterable[Environment]) -> Iterator[Sequence[str]]:
    """Yield the cells of a listing of environments."""
    for one in found:
        expires = epoch_text(one.expires_at) or "never"
        yield one.name, str(one.routes), expires, one.updated_at[:19].replace("T", " ") + "Z", one.updated_by


def _beside_cells(route: Route | None) -> tuple[str, str]:
    """Return the cells of what a route has beside its target."""
    return str(len(route.rules) or "") if route else "", ",".join(_badges(route))


def _beside(route: Route | None) -> str:
    rules = [counted(len(route.rules), "rule")] if route and route.rules else []
    return "".join(f", {word}" for word in (*rules, *_badges(route)))


def _badges(route: Route | None) -> list[str]:
    return badges(route) + second_target_words.badges(route)


def _cell(name: str, value: Any) -> str:
    if value is None or value == "":
        return "(never)" if name == "expires_at" else "(none)"
    if name == "expires_at":
        return epoch_text(value)
    if hasattr(value, "_asdict"):
        return " ".join(f"{key}={part}" for key, part in value._asdict().items())
    return str(value)
