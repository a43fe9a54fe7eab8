"""What a domain had before: its pages are still open somewhere, and ask for files that the new ones have not."""

from edge_handler.routes.origin import DeploymentOrigin, Origin
from edge_handler.routes.route import MAX_FORMER, Former, Route

FORMER_SECONDS = 7 * 86_400
"""A tab that is open for longer is thought to be loaded again."""


def former_of(before: Route | None, origin: Origin, now: float) -> tuple[Former, ...]:
    """Return the former deployments of a row that is written with `origin` over `before`: the newest first.

    They are of the same bucket, for the edge reads them where it reads the new one.
    """
    if before is None or not isinstance(origin, DeploymentOrigin) or not isinstance(before.origin, DeploymentOrigin):
        return ()
    if before.origin.domain_name != origin.domain_name:
        return ()
    if before.origin.deployment == origin.deployment:
        return before.former  # whoever takes out what has run out gives the host new keys in the cache
    had = (Former(before.origin.deployment, int(now) + FORMER_SECONDS), *before.former)
    kept = (one for one in had if one.until > now and one.deployment != origin.deployment)
    return tuple(kept)[:MAX_FORMER]
