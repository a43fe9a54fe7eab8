"""What `_redirects` and `_headers` have in common: their lines, patterns of paths, complaints that name the line."""

import re
from collections.abc import Iterator
from typing import NoReturn
from unicodedata import normalize
from urllib.parse import unquote

from edge_handler.errors import MalformedPath
from edge_handler.website.paths import MAX_KEY_BYTES, decode_path
from table_admin.errors import InvalidInput

MAX_BYTES = 1024 * 1024
PLACEHOLDER = re.compile(r":([A-Za-z]\w*)", re.ASCII)
_SHOWN = 10
_SEGMENT_PLACEHOLDER = re.compile(r":[A-Za-z]\w*", re.ASCII)
_CONTROL = re.compile("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


class WrongLine(Exception):
    """Why a line cannot be used."""


def text_of(name: str, content: bytes) -> str:
    """Return the text of a file of rules. Raises InvalidInput: it is too large, or no UTF-8."""
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"{name} is larger than {MAX_BYTES:,} bytes.")
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", content[: error.start])) + 1
        raise InvalidInput(f"{name}, line {line}: it is not UTF-8; save the file as UTF-8.") from None


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, without what surrounds them; the first is number 1."""
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        said = line.strip(" \t")
        if said and not said.startswith("#"):
            yield number, said


def check_characters(line: str) -> None:
    """Refuse what nobody sees. Raises WrongLine."""
    found = _CONTROL.search(line)
    if found:
        raise WrongLine(f"it has the character U+{ord(found[0]):04X}, which cannot be meant.")


def refuse(name: str, wrong: list[tuple[int, str]]) -> NoReturn:
    """Raise InvalidInput with what is wrong in which line."""
    wrong = sorted(wrong)
    shown = [f"{name}, line {number}: {why}" for number, why in wrong[:_SHOWN]]
    if len(wrong) > _SHOWN:
        shown.append(f"{name}: {len(wrong) - _SHOWN} more lines cannot be used.")
    raise InvalidInput("\n".join(shown))


def check_pattern(pattern: str) -> frozenset[str]:
    """Return the names that a pattern of paths gives to what it matches.

    Raises:
        WrongLine: it is no pattern, or one that no request could match.
    """
    if re.match("(?:https?:)?//", pattern):
        raise WrongLine("rules are for the site's own paths, not for hosts; begin with one slash.")
    if not pattern.startswith("/"):
        raise WrongLine(f"{short(pattern)} is no path; a path begins with a slash.")
    for character, why in (("?", "a query"), ("#", "a fragment"), ("\\", "a backslash")):
        if character in pattern:
            raise WrongLine(f"{short(pattern)} has {why}; a rule is chosen by the path alone.")
    if "//" in pattern:
        raise WrongLine(f"{short(pattern)} has an empty segment; requests with one are sent to the path without it.")
    try:
        path = decode_path(pattern)
    except MalformedPath as error:
        raise WrongLine(f"no request is answered for {short(pattern)}: {error}.") from None
    if "\0" in path or len(path.encode()) > MAX_KEY_BYTES:
        raise WrongLine(f"no request is answered for {short(pattern)}: it is too long or has a zero byte.")
    return _names(pattern)


def _names(pattern: str) -> frozenset[str]:
    names = []
    if pattern.count("*") > 1:
        raise WrongLine(f"{short(pattern)} has more than one *.")
    for segment in pattern.split("/"):
        if _SEGMENT_PLACEHOLDER.fullmatch(segment):
            names.append(segment[1:])
        elif PLACEHOLDER.search(segment):
            raise WrongLine(f"in {short(pattern)} a placeholder is less than a segment; write %3A for a colon.")
    if "*" in pattern:
        names.append("splat")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise WrongLine(f"{short(pattern)} has :{twice[0]} twice; * is :splat.")
    return frozenset(names)


def is_pattern(source: str) -> bool:
    """Tell whether a source matches more than one path."""
    return "*" in source or PLACEHOLDER.search(source) is not None


def meaning(pattern: str) -> str:
    """Return a text that patterns of the same paths share, whatever they call their segments."""
    return normalize("NFC", unquote(_SEGMENT_PLACEHOLDER.sub("\0", pattern)))


def matcher(pattern: str) -> re.Pattern[str]:
    """Return what matches the decoded paths of a pattern, with what it calls their parts."""
    parts = re.split(r"(\*|:[A-Za-z]\w*)", pattern, flags=re.ASCII)
    found = [re.escape(normalize("NFC", unquote(part))) for part in parts]
    found[1::2] = ["(?P<splat>.*)" if part == "*" else f"(?P<{part[1:]}>[^/]+)" for part in parts[1::2]]
    return re.compile("".join(found), re.DOTALL)


def short(text: str) -> str:
    """Return a text as a message names it."""
    return text if len(text) <= 60 else f"{text[:57]}..."
