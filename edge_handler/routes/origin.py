"""Origins: what answers for a domain, as its row says it, and what CloudFront takes."""

import re
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item, boolean, integer, string


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


class DeploymentOrigin(NamedTuple):
    """A deployment: a list of files over blobs of a bucket that are named by their content."""

    domain_name: str
    """See `S3Origin.domain_name`."""
    region: str
    deployment: str
    """Names the list: 32 hexadecimal digits of its digest."""
    query: Literal["files", "pages", "all"]
    """Which paths a query string may matter for, so that it has to stay in the cache key until a redirect has it.

    `files`: those that do not end in a slash; `pages`: also those that do, for one may be sent to the same without it;
    `all`: any, for there are rules.
    """
    cors: str
    """What `access-control-allow-origin` says to a preflight request: `*`, one origin, or empty for none."""

    @property
    def website(self) -> bool:
        """See `S3Origin.website`."""
        return True


Origin = S3Origin | CustomOrigin | DeploymentOrigin
QUERIES = ("files", "pages", "all")

WEBSITE, QUERY_OF_PATHS, QUERY_OF_DIRECTORIES, QUERY_OF_ALL, CORS = 1, 2, 4, 8, 16
"""What viewer-request has to know of an origin, in one number: 0 for an application."""
_QUERY_FLAGS = {
    "files": QUERY_OF_PATHS,
    "pages": QUERY_OF_PATHS | QUERY_OF_DIRECTORIES,
    "all": QUERY_OF_ALL,
}

# What CloudFront accepts as the domain name of an origin: a DNS name, not an IP address.
ORIGIN_DOMAIN_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
# What CloudFront accepts as an origin's path, in the characters a stamp can carry; no escaped control characters.
_PATH = re.compile(r"(?=.{0,255}\Z)(?:/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[2-9A-Fa-f][0-9A-Fa-f])+)*")
# However they are written: whoever decodes them would leave the prefix.
_DOT_SEGMENT = re.compile(r"(?:/|%2f|%5c)(?:\.|%2e){1,2}(?:/|%2f|%5c|\Z)", re.IGNORECASE)
_REGION = re.compile(r"[a-z]{2}[a-z-]*-\d{1,2}")
# Of an S3 origin's domain name, as CloudFront takes it.
MAX_S3_DOMAIN_NAME = 128
_DEPLOYMENT = re.compile(r"[0-9a-f]{32}")
_CORS = re.compile(r"(?:\*|https?://[a-z0-9._-]{1,253}(?::[0-9]{1,5})?)?")
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


def website_flags(origin: Origin) -> int:
    """Return WEBSITE and for what of it a query string may matter; 0 for an application."""
    if isinstance(origin, DeploymentOrigin):
        return WEBSITE | _QUERY_FLAGS[origin.query] | (CORS if origin.cors else 0)
    if isinstance(origin, S3Origin):
        return WEBSITE | _QUERY_FLAGS["pages"]  # what there is turns out when S3 is asked
    return WEBSITE if origin.website else False  # which a hit tells faster than 0


def is_origin_port(port: int) -> bool:
    """Tell whether CloudFront connects to `port` of a custom origin."""
    return port in (80, 443) or 1024 <= port <= 65535


def is_origin_path(path: str) -> bool:
    """Tell whether `path` may stand before every request's path: percent-encoded, and nothing that leads out of it."""
    if _PATH.fullmatch(path) is None:
        return False
    return not ("." in path or "%" in path) or _DOT_SEGMENT.search(path) is None


def is_deployment(text: str) -> bool:
    """Tell whether this names a deployment's list."""
    return _DEPLOYMENT.fullmatch(text) is not None


def is_cors(text: str) -> bool:
    """Tell whether this is what a deployment may answer preflight requests with; none is, too."""
    return _CORS.fullmatch(text) is not None


def bucket_domain_name(bucket: str, region: str) -> str:
    """Return the name of a bucket's REST endpoint."""
    first, second, *_ = [*region.split("-"), ""]
    domain = _DOMAINS.get(first) or _DOMAINS.get(f"{first}-{second}", "amazonaws.com")
    return f"{bucket}.s3.{region}.{domain}"


def decode_origin(item: Item) -> Origin:
    """Read the `origin` attribute. Raises BrokenRow where CloudFront would refuse what it says."""
    kind = string(item, "kind")
    domain_name = string(item, "domain_name")
    if kind in ("s3", "deployment"):
        region = string(item, "region")
        # Lengths first: what is asked of the cache stays in it.
        if max(len(domain_name), len(region)) > MAX_S3_DOMAIN_NAME or not _is_bucket_domain_name(domain_name, region):
            raise BrokenRow(f"{domain_name[:80]!r} is no bucket's endpoint in {region[:20]!r}")
        if kind == "s3":
            return S3Origin(domain_name, region, _path(item, "prefix"))
        deployment, query, cors = string(item, "deployment"), string(item, "query"), string(item, "cors")
        if not is_deployment(deployment) or query not in QUERIES or not is_cors(cors):
            raise BrokenRow(f"the deployment is {deployment[:40]!r}, its query {query[:20]!r}, its CORS {cors[:80]!r}")
        return DeploymentOrigin(domain_name, region, deployment, query, cors)  # type: ignore[arg-type]
    if kind != "custom":
        raise BrokenRow(f"the origin is of kind {kind[:40]!r}, not s3, deployment or custom")
    if not ORIGIN_DOMAIN_NAME.fullmatch(domain_name):
        raise BrokenRow(f"the origin's domain name is {domain_name[:80]!r}")
    protocol, port, host_header = string(item, "protocol"), integer(item, "port", 1), string(item, "host_header")
    if protocol not in ("http", "https") or not is_origin_port(port) or host_header not in ("viewer", "origin"):
        raise BrokenRow(f"the origin is {protocol[:20]!r} on port {port} with Host of the {host_header[:20]!r}")
    path = _path(item, "path")
    website = boolean(item, "website")
    return CustomOrigin(domain_name, protocol, port, path, host_header, website)  # type: ignore[arg-type]


def encode_origin(origin: Origin) -> dict[str, dict[str, Any]]:
    """Write the `origin` attribute."""
    if not isinstance(origin, CustomOrigin):
        kind = "s3" if isinstance(origin, S3Origin) else "deployment"
        return {"kind": {"S": kind}, **{name: {"S": value} for name, value in origin._asdict().items()}}
    return {
        "kind": {"S": "custom"},
        "domain_name": {"S": origin.domain_name},
        "protocol": {"S": origin.protocol},
        "port": {"N": str(origin.port)},
        "path": {"S": origin.path},
        "host_header": {"S": origin.host_header},
        "website": {"BOOL": origin.website},
    }


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
    value = string(item, name)
    if not is_origin_path(value):
        raise BrokenRow(f"the origin's {name} is {value[:80]!r}")
    return value
