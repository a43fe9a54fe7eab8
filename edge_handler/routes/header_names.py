"""Which headers of a response a row may speak of. One list for the edge and its writer, which says why."""

import re

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
# What CloudFront keeps from functions, a response to the last (Restrictions on all edge functions): it answers 502.
CLOUDFRONTS = frozenset(
    [
        *("connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("trailer", "transfer-encoding", "upgrade", "via", "warning", "x-accel-buffering", "x-accel-charset"),
        *("x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth", "x-amzn-cf-billing", "x-amzn-cf-id"),
        *("x-amzn-cf-xff", "x-amzn-errortype", "x-amzn-fle-profile", "x-amzn-header-count", "x-amzn-header-order"),
        *("x-amzn-lambda-integration-tag", "x-amzn-requestid", "x-cache", "x-forwarded-proto", "x-real-ip"),
    ]
)
CLOUDFRONTS_BEGINNINGS = ("x-edge-", "x-amz-", "x-route-")
# What an answer says of itself, and would say wrongly.
OF_THE_ANSWER = frozenset(
    ["accept-ranges", "age", "content-length", "content-range", "date", "etag", "last-modified", "location", "server"]
)
# An answer is kept and given to everybody, its cookies with it.
COOKIES = frozenset(["set-cookie", "set-cookie2"])
_NEVER = CLOUDFRONTS | OF_THE_ANSWER | COOKIES


def is_name(name: str) -> bool:
    """Tell whether a header may be called so, in lower case."""
    return _TOKEN.fullmatch(name) is not None


def is_settable(name: str) -> bool:
    """Tell whether a row may set or remove a header, by its name in lower case."""
    return is_name(name) and name not in _NEVER and not name.startswith(CLOUDFRONTS_BEGINNINGS)
