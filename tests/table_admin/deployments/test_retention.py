"""What sweep takes away, when, and what it leaves."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from edge_handler.website.listing import Listing, blob_key, list_key
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, TargetRefused
from table_admin.canary import abort, start
from table_admin.changes import Change
from table_admin.deployments import blobs, naming, retention
from table_admin.deployments.blobs import versions_of
from table_admin.deployments.condemned import read_condemned
from table_admin.deployments.deploy import deploy
from table_admin.deployments.items import Deployments
from table_admin.deployments.lock import one_at_a_time
from table_admin.deployments.naming import KEPT_OF_A_DOMAIN
from table_admin.deployments.retention import Swept, sweep_deployments
from table_admin.rollback import rollback
from tests.support import Clock, broken_list
from tests.table_admin.deployments.deploying import REGION, digest, listing_of, lost, publish, read, send, target_of

DAY = 86_400
HOST, OTHER = "www.example.com", "docs.example.com"
OLD = {"/index.html": b"old", "/shared.css": b"shared"}
NEW = {"/index.html": b"new", "/shared.css": b"shared"}
_numbers = itertools.count(1)


class World:
    """A stack, a versioned bucket, and a time."""

    def __init__(self, table: RoutingTable, aws: EmbeddedAws, *, versioned: bool = True) -> None:
        self.clock = Clock()
        self.table = RoutingTable(table.stack, actor="tester", client=aws.client, clock=self.clock)
        self.bucket = f"sites-{next(_numbers)}-{table.stack}"
        self.s3 = aws.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        if versioned:
            self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def publish(self, files: dict[str, bytes], domain: str = HOST) -> str:
        return publish(self.table, self.bucket, files, domain)

    def sweep(self, days: float = 0, *, dry_run: bool = False) -> list[tuple[str, str]]:
        """Sweep after some days: what was done to which deployment or domain."""
        self.clock.now += days * DAY
        done = [*sweep_deployments(self.table, dry_run=dry_run)]
        assert not lost(self.table)
        return [(one.action, one.target if isinstance(one, Swept) else one.domain) for one in done]

    def has(self, body: bytes) -> bool:
        return read(self.s3, self.bucket, blob_key(digest(body))) is not None

    def state(self, files: dict[str, bytes]) -> str:
        return Deployments(self.table).get(self.bucket, listing_of(files).id).state


@pytest.fixture
def world(table: RoutingTable, aws: EmbeddedAws) -> World:
    return World(table, aws)


def removed_site(world: World) -> str:
    """Publish OLD, and remove its row."""
    target = world.publish(OLD)
    world.table.delete(HOST)
    return target


def test_what_no_row_names_is_condemned_after_a_week_and_removed_a_day_later(world: World) -> None:
    target = removed_site(world)
    assert world.sweep() == []
    assert world.sweep(6.9) == []
    assert world.sweep(0.1) == [("condemned", target)]
    assert world.has(b"old")
    assert world.sweep(0.9) == []
    assert world.has(b"old")
    assert world.sweep(0.1) == [("removed", target)]
    assert not world.has(b"old")
    assert not world.has(b"shared")
    assert read(world.s3, world.bucket, list_key(listing_of(OLD).id)) is None
    assert world.state(OLD) == "gone"
    assert world.sweep(9) == []
    assert read_condemned(world.s3, world.bucket) == {}


def test_a_blob_that_another_deployment_has_stays(world: World) -> None:
    removed_site(world)
    world.publish(NEW, OTHER)
    for days in (0, 7, 1, 1):
        world.sweep(days)
    assert world.state(OLD) == "gone"
    assert not world.has(b"old")
    assert world.has(b"shared")


def test_pages_that_are_open_have_their_files_for_a_week_then_the_row_names_them_no_more(world: World) -> None:
    world.publish(OLD)
    generation = world.table.get(HOST).generation
    world.publish(NEW)
    route = world.table.get(HOST)
    assert [one.deployment for one in route.former] == [listing_of(OLD).id]
    assert world.sweep(6.9) == []
    assert world.sweep(0.1) == [("updated", HOST)]
    after = world.table.get(HOST)
    assert (after.former, after.origin, after.generation) == ((), route.origin, route.generation)
    assert after.generation > generation
    assert world.sweep(0) == []


def test_what_a_canary_and_a_standby_name_is_kept_and_what_they_named_for_as_long_as_a_rollback_leads_there(
    world: World,
) -> None:
    sites = [{"/index.html": b"second %d" % number} for number in range(3)]
    own, canary, standby = (send(world.table, world.bucket, site) for site in sites)
    world.table.put(HOST, own, standby=standby)
    start(world.table, HOST, canary, weight=5)
    for days in (8, 8, 2):
        assert world.sweep(days) == []
    abort(world.table, HOST)
    world.table.put(HOST, own, standby="none")
    assert world.sweep(8) == [("updated", HOST)]  # of which pages are open no more
    for days in (8, 2):
        assert world.sweep(days) == []
    rollback(world.table, [HOST], to=2)
    assert world.table.get(HOST).canary is not None
    assert not lost(world.table)


def test_the_last_ten_of_a_domain_are_kept_however_old(world: World) -> None:
    sites = [{"/index.html": b"%d" % number} for number in range(KEPT_OF_A_DOMAIN + 2)]
    targets = [world.publish(site) for site in sites]
    assert world.sweep(8) == [("updated", HOST)]
    assert sorted(world.sweep(8)) == sorted([("condemned", targets[0]), ("condemned", targets[1])])
    world.sweep(1)
    assert [world.state(site) for site in sites[:3]] == ["gone", "gone", "ready"]
    rollback(world.table, [HOST], to=3)
    assert world.table.get(HOST).target == targets[2]
    with pytest.raises(TargetRefused, match="gone, not ready"):
        rollback(world.table, [HOST], to=1)
    assert not lost(world.table)


def test_an_upload_that_was_given_up_goes_and_can_be_made_again(world: World) -> None:
    listing = listing_of(OLD)
    begun = Deployments(world.table).begin(world.bucket, "us-east-1", listing.id, 2, 9)
    assert world.sweep() == []
    world.s3.put_object(Bucket=world.bucket, Key=listing.key, Body=listing.content)
    assert world.sweep(0.2) == []
    assert world.sweep(0.1) == [("condemned", target_of(world.bucket, OLD))]
    world.publish(OLD)
    assert Deployments(world.table).get(world.bucket, listing.id).epoch > begun.epoch
    for days in (1, 8, 1):
        assert world.sweep(days) == []
    assert world.state(OLD) == "ready"


def test_a_domain_that_moved_to_another_bucket_can_go_back_to_what_it_had_in_the_first(
    world: World, aws: EmbeddedAws
) -> None:
    first = world.publish(OLD)
    publish(world.table, World(world.table, aws).bucket, NEW, HOST)
    for days in (0, 8, 1, 1):
        assert world.sweep(days) == []
    assert world.state(OLD) == "ready"
    rollback(world.table, [HOST])
    assert world.table.get(HOST).target == first


def test_while_a_list_of_what_is_kept_cannot_be_read_nothing_is_removed(world: World) -> None:
    removed_site(world)
    world.publish(NEW, OTHER)
    world.sweep()
    world.sweep(7)
    key = list_key(listing_of(NEW).id)
    content = read(world.s3, world.bucket, key)
    world.clock.now += DAY
    for damage in (None, b"not a list"):
        if damage is None:
            world.s3.delete_object(Bucket=world.bucket, Key=key)
        else:
            world.s3.put_object(Bucket=world.bucket, Key=key, Body=damage)
        (left,) = sweep_deployments(world.table)
        assert isinstance(left, Swept)
        assert (left.action, left.target) == ("left", f"s3://{world.bucket}")
        assert listing_of(NEW).id in left.reason
        assert world.has(b"old")
    world.s3.put_object(Bucket=world.bucket, Key=key, Body=content)
    assert world.sweep() == [("removed", target_of(world.bucket, OLD))]


@pytest.mark.parametrize("kind", ["deep", "length", "record"])
def test_a_list_that_somebody_else_made_stops_the_sweep_of_its_bucket_and_of_no_other(
    world: World, aws: EmbeddedAws, kind: str
) -> None:
    other = World(world.table, aws)
    other.clock = world.clock
    other.table = world.table
    removed_site(world)
    other.publish(NEW)
    world.table.delete(HOST)
    world.sweep()
    world.sweep(7)
    made_ready(world, broken_list(kind))
    world.clock.now += DAY
    left, removed = sorted(sweep_deployments(world.table), key=lambda one: str(getattr(one, "action", "")))
    assert isinstance(left, Swept)
    assert (left.action, left.target) == ("left", f"s3://{world.bucket}")
    assert "is no deployment's list" in left.reason
    assert isinstance(removed, Swept)
    assert (removed.action, removed.target) == ("removed", target_of(other.bucket, NEW))
    assert world.has(b"old")


@pytest.mark.parametrize("kind", ["deep", "length", "record"])
def test_a_list_that_somebody_else_made_stops_no_deployment(world: World, tmp_path: Path, kind: str) -> None:
    broken = broken_list(kind)
    made_ready(world, broken)
    (tmp_path / "index.html").write_text("home")
    # Where it is the bucket's newest, and where it is what the domain has.
    assert deploy(world.table, tmp_path, bucket=world.bucket, domain=OTHER).sent_files == 1
    world.publish(OLD)
    row = world.table.tables.read([HOST])[HOST]
    for name in ("origin", "target"):
        assert listing_of(OLD).id in str(row[name])
    changed = json.loads(json.dumps(row).replace(listing_of(OLD).id, broken.id))
    world.table.tables.dynamodb.put_item(TableName=world.table.tables.routes, Item=changed)
    (tmp_path / "index.html").write_text("home again")
    deployed = deploy(world.table, tmp_path, bucket=world.bucket, domain=HOST)
    assert deployed.change.action == "updated"


def made_ready(world: World, listing: Listing) -> None:
    """Do what somebody does who may put lists: one that is none is ready."""
    deployments = Deployments(world.table)
    begun = deployments.begin(world.bucket, REGION, listing.id, 1, 1)
    world.s3.put_object(Bucket=world.bucket, Key=listing.key, Body=listing.content)
    deployments.ready(world.bucket, listing.id, begun.epoch)


def test_a_bucket_without_versions_is_not_swept(table: RoutingTable, aws: EmbeddedAws) -> None:
    world = World(table, aws, versioned=False)
    removed_site(world)
    for days in (0, 8, 8):
        assert world.sweep(days) == [("left", f"s3://{world.bucket}")]
    assert world.state(OLD) == "ready"
    world.s3.put_bucket_versioning(Bucket=world.bucket, VersioningConfiguration={"Status": "Suspended"})
    assert world.sweep() == [("left", f"s3://{world.bucket}")]


def test_a_dry_run_says_what_would_go_and_changes_nothing(world: World) -> None:
    target = removed_site(world)
    before = [*Deployments(world.table).list()]
    assert world.sweep(dry_run=True) == []
    assert [*Deployments(world.table).list()] == before
    world.sweep()
    before = [*Deployments(world.table).list()]
    assert world.sweep(7, dry_run=True) == [("condemned", target)]
    assert [*Deployments(world.table).list()] == before
    world.sweep()
    assert world.sweep(1, dry_run=True) == [("removed", target)]
    assert world.has(b"old")


def test_of_two_sweeps_one_leaves_it_to_the_other_which_may_go_on_after_a_quarter_of_an_hour(world: World) -> None:
    removed_site(world)
    with one_at_a_time(world.table, dry_run=False):
        assert world.sweep() == [("left", "deployments")]
        world.clock.now += 901
        assert world.sweep() == []


@pytest.mark.parametrize("few", [0, 100])
def test_versions_are_found_of_few_and_of_many(world: World, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(blobs, "_FEW", few)
    keys = sorted(blob_key(digest(b"%d" % number)) for number in range(9))
    for key in keys * 2:
        world.s3.put_object(Bucket=world.bucket, Key=key, Body=b"")
    for wanted in ([keys[0]], keys[::3], keys, [f"_blobs/{'0' * 64}", keys[5], f"_blobs/{'f' * 64}"], []):
        found = versions_of(world.s3, world.bucket, wanted, "_blobs/")
        assert {key: len(versions) for key, versions in found.items()} == {key: 2 for key in wanted if key in keys}


def test_a_stack_without_the_table_is_swept_as_before(world: World) -> None:
    world.table.tables.dynamodb.delete_table(TableName=world.table.tables.deployments)
    assert world.sweep() == []


def test_what_a_row_came_to_name_just_before_it_was_condemned_is_ready_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = removed_site(world)
    world.sweep()
    world.clock.now += 7 * DAY
    original = naming.named_by_rows

    def then_named(table: RoutingTable) -> Any:
        found = original(table)
        monkeypatch.setattr(retention, "named_by_rows", original)
        world.table.put(OTHER, target)
        return found

    monkeypatch.setattr(retention, "named_by_rows", then_named)
    assert world.sweep() == [("condemned", target)]
    assert world.state(OLD) == "ready"
    assert isinstance(world.table.touch(OTHER), Change)
    for days in (0, 8, 8, 1):
        world.sweep(days)
    assert world.state(OLD) == "ready"


def test_what_is_sent_again_after_it_was_written_down_survives_its_removal(world: World) -> None:
    removed_site(world)
    world.sweep()
    world.sweep(7)
    send(world.table, world.bucket, {"/index.html": b"old", "/more.html": b"more"})
    versions = world.s3.list_object_versions(Bucket=world.bucket, Prefix=blob_key(digest(b"old")))["Versions"]
    assert len(versions) == 2
    world.sweep(1)
    assert world.has(b"old")
    world.publish({"/index.html": b"old", "/more.html": b"more"}, OTHER)
    for days in (0, 8, 1):
        world.sweep(days)
