"""Keys and passwords as DynamoDB has them, read by the edge's own reader; and what of it starts when."""

import contextlib
import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge_handler.access.keys import KEYS as KEYS_ITEM
from edge_handler.access.keys import AccessTable, decode_entry, hash_password
from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.routes.policy import Policy
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import Settings, table_name
from edge_handler.table.reader import ReplicatedTable
from edge_handler.viewer_request import make_handler
from local_edge.embedded_aws import EmbeddedAws
from tests.edge_handler.access.test_guard import HOST, KEYS, PREFIX, asking, basic, cookie, session
from tests.support import NOBODY, ROOT, SETTINGS, Clock, Rows, dynamodb_client, header, route, run

TABLE = {
    "TableName": "guarded-access",
    "AttributeDefinitions": [{"AttributeName": "domain", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "domain", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
SECONDS = 60.0
SALT = b"0123456789abcdef"


def fill(client: Any) -> None:
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        client.create_table(**TABLE)
    client.get_waiter("table_exists").wait(TableName="guarded-access", WaiterConfig={"Delay": 1})
    keys = [{"M": {"id": {"S": key.id}, "secret": {"B": key.secret}, "made_at": {"S": "x"}}} for key in KEYS]
    hashed = hash_password("p\u00e4ss:word", SALT)
    password = {"name": {"S": "guest"}, "salt": {"B": SALT}, "hash": {"B": hashed}, "since": {"N": "7"}}
    client.put_item(
        TableName="guarded-access", Item={"domain": {"S": "*"}, "keys": {"L": keys}, "revision": {"N": "1"}}
    )
    client.put_item(TableName="guarded-access", Item={"domain": {"S": HOST}, **password})


@pytest.fixture(params=["moto", "dynalite"])
def endpoint(request: pytest.FixtureRequest, aws: EmbeddedAws) -> str:
    found = aws.endpoint if request.param == "moto" else str(request.getfixturevalue("dynalite_endpoint"))
    fill(dynamodb_client(found))
    return found


def settings(*endpoints: str) -> Settings:
    regions = ("us-east-1",) * len(endpoints)
    return SETTINGS._replace(table="guarded-routes", endpoint=endpoints[0], regions=regions)


def test_the_access_tables_name_is_the_stacks() -> None:
    found = settings(NOBODY)._replace(table=table_name("us-east-1.acme-viewer-request"))
    assert found.access_table == "acme-access"


def test_keys_and_a_password_are_read_as_the_table_has_them(endpoint: str) -> None:
    table = ReplicatedTable.from_settings(settings(endpoint), "guarded-access")
    found = table.read_as(decode_entry, (KEYS_ITEM, HOST, "env-456.localhost"), SECONDS)
    assert set(found) == {KEYS_ITEM, HOST}
    assert found[KEYS_ITEM] == KEYS
    assert found[HOST] == ("guest", SALT, hash_password("p\u00e4ss:word", SALT), 7)


def test_a_handler_finds_the_stacks_own_table_when_it_is_asked_for_the_first_guarded_host(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This machine may be slow: what is tested is what is answered.
    monkeypatch.setattr("edge_handler.access.guard.KNOWN_HOST_SECONDS", SECONDS)
    monkeypatch.setattr("edge_handler.time_left.KNOWN_HOST_SECONDS", SECONDS)
    rows = Rows(route(HOST, policy=Policy(private=7)))
    handler = make_handler(Resolver(rows, settings(endpoint), Clock()))
    assert run(handler, asking())["status"] == "403"
    assert "status" not in run(handler, asking(cookie=cookie()))
    for uri, authorization in ((f"{PREFIX}link", f"Bearer {session(use='link')}"), (f"{PREFIX}password", basic())):
        found = str(header(run(handler, asking(uri, authorization=authorization)), "set-cookie"))
        assert "status" not in run(handler, asking(cookie=found.partition(";")[0]))


def test_a_table_that_is_not_there_opens_nothing(aws: EmbeddedAws) -> None:
    found = settings(aws.endpoint)._replace(table="none-routes")
    handler = make_handler(Resolver(Rows(route(HOST, policy=Policy(private=7))), found, Clock()))
    assert run(handler, asking(cookie=cookie()))["status"] == "503"


def test_where_nobody_listens_keys_cannot_be_known_and_no_second_wait_follows() -> None:
    access = AccessTable(ReplicatedTable.from_settings(settings(NOBODY), "guarded-access"), Clock())
    for deadline in (time.monotonic() + SECONDS, 0.0):
        with pytest.raises(TableUnreachable):
            access.keys(KEYS[0].id, deadline)


@pytest.mark.parametrize(
    "change", [{"name": {"N": "1"}}, {"since": {"N": "0"}}, {"salt": {"B": ""}}, {"hash": {"S": "x"}}]
)
def test_a_broken_password_is_no_password_and_no_failing_table(change: dict[str, Any]) -> None:
    whole = {"domain": {"S": HOST}, "name": {"S": "guest"}, "salt": {"B": "cw=="}, "since": {"N": "7"}}
    assert not isinstance(decode_entry({**whole, "hash": {"B": "c" * 43 + "="}}), BrokenRow)
    found = decode_entry({**whole, "hash": {"B": "c" * 43 + "="}, **change})
    assert isinstance(found, BrokenRow)


@pytest.mark.usefixtures("uncollected")
def test_guarded_requests_leave_no_cycles() -> None:
    rows, clock = Rows(route(HOST, policy=Policy(private=7))), Clock()
    handler = make_handler(Resolver(rows, settings(NOBODY), clock))
    handler(asking(), None)
    gc.collect()
    for _ in range(3):
        for given in (
            asking(),
            asking(cookie=cookie()),
            asking(f"{PREFIX}link", authorization=f"Bearer {session(use='link')}"),
            asking(f"{PREFIX}password", authorization=basic()),
        ):
            handler(given, None)
        clock.now += 60
    assert gc.collect() == 0


@pytest.mark.parametrize("policy", ["None", "Policy(noindex=True)"])
def test_what_guards_is_imported_with_the_first_host_that_is_guarded(policy: str, tmp_path: Path) -> None:
    script = f"""
import sys
import edge_handler.viewer_request
assert "edge_handler.routes.policy" not in sys.modules
from edge_handler.routes.policy import Policy
from edge_handler.routes.resolver import Resolver
from tests.support import SETTINGS, Clock, Rows, event, route
rows = Rows(route(policy={policy}), route("env-456.localhost", policy=Policy(private=7)))
handler = edge_handler.viewer_request.make_handler(Resolver(rows, SETTINGS, Clock()))
given = event("viewer-request-static")
assert "status" not in handler(given, None)
assert not [name for name in sys.modules if name.startswith("edge_handler.access")]
given["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = "env-456.localhost"
assert handler(given, None)["status"] == "403"
assert "edge_handler.access.guard" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
