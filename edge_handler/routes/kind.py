"""What origin-response must know of a route, in a header of its own: it sees the request as it went to the origin.

Origins may see it, and nothing secret is in it. A viewer's goes in origin-request.
"""

import json
from collections.abc import Iterable

HEADER = "x-route-kind"
WEBSITE = "website"
"""Files in a bucket, with the headers that they have there."""
SITE = "site"
"""A deployment's blobs, which have no headers of their own."""
APPLICATION = "application"
"""Whose answers are its own. Its requests have this header only where its route says something about them."""
MAX_SITE_BYTES = 6_144
"""Of what a site says by itself: S3 reads 8 KB of headers in all."""
MAX_BYTES = MAX_SITE_BYTES + 1_024
"""With what its route says; see `MAX_HEADER_BYTES` of a policy."""


def encode_kind(kind: str, status: int = 200, headers: Iterable[tuple[str, str]] | None = None) -> str:
    """Return the header's value: what the answer is to say that the origin's does not.

    Args:
        kind: one of the above.
        status: of the answer.
        headers: by lower-case name; an empty value takes one away.
    """
    if headers is None and kind == WEBSITE and status == 200:
        return WEBSITE
    told = {"status": status} if headers is None else {"status": status, "headers": [*headers]}
    return f"{kind} {json.dumps(told, separators=(',', ':'))}"


def decode_kind(value: str) -> tuple[str, int, list[list[str]]]:
    """Return kind, status and headers. Raises ValueError where `encode_kind` did not write it."""
    kind, _, text = value.partition(" ")
    told = json.loads(text) if text else {}
    return kind, told.get("status", 200), told.get("headers", [])
