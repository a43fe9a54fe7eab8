"""The keys that tokens are signed with, and the passwords of domains: the `<stack>-access` table as the edge reads it.

Keys are kept in memory and go on serving while the table does not answer. A password is read for each attempt, and
forgotten.
"""

import hashlib
import time
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple, Protocol

from edge_handler.access.session import SECRET_BYTES, Key, is_key_id
from edge_handler.errors import BrokenRow, TableUnreachable, UnreadableRow
from edge_handler.log import log
from edge_handler.routes.attributes import Item, integer, is_item, string

KEYS = "*"
"""The item that has the keys; the others are domains' passwords."""
FRESH_SECONDS = 60.0
UNKNOWN_SECONDS = 5.0
"""The same, where somebody comes with a key that is not there: it may be new, and anybody can make one up."""
MAX_KEYS = 3
HASH_BYTES = 32


class Password(NamedTuple):
    """What a domain's visitors may say instead of having a link."""

    name: str
    salt: bytes
    hash: bytes
    since: int
    """The `Policy.private` it was set for."""

    def __repr__(self) -> str:
        """Nothing of it: see `Key`."""
        return "Password()"


Entry = tuple[Key, ...] | Password | BrokenRow
"""What an item says: keys, the newest first."""


class Table(Protocol):
    """See `edge_handler.table.reader.ReplicatedTable`."""

    def read_as(
        self,
        decode: Callable[[Item], Entry],
        domains: Sequence[str],
        seconds: float,
        *,
        expected: str | None = None,
    ) -> Mapping[str, Entry]:
        """Return what the items say that exist. Raises TableUnreachable."""


class AccessTable:
    """Keys and passwords of one stack."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        """`clock` is the time of day, which goes on while the sandbox is frozen."""
        self._table = table
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._read_at = -inf

    def keys(self, key_id: str, deadline: float) -> tuple[Key, ...]:
        """Return the keys to look for a token's in, the newest first.

        Args:
            key_id: the token's.
            deadline: of a read, where one is due; of `time.monotonic`.

        Raises:
            TableUnreachable: none is known, and the table does not say.
        """
        fresh = FRESH_SECONDS if any(key.id == key_id for key in self._keys) else UNKNOWN_SECONDS
        if not 0 <= self._clock() - self._read_at < fresh:
            try:
                self._read((KEYS,), deadline)
            except TableUnreachable:
                if not self._keys:
                    raise
        return self._keys

    def password(self, domain: str, deadline: float) -> tuple[Password | None, tuple[Key, ...]]:
        """Return a domain's password, None where it has none, and the keys. Raises TableUnreachable."""
        found = self._read((KEYS, domain), deadline).get(domain)
        return (found if isinstance(found, Password) else None), self._keys

    def _read(self, domains: Sequence[str], deadline: float) -> Mapping[str, Entry]:
        seconds, expected = deadline - time.monotonic(), KEYS if self._keys else None
        entries = self._table.read_as(decode_entry, domains, seconds, expected=expected)
        for domain, entry in entries.items():
            if isinstance(entry, BrokenRow):
                log("ERROR", "an item of the access table is broken", domain=domain, error=str(entry))
        keys = entries.get(KEYS, ())
        # What somebody broke by hand takes from nobody what was good.
        if not isinstance(keys, Password | BrokenRow):
            self._keys = keys
        self._read_at = self._clock()
        return entries


def decode_entry(item: Item) -> Entry:
    """Read an item of the table; in place of a broken one return why it is. Raises UnreadableRow for what is none."""
    if not is_item(item):
        raise UnreadableRow("no item")
    try:
        if string(item, "domain") == KEYS:
            return tuple(_decode_key(one["M"]) for one in item["keys"]["L"][:MAX_KEYS])
        salt, digest = _bytes(item, "salt"), _bytes(item, "hash")
        if not salt or len(digest) != HASH_BYTES:
            raise BrokenRow("the password's hash cannot be read")
        return Password(string(item, "name"), salt, digest, integer(item, "since", 1))
    except BrokenRow as error:
        return error
    except (KeyError, TypeError, ValueError) as error:
        # Not what is said of it: that may be what is secret.
        return BrokenRow(f"the item cannot be read: {type(error).__name__}")


def hash_password(password: str, salt: bytes) -> bytes:
    """Return the hash of a password: some 7 ms of a processor, and 2 MB."""
    return hashlib.scrypt(password.encode(), salt=salt, n=2**11, r=8, p=1, dklen=HASH_BYTES)


def _decode_key(item: Item) -> Key:
    key = Key(string(item, "id"), _bytes(item, "secret"))
    if not is_key_id(key.id) or len(key.secret) != SECRET_BYTES:
        raise BrokenRow("a key cannot be read")
    return key


def _bytes(item: Item, name: str) -> bytes:
    return a2b_base64(item[name]["B"], strict_mode=True)
