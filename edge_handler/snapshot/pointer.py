"""The pointer: which parts make the newest snapshot. It is the one object of a snapshot that is ever overwritten.

A part is named by its content, and lies under the epoch: what was a snapshot of another table is never taken for one
of this. An epoch is the life of a table: one that was restored, or made again under the same name, begins another.
"""

import binascii
import hashlib
import json
from typing import NamedTuple

from edge_handler.errors import BrokenSnapshot
from edge_handler.snapshot.records import BLOCKS_OF_PART

POINTER_KEY = "pointer.json"
SNAPSHOT_VERSION = 1
MOST_PARTS = 16_384
"""As many as hold thirty million rows."""
MAX_DICTIONARY_BYTES = 32_768
# Not regular expressions: those that are compiled at the start take longer than a snapshot of a thousand routes.
_HEXADECIMAL = "0123456789abcdef"
_ZEROS = str.maketrans("123456789", "0" * 9)


class Pointer(NamedTuple):
    """One snapshot."""

    table: str
    """The routes table that it is of."""
    epoch: str
    """16 hexadecimal digits: which life of the table."""
    taken_at: str
    """ISO 8601, UTC, by DynamoDB's clock: what was written before is in it."""
    dictionary: bytes
    parts: tuple[str, ...]
    """The digests of the parts, a power of two."""

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.parts) * BLOCKS_OF_PART

    def key(self, part: int) -> str:
        """Return the key of a part's object."""
        return part_key(self.epoch, self.parts[part])


def part_key(epoch: str, digest: str) -> str:
    """Return the key of a part's object."""
    return f"parts/{epoch}/{digest}"


def digest_of(content: bytes) -> str:
    """Return what names a part with this content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def encode_pointer(pointer: Pointer) -> bytes:
    """Return the pointer's object."""
    dictionary = binascii.b2a_base64(pointer.dictionary, newline=False).decode()
    values = {"version": SNAPSHOT_VERSION, **pointer._asdict(), "dictionary": dictionary}
    return json.dumps(values, separators=(",", ":")).encode()


def decode_pointer(content: bytes) -> Pointer:
    """Return what a pointer's object says. Raises BrokenSnapshot."""
    try:
        values = json.loads(content)
        if values.pop("version") != SNAPSHOT_VERSION:
            raise ValueError("another version's")
        table, epoch, taken_at = (str(values[name]) for name in ("table", "epoch", "taken_at"))
        parts = tuple(map(str, values["parts"]))
        dictionary = binascii.a2b_base64(values["dictionary"], strict_mode=True)
        if not (_is_hex(epoch, 16) and is_time(taken_at) and all(_is_hex(part, 32) for part in parts)):
            raise ValueError("not as it would be written")
        if not 0 < len(parts) <= MOST_PARTS or len(parts) & (len(parts) - 1):
            raise ValueError(f"{len(parts)} parts")
        if len(dictionary) > MAX_DICTIONARY_BYTES:
            raise ValueError("too large a dictionary")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise BrokenSnapshot(f"the snapshot's pointer cannot be read: {error}"[:200]) from error
    return Pointer(table, epoch, taken_at, dictionary, parts)


def is_time(text: str) -> bool:
    """Tell whether this is a time as the feed and the pointer have them: of one length, so that they sort."""
    return text.translate(_ZEROS) == "0000-00-00T00:00:00.000000Z"


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and not text.strip(_HEXADECIMAL)
