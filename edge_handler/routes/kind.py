"""What origin-response must know of a route, in a header of its own: it sees the request as it went to the origin.

Origins may see it, and nothing secret is in it. A viewer's goes in origin-request.
"""

import json

HEADER = "x-route-kind"
WEBSITE = "website"
"""Files in a bucket, with the headers that they have there. An application's requests have no such header."""
SITE = "site"
"""A deployment's blobs, which have no headers of their own."""
MAX_BYTES = 6_144
"""S3 reads 8 KB of headers in all."""


def encode_kind(kind: str, status: int = 200, headers: list[tuple[str, str]] | None = None) -> str:
    """Return the header's value: what the answer is to say that the bucket's does not."""
    if kind == WEBSITE and status == 200:
        return WEBSITE
    told = {"status": status} if headers is None else {"status": status, "headers": headers}
    return f"{kind} {json.dumps(told, separators=(',', ':'))}"


def decode_kind(value: str) -> tuple[str, int, list[list[str]]]:
    """Return kind, status and headers. Raises ValueError where `encode_kind` did not write it."""
    kind, _, text = value.partition(" ")
    told = json.loads(text) if text else {}
    return kind, told.get("status", 200), told.get("headers", [])
