"""An instance of viewer-request, made as Lambda makes it but for where its replicas and buckets are."""

from collections.abc import Sequence
from unittest.mock import patch

from benchmarks.faults.tables import TABLE
from benchmarks.faults.viewer import Viewer
from edge_handler import viewer_request
from edge_handler.aws.sigv4 import load_credentials
from edge_handler.feed.follower import Follower
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import Settings, load_settings
from edge_handler.snapshot.buckets import SnapshotBucket, SnapshotBuckets
from edge_handler.table.reader import WARM_UP_SECONDS, RoutesTable


def settings_of(replicas: Sequence[str], scheme: str, table: str = TABLE) -> Settings:
    """Return the settings of an instance whose `replicas` are at these hosts and ports."""
    return load_settings({})._replace(table=table, regions=tuple(replicas), endpoint=f"{scheme}://{{region}}")


def make_viewer(replicas: Sequence[str], scheme: str) -> Viewer:
    """Return a viewer of a new instance."""
    return viewer_of(settings_of(replicas, scheme))


def viewer_of(settings: Settings, following: Follower | None = None) -> Viewer:
    """Return a viewer of a new instance."""
    resolver = Resolver(RoutesTable.from_settings(settings), settings, following=following)
    return Viewer(viewer_request.make_handler(resolver))


def start_following(settings: Settings, buckets: Sequence[str]) -> Follower:
    """Do what the start does of it, with buckets at these endpoints: the settings have one for all of S3."""
    named = tuple((f"snapshots-{number}", "us-east-1") for number, _ in enumerate(buckets))
    credentials = load_credentials()
    objects = SnapshotBuckets(
        [SnapshotBucket(*name, endpoint, credentials) for name, endpoint in zip(named, buckets, strict=True)]
    )
    with patch.object(SnapshotBuckets, "from_settings", lambda _: objects):
        follower = viewer_request._follower(settings._replace(snapshot_buckets=named))
    assert follower
    follower.start(viewer_request.LOAD_SECONDS, WARM_UP_SECONDS)
    return follower
