"""Settings: a small file in the package, for Lambda@Edge has no environment variables of one's own.

Those that exist override the file locally and under `sam local invoke`.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_FUNCTION_SUFFIXES = ("-viewer-request", "-origin-request")
_DEFAULT_STACK = "edge-routing"
_HOME_REGION = "us-east-1"


class Settings(NamedTuple):
    """What differs between deployments; durations in seconds."""

    table: str
    regions: tuple[str, ...]
    """Where the table has replicas, nearest first."""
    endpoint: str | None
    """Instead of DynamoDB's own, e.g. http://127.0.0.1:4566."""
    s3_endpoint: str | None
    fresh_seconds: float
    """How long a route is used without asking the table."""
    unknown_seconds: float
    """The same for a host that has no usable row."""
    stale_seconds: float
    """How long a route outlives a table that cannot be reached."""
    snapshot_buckets: tuple[tuple[str, str], ...] = ()
    """Name and region of each bucket that holds the snapshot, nearest first; none: hosts are read one by one."""

    @property
    def history_table(self) -> str:
        """The table whose index is the feed."""
        return f"{self.table.removesuffix('-routes')}-route-history"

    @property
    def access_table(self) -> str:
        """The table of signing keys and passwords."""
        return f"{self.table.removesuffix('-routes')}-access"


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `settings.json` and what overrides it. Raises ValueError for a bucket that is no name@region."""
    with open(os.path.join(os.path.dirname(__file__), "settings.json"), encoding="utf-8") as file:
        values = json.load(file)
    here = environ.get("AWS_REGION", _HOME_REGION)
    regions = environ.get("EDGE_REPLICA_REGIONS")
    buckets = environ.get("EDGE_SNAPSHOT_BUCKETS")
    endpoint = environ.get("AWS_ENDPOINT_URL")
    if environ.get("AWS_SAM_LOCAL") == "true" and not endpoint:
        # Inside sam's container; the template cannot declare variables that it could override.
        endpoint = "http://host.docker.internal:4566"
    return Settings(
        table=environ.get("EDGE_TABLE") or table_name(environ.get("AWS_LAMBDA_FUNCTION_NAME", "")),
        regions=nearest_first(here, regions.split(",") if regions else values["replica_regions"]),
        endpoint=environ.get("AWS_ENDPOINT_URL_DYNAMODB") or endpoint,
        s3_endpoint=environ.get("AWS_ENDPOINT_URL_S3") or endpoint,
        fresh_seconds=float(environ.get("EDGE_FRESH_SECONDS", values["fresh_seconds"])),
        unknown_seconds=float(environ.get("EDGE_UNKNOWN_SECONDS", values["unknown_seconds"])),
        stale_seconds=float(environ.get("EDGE_STALE_SECONDS", values["stale_seconds"])),
        snapshot_buckets=_nearest_buckets(here, buckets.split(",") if buckets else values["snapshot_buckets"]),
    )


def table_name(function_name: str) -> str:
    """Derive the routes table from the function's name: both carry the stack's.

    A replica's name has its home region in front: `us-east-1.edge-routing-viewer-request`.
    """
    name = function_name.removeprefix(f"{_HOME_REGION}.")
    for suffix in _FUNCTION_SUFFIXES:
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix)}-routes"
    return f"{_DEFAULT_STACK}-routes"


def nearest_first(here: str, regions: list[str]) -> tuple[str, ...]:
    """Order replica regions: this one, then the same continent's, then the rest as listed."""
    continent = here.partition("-")[0]
    return tuple(sorted(regions, key=lambda region: (region != here, region.partition("-")[0] != continent)))


def _nearest_buckets(here: str, buckets: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Order buckets, each `name@region`, as `nearest_first` orders their regions."""
    found = []
    for bucket in buckets:
        # No dots: the certificate of S3 is for names of one label.
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]@[a-z]{2}(-[a-z]+)+-[0-9]", str(bucket)):
            raise ValueError(f"snapshot_buckets: {bucket!r} is no name@region of a bucket")
        name, _, region = bucket.partition("@")
        found.append((name, region))
    order = nearest_first(here, [region for _, region in found])
    return tuple(sorted(found, key=lambda bucket: order.index(bucket[1])))
