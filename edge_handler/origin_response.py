"""origin-response: on an origin's answer, before it is cached. Keeps to itself what is nobody else's business."""

from typing import Any

from edge_handler.answers import Result, answer, header
from edge_handler.log import log_exception
from edge_handler.routes.kind import HEADER, WEBSITE

# What S3 and Google's storage say about themselves and their objects: metadata, versions, encryption, request ids.
# An application's headers are its own.
_OF_A_BUCKET = ("x-amz", "x-goog-", "x-guploader-")
_NOT_FOR_EVERYBODY = ("private", "no-store", "no-cache")


def handler(event: dict[str, Any], _context: object) -> Result:
    """Return the response that CloudFront goes on with; a 304 is one, too."""
    response: Result | None = None
    try:
        cf = event["Records"][0]["cf"]
        response = cf["response"]
        headers = response["headers"]
        if header(cf["request"], HEADER) == WEBSITE:
            for name in [name for name in headers if name.startswith(_OF_A_BUCKET) or name == "server"]:
                del headers[name]
        else:
            _keep_private(headers)
    except Exception as error:
        log_exception("origin-response failed", error)
        if not isinstance(response, dict) or "status" not in response:
            return answer(502, "the request could not be handled", "unknown")
    return response


def _keep_private(headers: dict[str, Any]) -> None:
    """Forbid that CloudFront gives a private answer to whoever asks while the application fails; it may otherwise.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
    """
    values = headers.get("cache-control")
    if not values:
        return
    said = ",".join(pair["value"] for pair in values).lower()
    if "stale-if-error" not in said and any(word in said for word in _NOT_FOR_EVERYBODY):
        values[-1]["value"] += ", stale-if-error=0"
