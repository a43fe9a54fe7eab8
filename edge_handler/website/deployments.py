"""What a path of a deployment gets, and with which headers."""

import time

from cachetools import TTLCache

from edge_handler.errors import BrokenListing, BrokenRow, StorageUnreachable, TableUnreachable
from edge_handler.log import log
from edge_handler.routes.destination import Destination
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.resolver import Table
from edge_handler.routes.stamp import Stamp
from edge_handler.routes.wildcards import candidates
from edge_handler.website.lists import Lists
from edge_handler.website.resolution import CACHE, Missing, Moved, Serve, resolve, site_path
from edge_handler.website.rules import headers_for

# For all that has to be read for one page. More than for a question: without its list a site has no answer at all.
SECONDS = 0.9
_ROW_SECONDS = 0.4
# How often the table is asked about a host whose pages name files that its deployment does not have.
_ROW_EVERY_SECONDS = 5
_GONE_SECONDS = 10

Headers = list[tuple[str, str]]


class Deployments:
    """Deployments as an instance knows them."""

    def __init__(self, lists: Lists, table: Table | None) -> None:
        """`table` is asked for what a row names besides a request's stamp; without it there is nothing."""
        self._lists = lists
        self._table = table
        self._rows: TTLCache[str, Destination | None] = TTLCache(1_000, _ROW_EVERY_SECONDS)

    def look_up(
        self, stamp: Stamp, origin: DeploymentOrigin, uri: str, query: str, seconds: float
    ) -> tuple[Serve | Moved | Missing, Headers]:
        """Return what a path gets, and the headers of the answer, within some seconds.

        Raises:
            MalformedPath: see `resolve`.
            StorageUnreachable: a list that has to be known cannot be read.
        """
        deadline = time.monotonic() + min(seconds, SECONDS)
        site = self._lists.site(origin, origin.deployment, deadline)
        if site is None:
            log("ERROR", "a deployment's list is gone", domain=stamp.host, deployment=origin.deployment)
            raise StorageUnreachable("the site's list is gone", _GONE_SECONDS)

        def elsewhere(path: str) -> Serve | None:
            return self._in_former(stamp, origin, path, deadline) or self._in_row(stamp, origin, path, deadline)

        try:
            found = resolve(uri, query, site.find, site.options, elsewhere)
        except BrokenListing as error:
            log("ERROR", "a deployment's list is broken", domain=stamp.host, error=str(error))
            raise StorageUnreachable("the site's list is broken", _GONE_SECONDS) from error
        headers = [("cache-control", CACHE["N" if isinstance(found, Missing) else found.cache])]
        own = headers_for(site_path(uri), site.options.headers)
        if isinstance(found, Moved):
            headers.append(("location", found.location))
        if not isinstance(found, Serve):
            # Who may read the answer has to be told of a redirect and of an error, too; the rest is for files.
            headers += [pair for pair in own if pair[0] == "access-control-allow-origin"]
        else:
            if not found.lasts:
                # What is not there, or not yet everywhere, is kept for as long as we say.
                own = [pair for pair in own if pair[0] != "cache-control"]
            headers = [*dict([*headers, ("content-type", found.file.content_type), *own]).items()]
        return found, headers

    def _in_former(self, stamp: Stamp, origin: DeploymentOrigin, path: str, deadline: float) -> Serve | None:
        for deployment in stamp.former:
            site = self._lists.site(origin, deployment, deadline)
            if site is not None and (file := site.find(path)):
                return Serve(200, file, "I" if file.immutable else "N", path)
        return None

    def _in_row(self, stamp: Stamp, origin: DeploymentOrigin, path: str, deadline: float) -> Serve | None:
        """Look in what the row names by now: another instance, or region, may know it already.

        And in its canary: a page may be of that side, when its viewer is on the other since.
        """
        if stamp.host not in self._rows:
            self._rows[stamp.host] = self._row(stamp.host, deadline)
        row = self._rows[stamp.host]
        if row is None:
            return None
        newer = row.origin if row.generation > stamp.generation else None
        for named in (newer, row.canary and row.canary.origin):
            if not isinstance(named, DeploymentOrigin) or named.domain_name != origin.domain_name:
                continue
            site = self._lists.site(named, named.deployment, deadline)
            if site is not None and (file := site.find(path)):
                return Serve(200, file, "X", path)
        return None

    def _row(self, host: str, deadline: float) -> Destination | None:
        seconds = min(_ROW_SECONDS, deadline - time.monotonic())
        if self._table is None or seconds <= 0:
            return None
        try:
            rows = self._table.read(candidates(host), seconds)
        except TableUnreachable:
            return None
        row = next((rows[domain] for domain in candidates(host) if domain in rows), None)
        if row is None or isinstance(row, BrokenRow):
            return None
        return None if row.expires_at is not None and time.time() >= row.expires_at else row
