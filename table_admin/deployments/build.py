"""What a directory is once it is a site: its files with their hashes and types, its rules, its list."""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from edge_handler.errors import BrokenListing
from edge_handler.website.listing import File, Listing, Options, Site, encode_listing, path_key
from table_admin.deployments import headers, redirects
from table_admin.deployments.caching import is_immutable
from table_admin.deployments.content_types import content_type, without_charset
from table_admin.deployments.digests import Digest, Digests
from table_admin.deployments.files import Entry, printable, shown, walk, why
from table_admin.deployments.options import INDEX, MISSING, options_of
from table_admin.errors import InvalidInput

_WORKERS = 4
# Larger ones are read in threads. Small ones are slower there: the interpreter changes hands with each system call.
_SMALL = 64 * 1024
# Larger ones are read piece by piece, and are taken for UTF-8.
_WHOLE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the directory, and what the deployment says of it."""

    where: str
    size: int
    sha256: str
    content_type: str
    immutable: bool

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.where)


@dataclass(frozen=True, slots=True)
class Build:
    """A directory as it will be deployed."""

    files: Mapping[str, LocalFile]
    """By path, which begins with a slash."""
    options: Options
    listing: Listing
    notes: tuple[str, ...]
    """What whoever deploys should know."""


def build(
    directory: Path,
    *,
    spa: bool = False,
    force: bool = False,
    former: Sequence[Site] = (),
    digests: Digests | None = None,
) -> Build:
    """Return a directory as a site.

    Args:
        directory: what a generator wrote.
        spa: paths that are not there are answered with 200.html or index.html, with status 200.
        force: also without an index.html.
        former: deployments that are kept; a name that had other bytes there is not kept by browsers.
        digests: what is known of the files; those are not read, and what is read is known afterwards.

    Raises:
        InvalidInput: with what cannot be served, and why.
    """
    walked = walk(directory)
    rules = {name: _read(walked.files.pop(f"/{name}", None)) for name in (redirects.NAME, headers.NAME)}
    _check_pages(directory, walked.files, force=force)
    options, notes = options_of(rules[redirects.NAME], rules[headers.NAME], walked.files, spa=spa)
    if walked.left_out:
        notes = (*notes, f"Left out, as their names begin with a dot: {', '.join(shown(walked.left_out))}.")
    return _built(_with_past(_looked_at(walked.files, digests or Digests()), former), options, notes)


def build_from(
    files: Mapping[str, LocalFile],
    redirect_lines: bytes,
    header_lines: bytes,
    *,
    spa: bool = False,
    force: bool = False,
    former: Sequence[Site] = (),
) -> Build:
    """Return as a site what somebody else has read: `build` without the directory. Raises InvalidInput."""
    _check_pages("What is deployed", files, force=force)
    options, notes = options_of(redirect_lines, header_lines, files, spa=spa)
    return _built(_with_past(files, former), options, notes)


def _built(files: Mapping[str, LocalFile], options: Options, notes: tuple[str, ...]) -> Build:
    if not options.fallback and _same(files.get(INDEX), files.get(MISSING)):
        notes = (
            *notes,
            "404.html is the same as index.html: with --spa what it answers has status 200, without it 404.",
        )
    says = {path: File(file.sha256, file.content_type, file.immutable, file.size) for path, file in files.items()}
    try:
        return Build(files, options, encode_listing(says, options), notes)
    except BrokenListing as error:
        raise InvalidInput(f"The list of the site's files cannot be written: {error}.") from None


def _same(one: LocalFile | None, other: LocalFile | None) -> bool:
    return one is not None and other is not None and one.sha256 == other.sha256


def _read(entry: Entry | None) -> bytes:
    try:
        return Path(entry.where).read_bytes() if entry else b""
    except OSError as error:
        raise InvalidInput(f"{printable(str(entry and entry.where))} cannot be read: {why(error)}.") from None


def _check_pages(directory: Path | str, files: Collection[str], *, force: bool) -> None:
    if not files:
        raise InvalidInput(f"{directory} has no file in it; has the build failed?")
    if INDEX in files or force:
        return
    inner = sorted((path for path in files if path.endswith(INDEX)), key=lambda path: (path.count("/"), path))
    hint = f" There is one in {printable(inner[0][1:].rpartition('/')[0])}: deploy that directory?" if inner else ""
    raise InvalidInput(
        f"{directory} has no index.html, so the site would have no first page.{hint} --force deploys it all the same."
    )


def _looked_at(entries: Mapping[str, Entry], digests: Digests) -> dict[str, LocalFile]:
    """Read every file that is not known."""
    found: dict[str, LocalFile | str] = {}
    unread = []
    for path, entry in entries.items():
        known = digests.get(entry.status)
        if known is None:
            unread.append(path)
        else:
            found[path] = _local(path, entry, known)
    small = [path for path in unread if entries[path].status.st_size <= _SMALL]
    found.update((path, _look_at(path, entries[path].where, digests)) for path in small)
    with ThreadPoolExecutor(_WORKERS) as pool:
        large = [path for path in unread if entries[path].status.st_size > _SMALL]
        results = pool.map(lambda path: _look_at(path, entries[path].where, digests), large)
        found.update(zip(large, results, strict=True))
    digests.save()
    wrong = [said for said in found.values() if isinstance(said, str)]
    if wrong:
        more = [f"{len(wrong) - 10} more files cannot be read."] if len(wrong) > 10 else []
        raise InvalidInput("\n".join(wrong[:10] + more))
    return {path: file for path, file in sorted(found.items()) if isinstance(file, LocalFile)}


def _with_past(files: Mapping[str, LocalFile], former: Sequence[Site]) -> dict[str, LocalFile]:
    """Return files as browsers may keep them, after what they had of `former`."""
    keys = {path: path_key(path) for path, file in files.items() if file.immutable}
    wanted = frozenset(keys.values())
    past: dict[bytes, bytes] = {}  # by path: the one blob that browsers may have; empty where none may be kept
    for site in former if wanted else ():
        for key, blob, immutable in site.blobs():
            if key in wanted:
                kept = blob if immutable else b""
                if past.setdefault(key, kept) != kept:
                    past[key] = b""
    # What was not immutable with the same bytes had others still earlier: it stays so, or a second run would change it.
    other = {path for path, key in keys.items() if key in past and past[key].hex() != files[path].sha256}
    return {**files, **{path: replace(files[path], immutable=False) for path in other}}


def _look_at(path: str, where: str, digests: Digests) -> LocalFile | str:
    """Return a file, or what is wrong with it."""
    try:
        file = os.open(where, os.O_RDONLY | os.O_CLOEXEC)  # half the time that a file object takes
        try:
            status = os.fstat(file)
            digest = _digest(file, status.st_size)
        finally:
            os.close(file)
    except OSError as error:
        return f"{printable(path[1:])} cannot be read: {why(error)}."
    if digest is None:
        return f"{printable(path[1:])} changed while it was read; deploy again when the build has ended."
    digests.add(status, digest)
    return _local(path, Entry(where, status), digest)


def _digest(file: int, size: int) -> Digest | None:
    """Return what is in a file, None where it has another size."""
    if size > _WHOLE:
        with open(file, "rb", closefd=False) as large:
            return Digest(hashlib.file_digest(large, "sha256").digest(), True)
    content = os.read(file, size + 1)
    return Digest(hashlib.sha256(content).digest(), _is_utf8(content)) if len(content) == size else None


def _local(path: str, entry: Entry, digest: Digest) -> LocalFile:
    kind = content_type(path)
    if not digest.is_utf8:
        kind = without_charset(kind)
    return LocalFile(entry.where, entry.status.st_size, digest.sha256.hex(), kind, is_immutable(path))


def _is_utf8(content: bytes) -> bool:
    """Where it is not, the file's own word counts, a meta tag's say: a header would win over it."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
