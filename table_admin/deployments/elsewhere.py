"""Deployments of a directory that is somewhere else, in steps of which each can be asked for again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_handler.website.listing import blob_key
from table_admin.deployments.condemned import Condemned, read_condemned
from table_admin.deployments.items import Deployment, Deployments, NotReady, State
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
    item = Deployments(place.table).get(place.sites.bucket, deployment)
    if cursor is not None and len(cursor) != 64:
        raise InvalidInput("The cursor is none that a page of this listing ended with.")
    found = _uploads(place, item, _condemned(place), cursor or "")
    return found[:PAGE], found[PAGE - 1].sha256 if len(found) > PAGE else None


def verify(place: Elsewhere, deployment: str, epoch: int, cursor: str | None) -> str | None:
    """Look whether files are there; where all are, the deployment is ready. Return how far it is, None at the end.

    It goes on where the deployment's item says: nobody else's word counts for what was not looked for.

    Raises:
        InvalidInput: the cursor is not how far it is.
        Missing: with how many are not.
        NotReady: it was given up meanwhile: from the beginning again.
    """
    deployments, bucket = Deployments(place.table), place.sites.bucket
    item = deployments.get(bucket, deployment)
    if item.epoch != epoch:
        raise NotReady("The deployment was given up meanwhile, or this is not its epoch; begin it again.")
    if item.state == "uploading" and cursor is not None and cursor != item.progress:
        raise InvalidInput("The cursor is not how far the files were looked for; ask without one to go on from there.")
    condemned = _condemned(place)
    found = _uploads(place, item, condemned, item.progress)
    missing = _missing(place, found[:_ASKED], condemned)
    if missing:
        names = ", ".join(one.sha256 for one in missing[:_SHOWN])
        raise Missing(
            f"{len(missing)} files are not there, {names} among them: ask for their uploads, send them again."
        )
    if len(found) > _ASKED:
        return deployments.extend_lease(bucket, deployment, epoch, found[_ASKED - 1].sha256)
    deployments.ready(bucket, deployment, epoch)
    return None


def _condemned(place: Elsewhere) -> Mapping[str, Condemned]:
    return read_condemned(place.sites.s3, place.sites.bucket)


def _missing(place: Elsewhere, uploads: Sequence[Upload], condemned: Mapping[str, Condemned]) -> list[Upload]:
    found = Uploader(place.sites.s3, place.sites.bucket).current_versions(uploads)
    return [
        upload
        for upload, version in zip(uploads, found, strict=True)
        if version is None or (upload.is_new_version and version in condemned[upload.sha256].versions)
    ]


def _uploads(place: Elsewhere, item: Deployment, condemned: Mapping[str, Condemned], after: str) -> list[Upload]:
    deployment = item.id
    if item.state == "ready":
        return []
    if item.state != "uploading":
        raise NotFound(f"The deployment {deployment} was given up; begin it again.")
    site = place.sites.get(deployment)
    if site is None:
        raise NotFound(f"The list of the deployment {deployment} is not there; begin it again.")
    known = known_blobs(Deployments(place.table), place.sites, place.former) - condemned.keys()
    sizes = {file.blob: file.size for file in site.files() if file.blob not in known}
    left = sorted(blob for blob in sizes if blob > after)
    return [Upload(blob_key(blob), blob, sizes[blob], b"", blob in condemned) for blob in left]
