"""Invocations made of the sample events and other hosts, each with what is right for it."""

import copy
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from edge_handler.routes.attributes import Item
from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, Origin, S3Origin
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.route import Route, encode_route
from edge_handler.routes.stamp import encode_stamp
from tests.corpus import INGRESS, ORIGIN_EVENTS, VIEWER_EVENTS
from tests.support import OWN_BUCKET, event, route

Event = dict[str, Any]
OTHER_BUCKET = "other-sites.s3.eu-west-1.amazonaws.com"
# Of the first the function knows every one before anything fails, of the second none at first.
KNOWN = 400
LATER = 400
MALFORMED = (
    "",
    "*.localhost",
    "a b",
    "-a.localhost",
    "a..localhost",
    "[::1",
    "\u00df.localhost",
    "x" * 300,
    "a\r\nb",
    "/",
)
BROKEN_STAMPS = ("", ";;;;", "https://evil.example/", "2;a.localhost;1;s3;b;c;d", "1;a.localhost;1;s3;b;c")
# What a path is in a bucket; a number is the status that refuses it.
PATHS: dict[str, str | int] = {
    "/": "/index.html",
    "/docs/": "/docs/index.html",
    "/style.css": "/style.css",
    "/%7Euser/a%20b.txt": "/~user/a%20b.txt",
    "/../x": 400,
    "/%2e%2e/x": 400,
    "/%ff": 400,
}
DIRECTORY = "/docs"


@dataclass(frozen=True, slots=True)
class Case:
    """An event, what is right for it, and what also is while the function's server fails."""

    event: Event
    right: str
    instead: str | None

    def outcome(self, result: Event) -> str:
        """Return what a result does with the request: a status, a stamp, or a host at an origin's path."""
        if "status" in result:
            return str(result["status"])
        headers = result["headers"]
        if "origin" not in result:
            return str(headers["x-route"][0]["value"])
        ((_, origin),) = result["origin"].items()
        signed = " signed" if "authorization" in headers else ""
        return f"{headers['host'][0]['value']} at {origin['domainName']}{origin['path']}{result['uri']}{signed}"


def _origin(number: int) -> Origin:
    path = f"/site-{number}"
    kinds: tuple[Origin, ...] = (
        S3Origin(OWN_BUCKET, "us-east-1", path),
        S3Origin(OTHER_BUCKET, "eu-west-1", path),
        CustomOrigin(INGRESS, "http", 80, "", "viewer", website=False),
        CustomOrigin("storage.googleapis.com", "https", 443, path, "origin", website=True),
    )
    return kinds[number % len(kinds)]


KNOWN_ROUTES = [route(f"r{n}.localhost", _origin(n), generation=n + 1) for n in range(KNOWN)]
LATER_ROUTES = [route(f"later-{n}.localhost", _origin(n), generation=n + 1) for n in range(LATER)]
EXPIRED_ROUTES = [route(f"old-{n}.localhost", _origin(n), expires_at=1) for n in range(20)]
BROKEN_HOSTS = [f"broken-{n}.localhost" for n in range(20)]


def rows() -> list[Item]:
    """Return what the table holds."""
    broken: list[Item] = [{"domain": {"S": host}} for host in BROKEN_HOSTS]
    return [*map(encode_route, (*KNOWN_ROUTES, *LATER_ROUTES, *EXPIRED_ROUTES)), *broken]


def objects() -> Iterator[tuple[str, str]]:
    """Yield bucket and key of what makes `DIRECTORY` a directory of each site in a bucket, and of its other files."""
    paths = [unquote(path) for path in PATHS.values() if isinstance(path, str)]
    for found in KNOWN_ROUTES:
        if isinstance(found.origin, S3Origin):
            for path in (f"{DIRECTORY}/index.html", *paths):
                yield found.origin.domain_name.partition(".")[0], f"{found.origin.prefix[1:]}{path}"


class ViewerLoad:
    """What viewers ask for: hosts of each kind, in each spelling."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._samples = [event(name) for name in VIEWER_EVENTS]

    def first(self) -> Iterator[Case]:
        """Ask for each route once: from then on it is known."""
        for found in KNOWN_ROUTES:
            yield self._of(found, found.domain, None)

    def probe(self) -> Case:
        """Ask for what only a table that answers can tell: a host that nobody has asked for before."""
        return self._refused(f"{uuid.UUID(int=self._chance.getrandbits(128))}.localhost", "404", "503")

    def any(self) -> Case:
        """Ask for anything."""
        kind = self._chance.random()
        if kind < 0.65:
            known = self._chance.choice(KNOWN_ROUTES)
            return self._of(known, self._spelled(known.domain), None)
        if kind < 0.70:
            later = self._chance.choice(LATER_ROUTES)
            return self._of(later, later.domain, "503")
        if kind < 0.85:
            return self.probe()
        if kind < 0.89:
            return self._refused(self._chance.choice(EXPIRED_ROUTES).domain, "410", "503")
        if kind < 0.93:
            return self._refused(self._chance.choice(BROKEN_HOSTS), "502", "503")
        return self._refused(self._chance.choice(MALFORMED), "400", None)

    def _spelled(self, domain: str) -> str:
        return self._chance.choice((domain, domain, domain, domain.upper(), f"{domain}.", f"{domain}:443"))

    def _of(self, found: Route, host: str, instead: str | None) -> Case:
        given = self._asking(host)
        method = given["Records"][0]["cf"]["request"]["method"]
        assert not isinstance(found.origin, Redirect)
        if found.origin.website and method not in ("GET", "HEAD"):
            return Case(given, "405", instead)
        return Case(given, encode_stamp(found.domain, found.generation, found.origin), instead)

    def _refused(self, host: str, status: str, instead: str | None) -> Case:
        return Case(self._asking(host), status, instead)

    def _asking(self, host: str) -> Event:
        given = copy.deepcopy(self._chance.choice(self._samples))
        given["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = host
        return given


class OriginLoad:
    """What CloudFront does not have in its cache: stamps of each kind of origin, whole and broken, and paths."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._samples = [event(name) for name in ORIGIN_EVENTS]

    def first(self) -> Iterator[Case]:
        """Ask for the top of every site."""
        for found in KNOWN_ROUTES:
            yield self._of(found, "/")

    def probe(self) -> Case:
        """Ask for what only a storage that answers can tell."""
        return self._of(self._chance.choice(KNOWN_ROUTES[::4]), DIRECTORY)

    def any(self) -> Case:
        """Ask for anything; seldom for what has to wait for the storage."""
        kind = self._chance.random()
        if kind < 0.005:
            return self.probe()
        if kind < 0.1:
            given = self._asking(self._chance.choice((None, *BROKEN_STAMPS)), "/")
            return Case(given, "502", None)
        return self._of(self._chance.choice(KNOWN_ROUTES), self._chance.choice([*PATHS]))

    def _of(self, found: Route, uri: str) -> Case:
        origin = found.origin
        assert not isinstance(origin, Redirect)
        given = self._asking(encode_stamp(found.domain, found.generation, origin), uri)
        if isinstance(origin, CustomOrigin) and not origin.website:
            return Case(given, f"{found.domain} at {origin.domain_name}{uri}", None)
        path = PATHS.get(uri, uri)
        if isinstance(path, int):
            return Case(given, str(path), None)
        assert not isinstance(origin, DeploymentOrigin)
        prefix = origin.prefix if isinstance(origin, S3Origin) else origin.path
        signed = " signed" if origin.domain_name == OTHER_BUCKET else ""
        there = f"{origin.domain_name} at {origin.domain_name}{prefix}{path}{signed}"
        if uri == DIRECTORY and isinstance(origin, S3Origin):
            return Case(given, "308", there)
        return Case(given, there, None)

    def _asking(self, stamp: str | None, uri: str) -> Event:
        given = copy.deepcopy(self._chance.choice(self._samples))
        request = given["Records"][0]["cf"]["request"]
        request["uri"] = uri
        request["headers"].pop("x-route", None)
        if stamp is not None:
            request["headers"]["x-route"] = [{"key": "x-route", "value": stamp}]
        return given


Load = ViewerLoad | OriginLoad
LOADS: dict[str, Callable[[random.Random], Load]] = {"viewer-request": ViewerLoad, "origin-request": OriginLoad}
