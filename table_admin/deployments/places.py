"""Where a deployment goes: to a domain, by the rules of `put`, or to an environment's URL, by those of `env up`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from table_admin import branches, environments
from table_admin.changes import Change
from table_admin.errors import InvalidInput
from table_admin.inputs import parse_host
from table_admin.names import url_domain
from table_admin.routing_table import RoutingTable


@dataclass(frozen=True, slots=True)
class Place:
    """One URL."""

    domain: str
    send: Callable[[str, int, bool], Change]
    """Sends it to a target, where viewers get what they got at a generation; with True it is only said."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a URL lives, who gets an answer, and why it was made; see `RoutingTable.put`."""

    expires_in: str | None = None
    permanent: bool = False
    default_expires_in: str | None = None
    policy: Mapping[str, Any] | None = None
    note: str = ""


def at_domain(table: RoutingTable, domain: str, terms: Terms) -> Place:
    """Return a domain as a place."""

    def send(target: str, generation: int, dry_run: bool) -> Change:
        return table.put(
            domain,
            target,
            **asdict(terms),
            if_generation=generation,
            dry_run=dry_run,
        )

    return Place(parse_host(domain), send)


def in_environment(
    table: RoutingTable,
    name: str,
    base: str,
    service: str,
    terms: Terms,
    *,
    source: str | None = None,
    take_over: bool = False,
) -> Place:
    """Return an environment's URL of a service as a place; its other services stay as they are."""
    domain = url_domain(name, service, base)

    def send(target: str, generation: int, dry_run: bool) -> Change:
        return environments.up(
            table,
            name,
            base,
            {service: target},
            source=source,
            take_over=take_over,
            **asdict(terms),
            if_generations={domain: generation},
            dry_run=dry_run,
        )[0]

    return Place(domain, send)


def of_branch(table: RoutingTable, branch: str, base: str, service: str, terms: Terms) -> Place:
    """Return the URL of a service in a branch's environment as a place."""
    domain = url_domain(branches.name_of(table, branch), service, base)

    def send(target: str, generation: int, dry_run: bool) -> Change:
        return branches.up(
            table,
            branch,
            base,
            {service: target},
            **asdict(terms),
            if_generations={domain: generation},
            dry_run=dry_run,
        )[0]

    return Place(domain, send)


def place_of(
    table: RoutingTable,
    terms: Terms,
    *,
    domain: str | None = None,
    environment: str | None = None,
    branch: str | None = None,
    base: str | None = None,
    service: str = "",
    source: str | None = None,
    take_over: bool = False,
) -> Place:
    """Return the place that is named: by a domain, an environment or a branch. Raises InvalidInput."""
    if [domain, environment, branch].count(None) != 2:
        which = "--environment NAME, --branch BRANCH, or --domain DOMAIN"
        none = domain is environment is branch is None
        raise InvalidInput(f"Say where to: {which}." if none else f"Say where to once: {which}.")
    if domain is not None:
        if service or source is not None or take_over:
            raise InvalidInput("--service, --source and --take-over go with --environment; a domain has none.")
        return at_domain(table, domain, terms)
    if not base:
        raise InvalidInput("Say which domain its URL is under: --base example.com.")
    if environment is not None:
        return in_environment(table, environment, base, service, terms, source=source, take_over=take_over)
    if source is not None or take_over:
        raise InvalidInput("--branch goes without --source and --take-over.")
    return of_branch(table, branch or "", base, service, terms)
