"""The row of the routing table: one codec, used by the edge that reads and the admin that writes.

NamedTuples, not dataclasses: `import dataclasses` costs 5 ms of CPU at start-up (it imports inspect),
a tenth of this whole package's.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from edge_handler.errors import BrokenRow, UnreadableRow

SCHEMA = 1
ATTRIBUTE_TYPES = {
    "domain": "S",
    "target": "S",
    "environment": "S",
    "service": "S",
    "owner": "S",
    "lifetime": "S",
    "expires_at": "N",
    "revision": "N",
    "generation": "N",
    "schema": "N",
    "updated_at": "S",
    "updated_by": "S",
    "note": "S",
    "managed": "BOOL",
    "source": "S",
}

_OPTIONAL = ("service", "owner", "source")

# One attribute value as DynamoDB's JSON has it, e.g. {"S": "env-123"}.
Item = Mapping[str, Mapping[str, Any]]


class S3Origin(NamedTuple):
    """A prefix of a bucket, read through S3's REST endpoint."""

    domain_name: str
    """`bucket.s3.region.amazonaws.com`"""
    region: str
    prefix: str
    """Percent-encoded, with a leading and without a trailing slash; empty for the whole bucket."""

    @property
    def website(self) -> bool:
        """Answer like a web server: index documents, GET and HEAD only, no query string."""
        return True


class CustomOrigin(NamedTuple):
    """Anything that speaks HTTP under a DNS name: a load balancer, an ingress, a storage service."""

    domain_name: str
    protocol: Literal["http", "https"]
    port: int
    path: str
    """Put before every request's path; percent-encoded, with a leading and without a trailing slash, or empty."""
    host_header: Literal["viewer", "origin"]
    """Whose name the origin gets as Host: the viewer's (an ingress routes by it) or its own."""
    website: bool
    """Answer like a web server, see `S3Origin.website`."""


Origin = S3Origin | CustomOrigin


class Route(NamedTuple):
    """One row: which origin answers for a domain, and what people want to know about it."""

    domain: str
    target: str
    """What the person wrote; `origin` is what it resolved to when it was written."""
    origin: Origin
    environment: str
    lifetime: Literal["permanent", "ephemeral"]
    expires_at: int | None
    """Epoch seconds; the first second in which the route does not answer any more."""
    revision: int
    generation: int
    """The revision at which what viewers get last changed; part of the CDN's cache key."""
    updated_at: str
    """ISO 8601, UTC."""
    updated_by: str
    note: str
    service: str = ""
    """Which of its environment's services this is; empty for the environment's only one."""
    owner: str = ""
    """Whose declarative file this route is kept by; nobody else's plan changes or deletes it."""
    managed: bool | None = None
    """Whether its environment changes and removes it; None in rows written before they said so."""
    source: str = ""
    """What made it, for people and pipelines: a branch, a pull request, the environment it was promoted from."""


# What CloudFront accepts as the domain name of an origin: a DNS name, not an IP address.
ORIGIN_DOMAIN_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
# What CloudFront accepts as an origin's path, in the characters a stamp can carry; no escaped control characters.
_PATH = re.compile(r"(?=.{0,255}\Z)(?:/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[2-9A-Fa-f][0-9A-Fa-f])+)*")
# However they are written: whoever decodes them would leave the prefix.
_DOT_SEGMENT = re.compile(r"(?:/|%2f|%5c)(?:\.|%2e){1,2}(?:/|%2f|%5c|\Z)", re.IGNORECASE)
_REGION = re.compile(r"[a-z]{2}[a-z-]*-\d{1,2}")
# Of a number of DynamoDB's.
MAX_DIGITS = 38
# Of an S3 origin's domain name, as CloudFront takes it.
MAX_S3_DOMAIN_NAME = 128
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Where AWS has another domain than amazonaws.com, by how its regions' names begin (botocore's partitions.json).
_DOMAINS = {
    "cn": "amazonaws.com.cn",
    "eusc": "amazonaws.eu",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
    "eu-isoe": "cloud.adc-e.uk",
}


def is_origin_port(port: int) -> bool:
    """Tell whether CloudFront connects to `port` of a custom origin."""
    return port in (80, 443) or 1024 <= port <= 65535


def is_origin_path(path: str) -> bool:
    """Tell whether `path` may stand before every request's path: percent-encoded, and nothing that leads out of it."""
    if _PATH.fullmatch(path) is None:
        return False
    return not ("." in path or "%" in path) or _DOT_SEGMENT.search(path) is None


def bucket_domain_name(bucket: str, region: str) -> str:
    """Return the name of a bucket's REST endpoint."""
    first, second, *_ = [*region.split("-"), ""]
    domain = _DOMAINS.get(first) or _DOMAINS.get(f"{first}-{second}", "amazonaws.com")
    return f"{bucket}.s3.{region}.{domain}"


def decode_route(item: Item) -> Route:
    """Read a row in DynamoDB's JSON. Unknown attributes are ignored.

    Raises:
        BrokenRow: an attribute is missing, has the wrong type or a value nothing can be done with,
            or the row's schema is newer than this reader.
        UnreadableRow: it is not DynamoDB's JSON.
    """
    try:
        schema = _integer(item, "schema", 0)
        if schema != SCHEMA:
            raise BrokenRow(f"the row has schema {schema}, this reader knows {SCHEMA}")
        expires_at = _integer(item, "expires_at", 0) if "expires_at" in item else None
        lifetime = _string(item, "lifetime")
        if lifetime not in ("permanent", "ephemeral"):
            raise BrokenRow(f"lifetime is {lifetime[:40]!r}, not permanent or ephemeral")
        return Route(
            domain=_string(item, "domain"),
            target=_string(item, "target"),
            origin=decode_origin(item["origin"]["M"]),
            environment=_string(item, "environment"),
            lifetime=lifetime,  # type: ignore[arg-type]  # narrowed by `in`, which mypy does not follow
            expires_at=expires_at,
            revision=_integer(item, "revision", 1),
            generation=_integer(item, "generation", 1),
            updated_at=_string(item, "updated_at"),
            updated_by=_string(item, "updated_by"),
            note=_string(item, "note"),
            service=_string(item, "service") if "service" in item else "",
            owner=_string(item, "owner") if "owner" in item else "",
            managed=_boolean(item, "managed") if "managed" in item else None,
            source=_string(item, "source") if "source" in item else "",
        )
    except (BrokenRow, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        if not is_item(item):
            raise UnreadableRow("the row is not DynamoDB's JSON") from error
        if isinstance(error, BrokenRow):
            raise
        raise BrokenRow(f"the row cannot be read: {type(error).__name__}: {error}") from error


def read_row(item: Item) -> Route | BrokenRow:
    """Return the route that a row says, or why it is broken. Raises UnreadableRow."""
    try:
        return decode_route(item)
    except UnreadableRow:
        raise
    except BrokenRow as error:
        reason = str(error)
    return BrokenRow(reason)  # a new one: the other holds on to everything that was there when it was raised


def decode_origin(item: Item) -> Origin:
    """Read the `origin` attribute. Raises BrokenRow where CloudFront would refuse what it says."""
    kind = _string(item, "kind")
    domain_name = _string(item, "domain_name")
    if kind == "s3":
        region = _string(item, "region")
        # Lengths first: what is asked of the cache stays in it.
        if max(len(domain_name), len(region)) > MAX_S3_DOMAIN_NAME or not _is_bucket_domain_name(domain_name, region):
            raise BrokenRow(f"{domain_name[:80]!r} is no bucket's endpoint in {region[:20]!r}")
        return S3Origin(domain_name, region, _path(item, "prefix"))
    if kind != "custom":
        raise BrokenRow(f"the origin is of kind {kind[:40]!r}, not s3 or custom")
    if not ORIGIN_DOMAIN_NAME.fullmatch(domain_name):
        raise BrokenRow(f"the origin's domain name is {domain_name[:80]!r}")
    protocol, port, host_header = _string(item, "protocol"), _integer(item, "port", 1), _string(item, "host_header")
    if protocol not in ("http", "https") or not is_origin_port(port) or host_header not in ("viewer", "origin"):
        raise BrokenRow(f"the origin is {protocol[:20]!r} on port {port} with Host of the {host_header[:20]!r}")
    path = _path(item, "path")
    website = _boolean(item, "website")
    return CustomOrigin(domain_name, protocol, port, path, host_header, website)  # type: ignore[arg-type]


def encode_route(route: Route) -> dict[str, dict[str, Any]]:
    """Write a route as a row in DynamoDB's JSON: the inverse of `decode_route`."""
    values = {**route._asdict(), "schema": SCHEMA}
    # An empty owner must not be written: the index by owner holds the rows that have one.
    item: dict[str, dict[str, Any]] = {
        name: {kind: values[name] if kind == "BOOL" else str(values[name])}
        for name, kind in ATTRIBUTE_TYPES.items()
        if values[name] is not None and (values[name] != "" or name not in _OPTIONAL)
    }
    item["origin"] = {"M": encode_origin(route.origin)}
    return item


def encode_origin(origin: Origin) -> dict[str, dict[str, Any]]:
    """Write the `origin` attribute."""
    if isinstance(origin, S3Origin):
        return {"kind": {"S": "s3"}, **{name: {"S": value} for name, value in origin._asdict().items()}}
    return {
        "kind": {"S": "custom"},
        "domain_name": {"S": origin.domain_name},
        "protocol": {"S": origin.protocol},
        "port": {"N": str(origin.port)},
        "path": {"S": origin.path},
        "host_header": {"S": origin.host_header},
        "website": {"BOOL": origin.website},
    }


def _boolean(item: Item, name: str) -> bool:
    value = item[name]["BOOL"]
    if not isinstance(value, bool):
        raise BrokenRow(f"attribute {name} is not a boolean")
    return value


def _string(item: Item, name: str) -> str:
    value = item[name]["S"]
    if not isinstance(value, str):
        raise BrokenRow(f"attribute {name} is not a string")
    return value


@lru_cache(1_000)  # there are few buckets, and many rows
def _is_bucket_domain_name(name: str, region: str) -> bool:
    """Tell whether it is S3's: what goes there is signed with the functions' own key."""
    bucket = name.partition(f".s3.{region}.")[0]
    return (
        _BUCKET.fullmatch(bucket) is not None
        and ".." not in bucket
        and _REGION.fullmatch(region) is not None
        and name == bucket_domain_name(bucket, region)
    )


def _path(item: Item, name: str) -> str:
    value = _string(item, name)
    if not is_origin_path(value):
        raise BrokenRow(f"the origin's {name} is {value[:80]!r}")
    return value


def _integer(item: Item, name: str, least: int) -> int:
    # str(): DynamoDB's JSON carries numbers as strings; int() of a float would silently cut it.
    digits = str(item[name]["N"])
    # int() takes more than DynamoDB writes: signs, spaces, underscores, any script's digits, any number of them.
    if not (digits.isdigit() and digits.isascii() and len(digits) <= MAX_DIGITS):
        raise BrokenRow(f"attribute {name} is {digits[:40]!r}")
    value = int(digits)
    if value < least:
        raise BrokenRow(f"attribute {name} is {value}, less than {least}")
    return value


# Binary as JSON has it, and as boto3 hands it over.
_CONTENTS: dict[Any, type | tuple[type, ...]] = {
    "S": str,
    "N": str,
    "B": (str, bytes),
    "BOOL": bool,
    "NULL": bool,
    "M": dict,
    "L": list,
}
_CONTENTS |= {"SS": list, "NS": list, "BS": list}
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def is_item(item: Any) -> bool:
    """Tell whether this is an item as DynamoDB's JSON has it, whatever its attributes say."""
    return type(item) is dict and all(map(_is_value, item.values()))


def _is_value(value: Any) -> bool:
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, found),) = value.items()
    content: Any = found
    if not isinstance(found, _CONTENTS.get(kind, ())):
        return False
    if kind == "M":
        return is_item(content)
    if kind == "L":
        return all(_is_value(one) for one in content)
    return kind != "N" or _NUMBER.fullmatch(str(content)) is not None
