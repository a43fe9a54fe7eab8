"""The blobs that are about to be removed, written down in their bucket before anything is.

Who deploys reads it and sends these again: what is removed are the versions that are named here, a day later.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from edge_handler.website.listing import CONDEMNED as KEY
from table_admin.errors import TableAdminError


@dataclass(frozen=True, slots=True)
class Condemned:
    """One blob's versions, and since when (epoch seconds) everybody can know that they are going to be removed."""

    since: int
    versions: tuple[str, ...]


def read_condemned(s3: Any, bucket: str) -> dict[str, Condemned]:
    """Return what is condemned, by digest. Raises TableAdminError where that cannot be known."""
    try:
        content = s3.get_object(Bucket=bucket, Key=KEY)["Body"].read()
        found = json.loads(gzip.decompress(content))
        return {blob: Condemned(int(since), tuple(versions)) for blob, (since, *versions) in found.items()}
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return {}
        raise TableAdminError(f"s3://{bucket}/{KEY} cannot be read: {error}") from error
    except (BotoCoreError, OSError, ValueError, TypeError, AttributeError) as error:
        raise TableAdminError(f"s3://{bucket}/{KEY} cannot be read: {error}") from error


def write_condemned(s3: Any, bucket: str, condemned: Mapping[str, Condemned]) -> None:
    """Write down what is condemned, in place of what was."""
    document = {blob: [found.since, *found.versions] for blob, found in condemned.items()}
    try:
        s3.put_object(Bucket=bucket, Key=KEY, Body=gzip.compress(json.dumps(document).encode()))
    except (ClientError, BotoCoreError) as error:
        raise TableAdminError(f"s3://{bucket}/{KEY} cannot be written: {error}") from error


def condemned_blobs(s3: Any, bucket: str) -> frozenset[str]:
    """Return the digests alone."""
    return frozenset(read_condemned(s3, bucket))
