"""A target that is another address: viewer-request answers with a redirect, and nothing is behind it.

The destination is the row's, never the viewer's: what comes from the viewer goes after its host, or after the one
slash that a path of the same host begins with.
"""

import re
from typing import NamedTuple

from edge_handler.errors import BrokenRow
from edge_handler.paths import collapse_slashes
from edge_handler.routes.attributes import Item, integer, string
from edge_handler.routes.origin import Origin, is_origin_path

STATUSES = (301, 302, 307, 308)
CACHE = "public, max-age=0, must-revalidate"
"""Browsers would keep a 301 or 308 for ever, and the row may be given back."""
_MOST_PORT = 65_535
_BASE = re.compile(r"(?P<base>https?://[a-z0-9_.-]{1,253}(?::(?P<port>[0-9]{1,5}))?)?(?P<path>(?:/.*)?)", re.DOTALL)
# A backslash does not stand as it is: browsers take it for a slash.
_PATH_SAFE = "/-_.~!$&'()*+,;=:@%"
_QUERY_SAFE = _PATH_SAFE + "?[]{}|^`"


class Redirect(NamedTuple):
    """Where viewers are sent to."""

    location: str
    """`https://host[:port][/path]`, or `/path` on the same host; percent-encoded."""
    status: int

    @property
    def website(self) -> bool:
        """No files are behind it; see `CustomOrigin.website`."""
        return False


Answering = Origin | Redirect
"""What a row names for a path."""


def decode_redirect(item: Item) -> Redirect:
    """Read the `origin` attribute of a redirect. Raises BrokenRow."""
    found = Redirect(string(item, "location"), integer(item, "status", 1))
    if not is_location(found.location) or found.status not in STATUSES:
        raise BrokenRow(f"the redirect is to {found.location[:80]!r} with status {found.status}")
    return found


def encode_redirect(redirect: Redirect) -> dict[str, dict[str, str]]:
    """Write it."""
    return {"kind": {"S": "redirect"}, "location": {"S": redirect.location}, "status": {"N": str(redirect.status)}}


def is_location(text: str) -> bool:
    """Tell whether this is a location as `Redirect` has it."""
    found = _BASE.fullmatch(text)
    if found is None or not text or int(found["port"] or 0) > _MOST_PORT:
        return False
    return is_origin_path(found["path"].removesuffix("/"))


def location(redirect: Redirect, rest: str, query: str) -> str:
    """Return where a request is sent to.

    Args:
        redirect: what the row says.
        rest: what of the request's path goes after the row's, percent-encoded and with a slash first; or empty.
        query: likewise, without a question mark.
    """
    from urllib.parse import quote  # noqa: PLC0415  # what has no redirects starts without it

    to, path = redirect.location, quote(rest, safe=_PATH_SAFE)
    if path:
        # Without a slash it would go on with the host's name; and on the same host two would be another host.
        path = "/" + path.removeprefix("/")
        to = to.rstrip("/") + (collapse_slashes(path) if to.startswith("/") else path)
    elif to[0] != "/" and "/" not in to.partition("://")[2]:
        to += "/"
    return to + ("?" + quote(query, safe=_QUERY_SAFE) if query else "")
