"""What a deployment is called: in S3, in the deployments table, in a row."""

import re

from edge_handler.routes.attributes import Item
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.route import Route
from edge_handler.website.listing import list_key

_PATH = re.compile(r"/_deployments/([0-9a-f]{32})")
_OURS = re.compile(r"/(?:_deployments|_blobs|_condemned)(?:/|\Z)")


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
    return f"s3://{bucket}/{list_key(deployment)}"


def deployment_at(path: str) -> str | None:
    """Return the deployment that a target's path names, None for a prefix of a plain site."""
    found = _PATH.fullmatch(path)
    return found[1] if found else None


def is_ours(path: str) -> bool:
    """Tell whether a path is where deployments are kept; no plain site is served from there."""
    return _OURS.match(path) is not None


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


def keys_of_row(row: Item | None) -> list[str]:
    """Return the keys of all deployments that a row names as its target, its canary's or its standby's."""
    found = [key_of_row(row)]
    for name in ("canary", "standby"):
        try:
            found.append(key_of_row(row[name]["M"] if row is not None else None))
        except (AttributeError, KeyError, TypeError):
            continue
    return [*filter(None, found)]


def deployments_of(route: Route | None, bucket: str) -> list[str]:
    """Return the deployments of a bucket that viewers get or got of a route: canary's, own, then former ones."""
    if route is None:
        return []
    own, canary = _deployment(route.origin, bucket), _deployment(route.canary and route.canary.origin, bucket)
    former = [one.deployment for one in route.former] if own else []
    return [*dict.fromkeys(filter(None, (canary, own, *former)))]


def _deployment(origin: object, bucket: str) -> str:
    """Return what an origin names of a bucket; empty where it names none."""
    is_one = isinstance(origin, DeploymentOrigin) and bucket_of(origin.domain_name) == bucket
    return origin.deployment if is_one and isinstance(origin, DeploymentOrigin) else ""
