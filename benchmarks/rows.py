"""A routing table that has a row for every domain, for processes that are to import nothing slow."""

from collections.abc import Sequence

from edge_handler.routes.attributes import Item
from edge_handler.routes.destination import Destination, decode_destination
from edge_handler.routes.origin import S3Origin
from edge_handler.routes.route import Route, encode_route


def row(domain: str, generation: int = 1) -> Item:
    """Return a static site's row."""
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
        )
    )


class Table:
    """What a Resolver reads from."""

    def read(self, domains: Sequence[str], _seconds: float, *, expected: str | None = None) -> dict[str, Destination]:  # noqa: ARG002
        """Return one row for each."""
        return {domain: decode_destination(row(domain)) for domain in domains}
