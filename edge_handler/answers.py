"""The answers the edge gives by itself: small pages for browsers, JSON for clients that ask for it."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Request = dict[str, Any]
"""`Records[0].cf.request` of a Lambda@Edge event."""
Result = dict[str, Any]
"""A request to go on with, or a generated response."""
Handler = Callable[[dict[str, Any], object], Result]
"""A Lambda function: event and context to result."""

_STATUS = {
    400: ("Bad Request", "This address cannot be read", "Check the URL for typing errors."),
    404: ("Not Found", "No environment lives here", "It may not have been created yet, or it was removed."),
    405: ("Method Not Allowed", "This is a static site", "It answers GET and HEAD only."),
    410: ("Gone", "This environment has expired", "Whoever created it can bring it back with a new expiry."),
    502: ("Bad Gateway", "This environment's route is broken", "The platform team can mend its row."),
    503: ("Service Unavailable", "The routing table does not answer", "Please try again in a moment."),
}
_OF_A_SITE = {
    404: ("Not Found", "This page does not exist", "Check the URL for typing errors."),
    502: ("Bad Gateway", "A file of this site is missing", "The platform team can bring it back."),
    503: ("Service Unavailable", "This site cannot be read right now", "Please try again in a moment."),
}
_REDIRECTS = {
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
}
NOINDEX = {"x-robots-tag": "noindex"}
"""Has search engines keep away, of what is no page too."""
LIFETIME = ("cache-control", "expires")
"""What says for how long an answer is kept."""
# Of an answer that is made here: whoever says otherwise would say it of what is somewhere else.
_OF_WHAT_IS_MADE = frozenset(
    (
        *LIFETIME,
        *("content-disposition", "content-encoding", "content-language", "content-type", "retry-after", "x-request-id"),
    )
)
MISSING = "public, max-age=0, must-revalidate, s-maxage=60"
"""The Cache-Control of what a site does not have: for a minute it need not be asked again."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{status} {title}</title><style>
:root{{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}}
body{{display:grid;place-items:center;min-height:100vh;margin:0;background:light-dark(#f6f7f9,#14171c);
color:light-dark(#1d232b,#e6e9ee)}}
main{{max-width:34rem;padding:2rem;margin:1rem;border-radius:1rem;background:light-dark(#fff,#1d222a);
box-shadow:0 1px 3px #0003}}
b{{color:light-dark(#b4232a,#ff8a80);font-size:.875rem;letter-spacing:.08em}}
h1{{font-size:1.5rem;line-height:1.2;margin:.25rem 0 1rem}}
code{{overflow-wrap:anywhere}}small{{color:light-dark(#5b6572,#9aa4b2)}}
</style></head><body><main><b>{status} {phrase}</b><h1>{title}</h1>
{host}<p>{reason}. {advice}</p>{more}<small>Request {request_id}</small></main></body></html>
"""


def answer(
    status: int,
    reason: str,
    request_id: str,
    host: str = "",
    accept: str = "",
    extra_headers: dict[str, str] | None = None,
    *,
    site: bool = False,
    said: tuple[str, str, str] | None = None,
    more: str = "",
) -> Result:
    """Return a generated response that says `reason`: a page, or JSON where `accept` asks for that and not for a page.

    Args:
        status: one of 400, 404, 405, 410, 502 and 503, or any together with `said`.
        reason: for the viewer: nothing of what is behind.
        request_id: what CloudFront calls the request.
        host: as the viewer wrote it.
        accept: of the request; given only where the answer is not cached, for it is not in the cache key.
        extra_headers: by lower-case name.
        site: it is about what an environment has, not about the environment: 404, 502 and 503 only.
        said: phrase, title and advice, where those here are not what is to be said.
        more: HTML for the page's end.
    """
    phrase, title, advice = said or (_OF_A_SITE if site else _STATUS)[status]
    host = host[:253]
    if _prefers_json(accept):
        content_type = "application/json"
        body = json.dumps(
            {"status": status, "title": title, "detail": reason, "host": host, "request_id": request_id},
        )
    else:
        content_type = "text/html; charset=utf-8"
        body = _PAGE.format(
            status=status,
            phrase=phrase,
            title=title,
            advice=advice,
            host=f"<p><code>{_escape(host)}</code></p>\n" if host else "",
            reason=_escape(reason[:1].upper() + reason[1:500]),
            more=more,
            request_id=_escape(request_id),
        )
    headers = {
        "content-type": content_type,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-request-id": request_id,
        **NOINDEX,
        **(extra_headers or {}),
    }
    return {
        "status": str(status),
        "statusDescription": phrase,
        "headers": {name: [{"key": name, "value": value}] for name, value in headers.items()},
        "body": body,
        "bodyEncoding": "text",
    }


def of_a_site(
    status: int, reason: str, path: str, request_id: str, host: str = "", extra_headers: dict[str, str] | None = None
) -> Result:
    """Return an answer about what a site has; JSON only for a `path` that ends so, for Accept is not in the key."""
    accept = "application/json" if path.endswith(".json") else ""
    return answer(status, reason, request_id, host, accept, extra_headers, site=True)


def missing(path: str, request_id: str, host: str = "", extra_headers: dict[str, str] | None = None) -> Result:
    """Return the 404 of a site that has no page for it."""
    headers = {"cache-control": MISSING, **(extra_headers or {})}
    return of_a_site(404, "the site has nothing at this address", path, request_id, host, headers)


def redirect(status: int, headers: dict[str, str]) -> Result:
    """Return a redirect; `headers` by lower-case name, `location` among them."""
    return {
        "status": str(status),
        "statusDescription": _REDIRECTS[status],
        "headers": {name: [{"key": name, "value": value}] for name, value in headers.items()},
    }


def with_headers(result: Result, headers: Iterable[Sequence[str]]) -> Result:
    """Give a generated response a route's headers: an empty value takes one away; how long it lasts is no route's."""
    for name, value in headers:
        if name not in _OF_WHAT_IS_MADE:
            give(result["headers"], name, value)
    return result


def give(headers: dict[str, Any], name: str, value: str) -> None:
    """Give a response's header one value, or take it away where that is empty."""
    if value:
        headers[name] = [{"key": name, "value": value}]
    else:
        headers.pop(name, None)


def preflight(origin: str, asked_headers: str) -> Result:
    """Return what a browser is told that asks whether another origin's page may read from here."""
    headers = {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, HEAD",
        "access-control-max-age": "7200",
        "cache-control": "no-store",
    }
    if asked_headers:
        headers["access-control-allow-headers"] = asked_headers
    return no_content(headers)


def no_content(headers: dict[str, str]) -> Result:
    """Return an answer that has headers only, by lower-case name."""
    return {
        "status": "204",
        "statusDescription": "No Content",
        "headers": {name: [{"key": name, "value": value}] for name, value in headers.items()},
    }


def _escape(text: str) -> str:
    """Return text as it stands in HTML. Not html.escape: its module brings the table of all entities along."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def header(request: Request, name: str) -> str:
    """Return the first value of a request's header, empty where there is none."""
    try:
        return str(request["headers"][name][0]["value"])
    except (KeyError, IndexError, TypeError):
        return ""


def _prefers_json(accept: str) -> bool:
    """Tell whether a client asks for JSON and not for a page; `*/*` alone is not asking."""
    accept = accept.lower()
    return ("application/json" in accept or "+json" in accept) and "text/html" not in accept
