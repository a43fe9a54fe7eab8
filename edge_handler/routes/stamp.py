"""The stamp: what viewer-request tells origin-request, in a header that is part of the CDN's cache key.

Self-contained (origin-request asks nobody) and unambiguous: a different host, generation or origin
is a different stamp, so a cached object can never be filed under another route's key.
"""

from edge_handler.errors import BrokenRow, BrokenStamp, MalformedHost
from edge_handler.routes.host import normalise_host
from edge_handler.routes.route import Origin, S3Origin, decode_origin

# Not x-edge-route: CloudFront disallows names that begin with x-edge-.
HEADER = "x-route"
_VERSION = "1"


def encode_stamp(host: str, generation: int, origin: Origin) -> str:
    """Return the header's value. `;` separates the fields: none of them can hold one."""
    fields = [_VERSION, host, str(generation)]
    if isinstance(origin, S3Origin):
        fields += ["s3", *origin]
    else:
        website = "website" if origin.website else "application"
        fields += ["custom", *map(str, origin[:-1]), website]
    return ";".join(fields)


def decode_stamp(value: str) -> tuple[str, int, Origin]:
    """Return host, generation and origin.

    Raises:
        BrokenStamp: the value is not one that `encode_stamp` wrote.
    """
    try:
        version, host, number, kind, *rest = value.split(";")
        if version != _VERSION:
            raise BrokenStamp(f"the stamp has version {version[:20]!r}, this reader knows {_VERSION}")
        generation, origin = int(number), _decode_origin(kind, rest)
        if normalise_host(host) != host or generation < 1 or encode_stamp(host, generation, origin) != value:
            raise BrokenStamp("the stamp is not as it would be written")
    except (ValueError, BrokenRow, MalformedHost) as error:
        raise BrokenStamp(f"the stamp cannot be read: {error}") from error
    return host, generation, origin


def _decode_origin(kind: str, fields: list[str]) -> Origin:
    """Check with the row's own codec: what it refuses in a row, it refuses here."""
    names: tuple[str, ...] = ("domain_name", "region", "prefix")
    if kind == "custom":
        *fields, website = fields
        if website not in ("website", "application"):
            raise BrokenStamp(f"the stamp says {website[:20]!r}")
        names = ("domain_name", "protocol", "port", "path", "host_header")
    item: dict[str, dict[str, object]] = {
        name: {"N" if name == "port" else "S": value} for name, value in zip(names, fields, strict=True)
    }
    return decode_origin({**item, "kind": {"S": kind}, "website": {"BOOL": kind == "custom" and website == "website"}})
