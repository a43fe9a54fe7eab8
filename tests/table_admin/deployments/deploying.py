"""Deployments as `items` says that they are made, a request at a time; and a look at whether all of them is there."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from edge_handler.website.listing import File, Listing, Options, blob_key, encode_listing, list_key, whole
from table_admin import RoutingTable
from table_admin.deployments.items import Deployments, NotReady
from table_admin.deployments.keys import list_target
from table_admin.deployments.naming import named_by_rows
from table_admin.errors import TargetRefused

REGION = "us-east-1"
Files = Mapping[str, bytes]
Look = Callable[[str, str], bytes | None]
"""Returns an object by bucket and key."""


def listing_of(files: Files) -> Listing:
    entries = {path: File(digest(body), "text/html", False, len(body)) for path, body in files.items()}
    return encode_listing(entries, Options())


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def target_of(bucket: str, files: Files) -> str:
    return list_target(bucket, listing_of(files).id)


def send(table: RoutingTable, bucket: str, files: Files) -> str:
    """Make a deployment ready, once; return its target."""
    listing, deployments, s3 = listing_of(files), Deployments(table), table.client("s3")
    begun = deployments.begin(bucket, REGION, listing.id, len(files), sum(map(len, files.values())))
    if begun.state != "ready":
        s3.put_object(Bucket=bucket, Key=listing.key, Body=listing.content)
        condemned = deployments.condemned_blobs(bucket, REGION)
        for body in files.values():
            blob = digest(body)
            put_blob(s3, bucket, blob_key(blob), body, again=blob in condemned)
        deployments.ready(bucket, listing.id, begun.epoch)
    return list_target(bucket, listing.id)


def put_blob(s3: Any, bucket: str, key: str, body: bytes, *, again: bool) -> None:
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    only_new = {} if again else {"IfNoneMatch": "*"}
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ChecksumSHA256=checksum, **only_new)
    except ClientError as error:
        if again or error.response["Error"]["Code"] != "PreconditionFailed":
            raise


def publish(table: RoutingTable, bucket: str, files: Files, domain: str) -> str:
    """Send a site and show it; what is given up meanwhile is begun again."""
    for _ in range(2):
        try:
            target = send(table, bucket, files)
            table.put(domain, target)
            return target
        except (NotReady, TargetRefused):
            continue
    target = send(table, bucket, files)
    table.put(domain, target)
    return target


def lost(table: RoutingTable, look: Look | None = None) -> list[str]:
    """Return what of the deployments that rows name, also as former ones, is not there with its bytes."""
    look, found = look or partial(read, table.client("s3")), []
    for key in named_by_rows(table):
        bucket, _, deployment = key.partition("/")
        content = look(bucket, list_key(deployment))
        if content is None:
            found.append(f"{key}: its list")
            continue
        for file in whole(content, deployment).files():
            body = look(bucket, blob_key(file.blob))
            if body is None or digest(body) != file.blob:
                found.append(f"{key}: {file.blob}")
    return found


def read(s3: Any, bucket: str, key: str) -> bytes | None:
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
