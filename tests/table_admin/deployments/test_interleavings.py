"""Who deploys is paused before each of its requests while sweeps run to their end, and the other way round.

Whatever comes of it: every file of every deployment that a row names is there, always. All of it is the real code, over
moto in this process; only that its objects are sent by boto3.
"""

import copy
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import FakeKey, s3_backends

from edge_handler.website.listing import blob_key
from table_admin import RoutingTable, TableAdminError, deploy
from table_admin.deployments import items
from table_admin.deployments.items import Deployments
from table_admin.deployments.retention import sweep_deployments
from table_admin.deployments.uploads import Upload, Uploader
from tests.support import Clock, make_tables
from tests.table_admin.deployments.deploying import digest, lost, publish, put_blob, target_of

DAY = 86_400
HOST, OTHER, ENV = "www.example.com", "docs.example.com", "env.example.com"
# OLD is what nobody needs any more; the rest shares files with it, or is it.
OLD = {"/index.html": b"old", "/shared.css": b"shared", "/only.js": b"only"}
LIVE = {"/index.html": b"live", "/logo.svg": b"logo"}
NEW = {"/index.html": b"new", "/shared.css": b"shared", "/logo.svg": b"logo"}
_numbers = itertools.count(1)


class Gate:
    """Lets so many requests of a client through, then holds it."""

    def __init__(self, after: int) -> None:
        self._change = threading.Condition()
        self._allowed, self._seen = after, 0

    def open(self) -> None:
        with self._change:
            self._allowed = 10**9
            self._change.notify_all()

    def wait_until_held(self, thread: threading.Thread) -> bool:
        """Return whether the client is held; it may have ended instead."""
        with self._change:
            while self._seen <= self._allowed and thread.is_alive():
                self._change.wait(0.005)
            return self._seen > self._allowed

    def __call__(self) -> None:
        with self._change:
            self._seen += 1
            number = self._seen
            self._change.notify_all()
            while number > self._allowed:
                self._change.wait()


class World:
    """OLD, which no row needs, and LIVE, in a versioned bucket; after sweeps on some days.

    `held` begins there each time.
    """

    def __init__(self, swept: Iterable[float]) -> None:
        self.clock = Clock()
        self.bucket = f"held-{next(_numbers)}-sites"
        self.table = self.table_of("onlooker")
        self.s3 = self.table.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        make_tables(self.bucket, self.table.client("dynamodb"))
        publish(self.table, self.bucket, OLD, ENV)
        self.table.delete(ENV)
        publish(self.table, self.bucket, LIVE, HOST)
        self.gate = Gate(0)
        self._held_client = self.table_of("held", lambda **_: self.gate()).client
        self.sweep(swept)
        self._kept = copy.deepcopy((self.clock.now, self._buckets[self.bucket], self._own_tables()))

    @property
    def _buckets(self) -> dict[str, Any]:
        return s3_backends["123456789012"]["aws"].buckets

    @property
    def _tables(self) -> dict[str, Any]:
        return dynamodb_backends["123456789012"]["us-east-1"].tables

    def _own_tables(self) -> dict[str, Any]:
        return {name: found for name, found in self._tables.items() if name.startswith(f"{self.bucket}-")}

    def _begin_again(self) -> None:
        self.clock.now, bucket, tables = copy.deepcopy(self._kept)
        self._buckets[self.bucket] = bucket
        self._tables.update(tables)

    def table_of(self, name: str, hook: Callable[..., None] | None = None) -> RoutingTable:
        known: dict[str, Any] = {}

        def client(service: str, **_: Any) -> Any:
            if service not in known:
                known[service] = boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]
                if hook is not None:
                    known[service].meta.events.register_first("before-send", hook)
            return known[service]

        return RoutingTable(self.bucket, actor=name, client=client, clock=self.clock)

    def sweep(self, days: Iterable[float]) -> None:
        for more in days:
            self.clock.now += more * DAY
            sweep_all(self.table)
            self.check()

    def check(self) -> None:
        assert lost(self.table, self._read) == []

    def _read(self, bucket: str, key: str) -> bytes | None:
        """Look without a request."""
        found = self._buckets[bucket].keys.get(key)
        return bytes(found.value) if isinstance(found, FakeKey) else None

    def held(self, work: Callable[[RoutingTable], object], after: int, meanwhile: Callable[[], object]) -> bool:
        """Hold `work` before a request while all of `meanwhile` is done; tell whether it came so far."""
        self._begin_again()
        gate = self.gate = Gate(after)
        failures: list[BaseException] = []

        def run() -> None:
            try:
                work(RoutingTable(self.bucket, actor="held", client=self._held_client, clock=self.clock))
            except BaseException as error:  # noqa: BLE001  # raised below
                failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            held = gate.wait_until_held(thread)
            self.check()
            meanwhile()
            self.check()
        finally:
            gate.open()
            thread.join()
        if failures:
            raise failures[0]
        self.check()
        return held


def sweep_all(table: RoutingTable) -> None:
    for _ in sweep_deployments(table):
        pass


def after_days(world: World, days: float, table: RoutingTable) -> None:
    world.clock.now += days * DAY
    sweep_all(table)


def send_by_boto3(uploader: Uploader, upload: Upload) -> bool:
    body = upload.source if isinstance(upload.source, bytes) else upload.source.read_bytes()
    known = uploader._s3  # type: ignore[attr-defined]
    put_blob(known, uploader._bucket, upload.key, body, again=upload.is_new_version)
    return True


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def init(uploader: Uploader, s3: Any, bucket: str) -> None:
        uploader._s3, uploader._bucket = s3, bucket  # type: ignore[attr-defined]

    monkeypatch.setattr(Uploader, "__init__", init)
    monkeypatch.setattr(Uploader, "_send", send_by_boto3)
    moto = mock_aws()
    moto.start(reset=False)  # another test's server may be in this process
    yield
    moto.stop(remove_data=False)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for path, body in files.items():
        (folder / path[1:]).write_bytes(body)
    return folder


def deploy_old(world: World, folder: Path, table: RoutingTable) -> None:
    done = deploy(table, write(folder / "old", OLD), bucket=world.bucket, domain=OTHER)
    assert world.table.get(OTHER).target == done.target


def deploy_new(world: World, folder: Path, table: RoutingTable) -> None:
    done = deploy(table, write(folder / "new", NEW), bucket=world.bucket, domain=HOST)
    assert world.table.get(HOST).target == done.target


def put_old(world: World, _folder: Path, table: RoutingTable) -> None:
    """Send a domain to what may be gone: then it is refused."""
    target = target_of(world.bucket, OLD)
    try:
        table.put(OTHER, target)
    except TableAdminError:
        assert Deployments(world.table).get(world.bucket, target.rpartition("/")[2]).state != "ready"


WORKS = (deploy_old, deploy_new, put_old)


@pytest.mark.parametrize(
    ("work", "swept", "lease_days"),
    [
        *((work, swept, 30) for work in WORKS for swept in ((), (0, 7))),
        (deploy_old, (0, 7, 1), 30),
        # Its lease runs out while it is paused.
        (deploy_new, (), 0.25),
    ],
)
def test_sweeps_run_while_a_deployment_is_paused_before_each_of_its_requests(
    work: Callable[[World, Path, RoutingTable], None],
    swept: tuple[float, ...],
    lease_days: float,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(items, "LEASE_SECONDS", int(lease_days * DAY))
    world = World(swept)
    for after in itertools.count():
        held = world.held(partial(work, world, tmp_path), after, partial(world.sweep, (0, 7, 1, 1)))
        world.sweep((8, 1))
        if not held:
            break
    assert after > 3


@pytest.mark.parametrize(
    ("swept", "then"), [((), 0), ((0,), 7), ((0, 7), 1), ((0, 7, 1), 1)], ids=["stamps", "condemns", "removes", "rests"]
)
def test_deployments_run_while_a_sweep_is_paused_before_each_of_its_requests(
    swept: tuple[float, ...], then: float, tmp_path: Path
) -> None:
    world = World(swept)
    for after in itertools.count():
        works = (WORKS[after % 3], WORKS[(after + 1) % 3])

        def meanwhile(works: Iterable[Callable[[World, Path, RoutingTable], None]] = works) -> None:
            for work in works:
                work(world, tmp_path, world.table)
                world.check()

        held = world.held(partial(after_days, world, then), after, meanwhile)
        world.sweep((8, 1))
        if not held:
            break
    assert after > 8


def test_what_is_checked_here_can_be_lost() -> None:
    world = World(())
    key = blob_key(digest(LIVE["/logo.svg"]))
    world.s3.delete_object(Bucket=world.bucket, Key=key)
    with pytest.raises(AssertionError):
        world.check()
    assert len(lost(world.table)) == 1
