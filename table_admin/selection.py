"""Which routes of a listing are wanted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from edge_handler.routes.attributes import Item
from edge_handler.routes.route import Route
from table_admin.errors import InvalidInput
from table_admin.rule_targets import targets_of
from table_admin.tables import Page, cursor_at

_READS = 10
"""So many reads of a megabyte one page may take; it may be a short one then."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a listing's routes have to be. What is None does not matter; texts are compared without case."""

    name: str | None = None
    """Part of the domain, or with `*` or `?` a pattern of the whole, e.g. `web-*.example.com`."""
    target: str | None = None
    """Part of the target, or of a rule's, or a pattern of the whole, e.g. `s3://acme-*`."""
    expires_before: int | None = None
    """Epoch seconds; what never expires is not wanted then."""

    def __post_init__(self) -> None:
        """Refuse an empty text: it is more likely a variable that is not set than a wish for everything."""
        if "" in (self.name, self.target):
            raise InvalidInput("A filter by name or target is not empty; leave it out for all routes.")

    def __bool__(self) -> bool:
        """Tell whether anything is left out."""
        return (self.name, self.target, self.expires_before) != (None, None, None)

    def wants(self, route: Route) -> bool:
        """Tell whether a route is wanted."""
        if self.expires_before is not None and (route.expires_at is None or route.expires_at >= self.expires_before):
            return False
        return matches(self.name, route.domain) and any(matches(self.target, target) for target in targets_of(route))


def selected_page(
    read: Callable[[str | None], Page[Item]],
    where: Selection,
    limit: int | None,
    cursor: str | None,
    keys: Sequence[str],
    decoded: Callable[[Item], Iterable[Route]],
) -> Page[Route]:
    """Return the first routes from `cursor` on that are wanted; the page ends at the last of them."""
    found: list[Route] = []
    for _ in range(_READS):
        page = read(cursor)
        for item in page.items:
            found += filter(where.wants, decoded(item))
            if len(found) == limit:
                return Page(tuple(found), cursor_at(item, *keys))
        cursor = page.cursor
        if cursor is None:
            break
    return Page(tuple(found), cursor)


def matches(wanted: str | None, text: str) -> bool:
    """Tell whether a text has a part, or fits a pattern; None wants everything."""
    if wanted is None:
        return True
    wanted, text = wanted.lower(), text.lower()
    return fits(text, wanted) if set(wanted) & {"*", "?"} else wanted in text


def fits(text: str, pattern: str) -> bool:
    """Tell whether a text is as a pattern with `*` and `?` says; a [ is no pattern's here, as it is for fnmatch."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))
