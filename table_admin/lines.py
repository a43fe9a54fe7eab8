"""A line of a file of routes: what it asks for, and how a route is written as one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TextIO

from edge_handler.routes.route import Route
from table_admin import files
from table_admin.changes import Change, Put, is_managed, keeps_host
from table_admin.errors import InvalidInput
from table_admin.files import Format
from table_admin.inputs import iso
from table_admin.manifest import NEVER, complaint, route_put, validator
from table_admin.path_rules import written_rules
from table_admin.policies import NONE, policy_document
from table_admin.second_targets import second_targets_document


def read_rows(stream: TextIO, form: Format, bucket: str = "") -> Iterator[tuple[int, Put | str]]:
    """Yield line and route, or what is wrong with the line. Raises InvalidInput for a stream of another format.

    Holds the domains: the second line for one is wrong, whatever it says.
    """
    line_of: dict[str, int] = {}
    for line, values in files.read(stream, form):
        outcome = str(values) if isinstance(values, InvalidInput) else _put(values, form, bucket)
        if isinstance(outcome, Put):
            first = line_of.setdefault(outcome.domain, line)
            if first != line:
                outcome = f"{outcome.domain} is in line {first} already."
        yield line, outcome


def values_of(route: Route) -> dict[str, Any]:
    """Return what a file says of a route: all but empty text."""
    values = {
        "domain": route.domain,
        "target": route.target,
        "environment": route.environment,
        "service": route.service,
        "owner": route.owner,
        "expires_at": iso(route.expires_at) if route.expires_at is not None else NEVER,
        "keep_host": keeps_host(route),
        "note": route.note,
        "managed": is_managed(route),
        "source": route.source,
        "rules": written_rules(route),
        # A row that says nothing of these is written as before there were such fields.
        **{name: value for name, value in policy_document(route.policy).items() if value},
        **{name: value for name, value in second_targets_document(route).items() if value},
    }
    if route.policy is not None and route.policy.noindex is False:
        values["noindex"] = False
    if route.standby is not None:
        values["failed_over"] = route.standby.failed_over
    return {name: value for name, value in values.items() if value not in (None, "")}


def changed_fields(change: Change) -> list[str]:
    """Return which fields an update changed; `origin` where none did: what the target resolves to."""
    before, after = (values_of(route) if route else {} for route in (change.before, change.after))
    return [name for name in files.FIELDS if before.get(name) != after.get(name)] or ["origin"]


def _put(values: Any, form: Format, bucket: str) -> Put | str:
    if not isinstance(values, dict):
        return f"not a route: {'a mapping' if form == 'yaml' else 'an object'} with domain and target is expected."
    # Programs write null for what is not there.
    given = {name: value for name, value in values.items() if value is not None}
    domain, owner = given.get("domain"), given.get("owner")
    for name, value, needed in (("domain", domain, True), ("owner", owner, False)):
        if not isinstance(value, str) and (needed or value is not None):
            return f"{name} is missing, or no text."
    body = {name: value for name, value in given.items() if name not in ("domain", "owner", "failed_over")}
    errors = [*validator("route").iter_errors(body)]
    if errors:
        return f"{complaint(errors[0], form)}."
    try:
        put = route_put(str(domain), body, owner, bucket)
        return replace(put, failed_over=_failed_over(given.get("failed_over"), put))
    except InvalidInput as error:
        return str(error)


def _failed_over(said: Any, put: Put) -> bool | None:
    if said not in (None, False, True):
        raise InvalidInput("failed_over is true or false.")
    if put.standby not in (None, NONE):
        return said  # type: ignore[no-any-return]  # it is one of these
    if said:
        raise InvalidInput("failed_over: what it stands in for is missing; say it as standby.")
    return None  # programs write so of a row that has none
