"""What holds for a whole deployment: its rules, its fallback, where a query string can matter."""

from collections.abc import Collection, Iterable
from unicodedata import normalize
from urllib.parse import unquote

from edge_handler.website.listing import HeaderRule, Options, RedirectRule
from edge_handler.website.rules import headers_for, match
from table_admin.deployments import headers, redirects
from table_admin.deployments.content_types import is_page
from table_admin.deployments.rule_lines import PLACEHOLDER, refuse, short, text_of
from table_admin.errors import InvalidInput

INDEX, FALLBACK, MISSING = "/index.html", "/200.html", "/404.html"
MAX_HEADER_BYTES = 4096
"""Of one answer: from origin-request to origin-response they are one header of a request to S3, which takes 8 KB."""


def options_of(
    redirect_lines: bytes, header_lines: bytes, paths: Collection[str], *, spa: bool
) -> tuple[Options, tuple[str, ...]]:
    """Return a deployment's options, and what whoever deploys should know of them.

    Args:
        redirect_lines: what is in `_redirects`.
        header_lines: what is in `_headers`.
        paths: of the site's files.
        spa: the fallback is asked for.

    Raises:
        InvalidInput: with what is wrong in which line.
    """
    rules = redirects.parse_redirects(text_of(redirects.NAME, redirect_lines))
    blocks = headers.parse_headers(text_of(headers.NAME, header_lines))
    _check_pages(rules, paths)
    _check_sizes(blocks, paths)
    wanted = [rule.destination for _, rule in rules if _is_fallback(rule)]
    fallback, notes = _fallback(wanted, paths, spa=spa)
    kept = tuple(rule for _, rule in rules if not _is_fallback(rule))
    written = tuple(block for _, block in blocks)
    return Options(fallback, kept, written, _query(kept, paths), headers.cors_of([*written])), notes


def _is_fallback(rule: RedirectRule) -> bool:
    return (rule.source, rule.status, rule.force) == ("/*", 200, False) and _page(rule.destination) in (INDEX, FALLBACK)


def _page(destination: str) -> str:
    return {"/": INDEX, "/index": INDEX, "/200": FALLBACK}.get(destination, destination)


def _check_pages(rules: list[tuple[int, RedirectRule]], paths: Collection[str]) -> None:
    """Refuse pages that are not there; what depends on the request is seen when it comes."""
    wrong = []
    for number, rule in rules:
        if rule.status in (200, 404) and not PLACEHOLDER.search(rule.destination):
            to = normalize("NFC", unquote(rule.destination))
            names = (to + INDEX[1:], f"{to[:-1]}.html") if to.endswith("/") else (to, f"{to}.html", to + INDEX)
            if not any(name in paths for name in names):
                wrong.append((number, f"there is no file for {short(rule.destination)}."))
    if wrong:
        refuse(redirects.NAME, wrong)


def _check_sizes(blocks: list[tuple[int, HeaderRule]], paths: Collection[str]) -> None:
    """Refuse more headers for one file than an answer can have."""
    rules = [rule for _, rule in blocks]
    if _size(pair for rule in rules for pair in rule.set) <= MAX_HEADER_BYTES:
        return
    for path in sorted(paths):
        for asked in {path, path.removesuffix(INDEX[1:]), path.removesuffix(".html")}:
            if _size(headers_for(asked, rules)) > MAX_HEADER_BYTES:
                last = max(number for number, rule in blocks if match(rule.pattern, asked) is not None)
                why = f"with it {short(asked)} has more than {MAX_HEADER_BYTES:,} bytes of headers."
                refuse(headers.NAME, [(last, why)])


def _size(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(len(name) + len(value) + 8 for name, value in pairs)


def _fallback(wanted: list[str], paths: Collection[str], *, spa: bool) -> tuple[str, tuple[str, ...]]:
    best = next((page for page in (FALLBACK, INDEX) if page in paths), "")
    if spa and not best:
        raise InvalidInput("--spa answers with 200.html or index.html, and there is neither.")
    if wanted:
        return _page(wanted[0]), ()
    if spa:
        return best, ()
    if {path for path in paths if is_page(path)} - {FALLBACK} == {INDEX}:
        return best, (f"index.html is the only page, so {best[1:]} answers paths that are not there, with status 200.",)
    if FALLBACK in paths:
        return "", ("200.html does not answer paths that are not there, for there are other pages; --spa makes it.",)
    return "", ()


def _query(rules: tuple[RedirectRule, ...], paths: Collection[str]) -> str:
    """Return where a query can change what is answered: a page in the place of another one takes none."""
    if any(300 <= rule.status < 400 for rule in rules):
        return "all"
    pages = (path.rpartition("/")[2] for path in paths if path.endswith(".html"))
    return "pages" if any(f"/{page}" not in (INDEX, FALLBACK, MISSING) for page in pages) else "files"
