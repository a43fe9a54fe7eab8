"""What nobody needs any more is taken away, while others deploy: first said, then looked again, a day later done.

No file that a row needs is ever removed, whoever is paused wherever:

- A row is written only where its deployment is `ready`, in one transaction. So once one is condemned no row comes to
  name it; rows are read once more then, and what one names is made ready again, with all its files.
- What is removed are versions of blobs that were written down (`condemned`) a day before, and that no list of a
  deployment that is kept names then. Who began to deploy before they were written down is among these. Who began later
  has read what is written down and sent it as a new version, which nobody removes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from edge_handler.routes.route import encode_route
from edge_handler.website.listing import BLOBS, LISTS, blob_key, list_key
from table_admin.changes import Change, decode
from table_admin.deployments.blobs import is_versioned, remove_versions, versions_of
from table_admin.deployments.condemned import Condemned, read_condemned, write_condemned
from table_admin.deployments.items import Deployment, Deployments, NoDeployments
from table_admin.deployments.keys import deployment_key
from table_admin.deployments.lists import NoList, read_files
from table_admin.deployments.lock import SweepLock, SweepRunning, one_at_a_time
from table_admin.deployments.naming import kept_for_rollback, named_by_rows
from table_admin.errors import RevisionConflict, TableAdminError, TargetRefused
from table_admin.inputs import epoch_text
from table_admin.routing_table import RoutingTable
from table_admin.tables import follow

UNNEEDED_SECONDS = 7 * 86_400
"""So long a deployment that no row needs is kept."""
NOTICE_SECONDS = 86_400
"""So long versions are written down before they are removed."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What was done to one deployment, or what was left and why."""

    action: Literal["condemned", "removed", "left"]
    target: str
    """The deployment; the bucket where all of it is left."""
    reason: str


def sweep_deployments(table: RoutingTable, *, dry_run: bool = False) -> Iterator[Change | Swept]:
    """Take away what nobody needs: former deployments out of rows, then deployments, then their files.

    A second run changes nothing, until time has passed. Where another sweep is running, all is left to it.
    """
    deployments = Deployments(table)
    try:
        by_bucket = _by_bucket(deployments)
        with one_at_a_time(table, dry_run) as lock:
            yield from _close_tabs(table, dry_run)
            for bucket, region in by_bucket:
                yield from _Bucket(table, lock, bucket, region, dry_run).sweep()
    except NoDeployments:
        return
    except SweepRunning as error:
        yield Swept("left", "deployments", str(error))


def _by_bucket(deployments: Deployments) -> list[tuple[str, str]]:
    return sorted({(one.bucket, one.region) for one in deployments.list()})


def _close_tabs(table: RoutingTable, dry_run: bool) -> Iterator[Change]:
    """Write rows without the former deployments whose time has come."""
    now = table.clock()
    for row in follow(lambda cursor: table.tables.scan(cursor=cursor, consistent=True)):
        route = decode(row)
        if route is None or all(now < one.until for one in route.former):
            continue
        former = tuple(one for one in route.former if now < one.until)
        after = table.stamped(route._replace(former=former), "pages of former deployments are not kept any longer")
        write = table.write("put", route.domain, row, encode_route(after), False)
        try:
            yield from table.commit([write], dry_run=dry_run)
        except (RevisionConflict, TargetRefused):
            continue  # somebody else is at it; the next sweep sees
    table.tables.announce_withheld(table.actor)


class _Bucket:
    """One bucket's deployments, while they are swept."""

    def __init__(self, table: RoutingTable, lock: SweepLock, bucket: str, region: str, dry_run: bool) -> None:
        self._table = table
        self._deployments = Deployments(table)
        self._lock = lock
        self._bucket = bucket
        self._s3: Any = table.client("s3", region_name=region)
        self._dry_run = dry_run

    def sweep(self) -> Iterator[Swept]:
        """Condemn, write down, remove: what is done in one run is looked at again in the next."""
        try:
            if not is_versioned(self._s3, self._bucket):
                yield self._left("It keeps no versions, so nothing can be taken away while others deploy.")
                return
            yield from self._condemn()
            yield from self._remove()
        except SweepRunning:
            raise
        except TableAdminError as error:
            yield self._left(f"Nothing of it is removed now: {error}")

    def _all(self) -> list[Deployment]:
        return [one for one in self._deployments.list() if one.bucket == self._bucket]

    # ---- Which deployments nobody needs

    def _condemn(self) -> Iterator[Swept]:
        now = self._now()
        found, named = self._all(), named_by_rows(self._table)
        due = []
        for one in found:
            if one.state == "uploading" and one.lease_until <= now:
                due.append(one)
            elif one.state == "ready" and one.key in named:
                self._stamp(one, 0)
            elif one.state == "ready" and not one.unneeded_since:
                self._stamp(one, now)
            elif one.state == "ready" and one.unneeded_since + UNNEEDED_SECONDS <= now:
                due.append(one)
        # Of every bucket: a domain that moved to another can be rolled back to what it had here.
        domains = {domain for names in named.values() for domain in names}
        kept = kept_for_rollback(self._table, domains) if any(one.state == "ready" for one in due) else set()
        for one in due:
            if one.state == "uploading" or one.key not in kept:
                yield from self._condemn_one(one, now)

    def _stamp(self, seen: Deployment, since: int) -> None:
        if seen.unneeded_since != since and not self._dry_run:
            self._deployments.change_seen(seen, replace(seen, unneeded_since=since))

    def _condemn_one(self, seen: Deployment, now: int) -> Iterator[Swept]:
        after = replace(seen, state="condemned", epoch=seen.epoch + 1, condemned_at=now, published_at=0, lease_until=0)
        if not (self._dry_run or self._deployments.change_seen(seen, after)):
            return  # somebody needs it just now
        why = "its upload was given up"
        if seen.state == "ready":
            why = f"nobody has needed it since {epoch_text(seen.unneeded_since)}"
        yield Swept("condemned", seen.target, why)

    def _restore(self, one: Deployment) -> None:
        """Make a deployment ready again that a row came to name just before it was condemned: all of it is there."""

        def restored(before: Deployment | None) -> Deployment:
            found = before or one
            if found.state != "condemned":
                return found
            return replace(found, state="ready", unneeded_since=0, condemned_at=0, published_at=0, list_versions=())

        self._deployments.change(one.bucket, one.id, restored)

    # ---- What only they have

    def _remove(self) -> Iterator[Swept]:
        if self._dry_run:
            yield from self._would_be_removed()
            return
        found, written = self._all(), read_condemned(self._s3, self._bucket)
        if not (written or any(one.state == "condemned" for one in found)):
            return
        self._lock.renew()
        # Once more, now that they are condemned: from here on no row comes to name one.
        named = named_by_rows(self._table)
        waiting = [one for one in found if one.state == "condemned" and one.key not in named]
        for one in found:
            if one.state == "condemned" and one.key in named:
                self._restore(one)
        fresh = {blob for one in waiting if not one.published_at for blob in self._blobs_of(one)}
        served = {key.partition("/")[2] for key in named if key.startswith(deployment_key(self._bucket, ""))}
        served |= {one.id for one in found if one.state == "ready"}
        spare = self._without_kept({*written, *fresh}, served)
        # What is being sent is not there yet: nobody else may rely on it, so it stays written down.
        unneeded = self._without_kept(spare, (one.id for one in found if one.state == "uploading"))
        self._lock.renew()
        failed = self._remove_due(written, unneeded)
        self._lock.renew()
        self._write_down(written, spare, unneeded, fresh, failed)
        for one in waiting:
            if not one.published_at:
                self._publish(one)
            elif not failed and one.published_at + NOTICE_SECONDS <= self._now():
                yield from self._remove_list(one)

    def _would_be_removed(self) -> Iterator[Swept]:
        for one in self._all():
            if one.state == "condemned" and one.published_at and one.published_at + NOTICE_SECONDS <= self._now():
                yield self._removed(one)

    def _blobs_of(self, one: Deployment) -> set[str]:
        try:
            return {file.blob for file in read_files(self._s3, self._bucket, one.id)}
        except NoList:
            return set()  # its upload broke off before there was one

    def _without_kept(self, blobs: set[str], kept: Iterable[str]) -> set[str]:
        """Return those that no list of `kept` has. Raises NoList where one cannot be read: nobody knows then."""
        for deployment in sorted({*kept}):
            if blobs:
                blobs = blobs.difference(file.blob for file in read_files(self._s3, self._bucket, deployment))
        return blobs

    def _remove_due(self, written: Mapping[str, Condemned], unneeded: set[str]) -> set[str]:
        """Remove the versions that have been written down for long enough; return the keys of those that stay."""
        due = [
            (blob_key(blob), version)
            for blob, condemned in written.items()
            if blob in unneeded and not self._is_early(condemned)
            for version in condemned.versions
        ]
        return remove_versions(self._s3, self._bucket, due)

    def _write_down(
        self,
        written: Mapping[str, Condemned],
        spare: set[str],
        unneeded: set[str],
        fresh: set[str],
        failed: set[str],
    ) -> None:
        """Write down what is to be removed next, without what was removed and what is needed again."""
        now = self._now()
        rest = {
            blob: condemned
            for blob, condemned in written.items()
            if blob in spare and (blob not in unneeded or self._is_early(condemned) or blob_key(blob) in failed)
        }
        for blob, versions in self._versions(unneeded & fresh).items():
            if blob not in rest or rest[blob].versions != versions:
                rest[blob] = Condemned(now, versions)
        if rest != written:
            write_condemned(self._s3, self._bucket, rest)

    def _versions(self, blobs: Iterable[str]) -> dict[str, tuple[str, ...]]:
        by_key = {blob_key(blob): blob for blob in blobs}
        found = versions_of(self._s3, self._bucket, by_key, f"{BLOBS}/")
        return {by_key[key]: versions for key, versions in found.items()}

    def _publish(self, seen: Deployment) -> None:
        key = list_key(seen.id)
        versions = versions_of(self._s3, self._bucket, [key], f"{LISTS}/").get(key, ())
        self._deployments.change_seen(seen, replace(seen, published_at=self._now(), list_versions=versions))

    def _remove_list(self, seen: Deployment) -> Iterator[Swept]:
        key = list_key(seen.id)
        if remove_versions(self._s3, self._bucket, [(key, version) for version in seen.list_versions]):
            return
        if self._deployments.change_seen(seen, replace(seen, state="gone", list_versions=())):
            yield self._removed(seen)

    def _removed(self, one: Deployment) -> Swept:
        return Swept("removed", one.target, f"what no other has of its {one.files} files is gone")

    def _left(self, reason: str) -> Swept:
        return Swept("left", f"s3://{self._bucket}", reason)

    def _is_early(self, condemned: Condemned) -> bool:
        return condemned.since + NOTICE_SECONDS > self._now()

    def _now(self) -> int:
        return int(self._table.clock())
