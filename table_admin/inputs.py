"""What people type: domains, durations, names."""

import re
import time
import unicodedata
from datetime import UTC, datetime

import idna

from edge_handler.errors import MalformedHost
from edge_handler.routes.host import MAX_LENGTH, normalise_host
from edge_handler.routes.wildcards import FEWEST_LABELS, MOST_LABELS
from table_admin.errors import InvalidInput

_DURATION = re.compile(r"([0-9]+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_DAYS = 3650
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DURATION_RULE = "write for example 90s, 30m, 12h, 7d or 2w"
LABEL_RULE = "lower-case letters, digits and dashes, at most 63 characters, e.g. env-42"
NOTE_CHARACTERS = 1000
# Control characters, halves of surrogate pairs, separators of lines and paragraphs.
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")
# Of the characters that only format, those that scripts and emoji are written with.
_JOINERS = "\u200c\u200d"
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def parse_domain(text: str) -> str:
    """Return a domain as the table is keyed by it: lower case, A-labels (IDNA 2008, as browsers do).

    It may be a wildcard, `*.example.com`, see `edge_handler.routes.wildcards`.

    Raises:
        InvalidInput: it is not a domain a viewer could ask for.
    """
    if text.startswith("*."):
        rest = parse_host(text[2:])
        if not FEWEST_LABELS <= rest.count(".") + 1 <= MOST_LABELS or len(rest) > MAX_LENGTH - 2:
            raise InvalidInput(
                f"{text[:80]}: after its * a wildcard has {FEWEST_LABELS} to {MOST_LABELS} labels, "
                "as *.example.com has."
            )
        return f"*.{rest}"
    return parse_host(text)


def parse_host(text: str) -> str:
    """Return a domain that is no wildcard, as `parse_domain` does. Raises InvalidInput."""
    if text.startswith("*."):
        raise InvalidInput(f"{text[:80]} is a wildcard; here it takes the name of one site.")
    try:
        ascii_text = text if text.isascii() else idna.encode(text, uts46=True).decode()
        domain = normalise_host(ascii_text)
    except (MalformedHost, idna.IDNAError) as error:
        raise InvalidInput(f"{text[:80]!r} is not a domain: {error}.") from error
    if ":" in text or "[" in text:
        raise InvalidInput(f"{text[:80]!r} is not a domain: give it without port and address literal.")
    return domain


def parse_duration(text: str) -> int:
    """Return seconds for `90s`, `30m`, `12h`, `7d` or `2w`. Raises InvalidInput."""
    match = _DURATION.fullmatch(text)
    if match is None:
        small = _DURATION.fullmatch(text.lower())
        rule = f"units are lower-case: {text.lower()[:40]}" if small else _DURATION_RULE
        raise InvalidInput(f"{text[:40]!r} is not a duration; {rule}.")
    number = match[1].lstrip("0")
    if not number:
        raise InvalidInput(f"{text[:40]!r} is no time at all; {_DURATION_RULE}.")
    seconds = int(number[:10]) * _SECONDS[match[2]]
    if len(number) > 10 or seconds > _LONGEST_DAYS * 86400:
        raise InvalidInput(f"{text[:40]!r} is too long; at most {_LONGEST_DAYS}d, which is ten years.")
    return seconds


def parse_environment(text: str) -> str:
    """Return a usable environment name. Raises InvalidInput."""
    if not _ENVIRONMENT.fullmatch(text):
        raise InvalidInput(f"{text[:40]!r} is not an environment's name; write {LABEL_RULE}.")
    return text


def parse_label(text: str) -> str:
    """Return a name that can be (part of) a DNS label, or an empty one. Raises InvalidInput."""
    if text and not _LABEL.fullmatch(text):
        raise InvalidInput(f"{text[:80]!r} is not a name that a URL can have; write {LABEL_RULE}.")
    return text


def parse_time(text: str) -> int:
    """Return epoch seconds of `2026-12-01`, `2026-12-01T08:00Z` or `...+01:00`; UTC where nothing is said.

    Raises:
        InvalidInput: it is no time.
    """
    try:
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text[:40]!r} is not a time; write 2026-12-01 or 2026-12-01T08:00Z.") from error


def parse_moment(text: str, now: float, *, ahead: bool = False) -> int:
    """Return epoch seconds of a time, or of a duration before `now`, after it if `ahead`. Raises InvalidInput."""
    if _DURATION.fullmatch(text.lower()):
        return int(now) + (parse_duration(text) if ahead else -parse_duration(text))
    try:
        return parse_time(text)
    except InvalidInput as error:
        raise InvalidInput(
            f"{text[:40]!r} is not a time or a duration; write for example 2026-12-01T08:00Z, 10m or 7d."
        ) from error


def parse_note(text: str) -> str:
    """Return any text as a note: one line, of at most NOTE_CHARACTERS; what is cut off is shown by an ellipsis."""
    note = " ".join(printable(text).split())
    return note if len(note) <= NOTE_CHARACTERS else f"{note[: NOTE_CHARACTERS - 1].rstrip()}\u2026"


def printable(text: str) -> str:
    """Return a text of which nothing moves a terminal's cursor, or turns the direction of what is around it."""
    if text.isprintable():
        return text
    shown = (" " if unicodedata.category(char) in _UNSHOWN else char for char in text)
    return "".join(char for char in shown if unicodedata.category(char) != "Cf" or char in _JOINERS)


def epoch_text(seconds: int | None) -> str:
    """Return epoch seconds as people read them, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds)) if seconds is not None else ""


def iso(seconds: float) -> str:
    """Return epoch seconds as ISO 8601, UTC, so that text sorts as time does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
