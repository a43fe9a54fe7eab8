"""Paths as viewers write them: decoded once, none that leads out of where it is looked up, and one form to compare.

The form: percent-encoding is taken off once, a run of slashes is one slash, and Unicode is in form C. Letters keep
their case, and a slash at the end stays.
"""

import re

from edge_handler.errors import MalformedPath

_DOT_SEGMENT = re.compile(r"[/\\]\.\.?(?:[/\\;]|\Z)")
_NOT_PLAIN = ("%", "//", "/.", "\\", "\0")


def decode_path(uri: str) -> str:
    """Return `uri` without percent-encoding.

    Raises:
        MalformedPath: it is not UTF-8, or has `.` or `..` segments. Browsers resolve those before they
            ask; one that arrives would leave the prefix that the environment is kept under. Some servers take a
            backslash for a slash, or cut a segment at its semicolon before they look.
    """
    from urllib.parse import unquote  # noqa: PLC0415  # it takes longer to import than the rest of this, for few paths

    try:
        path = unquote(uri, errors="strict")
    except UnicodeDecodeError as error:
        raise MalformedPath("the path is not UTF-8") from error
    if _DOT_SEGMENT.search(path):
        raise MalformedPath("the path has . or .. segments")
    return path


def comparable_path(uri: str) -> str:
    """Return the form in which paths are compared. Raises MalformedPath as `decode_path` does, and for a NUL."""
    if uri.isascii() and not any(sign in uri for sign in _NOT_PLAIN):
        return uri
    path = composed(collapse_slashes(decode_path(uri)))
    if "\0" in path:
        raise MalformedPath("the path has a NUL character")
    if _DOT_SEGMENT.search(path):  # form C makes a semicolon of the Greek question mark
        raise MalformedPath("the path has . or .. segments")
    return path


def composed(path: str) -> str:
    """Return a decoded path in Unicode's form C, as files and rules are named."""
    if path.isascii():
        return path
    from unicodedata import normalize  # noqa: PLC0415 - few paths need it

    return normalize("NFC", path)


def collapse_slashes(path: str) -> str:
    """Return `path` with one slash for each run of them."""
    while "//" in path:
        path = path.replace("//", "/")
    return path
