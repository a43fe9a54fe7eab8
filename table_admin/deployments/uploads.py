"""Objects sent to S3: thousands of small ones, several at once, each of them checked by S3 against its digest.

A small object costs boto3 3.9 ms of processor, and urllib3 with a signature 0.9 (ten threads, measured side by side):
of 20,000 files that is a minute.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import urllib3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from edge_handler.aws.sigv4 import Credentials, Signer
from table_admin.connecting import pool_for
from table_admin.errors import TableAdminError

THREADS = 24
_AHEAD = 4 * THREADS
"""So many are handed to the threads: the rest stays a list, and can be left."""
IN_MEMORY = 8 * 2**20
"""Larger files are read while they are sent."""
ASKED_FIRST = 2**20
"""Of what is as large it is asked first whether it is there: S3 says so only when it has been sent all of it."""
MOST_BYTES = 5 * 2**30
"""What S3 takes in one request."""
_RETRIES = urllib3.Retry(
    total=6,
    redirect=False,
    allowed_methods=None,  # all: the second of two equal ones changes nothing
    status_forcelist=(409, 429, 500, 502, 503, 504),
    backoff_factor=0.1,
    backoff_max=5,
    backoff_jitter=0.2,
    raise_on_status=False,
)
_PATIENCE = urllib3.Timeout(connect=5, read=60)
_CODE = re.compile(rb"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]{1,300})</Message>")
_OTHER_BYTES = ("BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody")


@dataclass(frozen=True, slots=True)
class Upload:
    """An object to be sent."""

    key: str
    """Of characters that no URL encodes."""
    sha256: str
    """64 hexadecimal digits."""
    size: int
    source: Path | bytes
    is_new_version: bool = False
    """Whether it is sent although it is there already."""


class FileChanged(TableAdminError):
    """A file has other bytes than when it was looked at."""


class Uploader:
    """Sends objects to one bucket, with the credentials of a boto3 client of its region."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._bucket = bucket
        self._base = bucket_url(s3, bucket)
        parts = urlsplit(self._base)
        self._host, self._path = parts.netloc, parts.path
        self._region: str = s3.meta.region_name
        self._credentials = _credentials(s3)
        self._frozen: Any = None
        self._signer: Signer | None = None
        self._pool = pool_for(self._base, THREADS)

    def send(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, bool]]:
        """Send them all; yield each when it is there, and whether it was sent for that.

        Raises:
            FileChanged: a file was written to meanwhile.
            TableAdminError: S3 does not take one. Others may have been sent.
        """
        left = iter(uploads)
        threads = ThreadPoolExecutor(THREADS, "upload")
        running: dict[Future[bool], Upload] = {}
        try:
            while True:
                for upload in islice(left, _AHEAD - len(running)):
                    running[threads.submit(self._send, upload)] = upload
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(done), done.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def current_versions(self, uploads: Iterable[Upload]) -> list[str | None]:
        """Return of each what `current_version` does."""
        with ThreadPoolExecutor(THREADS, "ask") as threads:
            return [*threads.map(self.current_version, uploads)]

    def is_there(self, upload: Upload) -> bool:
        """Tell whether an object is there, as large as it should be."""
        return self.current_version(upload) is not None

    def current_version(self, upload: Upload) -> str | None:
        """Return the version of an object that is there, as large as it should be; empty where it has no name."""
        answer = self._request("HEAD", upload, hashlib.sha256().hexdigest(), None, {})
        if answer.status != 200 or answer.headers.get("content-length") != str(upload.size):
            return None
        return answer.headers.get("x-amz-version-id", "")

    def _send(self, upload: Upload) -> bool:
        if upload.size > MOST_BYTES:
            raise TableAdminError(f"{upload.source!s:.200} is larger than the 5 GiB that S3 takes in one request.")
        headers = _headers(upload)
        if not upload.is_new_version and upload.size >= ASKED_FIRST and self.is_there(upload):
            return False
        if isinstance(upload.source, bytes):
            return self._put(upload, upload.source, headers)
        try:
            if upload.size > IN_MEMORY:
                with upload.source.open("rb") as file:
                    return self._put(upload, file, headers)
            content = upload.source.read_bytes()
        except OSError as error:
            raise FileChanged(f"{upload.source} cannot be read any more: {error.strerror}.") from error
        if hashlib.sha256(content).hexdigest() != upload.sha256:
            raise _changed(upload)
        return self._put(upload, content, headers)

    def _put(self, upload: Upload, body: bytes | BinaryIO, headers: dict[str, str]) -> bool:
        answer = self._request("PUT", upload, upload.sha256, body, headers)
        if answer.status == 412 and not upload.is_new_version:
            return False
        if answer.status == 200:
            return True
        code = b"".join(_CODE.findall(answer.data)[:1]).decode("utf-8", "replace") or str(answer.status)
        if code in _OTHER_BYTES:
            raise _changed(upload)
        message = b"".join(_MESSAGE.findall(answer.data)[:1]).decode("utf-8", "replace")
        raise TableAdminError(f"S3 does not take s3://{self._bucket}/{upload.key}: {code} {message}".rstrip())

    def _request(
        self, method: str, upload: Upload, digest: str, body: bytes | BinaryIO | None, headers: dict[str, str]
    ) -> urllib3.BaseHTTPResponse:
        path = f"{self._path}/{upload.key}"
        signed = self._current_signer().sign(
            method, path, {**headers, "host": self._host, "x-amz-content-sha256": digest}, digest
        )
        if body is not None:
            signed["content-length"] = str(upload.size)
        try:
            url = f"{self._base}/{upload.key}"
            return self._pool.request(method, url, body=body, headers=signed, retries=_RETRIES, timeout=_PATIENCE)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise TableAdminError(f"S3 does not answer for s3://{self._bucket}/{upload.key}: {reason}") from error

    def _current_signer(self) -> Signer:
        frozen = self._credentials.get_frozen_credentials()  # refreshed where they run out
        if self._signer is None or frozen != self._frozen:
            credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")
            self._frozen, self._signer = frozen, Signer("s3", self._region, credentials)
        return self._signer


def presigned(s3: Any, bucket: str, upload: Upload, seconds: int) -> tuple[str, dict[str, str]]:
    """Return where somebody without credentials sends an object to, and the headers to send: all of them are signed."""
    headers = _headers(upload)
    request = AWSRequest("PUT", f"{bucket_url(s3, bucket)}/{upload.key}", headers=headers)
    S3SigV4QueryAuth(_credentials(s3).get_frozen_credentials(), "s3", s3.meta.region_name, seconds).add_auth(request)
    return str(request.url), headers


def _credentials(s3: Any) -> Any:
    found = s3._get_credentials()  # as boto3 itself takes them for its transfers
    if found is None:
        raise TableAdminError("There are no AWS credentials to send files with.")
    return found


def _headers(upload: Upload) -> dict[str, str]:
    headers = {"content-type": "application/octet-stream"}
    headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(upload.sha256)).decode()
    return headers if upload.is_new_version else {**headers, "if-none-match": "*"}


def bucket_url(s3: Any, bucket: str) -> str:
    """Return where a bucket's objects are, for a client of its region."""
    parts = urlsplit(s3.meta.endpoint_url)
    # A name with a dot does not match S3's certificate; another endpoint than AWS's may have no DNS names for buckets.
    if "." not in bucket and re.search(r"\.amazonaws\.com(\.cn)?$", parts.netloc):
        return f"{parts.scheme}://{bucket}.{parts.netloc}"
    return f"{parts.scheme}://{parts.netloc}/{bucket}"


def _changed(upload: Upload) -> FileChanged:
    return FileChanged(
        f"{upload.source!s:.300} was changed while it was being deployed; nothing was published. Deploy again."
    )
