"""What `_redirects` and `_headers` have in common: their lines, patterns of paths, complaints that name the line."""

import re
from collections.abc import Iterator
from typing import NoReturn
from unicodedata import normalize

from edge_handler.errors import MalformedPath
from edge_handler.paths import decode_path
from edge_handler.website.paths import MAX_KEY_BYTES
from table_admin.errors import InvalidInput

MAX_BYTES = 1024 * 1024
PLACEHOLDER = re.compile(r":([A-Za-z]\w*)", re.ASCII)
_SHOWN = 10
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


def path_of(written: str) -> str:
    """Return a pattern of paths as the edge compares it: decoded, in Unicode's form C.

    Raises:
        WrongLine: it is no pattern, or one that no request could match.
    """
    if re.match("(?:https?:)?//", written):
        raise WrongLine("rules are for the site's own paths, not for hosts; begin with one slash.")
    if not written.startswith("/"):
        raise WrongLine(f"{short(written)} is no path; a path begins with a slash.")
    for character, why in (("?", "a query"), ("#", "a fragment"), ("\\", "a backslash")):
        if character in written:
            raise WrongLine(f"{short(written)} has {why}; a rule is chosen by the path alone.")
    try:
        path = normalize("NFC", decode_path(written))
    except MalformedPath as error:
        raise WrongLine(f"no request is answered for {short(written)}: {error}.") from None
    if "//" in path:
        raise WrongLine(f"{short(written)} has an empty segment; requests with one are sent to the path without it.")
    if "\0" in path or len(path.encode()) > MAX_KEY_BYTES:
        raise WrongLine(f"no request is answered for {short(written)}: it is too long or has a zero byte.")
    if path.count("*") > written.count("*") or len(PLACEHOLDER.findall(path)) > len(PLACEHOLDER.findall(written)):
        raise WrongLine(f"{short(written)} has an encoded * or :, which would count as if it were not encoded.")
    return path


def names_in(pattern: str) -> frozenset[str]:
    """Return the names that a pattern gives to what it matches. Raises WrongLine: a name is there twice."""
    if pattern.count("*") > 1:
        raise WrongLine(f"{short(pattern)} has more than one *.")
    if any(len(PLACEHOLDER.findall(segment)) > 1 for segment in pattern.split("/")):
        raise WrongLine(f"{short(pattern)} has two placeholders in one segment.")
    names = PLACEHOLDER.findall(pattern) + ["splat"] * pattern.count("*")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise WrongLine(f"{short(pattern)} has :{short(twice[0])} twice; * is :splat.")
    return frozenset(names)


def is_pattern(source: str) -> bool:
    """Tell whether a source matches more than one path."""
    return "*" in source or PLACEHOLDER.search(source) is not None


def meaning(pattern: str) -> str:
    """Return a text that patterns of the same paths share, whatever they call their segments."""
    return PLACEHOLDER.sub(":a", pattern)


def short(text: str) -> str:
    """Return a text as a message names it."""
    return text if len(text) <= 60 else f"{text[:57]}..."
