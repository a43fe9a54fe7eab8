"""Asking a bucket what it holds."""

import time

from edge_handler.aws.server import Pause, Server
from edge_handler.aws.sigv4 import UNSIGNED_PAYLOAD, Signer, load_credentials
from edge_handler.errors import Refused, Unreadable
from edge_handler.log import log
from edge_handler.routes.origin import S3Origin

# The viewer may have waited for viewer-request before.
SECONDS = 0.6
# Each has a connection, of which a function can have some hundred.
MAX_BUCKETS = 64

# The least recently asked first.
_buckets: dict[str, Server] = {}
# By region: S3 is one service there, and with a pause for each bucket the pages of many would each wait.
_pauses: dict[str, Pause] = {}
_signers: dict[str, Signer] = {}


def exists(origin: S3Origin, path: str, endpoint: str | None) -> bool:
    """Ask S3 whether an object is there. Where that cannot be known, it is not: S3 will say so itself.

    Args:
        origin: names the bucket.
        path: of the object, percent-encoded.
        endpoint: asked instead of the bucket's own.
    """
    host, before = address(origin)
    where, path = endpoint or f"https://{host}", before + path
    pause = _pauses.setdefault(endpoint or origin.region, Pause())
    if pause.seconds():
        return False
    server = _buckets.pop(where, None) or Server(where)
    if len(_buckets) >= MAX_BUCKETS:
        del _buckets[next(iter(_buckets))]
    _buckets[where] = server
    deadline = time.monotonic() + SECONDS
    try:
        found = server.ask("HEAD", path, signed("HEAD", path, origin), b"", deadline, _is_there, _is_there_for_certain)
    except (OSError, Refused, Unreadable) as error:
        seconds = pause.begin()
        message = f"{type(error).__name__}: {error}"
        log("WARNING", "S3 did not answer", origin=origin.domain_name, error=message, pause_seconds=seconds)
        return False
    pause.end()
    return found


def _is_there(status: int, _body: bytes) -> bool:
    if status >= 500 or status == 408:
        raise Unreadable(f"status {status}")
    return status == 200


def _is_there_for_certain(status: int, body: bytes) -> bool:
    if _is_there(status, body):
        # The answer does not say which object it is about, and it would become a redirect that everybody gets.
        raise Unreadable("only an answer on a connection of its own is believed")
    return False


def address(origin: S3Origin) -> tuple[str, str]:
    """Return the host at which a bucket is asked over TLS, and what comes before its objects' paths there.

    The certificate is for one label before S3's own name: a bucket with dots in its name goes into the path.
    """
    bucket, _, rest = origin.domain_name.partition(f".s3.{origin.region}.")
    if "." in bucket:
        return f"s3.{origin.region}.{rest}", f"/{bucket}"
    return origin.domain_name, ""


def signed(method: str, path: str, origin: S3Origin, request_id: str = "") -> dict[str, str]:
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
