"""What a domain had before: its pages are still open somewhere, and ask for files that the new ones have not."""

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
    if not isinstance(after.origin, DeploymentOrigin) or not isinstance(before.origin, DeploymentOrigin):
        return ()
    if before.origin.domain_name != after.origin.domain_name:
        return ()
    if before.origin.deployment == after.origin.deployment:
        return before.former  # whoever takes out what has run out gives the host new keys in the cache
    had = (Former(before.origin.deployment, int(now) + FORMER_SECONDS), *before.former)
    kept = (one for one in had if one.until > now and one.deployment != after.origin.deployment)
    return tuple(kept)[:MAX_FORMER]


def _is_same_site(before: Route, after: Route) -> bool:
    if before.owner != after.owner:
        return False
    # Production is promoted from another environment with every release.
    return before.source == after.source or (_is_production(before) and _is_production(after))


def _is_production(route: Route) -> bool:
    return route.expires_at is None and not is_managed(route)
