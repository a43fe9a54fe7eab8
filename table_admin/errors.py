"""What can go wrong, in sentences that say what to do."""


class TableAdminError(Exception):
    """Base of everything this package raises on purpose."""

    pattern = ""
    """Of the rule that it is about, in the form that rows have; empty where it is about none."""
    part = ""
    """`canary` or `standby`, where it is about that."""


class InvalidInput(TableAdminError):
    """What the caller gave cannot be used; nothing was asked or written."""


class TargetRefused(TableAdminError):
    """The target is well-formed, but no viewer could be served from it."""


class NotFound(TableAdminError):
    """There is no such route."""


class RevisionConflict(TableAdminError):
    """Somebody else wrote the domain first; nothing was written. `revision` is what it was lost to.

    `given`: the caller named the revision to write over, so planning again is no use.
    """

    def __init__(self, domain: str, revision: int, *, given: bool = False) -> None:
        super().__init__(
            f"{domain} was changed by somebody else, to revision {revision}; nothing was written. "
            "Look at it (table-admin get) and try again."
        )
        self.domain = domain
        self.revision = revision
        self.given = given


class Overtaken(TableAdminError):
    """What viewers get of a domain was changed by somebody else since the caller began; nothing was written."""


class NoFeed(TableAdminError):
    """The stack was made before it had an index of what is written."""
