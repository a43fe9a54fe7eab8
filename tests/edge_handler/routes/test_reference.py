"""Hosts and paths against a reference that is slow and says the rules once more, in lists of what is tried."""

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any
from unittest import mock
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from hypothesis import event, given, settings
from hypothesis import strategies as st

from edge_handler.routes.attributes import Item
from edge_handler.routes.canary import Canary
from edge_handler.routes.origin import CustomOrigin, S3Origin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.policy import Maintenance, Policy
from edge_handler.routes.redirect import STATUSES, Answering, Redirect
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import Route, encode_route
from edge_handler.routes.stamp import decode_stamp
from edge_handler.viewer_request import make_handler
from tests.edge_handler.feed import model_aws
from tests.edge_handler.feed.model_aws import HEALTHY, REGIONS, Aws
from tests.edge_handler.feed.model_instance import TIMED, Instance
from tests.support import NOW, OWN_BUCKET, SETTINGS, Clock, Rows, header, route, run

DEEP = ".".join("abcdefgh")
HOSTS = [
    "x.io",
    "a.x.io",
    "b.x.io",
    "a.a.x.io",
    "b.a.x.io",
    "c.b.a.x.io",
    "aa.x.io",
    "ax.io",
    DEEP,
    f"z.{DEEP}",
    f"y.z.{DEEP}",
    f"x.y.z.{DEEP}",
    "localhost",
    "[::1]",
]
WILDCARDS = ["*.x.io", "*.a.x.io", "*.b.a.x.io", "*.g.h", f"*.{DEEP}", f"*.z.{DEEP}", "*.io", "*.::1]"]
"""Of those after `*.`, DEEP has eight labels; more, or one, is no wildcard, even if somebody wrote such a row."""
SEGMENTS = ["api", "apis", "API", "v1", "caf\u00e9", "cafe\u0301", "a b", "a%b", "v;1", "~x"]
segments = st.sampled_from([*["api", "v1"] * 5, *SEGMENTS])
VIEWER = "192.0.2.1"
AGENT = "Mozilla/5.0"
Table = dict[str, Route | None]
"""None for a row that is broken."""


def rows_for(host: str) -> list[str]:
    """Return the domains that may answer for a host, the most specific first."""
    labels = host.split(".")
    return [host, *("*." + ".".join(labels[at:]) for at in range(1, len(labels)) if 2 <= len(labels) - at <= 8)]


def is_for(rule: Rule, path: str) -> bool:
    if rule.pattern.endswith("/*"):
        return path == rule.pattern[:-2] or path.startswith(rule.pattern[:-1])
    return path == rule.pattern


def compared(uri: str) -> str | None:
    """Return a path as rules are compared with it, None where it is refused."""
    try:
        path = unquote_to_bytes(uri).decode()
    except UnicodeDecodeError:
        return None
    if "\0" in path or any(part.split(";")[0] in (".", "..") for part in re.split(r"[/\\]", path)):
        return None
    return unicodedata.normalize("NFC", re.sub("/+", "/", path))


def is_on_canary(domain: str, canary: Canary, cookies: dict[str, str]) -> bool:
    chosen = cookies.get("__Host-edge-side", "")
    if chosen in (f"canary.{canary.since}", f"stable.{canary.since}"):
        return chosen.startswith("canary")
    said = ["cookie", cookies[canary.cookie]] if cookies.get(canary.cookie) else ["address", VIEWER, AGENT]
    text = "\n".join([domain, str(canary.since), *said])
    return int(hashlib.blake2b(text.encode(), digest_size=4).hexdigest(), 16) / 2**32 < canary.weight / 100


def answers(  # noqa: PLR0911  # one for each kind of answer
    table: Table, host: str, uri: str, query: str, cookies: dict[str, str]
) -> list[tuple[Any, ...]]:
    """Return what a request gets: a status, what is stamped, or where it is sent to. Two, where either is right."""
    domains = [domain for domain in rows_for(host) if domain in table]
    if not domains:
        return [(404,)]
    row = table[domains[0]]
    if row is None:
        return [(502,)]
    if row.expires_at is not None and row.expires_at <= NOW:
        return [(410,)]
    refused = guarded(row.policy)
    if refused is not None:
        return [(refused,)]
    if row.canary is not None and is_on_canary(domains[0], row.canary, cookies):
        row = row._replace(origin=row.canary.origin, generation=row.canary.generation)
    if not row.rules and not isinstance(row.origin, Redirect):
        return [("stamp", host, row.generation, row.origin, "")]
    path = compared(uri)
    if path is None:
        return [(400,)]
    # All paths are the row's own target's, which is as a rule for /* would be.
    rules = [Rule("/*", row.origin, row.generation), *row.rules]
    found = [rule for rule in rules if is_for(rule, path)]
    rule = max(found, key=lambda one: (not one.pattern.endswith("/*"), len(one.pattern)))
    prefix = rule.pattern[:-2] if rule.strip_prefix else ""
    if not isinstance(rule.origin, Redirect):
        return [("stamp", host, rule.generation, rule.origin, quote(prefix))]
    target = urlsplit(rule.origin.location)
    rest = path[len(prefix) :] if rule.pattern.endswith("/*") else ""
    to = re.sub("/+", "/", unquote(target.path) + rest) or "/"
    sent = ("sent", rule.origin.status, target.netloc, to, query)
    if target.netloc not in ("", host) or to != path:
        return [sent]
    # To itself; a browser that writes it another way comes here with its next request.
    return [(502,)] if uri == quote(path) else [(502,), sent]


def guarded(policy: Policy | None) -> int | None:
    """Return how somebody is refused who comes from VIEWER and has no session."""
    if policy is None:
        return None
    if policy.allow and not any(ip_address(VIEWER) in ip_network(network) for network in policy.allow):
        return 403
    if policy.maintenance is not None:
        return 503
    return 403 if policy.private else None


def observed(result: dict[str, Any]) -> tuple[Any, ...]:
    if "status" not in result:
        stamp = decode_stamp(str(header(result, "x-route")))
        assert stamp.former == ()
        return ("stamp", stamp.host, stamp.generation, stamp.origin, stamp.prefix)
    location = header(result, "location")
    if location is None:
        return (int(result["status"]),)
    to = urlsplit(location)
    return ("sent", int(result["status"]), to.netloc, compared(to.path), to.query)


def asking(host: str, uri: str, query: str, cookies: dict[str, str] | None = None) -> dict[str, Any]:
    said = {"host": host, "user-agent": AGENT}
    if cookies:
        said["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = {name: [{"key": name, "value": value}] for name, value in said.items()}
    request = {"headers": headers, "method": "GET", "uri": uri, "querystring": query, "clientIp": VIEWER}
    return {"Records": [{"cf": {"config": {"requestId": "id", "eventType": "viewer-request"}, "request": request}}]}


@st.composite
def written(draw: st.DrawFn, text: str) -> str:
    """Draw a way to write a decoded text in a URI."""
    encoded = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    return "".join(
        "".join(f"%{byte:02x}" for byte in char.encode()) if is_encoded else quote(char)
        for char, is_encoded in zip(text, encoded, strict=True)
    )


@st.composite
def uris(draw: st.DrawFn) -> str:
    parts = draw(st.lists(segments, max_size=4))
    if not draw(st.integers(0, 4)):
        parts.append(draw(st.sampled_from(["", ".", "..", "..;", "\\", "\0", "*"])))
    uri = "/" + "/".join([draw(written(part)) for part in parts])
    return draw(st.sampled_from([uri, uri, uri, uri.replace("/", "//", 1), uri + "%2Fv1", uri + "/", uri + "%ff"]))


bases = st.lists(segments, min_size=1, max_size=3).map(
    lambda parts: unicodedata.normalize("NFC", "/" + "/".join(parts))
)
patterns = st.builds(str.__add__, bases, st.sampled_from(["", "/", "/*", "/*"]))
redirects = st.builds(
    Redirect,
    st.sampled_from(
        ["https://www.y.io", "https://x.io", "https://a.x.io/api", "http://y.io:8080/a%20b", "/", "/api", "/api/v1"]
    ),
    st.sampled_from(STATUSES),
)
origins: st.SearchStrategy[Answering] = st.one_of(
    st.builds(S3Origin, st.just(OWN_BUCKET), st.just("us-east-1"), st.sampled_from(["", "/one", "/two"])),
    st.builds(
        CustomOrigin,
        st.sampled_from(["one.y.io", "two.y.io"]),
        st.just("https"),
        st.just(443),
        st.sampled_from(["", "/app"]),
        st.sampled_from(["viewer", "origin"]),
        st.booleans(),
    ),
    redirects,
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    pattern = draw(patterns)
    strip = pattern.endswith("/*") and draw(st.booleans())
    return Rule(pattern, draw(origins), draw(st.integers(1, 9)), strip)


rules_of_one = st.lists(rules(), max_size=5, unique_by=lambda rule: rule.pattern).map(tuple)
unlike = st.sampled_from([None, None, None, None, int(NOW) - 10, int(NOW) + 86_400 * 365])
networks = st.lists(st.sampled_from(["192.0.2.0/24", "192.0.0.0/16", "198.51.100.0/24", "::/0"]), unique=True)
said_of_one = st.builds(
    Policy,
    private=st.sampled_from([0, 0, 7]),
    allow=networks.map(tuple),
    maintenance=st.sampled_from([None, None, None, Maintenance(3, 60, "soon")]),
    noindex=st.sampled_from([None, True, False]),
    headers=st.just(()),
).map(lambda policy: policy if policy != Policy() else None)
policies = st.integers(0, 3).flatmap(lambda number: st.none() if number else said_of_one)
canaries = st.builds(
    Canary,
    origins.filter(lambda origin: not isinstance(origin, Redirect)),
    st.sampled_from([0, 1, 30, 50, 90, 100]),
    st.integers(1, 3),
    st.integers(1, 9),
    st.sampled_from(["", "uid"]),
)
routes = st.builds(
    lambda origin, rules, expires_at, generation, policy, canary: route(
        "",
        origin,
        rules=rules,
        expires_at=expires_at,
        generation=generation,
        policy=policy,
        canary=None if isinstance(origin, Redirect) else canary,
    ),
    origins,
    rules_of_one,
    unlike,
    st.integers(1, 9),
    policies,
    st.none() | canaries,
)
rows = st.integers(0, 9).flatmap(lambda number: routes if number else st.none())
domains = st.sampled_from([*HOSTS, *WILDCARDS, *WILDCARDS])
tables = st.dictionaries(domains, rows, max_size=10)
"""Rows do not say their domain yet; see `said`."""
writes = st.lists(st.tuples(domains, rows | st.just("delete")), max_size=4)
said_cookies = st.fixed_dictionaries(
    {},
    optional={
        "uid": st.sampled_from(["", "1", "2", "3"]),
        "__Host-edge-side": st.sampled_from(["canary.1", "stable.1", "canary.2", "canary", ""]),
    },
)
asked = st.lists(st.tuples(uris(), st.sampled_from(["", "a=1&b=%2F"]), said_cookies), min_size=1, max_size=5)
Question = tuple[str, str, dict[str, str]]


def said(domain: str, row: Route | None, revision: int) -> Item:
    """Return a row as the table has it."""
    if row is None:
        return {**encode_route(route(domain, revision=revision)), "schema": {"N": "99"}}
    return encode_route(row._replace(domain=domain, revision=revision))


def check(table: Table, handler: Callable[[Any, Any], Any], questions: list[Question]) -> None:
    for host in HOSTS:
        for uri, query, cookies in questions:
            result = run(handler, asking(host, uri, query, cookies))
            got, allowed = observed(result), answers(table, host, uri, query, cookies)
            event(str(got[0]))
            assert got in allowed, (host, uri, table)


@settings(max_examples=150)
@given(tables, writes, asked)
def test_rows_that_are_read(table: Table, changes: list[Any], questions: list[Question]) -> None:
    read, clock = Rows(), Clock()
    read.items = {domain: said(domain, row, 1) for domain, row in table.items()}
    handler = make_handler(Resolver(read, SETTINGS, clock))
    check(table, handler, questions)
    for revision, (domain, row) in enumerate(changes, 2):
        if row == "delete":
            table.pop(domain, None)
            read.items.pop(domain, None)
        else:
            table[domain] = row
            read.items[domain] = said(domain, row, revision)
        clock.now += SETTINGS.fresh_seconds
        check(table, handler, questions)


@settings(max_examples=40)
@given(tables, writes, asked, st.integers(0, 2**32))
def test_rows_that_the_snapshot_and_the_feed_say(
    table: Table, changes: list[Any], questions: list[Question], seed: int
) -> None:
    with contextlib.ExitStack() as patches:
        # What has expired stays in the table, as it does in DynamoDB for hours.
        patches.enter_context(mock.patch.object(model_aws, "TTL_SECONDS", 1e9))
        aws = Aws(seed)
        aws.latencies = HEALTHY
        for domain, row in table.items():
            aws.write_row(domain, said(domain, row, 1))
        aws.pass_time(200)
        instance = Instance(aws, REGIONS[0], SETTINGS, clock_stands_still=False)
        for module in TIMED:
            patches.enter_context(mock.patch.object(module, "time", instance.clock))
        instance.start()
        known = [host for host in HOSTS if any(domain in table for domain in rows_for(host))]
        for host in known:
            instance.handler(asking(host, "/", ""), None)
        assert instance.resolver.reads == 0, "the snapshot has it"
        check(table, instance.handler, questions)
        for domain, row in changes:
            newest = aws.newest(domain)
            if row == "delete":
                if table.pop(domain, "absent") != "absent":
                    aws.write_row(domain, None)
            else:
                table[domain] = row
                aws.write_row(domain, said(domain, row, newest.revision + 1 if newest else 1))
            for _ in range(6):
                aws.pass_time(2)
                instance.handler(asking(HOSTS[0], "/", ""), None)
            assert instance.follower.pointer is not None
            check(table, instance.handler, questions)
