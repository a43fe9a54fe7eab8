"""What a deployment is called: in S3, in the deployments table, in a row."""

import re

from edge_handler.routes.route import Item

LISTS = "_deployments/"
BLOBS = "_blobs/"
_TARGET = re.compile(r"s3://([^/]+)/_deployments/([0-9a-f]{32})/?")


def deployment_key(bucket: str, deployment: str) -> str:
    """Return the key of a deployment's item."""
    return f"{bucket}/{deployment}"


def split_key(key: str) -> tuple[str, str]:
    """Return bucket and deployment. Raises ValueError."""
    bucket, slash, deployment = key.partition("/")
    if not (bucket and slash and deployment):
        raise ValueError(f"{key[:80]!r} is no deployment's key")
    return bucket, deployment


def list_target(bucket: str, deployment: str) -> str:
    """Return the target that stands for a deployment."""
    return f"s3://{bucket}/{LISTS}{deployment}"


def parse_target(target: str) -> tuple[str, str] | None:
    """Return bucket and deployment that a target stands for; None for any other target."""
    found = _TARGET.fullmatch(target)
    return (found[1], found[2]) if found else None


def bucket_of(domain_name: str) -> str:
    """Return the bucket whose endpoint this is."""
    return domain_name.partition(".s3.")[0]


def key_of_row(row: Item | None) -> str | None:
    """Return the key of the deployment that a row names, None where it names none or cannot be read."""
    try:
        origin = row["origin"]["M"] if row is not None else {}
        if origin["kind"]["S"] != "deployment":
            return None
        return deployment_key(bucket_of(origin["domain_name"]["S"]), origin["deployment"]["S"])
    except (AttributeError, KeyError, TypeError):
        return None
