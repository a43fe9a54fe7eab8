"""Who deploys is paused before each of its requests while sweeps run to their end, and the other way round.

Whatever comes of it: every file of every deployment that a row names is there, always.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3
import pytest

from edge_handler.website.listing import blob_key
from local_edge.embedded_aws import CREDENTIALS, EmbeddedAws
from table_admin import RoutingTable, TableAdminError
from table_admin.deployments import items
from table_admin.deployments.items import Deployments
from table_admin.deployments.retention import sweep_deployments
from tests.support import Clock, make_tables
from tests.table_admin.deployments.deploying import digest, lost, publish, read, target_of

DAY = 86_400
HOST, OTHER, ENV = "www.example.com", "docs.example.com", "env.example.com"
# OLD is what nobody needs any more; the rest shares files with it, or is it.
OLD = {"/index.html": b"old", "/shared.css": b"shared", "/only.js": b"only"}
LIVE = {"/index.html": b"live", "/logo.svg": b"logo"}
NEW = {"/index.html": b"new", "/shared.css": b"shared", "/logo.svg": b"logo"}
# When the next sweep stamps OLD, condemns it and writes its blobs down, removes them, and after that.
STAGES = ((), (0,), (0, 7), (0, 7, 1))
AFTER = ((0, 0.01, 0.01), (0, 7, 1, 1), (7, 1, 1), (1, 7, 1))
_numbers = itertools.count(1)


class Gate:
    """Lets one client's requests through until it is held; told apart by its access key."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._change = threading.Condition()
        self._key, self._allowed, self.seen = "Credential=nobody/", 0, 0

    def hold(self, key: str, after: int) -> None:
        with self._change:
            self._key, self._allowed, self.seen = f"Credential={key}/", after, 0

    def open(self) -> None:
        with self._change:
            self._allowed = 10**9
            self._change.notify_all()

    def wait_until(self, ended: threading.Event) -> bool:
        """Return whether the client is held; it may have ended instead."""
        with self._change:
            while self.seen <= self._allowed and not ended.is_set():
                self._change.wait(0.002)
            return self.seen > self._allowed

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._key in environ.get("HTTP_AUTHORIZATION", ""):
            with self._change:
                self.seen += 1
                number = self.seen
                self._change.notify_all()
                while number > self._allowed:
                    self._change.wait()
        return self._app(environ, start_response)


@pytest.fixture(scope="module")
def gated() -> Iterator[tuple[EmbeddedAws, Gate]]:
    aws = EmbeddedAws(0)
    gate = Gate(aws._server.app)
    aws._server.app = gate
    yield aws, gate
    aws.close()


class World:
    """OLD, which no row needs, and LIVE, in a versioned bucket."""

    def __init__(self, aws: EmbeddedAws, gate: Gate) -> None:
        self.aws, self.gate, self.clock = aws, gate, Clock()
        self.bucket = f"held-{next(_numbers)}-sites"
        self.s3 = aws.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        make_tables(self.bucket, aws.client("dynamodb"))
        self.table = self.client_of("onlooker")
        publish(self.table, self.bucket, OLD, ENV)
        self.table.delete(ENV)
        publish(self.table, self.bucket, LIVE, HOST)

    def client_of(self, name: str) -> RoutingTable:
        def client(service: str, **options: Any) -> Any:
            options = {"region_name": "us-east-1", **options}
            keys = {**CREDENTIALS, "aws_access_key_id": name}
            return boto3.client(service, endpoint_url=self.aws.endpoint, **keys, **options)  # type: ignore[call-overload]

        return RoutingTable(self.bucket, actor=name, client=client, clock=self.clock)

    def sweep(self, days: Iterable[float]) -> None:
        for more in days:
            self.clock.now += more * DAY
            for _ in sweep_deployments(self.table):
                pass
            self.check()

    def check(self) -> None:
        assert lost(self.table) == []

    def held(
        self, name: str, work: Callable[[RoutingTable], object], after: int, meanwhile: Callable[[], None]
    ) -> bool:
        """Hold `work` before a request while all of `meanwhile` is done; tell whether it came so far."""
        ended, table = threading.Event(), self.client_of(name)
        failures: list[BaseException] = []

        def run() -> None:
            try:
                work(table)
            except BaseException as error:  # noqa: BLE001  # told below
                failures.append(error)
            finally:
                ended.set()

        self.gate.hold(name, after)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            held = self.gate.wait_until(ended)
            self.check()
            meanwhile()
            self.check()
        finally:
            self.gate.open()
            thread.join()
        self.check()
        if failures:
            raise failures[0]
        return held


def deploy_old(world: World, table: RoutingTable) -> None:
    assert publish(table, world.bucket, OLD, OTHER) == table.get(OTHER).target


def deploy_new(world: World, table: RoutingTable) -> None:
    assert publish(table, world.bucket, NEW, HOST) == table.get(HOST).target


def put_old(world: World, table: RoutingTable) -> None:
    """Send a domain to what may be gone: then it is refused."""
    target = target_of(world.bucket, OLD)
    try:
        table.put(OTHER, target)
    except TableAdminError:
        assert Deployments(world.table).get(world.bucket, target.rpartition("/")[2]).state != "ready"


WORKS = (deploy_old, deploy_new, put_old)


@pytest.mark.parametrize("lease_days", [0.25, 30])
@pytest.mark.parametrize("stage", STAGES, ids=str)
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
def test_sweeps_run_while_a_deployment_is_paused_before_each_of_its_requests(
    gated: tuple[EmbeddedAws, Gate],
    work: Callable[[World, RoutingTable], None],
    stage: tuple[float, ...],
    lease_days: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(items, "LEASE_SECONDS", int(lease_days * DAY))
    for after in itertools.count():
        world = World(*gated)
        world.sweep(stage)
        held = world.held("deployer", lambda table: work(world, table), after, lambda: world.sweep((0, 7, 1, 1)))
        world.sweep((0, 7, 1))
        if not held:
            break
    assert after > 5


@pytest.mark.parametrize("days", AFTER, ids=str)
@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_deployments_run_while_a_sweep_is_paused_before_each_of_its_requests(
    gated: tuple[EmbeddedAws, Gate], stage: tuple[float, ...], days: tuple[float, ...]
) -> None:
    for after in itertools.count():
        world = World(*gated)
        world.sweep(stage)
        world.clock.now += days[0] * DAY

        def sweep(table: RoutingTable) -> None:
            for _ in sweep_deployments(table):
                pass

        def deploy(number: int = after, world: World = world) -> None:
            for work in (WORKS[number % 3], WORKS[(number + 1) % 3]):
                work(world, world.table)
                world.check()

        held = world.held("sweeper", sweep, after, deploy)
        world.sweep(days[1:])
        if not held:
            break
    assert after > 5


def test_what_is_checked_here_can_be_lost(gated: tuple[EmbeddedAws, Gate]) -> None:
    world = World(*gated)
    key = blob_key(digest(LIVE["/logo.svg"]))
    world.s3.delete_object(Bucket=world.bucket, Key=key)
    assert read(world.s3, world.bucket, key) is None
    assert len(lost(world.table)) == 1
