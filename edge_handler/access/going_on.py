"""Where somebody is sent on to who was answered on a path of the edge's own."""

import re
from urllib.parse import unquote

from edge_handler.access.pages import RESERVED

# No second slash or backslash: browsers take what follows for another host.
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def going_on(query: str) -> str | None:
    """Return what `to` says of a query string: a path of this host, whatever a viewer was sent here with."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        to = unquote(value) if name == "to" else ""
        if _PATH.fullmatch(to) and not to.startswith(RESERVED):
            return to
    return None
