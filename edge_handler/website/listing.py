"""A deployment's list: which files a site has, of what blobs, and its rules; one codec for who writes and who reads.

The head is JSON with the rules and what is said once; then come pages of records of one length, sorted by the digest of
their path, so that a look-up compares a dozen of them and parses nothing. The head names each page's digest, and the
list is named by the head's: whoever has the name can tell whether any part that arrives is the list's.
"""

import json
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from edge_handler.errors import BrokenListing

BLOBS = "_blobs"
LISTS = "_deployments"
"""Folders of a bucket. No prefix of a plain site begins so."""
CONDEMNED = "_condemned"
"""An object beside them: what is about to be removed."""
PAGE_RECORDS = 4_096
MAX_HEAD_BYTES = 786_432
_MAGIC = b"EDGELST1"
_HEAD_LENGTH = struct.Struct(">I")
# The path's digest, the blob's digest, which content type, flags, the size.
_RECORD = struct.Struct(">8s32sBBQ")
_KEY_BYTES = 8
_TYPE_AT = 40
_IMMUTABLE = 1
_MAX_TYPES = 256
_NO_TYPE = "a file of it has a content type that its head does not name"


class File(NamedTuple):
    """One file of a site."""

    blob: str
    """The SHA-256 of its bytes, in hexadecimal digits."""
    content_type: str
    immutable: bool
    """Its name has a hash of its content: browsers may keep it for ever."""
    size: int
    """Bytes."""


class RedirectRule(NamedTuple):
    """One line of `_redirects`."""

    source: str
    destination: str
    status: int
    force: bool
    """With a `!`: also where there is a file."""


class HeaderRule(NamedTuple):
    """One block of `_headers`."""

    pattern: str
    set: tuple[tuple[str, str], ...]
    remove: tuple[str, ...]


class Options(NamedTuple):
    """What a site says beside its files."""

    fallback: str = ""
    """The single-page application's page, with a leading slash; empty for none."""
    redirects: tuple[RedirectRule, ...] = ()
    headers: tuple[HeaderRule, ...] = ()
    query: str = "files"
    """See `DeploymentOrigin.query`."""
    cors: str = ""
    """See `DeploymentOrigin.cors`."""


class Page(NamedTuple):
    """Where some of the records are."""

    first: bytes
    """The digest of its first path."""
    digest: bytes
    offset: int
    length: int


class Head(NamedTuple):
    """What a list says at its beginning."""

    id: str
    options: Options
    types: tuple[str, ...]
    files: int
    """How many there are."""
    pages: tuple[Page, ...]


class Listing(NamedTuple):
    """A list as it is stored."""

    id: str
    content: bytes

    @property
    def key(self) -> str:
        """The object's name."""
        return list_key(self.id)


class Site:
    """A deployment that paths are looked up in."""

    __slots__ = ("_firsts", "_read_page", "head")

    def __init__(self, head: Head, read_page: Callable[[Page], bytes]) -> None:
        """`read_page` returns a page's bytes as they were checked by `check_page`; it may keep them."""
        self.head = head
        self._read_page = read_page
        self._firsts = [page.first for page in head.pages]

    @property
    def options(self) -> Options:
        """What the site says beside its files."""
        return self.head.options

    def find(self, path: str) -> File | None:
        """Return the file of a path, which is decoded and begins with a slash.

        Raises what `read_page` does, and BrokenListing where a record cannot be read.
        """
        key = path_key(path)
        number = bisect_right(self._firsts, key) - 1
        if number < 0:
            return None
        records = self._read_page(self.head.pages[number])
        low, high = 0, len(records) // _RECORD.size
        while low < high:
            middle = (low + high) // 2
            start = middle * _RECORD.size
            found = records[start : start + _KEY_BYTES]
            if found == key:
                return self._file(records[start : start + _RECORD.size])
            if found < key:
                low = middle + 1
            else:
                high = middle
        return None

    def files(self) -> Iterator[File]:
        """Yield all files; their names are not in a list. Raises what `find` does."""
        for page in self.head.pages:
            records = self._read_page(page)
            for start in range(0, len(records), _RECORD.size):
                yield self._file(records[start : start + _RECORD.size])

    def blobs(self) -> Iterator[tuple[bytes, bytes, bool]]:
        """Yield of each file its path's key, its blob's digest, and whether browsers may keep it for ever.

        For who compares all of them: a quarter of the time that `files` takes, 1/20 of finding each.
        """
        for page in self.head.pages:
            for key, blob, _, flags, _ in _RECORD.iter_unpack(self._read_page(page)):
                yield key, blob, bool(flags & _IMMUTABLE)

    def _file(self, record: bytes) -> File:
        _, blob, content_type, flags, size = _RECORD.unpack(record)
        if content_type >= len(self.head.types):
            raise BrokenListing(_NO_TYPE)
        return File(blob.hex(), self.head.types[content_type], bool(flags & _IMMUTABLE), size)


def blob_key(blob: str) -> str:
    """Return the name of a blob's object."""
    return f"{BLOBS}/{blob}"


def list_key(deployment: str) -> str:
    """Return the name of a list's object."""
    return f"{LISTS}/{deployment}"


def encode_listing(files: Mapping[str, File], options: Options) -> Listing:
    """Write a list. Paths are decoded and begin with a slash.

    Raises:
        BrokenListing: it cannot be written: too many rules or content types, or two paths with one digest.
    """
    types = sorted({file.content_type for file in files.values()})
    if len(types) > _MAX_TYPES:
        raise BrokenListing(f"the site has {len(types)} content types, more than {_MAX_TYPES}")
    number = {content_type: index for index, content_type in enumerate(types)}
    records = sorted(
        _RECORD.pack(
            path_key(path),
            bytes.fromhex(file.blob),
            number[file.content_type],
            _IMMUTABLE if file.immutable else 0,
            file.size,
        )
        for path, file in files.items()
    )
    if len({record[:_KEY_BYTES] for record in records}) != len(files):
        raise BrokenListing("two paths of the site have the same digest; rename one of them")
    pages = [b"".join(records[start : start + PAGE_RECORDS]) for start in range(0, len(records), PAGE_RECORDS)]
    head = {
        "files": len(files),
        "types": types,
        "options": options,
        "pages": [[page[:_KEY_BYTES].hex(), sha256(page).hexdigest(), len(page)] for page in pages],
    }
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    if len(text) > MAX_HEAD_BYTES:
        raise BrokenListing(f"the site's rules take {len(text)} bytes, more than {MAX_HEAD_BYTES}")
    return Listing(_name(text), b"".join((_MAGIC, _HEAD_LENGTH.pack(len(text)), text, *pages)))


def head_length(content: bytes) -> int:
    """Return how many bytes a list's head has in all, from a list's first twelve. Raises BrokenListing."""
    begin = len(_MAGIC) + _HEAD_LENGTH.size
    if len(content) < begin or not content.startswith(_MAGIC):
        raise BrokenListing("it does not begin as a list does")
    (length,) = _HEAD_LENGTH.unpack_from(content, len(_MAGIC))
    if length > MAX_HEAD_BYTES:
        raise BrokenListing(f"its head has {length} bytes")
    return begin + int(length)


def decode_head(content: bytes, deployment: str) -> Head:
    """Read the head of a list whose beginning `content` is.

    Raises:
        BrokenListing: it is not whole, or another list's.
    """
    end = head_length(content)
    text = content[len(_MAGIC) + _HEAD_LENGTH.size : end]
    if len(content) < end or _name(text) != deployment:
        raise BrokenListing("its head is not the one that its name says")
    try:
        return _head(deployment, json.loads(text), end)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise BrokenListing(f"its head cannot be read: {error}") from error


def check_page(page: Page, content: bytes) -> bytes:
    """Return a page's bytes. Raises BrokenListing where they are not the ones that the head names."""
    if len(content) != page.length or sha256(content).digest() != page.digest:
        raise BrokenListing("a page of it is not the one that its head names")
    return content


def whole(content: bytes, deployment: str) -> Site:
    """Return the site of a list that is all there: nothing that is read of it raises. Raises BrokenListing."""
    head = decode_head(content, deployment)
    pages = {page: check_page(page, content[page.offset : page.offset + page.length]) for page in head.pages}
    if any(max(page[_TYPE_AT :: _RECORD.size]) >= len(head.types) for page in pages.values()):
        raise BrokenListing(_NO_TYPE)
    return Site(head, pages.__getitem__)


def _head(deployment: str, said: Mapping[str, Any], end: int) -> Head:
    fallback, redirects, headers, query, cors = said["options"]
    options = Options(
        fallback,
        tuple(RedirectRule(*rule) for rule in redirects),
        tuple(HeaderRule(pattern, tuple(map(tuple, pairs)), tuple(names)) for pattern, pairs, names in headers),
        query,
        cors,
    )
    pages, offset = [], end
    for first, digest, length in said["pages"]:
        if type(length) is not int or length <= 0 or length % _RECORD.size:
            raise ValueError(f"a page of {length} bytes has no whole number of files")
        pages.append(Page(bytes.fromhex(first), bytes.fromhex(digest), offset, length))
        offset += length
    types = tuple(said["types"])
    if not all(isinstance(content_type, str) for content_type in types):
        raise TypeError("a content type is no text")
    return Head(deployment, options, types, said["files"], tuple(pages))


def _name(head: bytes) -> str:
    return sha256(head).hexdigest()[:32]


def path_key(path: str) -> bytes:
    """Return what stands for a path in a list."""
    return sha256(path.encode()).digest()[:_KEY_BYTES]
