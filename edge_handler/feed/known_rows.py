"""What is known of all rows: a snapshot's, and of each the newest that was announced since."""

from collections.abc import Mapping

from edge_handler.errors import BrokenRow
from edge_handler.feed.page import Change
from edge_handler.routes.destination import Destination
from edge_handler.snapshot.snapshot import UNSURE, Found, Snapshot, read_carried


class KnownRows:
    """Rows by domain. The higher revision counts, whoever says it: revisions never restart."""

    __slots__ = ("_changes", "_taken_at")

    def __init__(self, taken_at: str = "") -> None:
        """`taken_at`: of the snapshot that is followed from."""
        self._changes: dict[str, Change] = {}
        self._taken_at = taken_at

    def __len__(self) -> int:
        return len(self._changes)

    def __contains__(self, domain: str) -> bool:
        """Tell whether something was announced of a domain."""
        return domain in self._changes

    def announce(self, changes: Mapping[str, Change]) -> dict[str, Change]:
        """Take what was announced; return what is new of it."""
        news = {}
        for domain, change in changes.items():
            known = self._changes.get(domain)
            if known is None or known.revision < change.revision:
                news[domain] = self._changes[domain] = change
        return news

    def taken(self, at: str, before: str) -> None:
        """A snapshot was taken: what was announced before a time is in it."""
        self._taken_at = at
        self._changes = {domain: change for domain, change in self._changes.items() if change.announced_at >= before}

    def find(self, domain: str, snapshot: Snapshot | None) -> Found:
        """Return what is known of a domain."""
        found = UNSURE if snapshot is None else snapshot.find(domain)
        change = self._changes.get(domain)
        if change is None or (isinstance(found, Destination) and found.revision >= change.revision):
            return found  # with the same revision too: somebody may have changed it by hand since
        if change.text is None:
            return None
        return UNSURE if found is None and self._may_be_gone(change) else read_carried(domain, change.text)

    def newest(self, domain: str, row: Destination | BrokenRow | None) -> Destination | BrokenRow | None:
        """Return what is newer: a row as it was just read, or what was announced of it. A replica may be behind."""
        change = self._changes.get(domain)
        if change is None or (isinstance(row, Destination) and row.revision >= change.revision):
            return row
        if change.text is None or (row is None and self._may_be_gone(change)):
            return None
        carried = read_carried(domain, change.text)
        return row if isinstance(carried, str) else carried

    def _may_be_gone(self, change: Change) -> bool:
        """Tell whether a row may have been deleted since, and nobody told of it, where a snapshot has it no more."""
        return change.announced_at < self._taken_at
