"""AWS Signature Version 4, for the two calls the edge makes. botocore's signer is the reference in tests.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from typing import NamedTuple

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


class Credentials(NamedTuple):
    """As Lambda hands them to a function."""

    access_key: str
    secret_key: str
    token: str


def load_credentials(environ: Mapping[str, str] = os.environ) -> Credentials:
    """Read the credentials that the Lambda runtime put into the environment."""
    return Credentials(
        environ.get("AWS_ACCESS_KEY_ID", ""),
        environ.get("AWS_SECRET_ACCESS_KEY", ""),
        environ.get("AWS_SESSION_TOKEN", ""),
    )


class Signer:
    """Signs requests to one service in one region. Derives the day's key once."""

    __slots__ = ("_credentials", "_day", "_key", "_region", "_service")

    def __init__(self, service: str, region: str, credentials: Credentials) -> None:
        self._service = service
        self._region = region
        self._credentials = credentials
        self._day = ""
        self._key = b""

    def sign(
        self, method: str, path: str, headers: dict[str, str], payload_hash: str, now: float | None = None
    ) -> dict[str, str]:
        """Return `headers` with date, token and authorization added.

        Args:
            method: e.g. POST.
            path: percent-encoded as it is sent; no query string.
            headers: lower-case names, `host` among them; all are signed.
            payload_hash: SHA-256 of the body in hex, or UNSIGNED_PAYLOAD where the service allows it.
            now: epoch seconds.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        signed = {**headers, "x-amz-date": stamp}
        if self._credentials.token:
            signed["x-amz-security-token"] = self._credentials.token
        names = sorted(signed)
        canonical_headers = "".join(f"{name}:{signed[name]}\n" for name in names)
        signed_headers = ";".join(names)
        request = f"{method}\n{path}\n\n{canonical_headers}\n{signed_headers}\n{payload_hash}"
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._signing_key(stamp[:8]), to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.access_key}/{scope}, "
            f"SignedHeaders={signed_headers}, Signature={signature}"
        )
        return signed

    def _signing_key(self, day: str) -> bytes:
        if day != self._day:
            key = b"AWS4" + self._credentials.secret_key.encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._key = day, key
        return self._key
