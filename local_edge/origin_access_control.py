"""Origin access control: how CloudFront signs for the distribution's own bucket. By botocore, not by our own signer."""

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
