"""Sites as a test writes them down, and what a path of them gets in one line."""

from collections.abc import Callable, Iterable
from hashlib import sha256

from edge_handler.website.listing import File, Options, RedirectRule
from edge_handler.website.resolution import Missing, Moved, Serve, resolve

TYPES = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}


def files(*paths: str) -> dict[str, File]:
    """What is below `/assets/` has a hash in its name."""
    return {
        path: File(
            sha256(path.encode()).hexdigest(),
            TYPES.get(path.rpartition(".")[2], "application/octet-stream"),
            path.startswith("/assets/"),
            1,
        )
        for path in paths
    }


def rules(text: str) -> tuple[RedirectRule, ...]:
    """Read lines of a `_redirects` that are as they should be."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        source, destination, *rest = line.split()
        status = rest[0] if rest else "302"
        found.append(RedirectRule(source, destination, int(status.rstrip("!")), status.endswith("!")))
    return tuple(found)


def ask(
    path: str,
    paths: Iterable[str],
    redirects: str | Iterable[RedirectRule] = "",
    *,
    query: str = "",
    fallback: str = "",
    elsewhere: Callable[[str], Serve | None] = lambda path: None,
) -> str:
    redirects = rules(redirects) if isinstance(redirects, str) else tuple(redirects)
    options = Options(fallback, redirects)
    return said(resolve(path, query, files(*paths).get, options, elsewhere))


def said(found: Serve | Moved | Missing) -> str:
    if isinstance(found, Serve):
        assert found.file.blob == sha256(found.path.encode()).hexdigest()
        return f"{found.status} {found.path} {found.cache}"
    if isinstance(found, Moved):
        assert found.cache == "P"
        return f"{found.status} -> {found.location}"
    return "404 asset" if found.asset else "404"
