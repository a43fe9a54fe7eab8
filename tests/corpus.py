"""The sample events, and a table in which each of them gets its real outcome."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edge_handler.access.guard import Guard
from edge_handler.access.keys import KEYS, AccessTable, Entry
from edge_handler.routes.attributes import Item
from edge_handler.routes.canary import Canary
from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, S3Origin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.policy import Maintenance, Policy
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.route import encode_route
from local_edge.demo.world import KEY
from tests.support import NOW, OWN_BUCKET, ROOT, event, route

VIEWER_EVENTS = sorted(path.stem for path in (ROOT / "events").glob("viewer-request-*.json"))
ORIGIN_EVENTS = sorted(path.stem for path in (ROOT / "events").glob("origin-request-*.json"))
RESPONSE_EVENTS = sorted(path.stem for path in (ROOT / "events").glob("origin-response-*.json"))
INGRESS = "demo-ingress-1.us-east-1.elb.amazonaws.com"
ROUTES = {
    found.domain: found
    for found in (
        route("env-123.localhost"),
        route("env-456.localhost", S3Origin(OWN_BUCKET, "us-east-1", "/env-456")),
        route("env-789.localhost", CustomOrigin(INGRESS, "http", 80, "", "viewer", website=False)),
        route(
            "env-654.localhost",
            CustomOrigin("storage.googleapis.com", "https", 443, "/acme-sites/env-654", "origin", website=True),
            generation=2,
        ),
        route(
            "env-321.localhost",
            S3Origin("other-sites.s3.eu-west-1.amazonaws.com", "eu-west-1", "/env-321"),
            generation=4,
        ),
        route(
            "env-222.localhost",
            DeploymentOrigin(OWN_BUCKET, "us-east-1", "2c26b46b68ffc68ff99b453c1d304134", "pages", "*"),
            generation=3,
        ),
        route("env-expired.localhost", expires_at=1, lifetime="ephemeral"),
        route("*.tenant.localhost", S3Origin(OWN_BUCKET, "us-east-1", "/tenant")),
        route(
            "market.localhost",
            S3Origin(OWN_BUCKET, "us-east-1", "/market"),
            rules=(
                Rule("/api/*", CustomOrigin(INGRESS, "http", 80, "", "viewer", website=False), 3, strip_prefix=True),
            ),
            revision=3,
        ),
        route("old-market.localhost", Redirect("https://www.example.com", 308)),
        route(
            "private.localhost",
            S3Origin(OWN_BUCKET, "us-east-1", "/private"),
            rules=(
                Rule("/api/*", CustomOrigin(INGRESS, "http", 80, "", "viewer", website=False), 2, strip_prefix=True),
            ),
            revision=2,
            policy=Policy(private=2),
        ),
        route("office.localhost", policy=Policy(allow=("203.0.113.0/24",))),
        route(
            "canary.localhost",
            S3Origin(OWN_BUCKET, "us-east-1", "/canary"),
            revision=3,
            generation=1,
            canary=Canary(S3Origin(OWN_BUCKET, "us-east-1", "/canary-next"), 50, 2, 3, "visitor"),
        ),
        route("maintenance.localhost", policy=Policy(maintenance=Maintenance(1, 1_800, "Orders are safe."))),
    )
}
BROKEN_HOST = "env-broken.localhost"
BROKEN_ROW: Item = {"domain": {"S": BROKEN_HOST}}


class _DemoKeys:
    """An access table that has the demo's key and no password."""

    def read_as(
        self, decode: Callable[[Item], Entry], domains: Sequence[str], seconds: float, *, expected: str | None = None
    ) -> Mapping[str, Entry]:
        return {KEYS: (KEY,)}


def guard() -> Guard:
    """Return what lets the samples in that are signed with the demo's key."""
    return Guard(AccessTable(_DemoKeys(), lambda: NOW), lambda: NOW)


def rows() -> list[Item]:
    """Return the table's rows: one of each kind of target, one that has expired, one that cannot be read."""
    return [*map(encode_route, ROUTES.values()), BROKEN_ROW]


def changed(name: str, *, host: str | None = None, uri: str | None = None) -> dict[str, Any]:
    """Return a sample event with another Host, or another path."""
    found = event(name)
    request = found["Records"][0]["cf"]["request"]
    if host is not None:
        request["headers"]["host"][0]["value"] = host
    if uri is not None:
        request["uri"] = uri
    return found
