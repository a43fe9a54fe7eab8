"""What tests of deployments share: directories, and what S3 has of them."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.website.listing import BLOBS, Site, blob_key, list_key, whole
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable

_buckets = itertools.count(1)
SITE = {"index.html": "<h1>one</h1>", "about.html": "about", "assets/app-3f9a1c2b.js": "run()"}


def make_bucket(aws: EmbeddedAws) -> str:
    """Return a bucket of its own, with versions as the stack's has them."""
    name, s3 = f"acme-sites-{next(_buckets)}", aws.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def write_site(directory: Path, files: Mapping[str, str | bytes] = SITE) -> Path:
    """Write files into a directory, beside what is there."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


def shown(table: RoutingTable, domain: str) -> Site:
    """Return the site that a row names, after a look at each of its files in S3."""
    origin = table.get(domain).origin
    assert isinstance(origin, DeploymentOrigin)
    bucket, s3 = origin.domain_name.partition(".s3.")[0], table.client("s3")
    key = list_key(origin.deployment)
    site = whole(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), origin.deployment)
    for file in site.files():
        assert s3.head_object(Bucket=bucket, Key=blob_key(file.blob))["ContentLength"] == file.size
    return site


def page(table: RoutingTable, domain: str, path: str) -> bytes:
    """Return what a deployed file says."""
    file, bucket = shown(table, domain).find(path), table.get(domain).target.split("/")[2]
    assert file is not None
    body: bytes = table.client("s3").get_object(Bucket=bucket, Key=blob_key(file.blob))["Body"].read()
    return body


def versions(s3: Any, bucket: str, prefix: str = f"{BLOBS}/") -> list[str]:
    """Return the keys of all versions of a bucket's objects."""
    found = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    return sorted(version["Key"] for version in found.get("Versions", ()))
