"""States of a deployment, and that no row can name one that is not ready."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from table_admin import InvalidInput, NotFound, RoutingTable, TargetRefused
from table_admin.deployments.items import Begun, Deployments, NoDeployments, NotReady
from table_admin.tables import TRANSACTION_ROWS, Write, together
from table_admin.transactions import commit_in_turn

BUCKET, REGION = "acme-static-sites", "us-east-1"
ONE, OTHER = "1" * 32, "2" * 32
MakeTable = Callable[[str], RoutingTable]


def naming(deployment: str, domain: str = "www.example.com") -> Write:
    origin = {
        "kind": {"S": "deployment"},
        "domain_name": {"S": f"{BUCKET}.s3.{REGION}.amazonaws.com"},
        "region": {"S": REGION},
        "deployment": {"S": deployment},
    }
    row: dict[str, Any] = {"domain": {"S": domain}, "origin": {"M": origin}, "updated_at": {"S": "2026-12-01"}}
    return Write("put", domain, None, row, 1, True)


def condemn(deployments: Deployments, deployment: str) -> None:
    seen = deployments.get(BUCKET, deployment)
    assert deployments.change_seen(seen, replace(seen, state="condemned", epoch=seen.epoch + 1))


def test_a_row_names_only_what_is_ready(make_table: MakeTable) -> None:
    table = make_table("deployer")
    deployments = Deployments(table)
    with pytest.raises(TargetRefused, match=f"{ONE} is not ready"):
        table.tables.commit([naming(ONE)])
    assert deployments.begin(BUCKET, REGION, ONE, 3, 4_000) == Begun(None, 0)
    with pytest.raises(TargetRefused, match="not ready"):
        table.tables.commit([naming(ONE)])
    deployments.ready(BUCKET, ONE, 0)
    table.tables.commit([naming(ONE)])
    assert table.tables.read(["www.example.com"])
    condemn(deployments, ONE)
    with pytest.raises(TargetRefused, match="not ready"):
        table.tables.commit([naming(ONE, "other.example.com")])
    assert not table.tables.read(["other.example.com"])


def test_rows_of_one_transaction_may_name_the_same_and_one_that_is_not_ready_refuses_all(make_table: MakeTable) -> None:
    table = make_table("deployer")
    deployments = Deployments(table)
    for one in (ONE, OTHER):
        deployments.begin(BUCKET, REGION, one, 1, 1)
    deployments.ready(BUCKET, ONE, 0)
    domains = [f"site-{number}.example.com" for number in range(TRANSACTION_ROWS)]
    with pytest.raises(TargetRefused, match=OTHER):
        table.tables.commit([*(naming(ONE, domain) for domain in domains[1:]), naming(OTHER, domains[0])])
    assert not table.tables.read(domains)
    table.tables.commit([naming(ONE, domain) for domain in domains])
    assert len(table.tables.read(domains)) == TRANSACTION_ROWS


def test_as_many_deployments_as_rows_fit_into_a_transaction(make_table: MakeTable) -> None:
    table = make_table("deployer")
    writes = []
    for number in range(TRANSACTION_ROWS):
        one = f"{number:032x}"
        Deployments(table).begin(BUCKET, REGION, one, 1, 1)
        Deployments(table).ready(BUCKET, one, 0)
        writes.append(naming(one, f"site-{number}.example.com"))
    table.tables.commit(writes)
    assert len(table.tables.read(write.domain for write in writes)) == TRANSACTION_ROWS


def test_a_lost_answer_of_a_row_that_names_a_deployment_is_no_conflict(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    Deployments(table).begin(BUCKET, REGION, ONE, 1, 1)
    Deployments(table).ready(BUCKET, ONE, 0)
    write: Callable[..., Any] = table.tables.dynamodb.transact_write_items

    def twice(**arguments: Any) -> Any:
        write(**arguments)
        return write(**arguments)

    monkeypatch.setattr(table.tables.dynamodb, "transact_write_items", twice)
    assert [done.revision for done in table.tables.commit([naming(ONE)])] == [1]


def test_what_was_condemned_since_it_was_begun_cannot_become_ready(make_table: MakeTable) -> None:
    deployments = Deployments(make_table("deployer"))
    slow = deployments.begin(BUCKET, REGION, ONE, 1, 1)
    condemn(deployments, ONE)
    with pytest.raises(NotReady, match="deploy again"):
        deployments.extend_lease(BUCKET, ONE, slow.epoch)
    quick = deployments.begin(BUCKET, REGION, ONE, 1, 1)
    assert quick == Begun("condemned", slow.epoch + 1)
    # What the slow one found is not what the quick one has to find, though it is uploading again.
    with pytest.raises(NotReady):
        deployments.ready(BUCKET, ONE, slow.epoch)
    deployments.extend_lease(BUCKET, ONE, quick.epoch)
    deployments.ready(BUCKET, ONE, quick.epoch)
    deployments.ready(BUCKET, ONE, quick.epoch)  # a second run finds it done
    assert deployments.get(BUCKET, ONE).state == "ready"


def test_of_eight_who_deploy_the_same_at_once_all_become_ready(make_table: MakeTable) -> None:
    done: list[Begun] = []

    def deploy(number: int) -> None:
        deployments = Deployments(make_table(f"deployer-{number}"))
        begun = deployments.begin(BUCKET, REGION, ONE, 1, 1)
        deployments.extend_lease(BUCKET, ONE, begun.epoch) if begun.state == "uploading" else None
        deployments.ready(BUCKET, ONE, begun.epoch)
        done.append(begun)

    threads = [threading.Thread(target=deploy, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 8
    assert [begun.state for begun in done].count(None) == 1
    assert Deployments(make_table("reader")).get(BUCKET, ONE).state == "ready"


def test_an_item_says_who_sent_what_and_is_listed(table: RoutingTable) -> None:
    deployments = Deployments(table)
    deployments.begin(BUCKET, REGION, ONE, 12, 34_567, "release 7")
    found = deployments.get(BUCKET, ONE)
    assert (found.files, found.size, found.created_by, found.note) == (12, 34_567, "tester", "release 7")
    assert found.target == f"s3://{BUCKET}/_deployments/{ONE}"
    assert list(deployments.list()) == [found]
    with pytest.raises(NotFound, match=OTHER):
        deployments.get(BUCKET, OTHER)


def test_a_stack_without_the_table_says_so_and_does_all_that_names_no_deployment(make_table: MakeTable) -> None:
    table = make_table("deployer")
    table.tables.dynamodb.delete_table(TableName=table.tables.deployments)
    with pytest.raises(NoDeployments, match=table.stack):
        Deployments(table).begin(BUCKET, REGION, ONE, 1, 1)
    with pytest.raises(TargetRefused, match="of before deployments"):
        table.tables.commit([naming(ONE)])
    assert table.put("www.example.com", f"s3://{BUCKET}/env-a").revision == 1
    assert table.touch("www.example.com").revision == 2
    assert table.delete("www.example.com").revision == 3


def ready(table: RoutingTable, number: int) -> str:
    one = f"{number:032x}"
    Deployments(table).begin(BUCKET, REGION, one, 1, 1)
    Deployments(table).ready(BUCKET, one, 0)
    return one


def with_three(table: RoutingTable, domain: str, number: int) -> Write:
    """Return the write of a row with a deployment, one as its canary and one as its standby."""
    own, canary, standby = (naming(ready(table, 3 * number + each), domain) for each in range(3))
    beside = {
        name: {"M": {"origin": write.row["origin"]}} for name, write in (("canary", canary), ("standby", standby))
    }
    return replace(own, row={**own.row, **beside})


def test_rows_with_several_deployments_each_are_written_in_as_many_transactions_as_it_takes(
    table: RoutingTable,
) -> None:
    domains = [f"site-{number}.example.com" for number in range(TRANSACTION_ROWS)]
    writes = [with_three(table, domain, number) for number, domain in enumerate(domains)]
    with pytest.raises(InvalidInput, match="33 routes at once; at most 20 with as many deployments"):
        table.commit(writes)
    assert not table.tables.read(domains)
    assert len([*commit_in_turn(table, writes, False)]) == TRANSACTION_ROWS
    assert len(table.tables.read(domains)) == TRANSACTION_ROWS


def test_a_transaction_is_filled_and_takes_no_more(table: RoutingTable) -> None:
    one = [naming(f"{number:032x}", f"one-{number}.example.com") for number in range(12)]  # three items each
    three = [with_three(table, f"three-{number}.example.com", 10 + number) for number in range(14)]  # five
    assert together([*one[:10], *three]) == 24, "that is 100 items"
    assert together([*one, *three[:13]]) == 24, "one more would be 101"


def test_a_row_that_names_a_deployment_already_goes_on_naming_it(table: RoutingTable) -> None:
    first = naming(ready(table, 1))
    table.tables.commit([first])
    condemn(Deployments(table), f"{1:032x}")
    item = table.tables.read([first.domain])[first.domain]
    table.tables.commit([replace(first, before=item, revision=2)])
    assert table.tables.read([first.domain])[first.domain]["revision"] == {"N": "2"}
