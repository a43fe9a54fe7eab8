"""What is another than in the snapshot before: rows that went back, and rows that nobody announced."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from edge_handler.errors import BrokenSnapshot
from edge_handler.routes.attributes import Item
from edge_handler.snapshot.pointer import Pointer, digest_of
from edge_handler.snapshot.records import decode_block, decode_part, encode_row
from table_admin.errors import NoFeed
from table_admin.feed import OVERLAP_SECONDS
from table_admin.inputs import iso
from table_admin.snapshots.partition import Partition
from table_admin.snapshots.places import Kept, Place
from table_admin.tables import BATCH_KEYS, Tables, follow, revision_of

_THREADS = 8


@dataclass(frozen=True, slots=True)
class Previous:
    """The snapshot before."""

    place: Place
    pointer: Pointer
    parts: Mapping[str, Kept]
    restores: int
    owes_reload: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is another than before; None: there is none."""

    domain: str
    before: bytes | None
    after: bytes | None


@dataclass(slots=True)
class Compared:
    """What came of it."""

    went_back: list[str] = field(default_factory=list)
    """Domains whose revision is lower than it was, the first of them."""
    unannounced: bool = False
    """Whether rows are others, or may be, of which the feed does not tell."""


def compare(tables: Tables, new: Partition, previous: Previous) -> Compared:
    """Compare rows with the snapshot before. Raises TableAdminError."""
    found, feed = Compared(), _Announced(tables, previous.pointer.taken_at)
    try:
        for difference in differences(new, previous):
            if _went_back(difference) and len(found.went_back) < BATCH_KEYS:
                found.went_back.append(difference.domain)
            feed.look_for(difference)
    except BrokenSnapshot:
        found.unannounced = True  # nobody knows what was in it
    found.unannounced = found.unannounced or feed.lacks_any()
    return found


def differences(new: Partition, previous: Previous) -> Iterator[Difference]:
    """Yield rows that are others, opening only parts that are. Raises BrokenSnapshot where the former is damaged."""
    old, pairs = previous.pointer.parts, min(len(previous.pointer.parts), len(new.parts))
    # Where there are twice as many parts, each has the rows of two others.
    changed = [number for number in range(pairs) if not _is_same(number, new, previous)]
    needed = [(number, digest) for number in changed for digest in old[number::pairs]]

    def read(digest: str) -> bytes | None:
        return previous.place.part(previous.pointer.epoch, digest)

    with ThreadPoolExecutor(_THREADS) as pool:
        contents = pool.map(read, (digest for _, digest in needed))
        read_parts = zip(needed, contents, strict=True)
        for number in changed:
            before: dict[str, bytes] = {}
            for _ in old[number::pairs]:
                (_, digest), content = next(read_parts)
                before |= _records(content, digest, previous.pointer.dictionary)
            for part in new.parts[number::pairs]:
                for domain, text in part:
                    former = before.pop(domain, None)
                    if former != text:
                        yield Difference(domain, former, text)
            for domain, text in before.items():
                yield Difference(domain, text, None)


def _is_same(number: int, new: Partition, previous: Previous) -> bool:
    parts = previous.pointer.parts
    kept = previous.parts.get(parts[number])
    return len(parts) == len(new.parts) and kept is not None and kept.fingerprint == new.fingerprints[number]


def _records(content: bytes | None, digest: str, dictionary: bytes) -> dict[str, bytes]:
    if content is None or digest_of(content) != digest:
        raise BrokenSnapshot("a part is gone, or damaged")
    return {domain: text for block in decode_part(content) for domain, text in decode_block(block, dictionary)}


def _went_back(one: Difference) -> bool:
    return 0 < _revision(one.after) < _revision(one.before)


def _revision(text: bytes | None) -> int:
    return revision_of(_row(text))


def _row(text: bytes | None) -> Item:
    row: Item = json.loads(text) if text else {}
    return row


class _Announced:
    """What the feed tells of since a little before the former snapshot."""

    def __init__(self, tables: Tables, taken_at: str) -> None:
        self._tables = tables
        self._since = iso(datetime.fromisoformat(taken_at).timestamp() - OVERLAP_SECONDS)
        self._told: dict[str, dict[int, Item]] | None = None
        self._is_followed = True
        self._left: list[Difference] = []

    def look_for(self, one: Difference) -> None:
        """Note a difference, where it is none that is told of, and no row that expired."""
        if self._told is None:
            self._told = self._read()
        enough = not self._is_followed or len(self._left) > BATCH_KEYS
        if enough or (one.after is None and self._has_expired(one.before)):
            return
        records = self._told.get(one.domain, {})
        if one.after is None:
            is_told = any(item.get("action") == {"S": "delete"} for item in records.values())
        elif one.after:
            # Somebody may have changed the row by hand since, whatever revision it says it has.
            is_told = _carried(records.get(_revision(one.after))) == one.after
        else:
            is_told = bool(records)  # which revision it is, is not carried
        if not is_told:
            self._left.append(one)

    def lacks_any(self) -> bool:
        """Tell whether anything is not announced. An index is a little behind: the history itself has the last word."""
        if len(self._left) > BATCH_KEYS:
            return True
        records = self._tables.revisions_of([(one.domain, _revision(one.after)) for one in self._left if one.after])
        return not all(self._is_announced(one, records) for one in self._left)

    def _is_announced(self, one: Difference, records: Mapping[tuple[str, int], Item]) -> bool:
        if one.after is None:
            newest = self._tables.revisions(one.domain, limit=1).items
            return bool(newest) and newest[0].get("action") == {"S": "delete"} and self._is_recent(newest[0])
        record = records.get((one.domain, _revision(one.after)))
        # Of before there was a snapshot: they do not say what the row was.
        return record is not None and _carried(record) in (None, one.after) and self._is_recent(record)

    def _is_recent(self, record: Item) -> bool:
        return str(record.get("announced_at", {}).get("S", "")) >= self._since

    def _has_expired(self, text: bytes | None) -> bool:
        try:
            return int(_row(text)["expires_at"]["N"]) <= self._tables.clock.now()
        except (LookupError, TypeError, ValueError):
            return False

    def _read(self) -> dict[str, dict[int, Item]]:
        told: dict[str, dict[int, Item]] = {}
        try:
            for item in follow(lambda cursor: self._tables.announced(self._since, cursor)):
                told.setdefault(item["domain"]["S"], {})[revision_of(item)] = item
        except NoFeed:
            self._is_followed = False
        return told


def _carried(record: Item | None) -> bytes | None:
    """Return what a write says is carried of the row."""
    text = (record or {}).get("edge", {}).get("S")
    return str(text).encode() if text is not None else None


def is_behind(tables: Tables, rows: Mapping[str, bytes], went_back: Sequence[str]) -> bool:
    """Tell whether rows seem to have gone back only because a replica of DynamoDB's own was behind."""
    now = tables.read(went_back)
    return not any(domain in now and encode_row(now[domain]) == rows[domain] for domain in went_back)


def just_before(taken_at: str) -> str:
    """Return the time of a reload that a snapshot makes good."""
    return iso(datetime.fromisoformat(taken_at).timestamp() - 1e-6)


def was_told(tables: Tables, taken_at: str, actor: str) -> bool:
    """Tell whether somebody has announced a reload for a snapshot, or nobody would hear of it."""
    since = just_before(taken_at)
    try:
        told = follow(lambda cursor: tables.announced(since, cursor))
        return any(item.get("action") == {"S": "reload"} and item.get("updated_by") == {"S": actor} for item in told)
    except NoFeed:
        return True
