"""Origin access control: how CloudFront signs for the distribution's own bucket. By botocore, not by our own signer."""

import re
from collections.abc import Mapping
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from yarl import URL

from local_edge.embedded_aws import CREDENTIALS


def signed_headers(method: str, url: URL, host: str, region: str) -> dict[str, str]:
    """Return the headers to add to a request of a bucket's object."""
    request = AWSRequest(method=method, url=str(url), headers={"host": host})
    request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    credentials = Credentials(CREDENTIALS["aws_access_key_id"], CREDENTIALS["aws_secret_access_key"])
    S3SigV4Auth(credentials, "s3", region).add_auth(request)
    return {name: value for name, value in request.headers.items() if name.lower() != "host"}


def refusal(kind: str, name: str, headers: Mapping[str, Any], *, own: bool) -> str | None:
    """Return why S3 would refuse a request whatever its policies say, None where it would not, or where it is not S3.

    Args:
        kind: of the origin, `s3` or `custom`.
        name: the origin's domain name.
        headers: as they arrive, in any case.
        own: origin access control is set for this bucket.
    """
    if kind == "s3":
        # https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_OriginAccessControlConfig.html
        return None if own else "origin access control overwrites the signature of what goes to an s3 origin"
    if re.search(r"(?:^|\.)s3\.[a-z0-9-]+\.amazonaws\.com", name) is None:
        return None
    found = re.search(r"SignedHeaders=([^,]+)", headers.get("authorization", ""))
    listed = found[1].split(";") if found else []
    unsigned = sorted(n.lower() for n in headers if n.lower().startswith("x-amz-") and n.lower() not in listed)
    return (
        f"there were headers present in the request which were not signed: {', '.join(unsigned)}" if unsigned else None
    )
