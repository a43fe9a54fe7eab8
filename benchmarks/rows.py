"""A routing table that has a row for every domain, for processes that are to import nothing slow."""

from collections.abc import Sequence
from typing import Any

from edge_handler.routes.attributes import Item
from edge_handler.routes.destination import Destination, decode_destination
from edge_handler.routes.origin import CustomOrigin, S3Origin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.route import Route, encode_route

ELB = CustomOrigin("demo-ingress-1.us-east-1.elb.amazonaws.com", "http", 80, "", "viewer", website=False)
REDIRECT = Redirect("https://www.example.com", 308)
RULED_PATH = "/api/v2/users/42"
"""What the first of `rules` is for."""


def rules(count: int) -> tuple[Rule, ...]:
    """Return rules of paths and of prefixes, some of them deep, all to an application."""
    others = [f"/page-{number}" if number % 2 else f"/area-{number}/part/of/it/*" for number in range(1, count)]
    return tuple(Rule(pattern, ELB, 1, strip_prefix=False, target="x") for pattern in ("/api/*", *others))


def row(domain: str, generation: int = 1, **changes: Any) -> Item:
    """Return a static site's row, but for the changes."""
    environment = domain.partition(".")[0]
    origin = S3Origin("acme-static-sites.s3.us-east-1.amazonaws.com", "us-east-1", f"/{environment}")
    return encode_route(
        Route(
            domain=domain,
            target=f"s3://acme-static-sites/{environment}",
            origin=origin,
            environment=environment,
            lifetime="permanent",
            expires_at=None,
            revision=generation,
            generation=generation,
            updated_at="2026-01-01T00:00:00Z",
            updated_by="bench",
            note="",
        )._replace(**changes)
    )


class Table:
    """What a Resolver reads from."""

    def __init__(self, **changes: Any) -> None:
        """`changes`: of each row."""
        self._changes = changes

    def read(self, domains: Sequence[str], _seconds: float, *, expected: str | None = None) -> dict[str, Destination]:  # noqa: ARG002
        """Return one row for each."""
        return {domain: decode_destination(row(domain, **self._changes)) for domain in domains}
