"""A directory becomes a site: its files are sent, then its list is ready, then one write of the row shows it.

The order is that of `items`: whatever else runs, and wherever this ends, what a row names is whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, bucket_domain_name
from edge_handler.routes.redirect import Answering
from edge_handler.routes.route import Route
from table_admin.changes import Change, decode, generation_of
from table_admin.deployments.build import Build, build
from table_admin.deployments.digests import digests_of
from table_admin.deployments.items import Deployments, NotReady
from table_admin.deployments.keys import bucket_of, deployments_of, list_target
from table_admin.deployments.lists import Sites
from table_admin.deployments.places import Place, Terms, place_of
from table_admin.deployments.sending import Sent, missing, send
from table_admin.errors import Overtaken, TableAdminError, TargetRefused
from table_admin.routing_table import RoutingTable
from table_admin.stack import stack_output

_ATTEMPTS = 3
"""A deployment may be given up while it is sent, by an upkeep that thinks nobody needs it; hardly ever twice."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment is, and what it took."""

    deployment: str
    target: str
    change: Change
    files: int
    size: int
    """Bytes of all files."""
    sent_files: int
    sent_size: int
    """Of what was not there yet."""
    notes: tuple[str, ...]
    """What whoever deploys should know."""

    @property
    def domain(self) -> str:
        """What viewers ask for."""
        return self.change.domain

    @property
    def url(self) -> str:
        """Where the site is."""
        return f"https://{self.domain}/"


def deploy(
    table: RoutingTable,
    directory: Path | str,
    *,
    bucket: str = "",
    domain: str | None = None,
    environment: str | None = None,
    branch: str | None = None,
    base: str | None = None,
    service: str = "",
    source: str | None = None,
    take_over: bool = False,
    expires_in: str | None = None,
    permanent: bool = False,
    default_expires_in: str | None = None,
    spa: bool = False,
    force: bool = False,
    resend: bool = False,
    policy: Mapping[str, Any] | None = None,
    note: str = "",
    dry_run: bool = False,
    on_progress: Callable[[Sent], object] = lambda _: None,
) -> Deployed:
    """Make a directory what viewers get of a URL. A second run sends nothing and writes nothing.

    Where viewers get something else by the end than when this began, it was a newer deployment, and stays.

    Args:
        table: where.
        directory: what a site's generator wrote.
        bucket: where the files are kept; the stack's own by default.
        domain: the URL, see `RoutingTable.put`; or
        environment: the environment it is of, see `environments.up`; or
        branch: the branch whose environment it is of, see `branches.up`.
        base: the domain that the environment's URLs are under.
        service: which of the environment's services it is.
        source: see `environments.up`.
        take_over: likewise.
        expires_in: see `RoutingTable.put`.
        permanent: likewise.
        default_expires_in: likewise.
        spa: see `build`.
        force: likewise.
        resend: look for each file anew, and send what somebody removed from the bucket.
        policy: see `RoutingTable.put`; who may see it is said with the same write, never after it.
        note: why, for people.
        dry_run: say what would be sent and changed, and do nothing.
        on_progress: told of each file.

    Raises:
        InvalidInput, Taken, TargetRefused, FileChanged: nothing was published.
        Overtaken: another deployment was faster; nothing was published.
    """
    terms = Terms(expires_in, permanent, default_expires_in, policy, note)
    place = place_of(
        table,
        terms,
        domain=domain,
        environment=environment,
        branch=branch,
        base=base,
        service=service,
        source=source,
        take_over=take_over,
    )
    begun = _Begun.now(table, place)
    bucket = bucket or stack_bucket(table)
    region = table.targets.region(bucket)
    sites = Sites(table.client("s3", region_name=region), bucket)
    former = [site for site in map(sites.get, deployments_of(begun.route, bucket)) if site is not None]
    digests = None if resend else digests_of(Path(directory))
    built = build(Path(directory), spa=spa, force=force, former=former, digests=digests)
    target = list_target(bucket, built.listing.id)
    table.targets.remember(bucket, _origin(bucket, region, built))
    # What the row's write would be refused for, it is refused for before anything is sent.
    planned = place.send(target, begun.generation, True)
    if dry_run:
        sent = missing(table, sites, built, deployments_of(begun.route, bucket), resend=resend)
        return begun.deployed(planned, target, built, sent)
    sent = Sent()
    for left in reversed(range(_ATTEMPTS)):
        try:
            named = deployments_of(begun.route, bucket)
            sent += send(table, sites, region, built, named, note, on_progress, resend=resend)
            return begun.deployed(begun.finish(table, place, target), target, built, sent)
        except (NotReady, TargetRefused):
            if not left:
                raise
    raise AssertionError  # the last attempt returned or raised


def stack_bucket(table: RoutingTable) -> str:
    """Return the bucket that the edge's stack made. Raises TableAdminError where that cannot be known."""
    name, why = stack_output(table, "StaticBucketName")
    if not name:
        raise TableAdminError(f"Which bucket the files go to is not known: {why}. Say it: --bucket NAME.")
    return name


@dataclass(frozen=True, slots=True)
class _Begun:
    """What was there when a deployment began."""

    generation: int
    route: Route | None
    uploading: dict[str, int]
    """By key, the version of what others were sending then: it is older, also where it is finished first."""

    @classmethod
    def now(cls, table: RoutingTable, place: Place) -> "_Begun":
        # First the row: whatever is written to it from here on is newer, but for what was on its way already.
        item = table.tables.read([place.domain]).get(place.domain)
        uploading = {one.key: one.version for one in Deployments(table).list() if one.state == "uploading"}
        return cls(generation_of(item, table.clock()), decode(item), uploading)

    def finish(self, table: RoutingTable, place: Place, target: str) -> Change:
        """Write the row. Raises Overtaken where it shows what is newer."""
        generation = self.generation
        while True:
            try:
                return place.send(target, generation, False)
            except Overtaken:
                item = table.tables.read([place.domain]).get(place.domain)
                route = decode(item)
                if route is None or not self._was_on_its_way(table, route.origin):
                    raise
                generation = generation_of(item, table.clock())

    def _was_on_its_way(self, table: RoutingTable, origin: Answering) -> bool:
        if not isinstance(origin, DeploymentOrigin):
            return False
        now = Deployments(table).find(bucket_of(origin.domain_name), origin.deployment)
        # Nothing but that it became ready since then: who begins it once more, later, is newer.
        return now is not None and now.state == "ready" and now.version == self.uploading.get(now.key, now.version) + 1

    def deployed(self, change: Change, target: str, built: Build, sent: Sent) -> Deployed:
        """Return what was done."""
        size, notes = sum(file.size for file in built.files.values()), built.notes
        if self.route is not None and isinstance(self.route.origin, CustomOrigin):
            notes = (*notes, f"Instead of {self.route.target}, an application; rollback brings it back.")
        return Deployed(
            built.listing.id, target, change, len(built.files), size, sent.sent_files, sent.sent_size, notes
        )


def _origin(bucket: str, region: str, built: Build) -> DeploymentOrigin:
    options: Any = built.options
    return DeploymentOrigin(bucket_domain_name(bucket, region), region, built.listing.id, options.query, options.cors)
