"""What those see who get no answer, or have to say who they are."""

import hashlib
import json
from binascii import b2a_base64
from typing import NamedTuple
from urllib.parse import quote

from edge_handler.answers import Request, Result, answer, header

RESERVED = "/.well-known/edge-access/"
"""No path of the environment's, on hosts that do not answer everybody."""
LINK, PASSWORD = f"{RESERVED}link", f"{RESERVED}password"
_MOST_OF_TO = 1_000


class Page(NamedTuple):
    """What `answer` calls `said`, with its status."""

    status: int
    phrase: str
    title: str
    advice: str


CHECKING = Page(200, "OK", "One moment", "This page needs JavaScript.")
PASSWORD_ASKED = Page(401, "Unauthorized", "A name and a password, please", "Whoever shared this preview knows them.")
LINK_REFUSED = Page(401, "Unauthorized", "This link is no longer good", "Ask whoever shared it for a new one.")
PRIVATE = Page(403, "Forbidden", "This preview is private", "Ask whoever shared it for a link.")
NETWORK = Page(403, "Forbidden", "Not from this network", "Try again from one that may see this, or by its VPN.")
NO_PAGE = Page(404, "Not Found", "This page does not exist", "Check the URL for typing errors.")
TOO_MANY = Page(429, "Too Many Requests", "Too many attempts", "Please wait a little before the next.")
MAINTENANCE = Page(503, "Service Unavailable", "Back in a moment", "Please try again later.")
UNKNOWN = Page(503, "Service Unavailable", "Nobody can be let in right now", "Please try again in a moment.")

# The token is in the fragment, which no server gets and no log has; so a script hands it over. It goes on to a path of
# this host alone, as browsers understand it.
_TEXTS = json.dumps([[one.title, one.advice] for one in (LINK_REFUSED, UNKNOWN)])
_SCRIPT = (
    f"const TEXTS = {_TEXTS};"
    + """
const [token, path] = location.hash.slice(1).split(/&to=(.*)/s), say = (title, text) => {
  document.querySelector("h1").textContent = title; document.querySelector("main p:last-of-type").textContent = text;
};
let to = "/";
try {
  const url = new URL(path || "/", location.href);
  if (path && path[0] === "/" && url.origin === location.origin) to = url.href;
} catch {}
if (!token) say("This link is not whole", "Copy all of it, to its end.");
else fetch(location.pathname, {headers: {authorization: "Bearer " + token}, cache: "no-store"}).then(found => {
  if (found.status === 204) location.replace(to);
  else if (found.status === 401) say(...TEXTS[0]);
  else throw found;
}).catch(() => say(...TEXTS[1]));
"""
)
_HASH = b2a_base64(hashlib.sha256(_SCRIPT.encode()).digest(), newline=False).decode()
_CSP = (
    f"default-src 'none'; script-src 'sha256-{_HASH}'; connect-src 'self'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(
    said: Page, reason: str, request: Request, request_id: str, extra: dict[str, str] | None = None, more: str = ""
) -> Result:
    """Return an answer that nobody keeps or finds. See `answer`."""
    host, accept = header(request, "host"), header(request, "accept")
    return answer(said.status, reason, request_id, host, accept, extra, said=said[1:], more=more)


def checking(request: Request, request_id: str) -> Result:
    """Return the page that a link opens."""
    headers = {
        "content-security-policy": _CSP,
        "referrer-policy": "no-referrer",
    }
    host, more = header(request, "host"), f"<script>{_SCRIPT}</script>"
    return answer(CHECKING.status, "the link is looked at", request_id, host, "", headers, said=CHECKING[1:], more=more)


def private(request: Request, request_id: str) -> Result:
    """Return what those get who have no session."""
    query = request["querystring"]
    to = request["uri"] + (f"?{query}" if query else "")
    link = PASSWORD + (f"?to={quote(to)}" if len(to) <= _MOST_OF_TO else "")
    more = f'<p><a href="{link}">Sign in with a name and a password</a></p>\n'
    return page(PRIVATE, "it is for those who were given a link", request, request_id, more=more)
