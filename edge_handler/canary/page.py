"""The page of a host with a canary where a tester sees which side is theirs, and chooses one."""

import json
from typing import Literal
from urllib.parse import quote

from edge_handler.access.going_on import going_on
from edge_handler.access.session import SIDE_COOKIE, set_cookie
from edge_handler.answers import NOINDEX, Request, Result, answer, header, redirect
from edge_handler.canary.side import PAGE, Reason, choice, side_of
from edge_handler.routes.canary import CANARY, STABLE, Canary, Side

SECONDS = 12 * 3_600
"""How long a choice lasts."""
_Wanted = Side | Literal["none"]
NONE: _Wanted = "none"
_WHY: dict[Reason, str] = {
    "choice": "was chosen here",
    "cookie": "follows from the cookie {cookie}",
    "address": "follows from the address and the user agent",
}
_CHOICE = "Who chooses does so for this browser alone, and for 12 hours."
_SAID = {
    CANARY: ("OK", "You get the canary", _CHOICE),
    STABLE: ("OK", "You get the stable side", _CHOICE),
}
_LINKS = ((CANARY, "Get the canary"), (STABLE, "Get the stable side"), (NONE, "Be as any viewer"))


def testers_page(domain: str, canary: Canary, request: Request, request_id: str) -> Result:
    """Return what is answered at PAGE; `domain` is the row's."""
    host, accept = header(request, "host"), header(request, "accept")
    if request["method"] not in ("GET", "HEAD"):
        said, reason = ("Method Not Allowed", "This is a page", "It answers GET and HEAD only."), "it is for testers"
        return answer(405, reason, request_id, host, accept, {"allow": "GET, HEAD"}, said=said)
    to, wanted = going_on(request["querystring"]), _wanted(request["querystring"])
    if wanted is not None:
        return _chosen(wanted, canary, to)
    side, reason = side_of(domain, canary, request)
    why = f"this {_WHY[reason].format(cookie=canary.cookie)}; of a hundred viewers, {canary.weight} get the canary"
    more = "".join(f'<p><a href="{_link(name, to)}">{text}</a></p>\n' for name, text in _LINKS)
    result = answer(200, why, request_id, host, accept, said=_SAID[side], more=more)
    if header(result, "content-type") == "application/json":
        body = json.loads(result["body"])
        result["body"] = json.dumps({**body, "side": side, "reason": reason, "weight": canary.weight})
    return result


def _wanted(query: str) -> _Wanted | None:
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "side" and value in (CANARY, STABLE, NONE):
            return value
    return None


def _chosen(wanted: _Wanted, canary: Canary, to: str | None) -> Result:
    value, seconds = ("", 0) if wanted == "none" else (choice(wanted, canary), SECONDS)
    cookie = set_cookie(SIDE_COOKIE, value, seconds)
    headers = {"location": to or PAGE, "cache-control": "no-store", "set-cookie": cookie, **NOINDEX}
    return redirect(303, headers)


def _link(side: str, to: str | None) -> str:
    return f"{PAGE}?side={side}" + (f"&amp;to={quote(to)}" if to is not None else "")
