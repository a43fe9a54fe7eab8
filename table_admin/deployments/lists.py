"""Lists as they are in S3, read for who writes rows and for who sweeps."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from edge_handler.errors import BrokenListing
from edge_handler.website.listing import File, Head, Site, decode_head, head_length, list_key, whole
from table_admin.errors import TableAdminError

_HEAD_BYTES = 65_536
"""Of most lists the head is shorter."""


class NoList(TableAdminError):
    """There is no such list."""


def read_head(s3: Any, bucket: str, deployment: str) -> Head:
    """Return what a list says at its beginning.

    Raises:
        NoList: it is not there, or what is there is none.
        TableAdminError: S3 does not say.
    """
    content = _read(s3, bucket, deployment, f"bytes=0-{_HEAD_BYTES - 1}")
    try:
        length = head_length(content)
        if length > len(content):
            content = _read(s3, bucket, deployment, f"bytes=0-{length - 1}")
        return decode_head(content, deployment)
    except BrokenListing as error:
        raise NoList(_broken(bucket, deployment, error)) from error


def read_files(s3: Any, bucket: str, deployment: str) -> Iterator[File]:
    """Yield all files of a list. Raises what `read_head` does, before the first."""
    return read_site(s3, bucket, deployment).files()


def read_site(s3: Any, bucket: str, deployment: str) -> Site:
    """Return a whole list. Raises what `read_head` does."""
    try:
        return whole(_read(s3, bucket, deployment), deployment)
    except BrokenListing as error:
        raise NoList(_broken(bucket, deployment, error)) from error


class Sites:
    """The deployments of one bucket, each list read once."""

    def __init__(self, s3: Any, bucket: str) -> None:
        """`s3`: a client of the bucket's region."""
        self.s3 = s3
        self.bucket = bucket
        self._known: dict[str, Site | None] = {}

    def get(self, deployment: str) -> Site | None:
        """Return a site, None where there is no such list. Raises TableAdminError where S3 does not say."""
        if deployment not in self._known:
            try:
                self._known[deployment] = read_site(self.s3, self.bucket, deployment)
            except NoList:
                self._known[deployment] = None
        return self._known[deployment]


def _read(s3: Any, bucket: str, deployment: str, part: str | None = None) -> bytes:
    try:
        options = {"Range": part} if part else {}
        return bytes(s3.get_object(Bucket=bucket, Key=list_key(deployment), **options)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404", "InvalidRange"):
            raise NoList(f"The bucket {bucket} has no deployment {deployment}.") from error
        raise TableAdminError(_unreadable(bucket, deployment, error)) from error
    except (BotoCoreError, OSError) as error:
        raise TableAdminError(_unreadable(bucket, deployment, error)) from error


def _broken(bucket: str, deployment: str, error: Exception) -> str:
    return f"What is at s3://{bucket}/{list_key(deployment)} is no deployment's list: {error}. Deploy it again."


def _unreadable(bucket: str, deployment: str, error: Exception) -> str:
    return f"The list s3://{bucket}/{list_key(deployment)} cannot be read: {error}"
