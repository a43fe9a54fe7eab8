"""doctor: walks the way a request walks, and says at each step what is wrong and how to mend it."""

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from edge_handler.errors import BrokenRow
from edge_handler.routes.redirect import STATUSES, Redirect
from edge_handler.routes.route import Route, decode_route
from edge_handler.routes.wildcards import candidates
from table_admin.asking import ask
from table_admin.behind import behind
from table_admin.changes import is_live
from table_admin.doctor_policy import guarding, refused_with
from table_admin.doctor_second_targets import second_targets
from table_admin.errors import TableAdminError
from table_admin.finding import Finding
from table_admin.inputs import epoch_text, parse_domain
from table_admin.origin_secret import verdicts
from table_admin.path_rules import answering
from table_admin.reaching import Distribution, certificate, dns, example_of, find_distribution
from table_admin.routing_table import RoutingTable
from table_admin.sharing import read_cache_policy, sharing
from table_admin.snapshots.known import known_at_edge

_ANSWER_SECONDS = 10
_ANY = "any-name"
"""Which of a wildcard's names is asked for."""
_OLD_SECONDS = 300
"""A snapshot is taken each minute: as old as that, and none is taken any more."""


def doctor(table: RoutingTable, domain: str, *, edge: str | None = None) -> Iterator[Finding]:
    """Yield a finding for each step from the row to the answer.

    Args:
        table: where.
        domain: whose.
        edge: ask this URL's host and port with the domain as Host, instead of https://domain/.
    """
    domain = parse_domain(domain)
    route = yield from _row(table, domain)
    yield from _snapshot(table, route.domain if route is not None else domain)
    distribution = yield from find_distribution(table, domain)
    if distribution is not None:
        yield from certificate(table, domain, distribution)
        yield from dns(table, domain, distribution)
    if route is not None:
        yield from behind(table, route, distribution)
        yield from _secret(table, route)
        yield from guarding(table, route)
        yield from second_targets(table, route)
    headers = yield from _answer(example_of(domain, _ANY), edge, refused_with(route))
    if headers is not None and route is not None and not (route.origin.website or isinstance(route.origin, Redirect)):
        yield from _sharing(table, headers, distribution)


def _row(table: RoutingTable, domain: str) -> Iterator[Finding] | Any:
    """Find the row that answers for a domain: its own, else the most specific wildcard's."""
    domains = [*dict.fromkeys((domain, *candidates(domain)))]
    found = table.tables.read(domains)
    answering_domain = next((one for one in domains if one in found), domain)
    item, wildcard = found.get(answering_domain), f"{answering_domain} answers for it: "
    if answering_domain == domain:
        wildcard = ""
    if item is None:
        known = table.tables.last_revision(domain)
        text = f"it was removed at revision {known}" if known else "it never had a row"
        mend = f"table-admin {'rollback ' + domain if known else 'put ' + domain + ' TARGET'}"
        yield Finding("row", "wrong", f"{domain} has no row; {text}.", mend)
        return None
    try:
        route = decode_route(item)
    except BrokenRow as error:
        mend = f"table-admin put {answering_domain} TARGET"
        yield Finding("row", "wrong", f"{wildcard}The row cannot be read: {error}.", mend)
        return None
    rules = f" and {len(route.rules)} rule{'s' * (len(route.rules) != 1)}" if route.rules else ""
    yield Finding("row", "ok", f"{wildcard}revision {route.revision} by {route.updated_by}: {route.target}{rules}")
    if is_live(route, table.clock()):
        until = f"until {epoch_text(route.expires_at)}" if route.expires_at is not None else "permanent"
        yield Finding("expiry", "ok", until)
    else:
        mend = f"table-admin put {route.domain} {route.target} --expires-in 7d"
        yield Finding("expiry", "wrong", f"It expired {epoch_text(route.expires_at)}.", mend)
    return route


def _snapshot(table: RoutingTable, domain: str) -> Iterator[Finding]:
    """Say what the edge knows of the row without asking; nothing where the stack takes no snapshots."""
    again = f"Read the log of {table.stack}-snapshot; table-admin snapshot takes one now."
    try:
        found = known_at_edge(table, domain)
    except TableAdminError as error:
        yield Finding("snapshot", "unknown", str(error), again)
        return
    if found is not None and found.age > _OLD_SECONDS:
        text = f"None was taken for {found.age / 60:,.0f} minutes; the edge goes on by what is announced."
        yield Finding("snapshot", "wrong", text, again)
    elif found is not None:
        text = str(found)
        yield Finding("snapshot", "ok", f"{text[0].upper()}{text[1:]}.")


def _secret(table: RoutingTable, route: Route) -> Iterator[Finding]:
    """Say whether an ingress is told the secret. That it is not is no fault of one that does not ask for it."""
    for found in verdicts(table, answering(route)):
        yield Finding("secret", "ok" if found.told else "unknown", f"{found.text}.", found.mend)


def _answer(domain: str, edge: str | None, meant: frozenset[int]) -> Iterator[Finding] | Any:
    """Ask for the first page; return its headers where it is no error. What is `meant` is none, and shows nothing."""
    parts = urlsplit(edge or f"https://{domain}")
    secure = parts.scheme == "https"
    make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/", headers={"host": domain, "accept": "application/json"})
        response = connection.getresponse()
        body = response.read(10_000)
    except (OSError, http.client.HTTPException) as error:
        yield Finding("answer", "wrong", f"Nobody answers: {error}.", "Mend the steps above first.")
        return None
    finally:
        connection.close()
    served = response.getheader("x-cache", "an unknown server")
    if response.status < 400:
        to = f", to {response.getheader('location')}" if response.status in STATUSES else ""
        yield Finding("answer", "ok", f"{response.status}, {served}{to}")
        return response.getheaders()
    if response.status in meant:
        yield Finding("answer", "ok", f"{response.status}, {served}, as the row says who gets an answer")
        return None
    mend = "The ingress has no such host: kubectl get ingress --all-namespaces" if response.status == 404 else ""
    text = f"{response.status}, {served}: {body[:200].decode('utf-8', 'replace')}"
    yield Finding("answer", "wrong", " ".join(text.split()), mend or "Mend the steps above first.")
    return None


def _sharing(
    table: RoutingTable, headers: list[tuple[str, str]], distribution: Distribution | None
) -> Iterator[Finding]:
    policy, problem = None, "no distribution with a cache policy is known"
    if distribution is not None and distribution.cache_policy:
        cloudfront = table.client("cloudfront")
        policy, problem = ask(lambda: read_cache_policy(cloudfront, distribution.cache_policy))
    yield from sharing(headers, policy, problem, table.clock())
