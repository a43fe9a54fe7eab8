"""Who gets an answer and what goes with it, in words for people."""

from collections.abc import Iterator
from typing import Any

from edge_handler.routes.policy import Policy, is_noindex
from edge_handler.routes.route import Route

TAKEN_AWAY = "(taken away)"


def badges(route: Route | None) -> list[str]:
    """Return a word for each thing that a route says of it, as a listing has room for."""
    policy = route.policy if route is not None else None
    if policy is None:
        return []
    found = ["private"] * bool(policy.private) + ["allow"] * bool(policy.allow)
    found += ["maintenance"] * bool(policy.maintenance)
    found += [] if policy.noindex is None else ["noindex" if policy.noindex else "index"]
    return found + ["headers"] * bool(policy.headers)


def route_words(route: Route) -> dict[str, str]:
    """Return what is to be known of a route's policy, by field; several lines of headers."""
    policy = route.policy or Policy()
    maintenance = policy.maintenance
    return {
        "private": f"since revision {policy.private}" if policy.private else "no",
        "allow": ", ".join(policy.allow) or "everybody",
        "noindex": noindex_words(route),
        "headers": "\n".join(f"{name}: {value or TAKEN_AWAY}" for name, value in policy.headers),
        "maintenance": f"since revision {maintenance.since}; {_page(*maintenance[1:])}" if maintenance else "no",
    }


def explained(route: Route) -> dict[str, str]:
    """Return a line for each thing that is not as with a route that says nothing: `who` gets an answer, and so on."""
    policy = route.policy or Policy()
    found = {}
    who = [f"those who come from {', '.join(policy.allow)}"] if policy.allow else []
    if policy.private:
        who.append(f"those with a session, private since revision {policy.private}: by a signed link, or the password")
    if who:
        found["who"] = f"only {' and of them '.join(who)}; others get 403"
    if policy.maintenance:
        page = _page(*policy.maintenance[1:])
        found["maintenance"] = f"since revision {policy.maintenance.since}: 503, {page}; a bypass link lets past it"
    if policy.noindex is not None or is_noindex(policy, route.expires_at):
        found["noindex"] = noindex_words(route)
    if policy.headers:
        found["headers"] = "; ".join(f"{name}: {value or TAKEN_AWAY}" for name, value in policy.headers)
    return found


def noindex_words(route: Route) -> str:
    """Return whether search engines are told to keep away, and why."""
    said = route.policy is not None and route.policy.noindex is not None
    why = "" if said else ", since it expires" if route.expires_at is not None else " (nothing is said)"
    return f"{'yes' if is_noindex(route.policy, route.expires_at) else 'no'}{why}"


def difference_words(name: str, before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Yield what is different in one of FIELDS as documents have it: what, before, after; of headers one by one."""
    if name != "headers":
        yield name, _words(name, before), _words(name, after)
        return
    for header in sorted({*(before or {}), *(after or {})}):
        one, other = ((values or {}).get(header) for values in (before, after))
        if one != other:
            yield f"header {header}", _header(one), _header(other)


def _words(name: str, value: Any) -> str:
    if name == "allow":
        return ", ".join(value or ()) or "everybody"
    if name == "noindex" and value is None:
        return "(as it expires or not)"
    if name == "maintenance":
        return _page(value["retry_after"], value["message"]) if value else "no"
    return "yes" if value else "no"


def _header(value: str | None) -> str:
    return "(none)" if value is None else value or TAKEN_AWAY


def _page(retry_after: int, message: str) -> str:
    return f"Retry-After {retry_after}" + (f", {message!r}" if message else "")
