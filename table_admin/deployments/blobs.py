"""Versions of objects in a bucket: which there are, and their removal."""

from collections.abc import Iterable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from table_admin.errors import TableAdminError

_FEW = 100
_TOGETHER = 1000
"""So many objects one request removes."""


def is_versioned(s3: Any, bucket: str) -> bool:
    """Tell whether a bucket keeps versions: what is removed then is exactly what was meant."""
    try:
        return bool(s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled")
    except (ClientError, BotoCoreError) as error:
        raise TableAdminError(f"The bucket {bucket} does not say whether it keeps versions: {error}") from error


def versions_of(s3: Any, bucket: str, keys: Iterable[str], folder: str) -> dict[str, tuple[str, ...]]:
    """Return the versions of those objects of a folder that are there, by key.

    For few of them it asks for each, for many it reads all of the folder.
    """
    wanted = frozenset(keys)
    found: dict[str, list[str]] = {}
    for prefix in sorted(wanted) if len(wanted) <= _FEW else [folder]:
        try:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
                for version in page.get("Versions", ()):
                    if version["Key"] in wanted:
                        found.setdefault(version["Key"], []).append(version["VersionId"])
        except (ClientError, BotoCoreError) as error:
            raise TableAdminError(f"The bucket {bucket} does not list its versions: {error}") from error
    return {key: tuple(versions) for key, versions in found.items()}


def remove_versions(s3: Any, bucket: str, versions: Sequence[tuple[str, str]]) -> set[str]:
    """Remove versions of objects, given as key and version; return the keys of those that could not be."""
    failed: set[str] = set()
    for start in range(0, len(versions), _TOGETHER):
        objects = [{"Key": key, "VersionId": version} for key, version in versions[start : start + _TOGETHER]]
        try:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        except (ClientError, BotoCoreError) as error:
            raise TableAdminError(f"The bucket {bucket} removes nothing: {error}") from error
        failed |= {error["Key"] for error in answer.get("Errors", ()) if error.get("Code") != "NoSuchVersion"}
    return failed
