"""Who may ask the console, and over what it writes."""

from collections.abc import Mapping, Set
from http import HTTPStatus

# A page of another site can send a form here, but no header of its own making.
CONSOLE_HEADER = "x-table-admin"
_DATA = ("/api/", "/search", "/config")


def refusal(hosts: Set[str], method: str, path: str, headers: Mapping[str, str]) -> tuple[HTTPStatus, str] | None:
    """Return why a request is refused, None where it is not. `hosts` are the console's names, without ports."""
    host, reads = headers.get("host", ""), method in ("GET", "HEAD")
    if host not in hosts and host.rpartition(":")[0] not in hosts:
        return HTTPStatus.MISDIRECTED_REQUEST, "Ask the console by its own name."
    foreign = foreign_page(host, headers.get("origin"), headers.get("sec-fetch-site"), "the console")
    # A link to the console may be anywhere: the page itself is for whoever follows one.
    if foreign and (path.startswith(_DATA) or not reads):
        return HTTPStatus.FORBIDDEN, foreign
    if not path.startswith("/api/"):
        return None if reads else (HTTPStatus.METHOD_NOT_ALLOWED, "The page is read only; the API is under /api.")
    if CONSOLE_HEADER not in headers:
        return HTTPStatus.FORBIDDEN, f"The console's requests carry {CONSOLE_HEADER}."
    if not (reads or {"if-match", "if-none-match"} & headers.keys()):
        return HTTPStatus.PRECONDITION_REQUIRED, "The console writes only over what was seen: say If-Match."
    return None


def foreign_page(host: str, origin: str | None, fetch_site: str | None, asked: str) -> str | None:
    """Return why a page of another origin is refused, None where it is `asked`'s own, or no page.

    It says so in `Origin`, or in `Sec-Fetch-Site` where a browser sends no `Origin`: an image, a link.
    """
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return f"A page of {origin[:100]!r} may not ask {asked}."
    if fetch_site not in (None, "none", "same-origin"):
        return f"A page of another site may not ask {asked}."
    return None
