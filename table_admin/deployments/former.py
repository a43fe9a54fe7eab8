"""What a domain had before: its pages are still open somewhere, and ask for files that the new ones have not."""

from edge_handler.routes.canary import Canary
from edge_handler.routes.destination import MAX_FORMER, Former
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.route import Route
from table_admin.changes import is_live, is_managed

FORMER_SECONDS = 7 * 86_400
"""A tab that is open for longer is thought to be loaded again."""


def former_of(before: Route | None, after: Route, now: float) -> tuple[Former, ...]:
    """Return the former deployments of `after`, which is written over `before`: the newest first.

    They are of the same bucket, for the edge reads them where it reads the new one; and of the same site, for a URL
    that another branch has by now, or that had expired, must not show what was somebody else's.
    """
    if before is None or not is_live(before, now) or not _is_same_site(before, after):
        return ()
    if not isinstance(after.origin, DeploymentOrigin):
        return ()
    left = _left(before, after, after.origin)
    same_bucket = isinstance(before.origin, DeploymentOrigin) and before.origin.domain_name == after.origin.domain_name
    older = before.former if same_bucket else ()
    if not left:
        return older  # whoever takes out what has run out gives the host new keys in the cache
    found = {one: Former(one, int(now) + FORMER_SECONDS) for one in left}
    for one in older:
        if one.until > now and one.deployment != after.origin.deployment:
            found.setdefault(one.deployment, one)
    return tuple(found.values())[:MAX_FORMER]


def _left(before: Route, after: Route, origin: DeploymentOrigin) -> list[str]:
    """Return the deployments of the new one's bucket that some viewers had, and by now have no more."""
    had = [before.origin]
    if before.canary is not None and _takes_viewers_off(before.canary, after.canary):
        had.append(before.canary.origin)
    return [
        one.deployment
        for one in had
        if isinstance(one, DeploymentOrigin) and one.domain_name == origin.domain_name
        if one.deployment != origin.deployment
    ]


def _takes_viewers_off(before: Canary, after: Canary | None) -> bool:
    """Tell whether somebody who was on a canary is not, by what it is afterwards."""
    if after is None or (after.origin, after.since, after.cookie) != (before.origin, before.since, before.cookie):
        return before.weight > 0
    return after.weight < before.weight


def _is_same_site(before: Route, after: Route) -> bool:
    if before.owner != after.owner:
        return False
    # Production is promoted from another environment with every release.
    return before.source == after.source or (_is_production(before) and _is_production(after))


def _is_production(route: Route) -> bool:
    return route.expires_at is None and not is_managed(route)
