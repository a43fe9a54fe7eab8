"""Writes as the HTTP API's resources make them: once for an Idempotency-Key, and answered with what they did."""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from table_admin.changes import Change
from table_admin.documents import ChangeDocument, change_document
from table_admin.errors import InvalidInput
from table_admin.inputs import parse_domain
from table_admin.ownership import OnLeft
from table_admin.routing_table import RoutingTable
from table_admin.web.idempotency import once
from table_admin.web.models import Changes

Write = Callable[[str, str | None, Callable[[RoutingTable], Sequence[Change]]], Response[Any]]
"""Makes a write of a domain once, given its idempotency key; returns the answer."""
WriteAll = Callable[[str, str | None, Callable[[RoutingTable, OnLeft], Sequence[Change]]], Changes]
"""Makes a write of an environment once, given its idempotency key; returns the answer, with what was left."""


def domain_writer(table: Callable[..., RoutingTable], asked: Callable[[str | None], str]) -> Write:
    """Return what makes writes of domains, given what opens the table and what is kept of the request."""

    def write(domain: str, key: str | None, make: Callable[[RoutingTable], Sequence[Change]]) -> Response[Any]:
        request = asked(key)
        rows = table(request)
        (change,) = once(rows, request, lambda: make(rows), domain=parse_domain(domain))
        return _changed(change)

    return write


def environment_writer(table: Callable[..., RoutingTable], asked: Callable[[str | None], str]) -> WriteAll:
    """Return what makes writes of environments, see `domain_writer`."""

    def write(name: str, key: str | None, make: Callable[[RoutingTable, OnLeft], Sequence[Change]]) -> Changes:
        request = asked(key)
        rows = table(request)
        left: list[str] = []
        return changes_of(once(rows, request, lambda: make(rows, keeping(left)), environment=name), left)

    return write


def keeping(left: list[str]) -> OnLeft:
    """Return what keeps a line for each domain that stays as it is."""
    return lambda domain, why: left.append(f"{domain}: {why}")


def changes_of(changes: Sequence[Change], left: Sequence[str] = ()) -> Changes:
    """Return what was done to several domains as it is answered."""
    return Changes(list(map(change_document, changes)), [*left])


def if_revision(if_match: str | None, if_none_match: str | None = None) -> int | None:
    """Return the revision that a request is to write over: 0 for none, None for any. Raises InvalidInput."""
    if if_none_match is not None:
        if if_none_match.strip() != "*" or if_match is not None:
            raise InvalidInput("If-None-Match takes * only, and goes without If-Match.")
        return 0
    if if_match is None:
        return None
    revision = re.fullmatch(r'\s*(?:W/)?"?([0-9]{1,15})"?\s*', if_match)
    if not revision:
        raise InvalidInput('If-Match takes one ETag of a route, which is its revision, e.g. "3".')
    return int(revision[1])


def write_options(note: str, if_match: str | None, dry_run: bool) -> dict[str, Any]:
    """Return what each write of a domain takes beside what it is. Raises InvalidInput."""
    return {"note": note, "if_revision": if_revision(if_match), "dry_run": dry_run}


def tagged(status: HTTPStatus, document: Any, revision: int, headers: dict[str, str] | None = None) -> Response[Any]:
    """Return an answer whose ETag is a route's revision."""
    return Response(status, "application/json", document, {"ETag": f'"{revision}"', **(headers or {})})


def _changed(change: Change) -> Response[ChangeDocument]:
    if change.action == "created":
        location = {"Location": f"/routes/{change.domain}"}
        return tagged(HTTPStatus.CREATED, change_document(change), change.revision, location)
    return tagged(HTTPStatus.OK, change_document(change), change.revision)
