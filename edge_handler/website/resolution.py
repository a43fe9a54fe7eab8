"""What a path of a site gets: a file, a redirect or nothing. Pure: whoever asks says what files there are.

The order is docs/static-sites.md's; the first match wins. A redirect of ours is made only where its destination serves
the same file without another redirect, so that none leads to a second one, whatever the rules say.
"""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from edge_handler.errors import MalformedPath
from edge_handler.paths import collapse_slashes, composed, decode_path
from edge_handler.website.assets import is_asset
from edge_handler.website.listing import File, Options, RedirectRule
from edge_handler.website.paths import INDEX, MAX_KEY_BYTES
from edge_handler.website.rules import PATH_SAFE, Values, find_rule, location, target

CACHE = {
    "I": "public, max-age=31536000, immutable",
    "P": "public, max-age=0, must-revalidate, s-maxage=31536000",
    "N": "public, max-age=0, must-revalidate, s-maxage=60",
    "X": "no-store",
}
"""Cache-Control by class."""
_HTML = ".html"
_NOT_FILES = ("/_redirects", "/_headers")


class Serve(NamedTuple):
    """A file is the answer."""

    status: int
    file: File
    cache: str
    """A class of `CACHE`."""
    path: str
    """Of the file; the path that was asked for may be another."""

    @property
    def lasts(self) -> bool:
        """Whether the site may say for how long it is kept: it is what the path has, and everywhere by now."""
        return self.cache in ("I", "P")


class Moved(NamedTuple):
    """A redirect is the answer."""

    status: int
    location: str
    cache: str


class Missing(NamedTuple):
    """Nothing of the site is the answer."""

    path: str
    """As it was asked for, decoded."""
    asset: bool


class _Place(NamedTuple):
    path: str
    file: File
    address: str
    """The path under which the file is served."""


def resolve(
    path: str,
    query: str,
    find: Callable[[str], File | None],
    options: Options,
    elsewhere: Callable[[str], Serve | None],
) -> Serve | Moved | Missing:
    """Return what a path gets.

    Args:
        path: as CloudFront hands it over, percent-encoded.
        query: likewise, without a question mark.
        find: of a decoded path.
        options: of the deployment.
        elsewhere: asked for a decoded path that looks like an asset and is not in the deployment: a tab that is still
            open may have it from a former one, or already from the next.

    Raises:
        MalformedPath: it is not UTF-8, or has NUL, `.` or `..` in it.
    """
    asked = site_path(path)
    straight = collapse_slashes(asked)
    found = _Site(find, options).resolve(straight, query, elsewhere)
    if isinstance(found, _Place):
        # An encoded slash is one too, but not to the browser that resolves the page's relative links.
        if found.address != straight or straight != asked or "%2f" in path.lower():
            return Moved(308, location(quote(found.address, safe=PATH_SAFE), {}, query), "P")
        return Serve(200, found.file, "I" if found.file.immutable and found.path == straight else "P", found.path)
    return found


def site_path(uri: str) -> str:
    """Return the path of a uri as lists and rules have it: decoded once, in Unicode's form C.

    Raises:
        MalformedPath: see `resolve`.
    """
    path = decode_path(uri)
    if "\0" in path or not path.startswith("/"):
        raise MalformedPath(
            "the path has a NUL character" if "\0" in path else "the path has no slash at its beginning"
        )
    return composed(path)


class _Site:
    """A deployment's files and rules."""

    __slots__ = ("_find", "_options")

    def __init__(self, find: Callable[[str], File | None], options: Options) -> None:
        self._find = find
        self._options = options

    def resolve(
        self, path: str, query: str, elsewhere: Callable[[str], Serve | None]
    ) -> _Place | Serve | Moved | Missing:
        if len(path.encode()) > MAX_KEY_BYTES:
            return self._page_upwards(path, "")
        rule, values = self._rule(path)
        if rule is None:
            return self._locate(path) or self._without_file(path, path, None, elsewhere)
        if _is_redirect(rule):
            return Moved(rule.status, location(rule.destination, values, query), "P")
        aim = target(rule.destination, values)
        page = self._rewritten(aim, path)
        found = _not_found(page.path, page.file) if page and rule.status == 404 else page
        if not rule.force:
            return self._locate(path) or self._without_file(path, path, found, elsewhere)
        if rule.status == 404:
            return found or self._page_upwards(path, "")
        return found or self._without_file(path, aim, None, elsewhere)

    def _without_file(
        self, asked: str, path: str, remembered: _Place | Serve | None, elsewhere: Callable[[str], Serve | None]
    ) -> _Place | Serve | Missing:
        """Steps 9 to 12: `path` is no file, and a rule that gives way to files remembered something."""
        if is_asset(path):
            # A rule may say where a directory's files are; but a page never stands in for a script.
            if isinstance(remembered, _Place) and not remembered.file.content_type.startswith("text/html"):
                return remembered
            return elsewhere(path) or Missing(asked, True)
        return remembered or self._page_upwards(asked, self._options.fallback)

    def _page_upwards(self, path: str, fallback: str) -> _Place | Serve | Missing:
        """Return the nearest 404.html, upwards; before the topmost the page of a single-page application.

        Generators write a 404.html for those too, and it would leave nothing to the application.
        """
        directory = path.rpartition("/")[0]
        while True:
            if not directory and fallback and (file := self._file(fallback)):
                return _Place(fallback, file, path)
            page = f"{directory}/404.html"
            if file := self._file(page):
                return _not_found(page, file)
            if not directory:
                return Missing(path, False)
            directory = directory.rpartition("/")[0]

    def _locate(self, path: str) -> _Place | None:
        """Steps 5 to 8: return the file of a path, and where it is served."""
        if path.endswith("/"):
            return self._here(path + INDEX, path) or self._there(path[:-1] + _HTML, path[:-1])
        directory, _, name = path.rpartition("/")
        found = self._index(path, directory) if name in ("index", INDEX) else None
        if found is None and path.endswith(_HTML):
            bare = path.removesuffix(_HTML)
            found = self._there(path, bare) or self._here(path, path) or self._there(f"{bare}/{INDEX}", bare + "/")
        return (
            found
            or self._here(path, path)
            or self._here(path + _HTML, path)
            or self._there(f"{path}/{INDEX}", path + "/")
        )

    def _index(self, path: str, directory: str) -> _Place | None:
        """Step 6. A file that is there is never given up for another one."""
        if not path.endswith(_HTML) and (found := self._here(path, path)):
            return found
        if self._file(f"{directory}/{INDEX}"):
            return self._there(f"{directory}/{INDEX}", directory + "/")
        return self._there(directory + _HTML, directory)

    def _here(self, path: str, address: str) -> _Place | None:
        file = self._file(path)
        return _Place(path, file, address) if file else None

    def _there(self, path: str, address: str) -> _Place | None:
        """Return the file of `path`, if it is what `address` serves without a redirect."""
        found = self._here(path, address) if address else None
        return found if found and self._serves(address) == found else None

    def _serves(self, address: str) -> _Place | None:
        """Return what `address` serves from the list without a redirect, where no rule comes before that."""
        rule, _values = self._rule(address)
        return None if rule and (rule.force or _is_redirect(rule)) else self._locate(address)

    def _rewritten(self, path: str, address: str) -> _Place | None:
        """Return the file that a rule puts at `address`: nobody is redirected, so any of its addresses will do."""
        names = (path + INDEX, path[:-1] + _HTML) if path.endswith("/") else (path, path + _HTML, f"{path}/{INDEX}")
        return next(filter(None, (self._here(name, address) for name in names)), None) if path else None

    def _file(self, path: str) -> File | None:
        return None if path in _NOT_FILES or not path.startswith("/") else self._find(path)

    def _rule(self, path: str) -> tuple[RedirectRule | None, Values]:
        return find_rule(path, self._options.redirects) or (None, {})


def _not_found(path: str, file: File) -> Serve:
    return Serve(404, file, "N", path)


def _is_redirect(rule: RedirectRule) -> bool:
    return 300 <= rule.status < 400
