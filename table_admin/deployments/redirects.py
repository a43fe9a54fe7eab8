"""`_redirects`: Netlify's and Cloudflare's syntax. Every line is a rule, a comment, or refused with its number."""

import re

from edge_handler.errors import MalformedPath
from edge_handler.website.listing import RedirectRule
from edge_handler.website.resolution import site_path
from table_admin.deployments.redirect_loops import loops
from table_admin.deployments.rule_lines import (
    PLACEHOLDER,
    WrongLine,
    check_characters,
    is_pattern,
    meaning,
    names_in,
    numbered,
    path_of,
    refuse,
    short,
)

NAME = "_redirects"
MAX_EXACT = 10_000
MAX_PATTERNS = 500
_STATUSES = (200, 301, 302, 303, 307, 308, 404)
_STATUS = re.compile(r"([0-9]{3})(!?)")
_HOST = re.compile(r"https?://([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?(?=[/?#]|\Z)", re.ASCII)
_MAX_DESTINATION_BYTES = 2048


def parse_redirects(text: str) -> list[tuple[int, RedirectRule]]:
    """Return each rule with its line.

    Raises:
        InvalidInput: with what is wrong in which line.
    """
    rules: list[tuple[int, RedirectRule]] = []
    wrong: list[tuple[int, str]] = []
    line_of: dict[str, int] = {}
    for number, line in numbered(text):
        try:
            rule = _rule(line)
            _check_new(rule, number, line_of)
        except WrongLine as error:
            wrong.append((number, str(error)))
        else:
            rules.append((number, rule))
    wrong += _too_many(rules)
    if not wrong:
        wrong = loops(rules)
    if wrong:
        refuse(NAME, wrong)
    return rules


def _rule(line: str) -> RedirectRule:
    check_characters(line)
    words = line.split()
    comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
    written, *rest = words[:comment]
    source = path_of(written)
    names = names_in(source)
    if source in ("/_redirects", "/_headers"):
        raise WrongLine(f"{source} does not exist for viewers, whatever a rule says.")
    if not rest or _STATUS.fullmatch(rest[0]):
        raise WrongLine(f"it does not say where {short(source)} leads; write: {short(source)} /to 301.")
    destination, *rest = rest
    if not destination.startswith(("/", "http://", "https://")):
        _refuse_condition(destination)
        raise WrongLine(f"{short(destination)} is no destination; it begins with a slash or with https://.")
    status, force = _status(rest)
    _check_destination(destination, status, names)
    if source == "/*" and 300 <= status < 400 and destination in ("/", "/index.html", "/200.html"):
        raise WrongLine(
            "it would send every script and picture to one page; write 200 for a page that answers instead."
        )
    if 300 <= status < 400 and _is_itself(source, re.split("[?#]", destination, maxsplit=1)[0]):
        raise WrongLine(
            f"{short(source)} would be sent to itself; with or without a slash at the end viewers come to the file "
            "without a rule: remove the line."
        )
    return RedirectRule(source, destination, status, force)


def _is_itself(source: str, destination: str) -> bool:
    """Tell whether a path leads to itself, or to itself with another slash: the site's own redirect would lead back."""
    return destination.rstrip("/") == source.replace("*", ":splat").rstrip("/")


def _status(words: list[str]) -> tuple[int, bool]:
    for word in words:
        _refuse_condition(word)
    if not words:
        return 302, False
    found = _STATUS.fullmatch(words[0])
    if not found or int(found[1]) not in _STATUSES:
        allowed = ", ".join(map(str, _STATUSES))
        raise WrongLine(f"{short(words[0])} is no status; of {allowed} one is written, 302 where there is none.")
    if len(words) > 1:
        raise WrongLine(f"{short(words[1])} is more than a rule has: from, to, status.")
    return int(found[1]), bool(found[2])


def _refuse_condition(word: str) -> None:
    name, equals, _ = word.partition("=")
    if equals:
        raise WrongLine(
            f"{short(word)} is a condition; an answer is kept for everybody, so it depends on the path alone, "
            f"not on {'the query' if name.islower() else name[:20]}."
        )


def _check_destination(destination: str, status: int, names: frozenset[str]) -> None:
    if len(destination.encode()) > _MAX_DESTINATION_BYTES:
        raise WrongLine(f"the destination is longer than {_MAX_DESTINATION_BYTES:,} bytes.")
    path = destination if destination.startswith("/") else _after_host(destination, status)
    if "\\" in destination or path.startswith("//"):
        raise WrongLine(f"browsers read {short(destination)} as another host; begin with one slash, write %5C for \\.")
    if "*" in path:
        raise WrongLine("what * matched is :splat in a destination; write %2A for an asterisk.")
    if destination.startswith("/"):
        _check_reachable(re.split("[?#]", path, maxsplit=1)[0])
    unknown = [name for name in PLACEHOLDER.findall(path) if name not in names]
    if unknown:
        raise WrongLine(f":{unknown[0][:40]} is not in the rule's path; write %3A for a colon.")
    if status in (200, 404):
        _check_page(path)


def _check_reachable(path: str) -> None:
    """Refuse what the edge answers with 400, or what browsers change before they ask: no rule would be met again."""
    try:
        site_path(path)
    except MalformedPath as error:
        raise WrongLine(f"{short(path)} is no destination: {error}.") from None


def _after_host(destination: str, status: int) -> str:
    if status in (200, 404):
        raise WrongLine(f"{status} answers with a file of the site, not with another server's; write 301 or 302.")
    host = _HOST.match(destination)
    if not host:
        raise WrongLine(f"{short(destination)} has no fixed host; placeholders are for the path.")
    return destination[host.end() :]


def _check_page(path: str) -> None:
    if "?" in path or "#" in path:
        raise WrongLine(f"{short(path)} is to be a file, which has neither query nor fragment.")
    if path.startswith("/.netlify/"):
        raise WrongLine("there are no functions here; point a route of its own at the server that has them.")


def _check_new(rule: RedirectRule, number: int, line_of: dict[str, int]) -> None:
    before = line_of.setdefault(meaning(rule.source), number)
    if before != number:
        raise WrongLine(f"it never applies: line {before} is for {short(rule.source)} already.")


def _too_many(rules: list[tuple[int, RedirectRule]]) -> list[tuple[int, str]]:
    wrong = []
    for pattern, most, what in ((False, MAX_EXACT, "exact paths"), (True, MAX_PATTERNS, "* or placeholders")):
        lines = [number for number, rule in rules if is_pattern(rule.source) == pattern]
        if len(lines) > most:
            wrong.append((lines[most], f"it is the first of more than {most:,} rules with {what}."))
    return wrong
