"""The buckets that hold snapshots: parts that never change, the pointer to the newest, and what the writer keeps."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from edge_handler.errors import BrokenSnapshot
from edge_handler.snapshot.pointer import POINTER_KEY, Pointer, decode_pointer, encode_pointer, part_key
from table_admin.errors import InvalidInput, TableAdminError

T = TypeVar("T")
STATE_KEY = "state.json"
AGAIN_SECONDS = 86_400
"""A part that is still in use is sent again after so long: the bucket forgets what is three times as old."""
_THREADS = 8
_RESTORES, _RELOAD = "restores", "reload"
"""Metadata of the pointer's object."""
_BUCKET = re.compile(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])@([a-z]{2}(?:-[a-z]+)+-[0-9]+)")
_LOST_TO_ANOTHER = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a snapshot is kept."""

    name: str
    region: str

    def __str__(self) -> str:
        return f"{self.name}@{self.region}"


def parse_bucket(text: str) -> Bucket:
    """Read `name@region`. Raises InvalidInput."""
    match = _BUCKET.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{text[:100]!r} is no bucket with its region; write my-snapshots@us-east-1.")
    return Bucket(*match.groups())


def parse_buckets(text: str) -> list[Bucket]:
    """Read `name@region,name@region`. Raises InvalidInput."""
    return [parse_bucket(one.strip()) for one in text.split(",")]


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that is in the bucket."""

    fingerprint: str
    """Of what it was made of, see `Partition.fingerprints`."""
    put_at: float
    """Epoch seconds, by DynamoDB's clock."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in a bucket."""

    etag: str | None
    """The pointer's; None where there is none."""
    pointer: Pointer | None
    """None where it cannot be read."""
    restores: int
    """How often rows of this life of the table went back to earlier revisions."""
    owes_reload: bool
    """Whether it has rows that nobody had announced: whoever wrote it told so afterwards, or ended before."""
    epoch: str
    """Of `parts`."""
    parts: Mapping[str, Kept]
    """By digest, what is known to be there; with nothing known all is sent again."""

    def has(self, epoch: str, digest: str, now: float) -> bool:
        """Tell whether a part need not be sent."""
        kept = self.parts.get(digest) if epoch == self.epoch else None
        return kept is not None and now - kept.put_at < AGAIN_SECONDS


class Place:
    """One bucket. Whatever goes wrong there is a TableAdminError that names it."""

    def __init__(self, bucket: Bucket, s3: Any) -> None:
        self.bucket = bucket
        self._s3 = s3

    def read(self) -> Stored:
        """Return what is there."""
        pointer, restores, owes_reload = None, 0, False
        found = self._get(POINTER_KEY)
        if found is not None:
            content, metadata, _ = found
            try:
                pointer, restores = decode_pointer(content), int(metadata.get(_RESTORES, 0))
                owes_reload = _RELOAD in metadata
            except (BrokenSnapshot, ValueError):
                pointer = None
        epoch, parts = self._state()
        return Stored(found[2] if found else None, pointer, restores, owes_reload, epoch, parts)

    def part(self, epoch: str, digest: str) -> bytes | None:
        """Return a part's object, None where there is none."""
        found = self._get(part_key(epoch, digest))
        return found[0] if found is not None else None

    def put_parts(self, epoch: str, contents: Mapping[str, bytes]) -> None:
        """Put parts, by digest."""

        def put(digest: str) -> None:
            self._put(part_key(epoch, digest), contents[digest])

        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(put, contents):
                pass

    def put_pointer(self, pointer: Pointer, restores: int, reload: bool, over: str | None) -> bool:
        """Put the pointer over the one that has this ETag, None: where there is none. Tell whether it is there.

        Of two runs at once the one that began later wins; where the earlier of them was faster, nobody's work is lost.
        """
        condition = {"IfMatch": over} if over is not None else {"IfNoneMatch": "*"}
        metadata = {_RESTORES: str(restores), **({_RELOAD: "1"} if reload else {})}
        try:
            self._s3.put_object(
                Bucket=self.bucket.name,
                Key=POINTER_KEY,
                Body=encode_pointer(pointer),
                Metadata=metadata,
                ContentType="application/json",
                **condition,
            )
            return True
        except ClientError as error:
            if error.response["Error"]["Code"] not in _LOST_TO_ANOTHER:
                raise self._failed(error) from error
        except BotoCoreError as error:
            raise self._failed(error) from error
        there = self.read()
        if there.pointer == pointer:
            return True  # it was ours, whose answer was lost
        if there.pointer is None:
            raise TableAdminError(f"The pointer in {self.bucket} was removed, or damaged, while it was written.")
        if there.pointer.taken_at >= pointer.taken_at or there.pointer.epoch != pointer.epoch:
            return False
        return self.put_pointer(pointer, restores, reload, there.etag)

    def put_state(self, epoch: str, parts: Mapping[str, Kept]) -> None:
        """Keep what is known to be there."""
        kept = {digest: [one.fingerprint, one.put_at] for digest, one in parts.items()}
        self._put(STATE_KEY, json.dumps({"epoch": epoch, "parts": kept}, separators=(",", ":")).encode())

    def _state(self) -> tuple[str, dict[str, Kept]]:
        found = self._get(STATE_KEY)
        try:
            values: Any = json.loads(found[0]) if found is not None else {"epoch": "", "parts": {}}
            parts = {str(key): Kept(str(of), float(at)) for key, (of, at) in values["parts"].items()}
            return str(values["epoch"]), parts
        except (ValueError, TypeError, LookupError, AttributeError):
            return "", {}

    def _get(self, key: str) -> tuple[bytes, Mapping[str, str], str] | None:
        try:
            answer = self._s3.get_object(Bucket=self.bucket.name, Key=key)
            return answer["Body"].read(), answer["Metadata"], answer["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise self._failed(error) from error
        except BotoCoreError as error:
            raise self._failed(error) from error

    def _put(self, key: str, content: bytes) -> None:
        try:
            self._s3.put_object(Bucket=self.bucket.name, Key=key, Body=content)
        except (ClientError, BotoCoreError) as error:
            raise self._failed(error) from error

    def _failed(self, error: ClientError | BotoCoreError) -> TableAdminError:
        if isinstance(error, ClientError):
            said = error.response["Error"]
            return TableAdminError(f"The bucket {self.bucket} refused: {said['Code']}: {said.get('Message', '')}")
        return TableAdminError(f"The bucket {self.bucket} does not answer: {error}")


def places_of(buckets: Sequence[Bucket], client: Callable[..., Any]) -> list[Place]:
    """Return buckets as places."""
    return [Place(bucket, client("s3", region_name=bucket.region)) for bucket in buckets]


def each(places: Iterable[Place], do: Callable[[Place], T], failed: list[str]) -> dict[Place, T]:
    """Return what came of each place where nothing went wrong."""
    found = {}
    for place in places:
        try:
            found[place] = do(place)
        except TableAdminError as error:
            failed.append(str(error))
    return found
