"""Second targets as people write them, and as their writers handle them: a canary's, and a standby.

They are written as a rule's is, `keep-host:` before one included. In documents `canary` is null or has `target`,
`weight` and `cookie`; `standby` is null or a target, and `failed_over` tells whether viewers get it now.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge_handler.access.session import COOKIE as SESSION_COOKIE
from edge_handler.access.session import SIDE_COOKIE
from edge_handler.routes.canary import MAX_WEIGHT, NEW, Canary, is_cookie_name
from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.route import Route, Standby
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.policies import NONE
from table_admin.rule_targets import KEEP_HOST, RuleTarget, bare_target, parse_rule_target
from table_admin.targets import TargetResolver, same_target

if TYPE_CHECKING:
    from table_admin.changes import Put


def parse_canary(said: Mapping[str, Any] | str | None, bucket: str = "") -> Mapping[str, Any] | str | None:
    """Return what is said of a canary, checked: NONE ends it, None says nothing. Raises InvalidInput."""
    if said is None or said == NONE:
        return said
    if not isinstance(said, Mapping) or not {*said} <= {"target", "weight", "cookie"}:
        raise InvalidInput("A canary has target, weight and cookie; or none ends it.")
    found = dict(said)
    if "target" in found:
        found["target"] = parse_second_target(found["target"], bucket)
    # YAML's numbers come as text.
    weight = str(found.get("weight", 0))
    if not (weight.isascii() and weight.isdigit() and len(weight) < 4 and int(weight) <= MAX_WEIGHT):
        raise InvalidInput(f"The weight of a canary is a whole number of per cent, 0 to {MAX_WEIGHT}.")
    if "weight" in found:
        found["weight"] = int(weight)
    cookie = found.get("cookie") or ""
    if cookie and not is_cookie_name(cookie):
        raise InvalidInput(f"{cookie[:60]!r} is no name of a cookie.")
    if cookie in (SIDE_COOKIE, SESSION_COOKIE):
        raise InvalidInput(f"{cookie} is the edge's own cookie; name one that the application sets.")
    if "cookie" in found:
        found["cookie"] = cookie
    return found


def parse_second_target(text: str, bucket: str = "") -> str:
    """Return a target as rows have it; /prefix is one of `bucket`. Raises InvalidInput."""
    found = parse_rule_target(text, bucket)
    if found.strip_prefix:
        raise InvalidInput("strip: is for a rule, which has a prefix.")
    return str(found)


def parse_standby(said: str | None, bucket: str = "") -> str | None:
    """Return what is said of a standby, see `planned_standby`. Raises InvalidInput."""
    return said if said in (None, NONE) else parse_second_target(str(said), bucket)


def planned_canary(
    before: Canary | None, said: Mapping[str, Any] | str | None, origin: Answering, resolver: TargetResolver
) -> Canary | None:
    """Return a row's canary with what is said of it; none where it is the row's own target by now.

    Args:
        before: what it has.
        said: see `parse_canary`.
        origin: of the row's own target.
        resolver: of targets.

    Raises:
        InvalidInput, TargetRefused: it cannot be.
    """
    if said == NONE:
        return None
    canary = before
    if isinstance(said, Mapping):
        if before is None and not {"target", "weight"} <= {*said}:
            raise wrong("canary", "A canary begins with a target and a weight.")
        canary = _canary(before, said, resolver)
        if canary.origin == origin:
            raise wrong("canary", "That is what all viewers get already: a canary needs another target.")
    if canary is None or canary.origin == origin:
        return None
    if isinstance(origin, Redirect):
        raise wrong(
            "canary", "A domain that is redirected has no canary. Where one goes on, end it: table-admin canary abort."
        )
    return canary


def _canary(before: Canary | None, said: Mapping[str, Any], resolver: TargetResolver) -> Canary:
    if before is None or "target" in said:
        origin = _resolved(said["target"], resolver, "canary")
        if isinstance(origin, Redirect):
            raise wrong("canary", "A canary is a site or a service, no redirect.")
        generation = before.generation if before is not None and before.origin == origin else NEW
        since = before.since if before is not None else NEW
        before = Canary(origin, before.weight if before else 0, since, generation, before.cookie if before else "")
    return before._replace(**said)


def wrong(part: str, text: str) -> InvalidInput:
    """Return an error that is about a canary or a standby: a file's says the line."""
    error = InvalidInput(text)
    error.part = part
    return error


def planned_standby(before: Standby | None, said: str | None, resolver: TargetResolver) -> Standby | None:
    """Return a row's standby with what is said of it: a target, NONE, or nothing. Raises as `planned_canary` does."""
    if said is None or said == NONE:
        return before if said is None else None
    failed_over = before is not None and before.failed_over
    return Standby(said, _resolved(said, resolver, "standby"), failed_over)


def _resolved(text: str, resolver: TargetResolver, part: str) -> Answering:
    wanted = parse_rule_target(text)
    try:
        return resolver.resolve(wanted.target, keep_host=wanted.keep_host)
    except TableAdminError as error:
        found = type(error)(f"The {part}: {error}")
        found.part = part
        raise found from error


def served_first(wanted: "Put", before: Route | None) -> "Put":
    """Return what is wanted in terms of who is served: while a domain is failed over, its target is the other.

    Whoever puts a domain then says where it leads once it is well, and takes no viewer off the standby; or that it
    shall stay where it is. Raises InvalidInput where the standby shall go meanwhile.
    """
    standby = before.standby if before is not None else None
    if wanted.failed_over is not None or before is None or standby is None or not standby.failed_over:
        return replace(wanted, standby=wanted.standby or NONE) if wanted.declared else wanted
    if same_target(wanted.target, before.target):
        return replace(wanted, standby=wanted.standby or (NONE if wanted.declared else None), failed_over=False)
    if wanted.declared:
        wanted = replace(wanted, standby=None, canary=None)
    if wanted.standby == NONE:
        raise InvalidInput(f"{wanted.domain} is failed over to its standby: table-admin fail-back goes first.")
    keeps = wanted.keep_host if wanted.keep_host is not None else standby.target.startswith(KEEP_HOST)
    primary = RuleTarget(wanted.target, keep_host=bool(keeps) and wanted.target.startswith("https://"))
    serving = parse_rule_target(wanted.standby or written_target(before.target, before.origin))
    # Said of an https target, also that it does not keep the host: the row's word is not asked then.
    keep_host = serving.keep_host or (False if serving.target.startswith("https://") else None)
    return replace(wanted, target=serving.target, keep_host=keep_host, standby=str(primary), failed_over=True)


def written_target(target: str, origin: Answering) -> str:
    """Return a row's own target as it is written for a second one."""
    keeps = isinstance(origin, CustomOrigin) and origin.host_header == "viewer" and target.startswith("https://")
    return str(RuleTarget(target, keep_host=keeps))


def swapped(route: Route, standby: Standby) -> Route:
    """Return a route with its standby's target for its own, and the other way round; a canary ends with that."""
    target, origin, failed_over = standby
    other = Standby(written_target(route.target, route.origin), route.origin, not failed_over)
    return route._replace(target=bare_target(target), origin=origin, standby=other, canary=None)


def aside(before: Route | None, after: Route | None) -> str:
    """Return what people should know of a write beside what they asked for; empty where that is nothing."""
    if before is None or after is None:
        return ""
    said, standby = [], after.standby
    if is_failed_over(before) != is_failed_over(after):
        said.append("it is failed over to its standby" if is_failed_over(after) else _back(before, after))
    elif standby is not None and standby.failed_over and before.standby != standby:
        said.append(f"it is failed over, and leads to {standby.target} after fail-back")
    if before.canary is not None and after.canary is None and before.canary.origin != after.origin:
        said.append(f"its canary {before.canary.target} ended")
    return "; ".join(said)


def _back(before: Route, after: Route) -> str:
    return "it is failed back" if after.origin != before.origin else "it stays where it was failed over to"


def is_failed_over(route: Route | None) -> bool:
    """Tell whether viewers get a route's standby."""
    return route is not None and route.standby is not None and route.standby.failed_over


def lasting_origin(route: Route) -> Answering:
    """Return where a route leads when it is not failed over."""
    standby = route.standby
    return standby.origin if standby is not None and standby.failed_over else route.origin


def asked_canary(canary: Canary | None) -> Canary | None:
    """Return what people ask for by a canary: not since when."""
    return canary and canary._replace(since=NEW, generation=NEW)


def renewed_canary(canary: Canary | None, current: Canary | None) -> Canary | None:
    """Return a canary of another time for now: what is going on stays what it is."""
    if canary is None or current is None:
        return asked_canary(canary)
    generation = current.generation if current.origin == canary.origin else NEW
    return canary._replace(since=current.since, generation=generation)


def second_targets_document(route: Route | None) -> dict[str, Any]:
    """Return the fields as documents have them, each of them."""
    canary, standby = (route.canary, route.standby) if route is not None else (None, None)
    return {
        "canary": None
        if canary is None
        else {"target": canary.target, "weight": canary.weight, "cookie": canary.cookie},
        "standby": standby.target if standby is not None else None,
        "failed_over": is_failed_over(route),
    }
