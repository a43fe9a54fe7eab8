"""What of a deployment is not in its bucket yet, and how it gets there: the order is that of `items`."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edge_handler.website.listing import blob_key
from table_admin.deployments.build import Build
from table_admin.deployments.items import LEASE_SECONDS, Deployments
from table_admin.deployments.lists import Sites
from table_admin.deployments.uploads import Upload, Uploader
from table_admin.routing_table import RoutingTable

_NEWEST = 2
"""Where a URL is new its files may be those of another: so many deployments are looked at."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How far it is. Files with the same bytes are one."""

    files: int = 0
    size: int = 0
    """Bytes, of what is there."""
    sent_files: int = 0
    sent_size: int = 0
    """Of those that were not there before."""
    of_files: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(*(one + two for one, two in zip(_values(self), _values(other), strict=True)))


def send(
    table: RoutingTable,
    sites: Sites,
    region: str,
    built: Build,
    former: Sequence[str],
    note: str,
    on_progress: Callable[[Sent], object],
    *,
    resend: bool = False,
) -> Sent:
    """Send what is not there, and say that the deployment is ready; return what was sent.

    Args:
        table: where deployments are known.
        sites: of the bucket.
        region: the bucket's.
        built: what is deployed.
        former: deployments that most of its files may be of.
        note: why, for people.
        on_progress: told of each file.
        resend: look for each file, and for the list, also of a deployment that is ready: somebody removed some.

    Raises:
        NotReady: it was given up meanwhile, or its files were: from the beginning again.
        FileChanged, TableAdminError: it is not ready.
    """
    deployments, bucket, name = Deployments(table), sites.bucket, built.listing.id
    size = sum(file.size for file in built.files.values())
    begun = deployments.begin(bucket, region, name, len(built.files), size, note)
    was_ready = begun.state == "ready"
    if was_ready and not resend:
        return Sent()
    uploader = Uploader(sites.s3, bucket)
    content = built.listing.content
    # A ready one's list counts as it is there: condemned with its deployment it would not be ready.
    whole_list = Upload(built.listing.key, hashlib.sha256(content).hexdigest(), len(content), content, not was_ready)
    for _ in uploader.send([whole_list]):
        pass
    # Only now that the list is there: what is condemned from here on is not what it names.
    condemned = deployments.condemned_blobs(bucket, region)
    known = frozenset() if resend else known_blobs(deployments, sites, former) - condemned
    uploads = uploads_of(built, known, condemned)
    done, renewed = Sent(of_files=len(uploads)), time.monotonic()
    for upload, was_sent in uploader.send(uploads):
        done += Sent(1, upload.size, int(was_sent), upload.size if was_sent else 0)
        on_progress(done)
        if not was_ready and time.monotonic() - renewed > LEASE_SECONDS / 4:
            deployments.extend_lease(bucket, name, begun.epoch)
            renewed = time.monotonic()
    deployments.ready(bucket, name, begun.epoch)  # of one that was: whether it still is
    return done


def missing(table: RoutingTable, sites: Sites, built: Build, former: Sequence[str], *, resend: bool = False) -> Sent:
    """Return what would be sent, as far as the lists that are there tell, or the bucket itself; sends nothing."""
    deployments = Deployments(table)
    if resend:
        uploads = uploads_of(built, frozenset(), frozenset())
        versions = Uploader(sites.s3, sites.bucket).current_versions(uploads)
        return _of([upload for upload, version in zip(uploads, versions, strict=True) if version is None])
    found = deployments.find(sites.bucket, built.listing.id)
    if found is not None and found.state == "ready":
        return Sent()
    return _of(uploads_of(built, known_blobs(deployments, sites, former), frozenset()))


def _of(uploads: Sequence[Upload]) -> Sent:
    return Sent(0, 0, len(uploads), sum(upload.size for upload in uploads), len(uploads))


def known_blobs(deployments: Deployments, sites: Sites, former: Iterable[str]) -> frozenset[str]:
    """Return the blobs of deployments that are ready now: all of them are there.

    Those of `former`; where none is ready, of the bucket's newest.
    """
    every = [one for one in deployments.list() if one.bucket == sites.bucket and one.state == "ready"]
    wanted = set(former)
    chosen = [one for one in every if one.id in wanted]
    chosen = chosen or sorted(every, key=lambda one: one.created_at)[-_NEWEST:]
    found = (sites.get(one.id) for one in chosen)
    digests = {blob for site in found if site is not None for _, blob, _ in site.blobs()}
    return frozenset(map(bytes.hex, digests))


def uploads_of(built: Build, known: frozenset[str], condemned: frozenset[str]) -> list[Upload]:
    """Return what has to be sent: each blob once, the largest first, so that no thread is left alone with one."""
    by_blob = {file.sha256: file for file in built.files.values() if file.sha256 not in known}
    uploads = [Upload(blob_key(blob), blob, file.size, file.path, blob in condemned) for blob, file in by_blob.items()]
    return sorted(uploads, key=lambda upload: -upload.size)


def _values(sent: Sent) -> tuple[int, ...]:
    return sent.files, sent.size, sent.sent_files, sent.sent_size, sent.of_files
