"""Who may ask the embedded AWS: programs of this machine, no page of a browser's."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from table_admin.web.guard import foreign_page

_NAMES = ("localhost", "host.docker.internal")
"""The second is what a container calls this machine, `sam local`'s for one."""
_ENDINGS = (".localhost", ".amazonaws.com")


def refusal(environ: Mapping[str, Any]) -> str | None:
    """Return why a request (a WSGI environment) is refused, None where it is not.

    A page whose own name was made to lead here (DNS rebinding) asks for that name in `Host`.
    """
    host = environ.get("HTTP_HOST", "")
    if not _is_ours(host):
        return f"This is the embedded AWS of make run, and not {host[:100]!r}."
    origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE")
    return foreign_page(host, origin, site, "the embedded AWS of make run")


def _is_ours(host: str) -> bool:
    """Return whether nobody else can make a name lead here: an address is no name, and AWS's are AWS's."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.lower().rstrip(".")
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name in _NAMES or name.endswith(_ENDINGS)
    return True
