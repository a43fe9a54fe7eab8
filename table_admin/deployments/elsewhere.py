"""Deployments of a directory that is somewhere else, in steps of which each can be asked for again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from edge_handler.website.listing import blob_key
from table_admin.deployments.items import Deployments, State
from table_admin.deployments.keys import list_target
from table_admin.deployments.lists import Sites
from table_admin.deployments.manifests import build_manifest, read_manifest
from table_admin.deployments.sending import known_blobs
from table_admin.deployments.uploads import Upload, Uploader
from table_admin.errors import InvalidInput, NotFound, TableAdminError
from table_admin.routing_table import RoutingTable

PAGE = 500
"""URLs are signed so many at once."""
_ASKED = 5_000
"""Files are looked for so many at once: a function has 29 seconds."""
_SHOWN = 3


class Missing(TableAdminError):
    """Files of a deployment are not there yet."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where it goes."""

    table: RoutingTable
    sites: Sites
    region: str
    former: Sequence[str]
    """Deployments that most of its files may be of."""

    def target(self, deployment: str) -> str:
        """Return what a row names a deployment by."""
        return list_target(self.sites.bucket, deployment)


@dataclass(frozen=True, slots=True)
class BegunElsewhere:
    """A deployment whose list is there."""

    deployment: str
    target: str
    state: State
    epoch: int
    files: int
    notes: tuple[str, ...]


def begin(place: Elsewhere, manifest: str, *, spa: bool, force: bool, note: str) -> BegunElsewhere:
    """Write the list of what a manifest describes. Raises what `read_manifest` and `build_manifest` do."""
    bucket, s3 = place.sites.bucket, place.sites.s3
    former = [site for site in map(place.sites.get, place.former) if site is not None]
    built = build_manifest(read_manifest(s3, bucket, manifest), spa=spa, force=force, former=former)
    size, name = sum(file.size for file in built.files.values()), built.listing.id
    begun = Deployments(place.table).begin(bucket, place.region, name, len(built.files), size, note)
    if begun.state != "ready":
        content = built.listing.content
        upload = Upload(built.listing.key, hashlib.sha256(content).hexdigest(), len(content), content, True)
        for _ in Uploader(s3, bucket).send([upload]):
            pass
    state: State = "ready" if begun.state == "ready" else "uploading"
    return BegunElsewhere(name, place.target(name), state, begun.epoch, len(built.files), built.notes)


def upload_page(place: Elsewhere, deployment: str, cursor: str | None) -> tuple[list[Upload], str | None]:
    """Return some of the files that are not known to be there, and where the next page begins."""
    found = [*islice(_uploads(place, deployment, cursor), PAGE + 1)]
    return found[:PAGE], found[PAGE - 1].sha256 if len(found) > PAGE else None


def verify(place: Elsewhere, deployment: str, epoch: int, cursor: str | None) -> str | None:
    """Look whether files are there; where all are, the deployment is ready. Return where to go on, None at the end.

    Raises:
        Missing: with how many are not.
        NotReady: it was given up meanwhile: from the beginning again.
    """
    bucket = place.sites.bucket
    found = [*islice(_uploads(place, deployment, cursor), _ASKED + 1)]
    missing = Uploader(place.sites.s3, bucket).missing(found[:_ASKED])
    if missing:
        names = ", ".join(one.sha256 for one in missing[:_SHOWN])
        raise Missing(
            f"{len(missing)} files are not there, {names} among them: ask for their uploads, send them again."
        )
    if len(found) > _ASKED:
        return found[_ASKED - 1].sha256
    Deployments(place.table).ready(bucket, deployment, epoch)
    return None


def _uploads(place: Elsewhere, deployment: str, cursor: str | None) -> list[Upload]:
    deployments, bucket = Deployments(place.table), place.sites.bucket
    item = deployments.get(bucket, deployment)
    if item.state == "ready":
        return []
    if item.state != "uploading":
        raise NotFound(f"The deployment {deployment} was given up; begin it again.")
    if cursor is not None and len(cursor) != 64:
        raise InvalidInput("The cursor is none that a page of this listing ended with.")
    site = place.sites.get(deployment)
    if site is None:
        raise NotFound(f"The list of the deployment {deployment} is not there; begin it again.")
    condemned = deployments.condemned_blobs(bucket, place.region)
    known = known_blobs(deployments, place.sites, place.former) - condemned
    sizes = {file.blob: file.size for file in site.files() if file.blob not in known}
    left = sorted(blob for blob in sizes if blob > (cursor or ""))
    return [Upload(blob_key(blob), blob, sizes[blob], b"", blob in condemned) for blob in left]
