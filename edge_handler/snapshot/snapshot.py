"""A snapshot as an instance holds it: compressed, and replaced part by part while it is used."""

from edge_handler.errors import BrokenRow, BrokenSnapshot, UnreadableRow
from edge_handler.routes.destination import Destination, read_destination
from edge_handler.snapshot.pointer import Pointer, digest_of
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_in, block_of, decode_row, find_in_block

Found = Destination | BrokenRow | str | None
"""What is known of a host: its row, why that is broken, UNSURE, or None where there is no row."""

UNSURE = "unsure"
"""It has to be read from the table."""


def read_carried(domain: str, text: bytes | str) -> Found:
    """Return what is carried of a row; UNSURE where that cannot be used."""
    if not text:
        return UNSURE
    try:
        return read_destination(decode_row(domain, text))
    except (BrokenSnapshot, UnreadableRow):
        return UNSURE


class Snapshot:
    """All rows at one moment, as far as they are loaded.

    Loaded by one thread while another looks hosts up: who looks reads each attribute once.
    """

    __slots__ = ("_former", "_missing", "_parts", "pointer")

    def __init__(self, pointer: Pointer, former: "Snapshot | None" = None) -> None:
        """`former` answers for what is not loaded yet. What is the same in both needs no loading."""
        self.pointer = pointer
        self._parts: list[bytes | None] = [None] * len(pointer.parts)
        if former is not None and former.pointer.table != pointer.table:
            former = None
        if former is not None:
            same = former.pointer.epoch == pointer.epoch and former.pointer.dictionary == pointer.dictionary
            if same and len(former._parts) == len(self._parts):
                for number, digest in enumerate(pointer.parts):
                    if former.pointer.parts[number] == digest:
                        self._parts[number] = former._parts[number]
        self._missing = [number for number, part in enumerate(self._parts) if part is None]
        # Nothing is taken from it yet: it is still the one that hosts are looked up in.
        self._former = former if self._missing else None

    @property
    def missing(self) -> int | None:
        """The part to load next, None where all are there."""
        last = self._missing[-1:]
        return last[0] if last else None

    @property
    def stands_alone(self) -> bool:
        """Whether nothing that it says comes from an older one."""
        return self._former is None

    def add(self, part: int, content: bytes) -> None:
        """Take the content of a part's object. Raises BrokenSnapshot where it is not what the pointer names."""
        if digest_of(content) != self.pointer.parts[part]:
            raise BrokenSnapshot("a part is not what its name says")
        self._parts[part] = content
        self._missing.remove(part)
        self._let_go()

    def put_off(self, part: int) -> None:
        """Let the other missing parts be loaded before this one."""
        # At once: who looks meanwhile must not find that none is missing.
        self._missing = [part, *(number for number in self._missing if number != part)]

    def find(self, domain: str) -> Found:
        """Return what is known of a domain."""
        pointer = self.pointer
        number = block_of(domain, pointer.blocks)
        part = self._parts[number // BLOCKS_OF_PART]
        if part is None:
            former = self._former
            return former.find(domain) if former is not None else UNSURE
        try:
            text = find_in_block(block_in(part, number % BLOCKS_OF_PART), pointer.dictionary, domain)
        except (BrokenSnapshot, UnicodeDecodeError):
            return UNSURE
        return None if text is None else read_carried(domain, text)

    def _let_go(self) -> None:
        """Forget of the former snapshot what is loaded: two whole ones would not fit beside each other."""
        former = self._former
        if former is None:
            return
        if not self._missing:
            self._former = None
            return
        # A domain's part here has a number that is, modulo the smaller count, its number there.
        common = min(len(self._parts), len(former._parts))
        waiting = {number % common for number in self._missing}
        for number in range(len(former._parts)):
            if number % common not in waiting:
                former._parts[number] = None
