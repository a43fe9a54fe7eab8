"""Asking a bucket what it holds."""

import time

from edge_handler.aws.server import Pause, Server
from edge_handler.aws.sigv4 import UNSIGNED_PAYLOAD, Signer, load_credentials
from edge_handler.errors import BrokenListing, Refused, StorageUnreachable, Unreadable
from edge_handler.log import log
from edge_handler.routes.origin import DeploymentOrigin, S3Origin

TYPE_CHECKING = False  # as typing has it; the module itself would cost milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

# For all questions about one page: the viewer may have waited for viewer-request before.
SECONDS = 0.6
# Each has a connection, of which a function can have some hundred.
MAX_BUCKETS = 64

Bucket = S3Origin | DeploymentOrigin
"""What names one."""

# The least recently asked first.
_buckets: dict[str, Server] = {}
# By region: S3 is one service there, and with a pause for each bucket the pages of many would each wait.
_pauses: dict[str, Pause] = {}
_signers: dict[str, Signer] = {}


def exists(origin: Bucket, path: str, endpoint: str | None, deadline: float, *, certain: bool = False) -> bool:
    """Ask S3 whether an object is there.

    Args:
        origin: names the bucket.
        path: of the object, percent-encoded.
        endpoint: asked instead of the bucket's own.
        deadline: of `time.monotonic`.
        certain: only an answer on a connection of its own is believed, for it does not say which object it is about.

    Raises:
        StorageUnreachable: that cannot be known.
    """

    def read(status: int, _body: bytes) -> bool | None:
        _check_status(status)
        # 403 is what S3 says of anything to those who may not list the bucket.
        return {200: True, 404: False}.get(status)

    found = _ask(origin, ("HEAD", path, {}), endpoint, deadline, read, fresh=certain)
    if found is None:
        raise StorageUnreachable("S3 does not say whether an object is there", 0)
    return found


def read_part(
    origin: Bucket,
    path: str,
    part: tuple[int, int],
    endpoint: str | None,
    deadline: float,
    check: "Callable[[bytes], T]",
) -> "T | BrokenListing | None":
    """Return what `check` makes of some bytes of an object: None where there is none, an error where they are broken.

    Args:
        origin: names the bucket.
        path: see `exists`, as are endpoint and deadline.
        part: where it starts and stops.
        endpoint: see `path`.
        deadline: see `path`.
        check: raises BrokenListing for bytes that are not the ones that were asked for.

    Raises:
        StorageUnreachable: that cannot be known.
    """

    def read(status: int, body: bytes) -> "T | BrokenListing | None":
        _check_status(status)
        if status in (403, 404):
            return None
        try:
            return check(body if status in (200, 206) else b"")
        except BrokenListing as error:
            return error

    def read_kept(status: int, body: bytes) -> "T | BrokenListing | None":
        found = read(status, body)
        if found is None or isinstance(found, BrokenListing):
            raise Unreadable("it may be the answer to another question")
        return found

    start, stop = part
    headers = {"range": f"bytes={start}-{stop - 1}"}
    return _ask(origin, ("GET", path, headers), endpoint, deadline, read, read_kept)


def _ask(
    origin: Bucket,
    request: tuple[str, str, dict[str, str]],
    endpoint: str | None,
    deadline: float,
    read: "Callable[[int, bytes], T]",
    read_kept: "Callable[[int, bytes], T] | None" = None,
    *,
    fresh: bool = False,
) -> "T":
    """Return what is made of an answer; `fresh`: on a connection that has answered nothing else."""
    method, path, headers = request
    host, before = address(origin)
    where, path = endpoint or f"https://{host}", before + path
    pause = _pauses.setdefault(endpoint or origin.region, Pause())
    if left := pause.seconds():
        raise StorageUnreachable("S3 has not answered a moment ago", left)
    server = _buckets.pop(where, None) or Server(where)
    if len(_buckets) >= MAX_BUCKETS:
        del _buckets[next(iter(_buckets))]
    _buckets[where] = server
    given = deadline - time.monotonic()
    try:
        if fresh:
            server.connect(deadline)
        found = server.ask(method, path, signed(method, path, origin) | headers, b"", deadline, read, read_kept)
    except (OSError, Refused, Unreadable) as error:
        if given < SECONDS / 2:
            # Earlier questions took the time, and were answered.
            raise StorageUnreachable("there was no time left to ask S3", 0) from error
        seconds = pause.begin()
        message = f"{type(error).__name__}: {error}"
        log("WARNING", "S3 did not answer", origin=origin.domain_name, error=message, pause_seconds=seconds)
        raise StorageUnreachable("S3 does not answer", seconds) from error
    pause.end()
    return found


def _check_status(status: int) -> None:
    if status >= 500 or status == 408:
        raise Unreadable(f"status {status}")


def address(origin: Bucket) -> tuple[str, str]:
    """Return the host at which a bucket is asked over TLS, and what comes before its objects' paths there.

    The certificate is for one label before S3's own name: a bucket with dots in its name goes into the path.
    """
    bucket, _, rest = origin.domain_name.partition(f".s3.{origin.region}.")
    if "." in bucket:
        return f"s3.{origin.region}.{rest}", f"/{bucket}"
    return origin.domain_name, ""


def signed(method: str, path: str, origin: Bucket, request_id: str = "") -> dict[str, str]:
    """Return the headers of a request for an object, `host` and `authorization` among them.

    Args:
        method: of the request.
        path: with what `address` puts before it.
        origin: names the bucket.
        request_id: CloudFront's, where CloudFront sends the request on. It adds it to what goes to a custom origin, and
            S3 refuses a request with an `x-amz-` header that was not signed.
    """
    signer = _signers.get(origin.region)
    if signer is None:
        signer = _signers[origin.region] = Signer("s3", origin.region, load_credentials())
    headers = {"host": address(origin)[0], "x-amz-content-sha256": UNSIGNED_PAYLOAD}
    if request_id:
        headers["x-amz-cf-id"] = request_id
    result = signer.sign(method, path, headers, UNSIGNED_PAYLOAD, time.time())
    result.pop("x-amz-cf-id", None)  # no function may add it
    return result
