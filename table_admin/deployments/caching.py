"""Which files browsers may keep for good: those whose name says what is in them."""

import re

from edge_handler.website.assets import GENERATED, SHARED
from table_admin.deployments.content_types import is_page

_CODE = frozenset(["js", "mjs", "css", "map", "wasm"])
_HEX = re.compile(r"(?<![0-9A-Za-z])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}(?![0-9A-Za-z])")
# What Rollup, esbuild and those who use them write: eight characters, an image's followed by those of its size.
_EIGHT = r"([A-Za-z0-9_-]{8})(?:_[A-Za-z0-9]{4,8})?(?=\.)"
_AFTER_A_NAME = re.compile(rf"[-.]{_EIGHT}")
_WHOLE_NAME = re.compile(_EIGHT)
_WORKER = re.compile(r"(?:\A|[^a-z])(?:sw|ngsw)(?:[^a-z]|\Z)|service-?_?worker")
_CHANGES = re.compile(r"[a-z](?=[A-Z])|[A-Z](?=[a-z])|[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")


def is_immutable(path: str) -> bool:
    """Tell whether a name changes whenever what is in it does: in a generator's directory, with a hash.

    Wrong in one direction only: a file that is not kept for good is asked for again, and costs a 304.
    """
    if is_page(path):
        return False
    generators = any(map(path.__contains__, GENERATED))
    if not generators and not any(map(path.__contains__, SHARED)):
        return False
    name = path.rpartition("/")[2]
    lower = name.lower()
    if "manifest" in lower or _WORKER.search(lower):
        return False
    if _HEX.search(name):
        return True
    good = _is_mixed if generators or lower.rpartition(".")[2] in _CODE else _is_no_word
    if any(map(good, _AFTER_A_NAME.findall(name))):
        return True
    whole = _WHOLE_NAME.match(name) if generators else None
    return whole is not None and _is_mixed(whole[1]) and re.search("[0-9][A-Za-z_-]", whole[1]) is not None


def _is_mixed(text: str) -> bool:
    """Letters of a hash are of either case; `base64js` and `20231005` are none."""
    return re.search("[0-9]", text) is not None and re.search("[A-Z]", text) is not None


def _is_no_word(text: str) -> bool:
    """`Version2` and `iPhone14` are names that people give to pictures."""
    return _is_mixed(text) and text.isalnum() and re.search("[0-9][A-Za-z]", text) is not None and _turns(text) >= 4


def _turns(text: str) -> int:
    return len(_CHANGES.findall(text))
