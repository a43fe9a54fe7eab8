"""Which headers of a response somebody may set or remove."""

import re

from table_admin.deployments.rule_lines import WrongLine, short

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# What CloudFront keeps from functions (Restrictions on all edge functions), a response to the last.
_CLOUDFRONTS = frozenset(
    [
        *("connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("trailer", "transfer-encoding", "upgrade", "via", "warning", "x-accel-buffering", "x-accel-charset"),
        *("x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth", "x-amzn-cf-billing", "x-amzn-cf-id"),
        *("x-amzn-cf-xff", "x-amzn-errortype", "x-amzn-fle-profile", "x-amzn-header-count", "x-amzn-header-order"),
        *("x-amzn-lambda-integration-tag", "x-amzn-requestid", "x-cache", "x-forwarded-proto", "x-real-ip"),
    ]
)
_BEGINNINGS = ("x-edge-", "x-amz-", "x-route-")
# What an answer says of itself, and would say wrongly.
_OF_THE_ANSWER = frozenset(
    ["accept-ranges", "age", "content-length", "content-range", "date", "etag", "last-modified", "location", "server"]
)
_REASONS = {
    "set-cookie": "the answer is kept and given to everybody, the cookie with it",
    "set-cookie2": "the answer is kept and given to everybody, the cookie with it",
    "basic-auth": "there is no protection by a password here, and a page that looks protected would not be",
}


def header_name(written: str) -> str:
    """Return a header's name in lower case. Raises WrongLine where it is none, or not one to be said here."""
    name = written.lower()
    if not _TOKEN.fullmatch(name):
        raise WrongLine(f"{short(written)!r} is no header's name.")
    if name in _REASONS:
        raise WrongLine(f"{written} cannot be used: {_REASONS[name]}.")
    if name in _CLOUDFRONTS or name.startswith(_BEGINNINGS):
        raise WrongLine(f"{short(written)} is CloudFront's; an answer with it would be refused.")
    if name in _OF_THE_ANSWER:
        raise WrongLine(f"{short(written)} is said by who answers, and cannot be set or removed.")
    return name
