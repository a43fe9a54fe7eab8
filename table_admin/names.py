"""Names: what a URL calls an environment, whatever its branch is called."""

import hashlib
import re
import unicodedata

from table_admin.errors import InvalidInput
from table_admin.inputs import LABEL_RULE, parse_host, parse_label

MAX_LABEL = 63
_HASH_CHARACTERS = 6
# Letters that have no accent to take off, as people spell them without.
_SPELLED = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l"})


def branch_label(branch: str) -> str:
    """Return the label of a branch: `feature/ABC_123` is feature-abc-123, with a hash where something was lost.

    Raises:
        InvalidInput: there is no branch.
    """
    if not branch.strip():
        raise InvalidInput("A branch has a name; this one is empty.")
    plain = unicodedata.normalize("NFKD", branch.lower().translate(_SPELLED))
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    label = _dashed(letters)
    lost = any(char.isalnum() and not char.isascii() for char in letters) or not label
    return hashed_label(branch) if lost or len(label) > MAX_LABEL else label


def hashed_label(branch: str) -> str:
    """Return the label of a branch that no other branch has, also where the plain one is taken."""
    plain = unicodedata.normalize("NFKD", branch.lower().translate(_SPELLED))
    return _cut(_dashed(plain) or "branch", branch)


def url_domain(environment: str, service: str, base: str) -> str:
    """Return the domain of an environment's service: `env-42.base`, or `web-env-42.base` for a named one.

    One label, for a certificate's wildcard covers no more; one that would be too long is cut, with a hash.

    Raises:
        InvalidInput: it would be no DNS label.
    """
    if not parse_label(environment):
        raise InvalidInput(f"An environment needs a name: {LABEL_RULE}.")
    if not base:
        raise InvalidInput("An environment needs a base: the domain its URLs are under.")
    label = f"{parse_label(service)}-{environment}" if service else environment
    return parse_host(f"{label if len(label) <= MAX_LABEL else _cut(label, label)}.{parse_host(base)}")


def _dashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


def _cut(label: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]
    return f"{label[: MAX_LABEL - _HASH_CHARACTERS - 1].rstrip('-')}-{digest}"
