"""origin-response: on an origin's answer, before it is cached. Keeps to itself what is nobody else's business."""

from typing import Any

from edge_handler.answers import LIFETIME, Request, Result, answer, give, header, missing, of_a_site, with_headers
from edge_handler.log import count, log_exception
from edge_handler.routes.kind import APPLICATION, HEADER, SITE, decode_kind

# What S3 and Google's storage say about themselves and their objects: metadata, versions, encryption, request ids.
# An application's headers are its own.
_OF_A_BUCKET = ("x-amz", "x-goog-", "x-guploader-")
# What of S3's goes on with a blob. Not last-modified: at a rollback it would go back, and browsers would not ask.
_OF_A_BLOB = frozenset(("accept-ranges", "content-length", "content-range", "date", "etag", "transfer-encoding", "via"))
# A page of an error is nothing to have a part of, nor to ask again about: S3 would answer with its own 304.
_OF_A_WHOLE = ("accept-ranges", "content-range", "etag", "last-modified", "expires")
_READ_ONLY = ("transfer-encoding", "via")
_NOT_FOR_EVERYBODY = ("private", "no-store", "no-cache")

Given = list[list[str]]
"""Headers by lower-case name; an empty value takes one away."""


def handler(event: dict[str, Any], _context: object) -> Result:
    """Return the response that CloudFront goes on with; a 304 is one, too."""
    response: Result | None = None
    try:
        cf = event["Records"][0]["cf"]
        response = cf["response"]
        told = header(cf["request"], HEADER)
        kind, status, given = decode_kind(told) if told else (APPLICATION, 200, [])
        if kind != APPLICATION:
            return _of_a_website(cf["request"], response, (kind, status, given), cf["config"]["requestId"])
        _say(response, given)
        _keep_private(response["headers"])
    except Exception as error:
        log_exception("origin-response failed", error)
        if not isinstance(response, dict) or "status" not in response:
            return answer(502, "the request could not be handled", "unknown")
    return response


def _of_a_website(request: Request, response: Result, told: tuple[str, int, Given], request_id: str) -> Result:
    """Return a bucket's answer with the status and the headers that origin-request decided on, or a page about it."""
    kind, status, given = told
    headers, got = response["headers"], response["status"]
    for name in [name for name in headers if not _goes_on(name, kind)]:
        del headers[name]
    if status == 200 and got in ("412", "416"):
        # Between the viewer and the file; what S3 has to say about it is XML.
        return _instead(request, response, {"status": got, "headers": {}, "body": "", "bodyEncoding": "text"})
    if got not in ("200", "206", "304") or (got == "304" and status != 200):
        page = with_headers(_page(request, kind, status, got, request_id), given)
        return _instead(request, response, page)
    for name, value in given:
        give(headers, name, value)
    if status != 200:
        response["status"], response["statusDescription"] = str(status), "Not Found"
        for name in _OF_A_WHOLE:
            headers.pop(name, None)
    return response


def _goes_on(name: str, kind: str) -> bool:
    return name in _OF_A_BLOB if kind == SITE else not name.startswith(_OF_A_BUCKET) and name != "server"


def _page(request: Request, kind: str, status: int, got: str, request_id: str) -> Result:
    """Return what a viewer sees in place of a bucket's error, which names keys and prefixes."""
    uri = request["uri"]
    if status == 404 and got in ("304", "412"):
        # The viewer's condition held S3 back from sending the site's own page; nobody else is to get this one.
        return missing(uri, request_id, extra_headers={"cache-control": "no-store"})
    if got in ("403", "404"):
        if kind != SITE:
            return missing(uri, request_id)
        count("MissingBlobs", "a file that a deployment lists is not in its bucket", key=uri, request_id=request_id)
        return of_a_site(502, "a file of this page is not there", uri, request_id)
    if got >= "500":
        return of_a_site(503, "the storage does not answer", uri, request_id, extra_headers={"retry-after": "1"})
    return answer(502, "the storage does not take the request", request_id)


def _instead(request: Request, response: Result, made: Result) -> Result:
    """Return a made answer with what may not be taken off the origin's."""
    headers = {name: response["headers"][name] for name in _READ_ONLY if name in response["headers"]}
    if made["status"] == "416" and "content-range" in response["headers"]:
        headers["content-range"] = response["headers"]["content-range"]
    result = {"statusDescription": response.get("statusDescription", ""), **made, "headers": made["headers"] | headers}
    if request["method"] == "HEAD":
        for name in ("body", "bodyEncoding"):
            result.pop(name, None)
    return result


def _say(response: Result, given: Given) -> None:
    """Give an application's answer its route's headers.

    An error is kept for no longer than the application says, nor is an answer with a cookie, nor one that is private:
    they are somebody's own.
    """
    headers = response["headers"]
    keeps_own = response["status"] >= "400" or "set-cookie" in headers or _is_private(_cache(headers))
    for name, value in given:
        if not (keeps_own and name in LIFETIME) or _is_private(value):
            give(headers, name, value)


def _keep_private(headers: dict[str, Any]) -> None:
    """Forbid that CloudFront gives a private answer to whoever asks while the application fails; it may otherwise.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
    """
    said = _cache(headers)
    if _is_private(said) and "stale-if-error" not in said:
        headers["cache-control"][-1]["value"] += ", stale-if-error=0"


def _cache(headers: dict[str, Any]) -> str:
    return ",".join(pair["value"] for pair in headers.get("cache-control", ())).lower()


def _is_private(said: str) -> bool:
    return any(word in said.lower() for word in _NOT_FOR_EVERYBODY)
