from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_handler.routes.route import encode_route
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, TableAdminError, environments, upkeep
from table_admin.changes import Change
from table_admin.explain import explain
from table_admin.failover import fail_over
from table_admin.promotions import promote
from tests.support import Clock, route
from tests.table_admin.test_targets import balancer

A = "s3://acme-static-sites/env-a"
HOST = "env-1.example.com"
# What DynamoDB takes as an attribute's value.
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=9)),
    st.builds(lambda number: {"N": str(number)}, st.integers(-(10**9), 10**15) | st.just(1.5)),
    st.sampled_from([{"BOOL": True}, {"NULL": True}, {"L": []}, {"M": {}}, {"SS": ["a"]}, {"B": b"x"}]),
    st.builds(lambda text: {"M": {"kind": {"S": text}}}, st.sampled_from(["s3", "custom", "?"])),
)


def test_only_what_has_expired_is_swept_with_its_history(table: RoutingTable, aws: EmbeddedAws) -> None:
    clock = Clock()
    timed = RoutingTable(table.stack, actor="sweeper", client=aws.client, clock=clock)
    timed.put("short.example.com", A, expires_in="1h")
    timed.put("long.example.com", A, expires_in="1d")
    timed.put("ever.example.com", A)
    clock.now += 3600
    assert [change.domain for change in upkeep.sweep(timed, dry_run=True)] == ["short.example.com"]
    assert [change.action for change in upkeep.sweep(timed)] == ["deleted"]
    assert list(upkeep.sweep(timed)) == []
    assert {found.domain for found in timed.list()} == {"long.example.com", "ever.example.com"}
    newest = next(timed.history("short.example.com"))
    assert (newest.action, newest.note) == ("delete", "expired 2027-01-15 09:00:00Z")


def test_what_is_extended_meanwhile_is_not_swept(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    timed = RoutingTable(table.stack, actor="sweeper", client=aws.client, clock=clock)
    timed.put(HOST, A, expires_in="1h")
    clock.now += 3600
    listed = list(timed.list())
    timed.put(HOST, A, expires_in="1d")
    monkeypatch.setattr(timed, "list", lambda *_, **__: iter(listed))
    assert list(upkeep.sweep(timed)) == []


def test_a_load_balancer_that_changed_is_written_and_one_that_is_gone_reported(
    table: RoutingTable, aws: EmbeddedAws
) -> None:
    kept, gone = balancer(aws, "kept", [("HTTP", 8080)]), balancer(aws, "gone", [("HTTP", 80)])
    table.put("kept.example.com", kept)
    table.put("gone.example.com", gone)
    table.put("static.example.com", A)
    aws.client("elbv2").create_listener(
        LoadBalancerArn=kept,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=gone)
    fresh = RoutingTable(table.stack, client=aws.client)
    outcomes = {outcome.domain: outcome for outcome in upkeep.refresh(fresh)}
    assert set(outcomes) <= {"kept.example.com", "gone.example.com"}
    orphan = outcomes["gone.example.com"]
    assert isinstance(orphan, upkeep.Orphan)
    assert "does not exist" in orphan.reason
    assert [found.domain for found in upkeep.orphans(RoutingTable(table.stack, client=aws.client))][:1] != []


def test_orphans_are_live_routes_whose_target_is_gone(table: RoutingTable, aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="leaves")
    s3.put_object(Bucket="leaves", Key="a/index.html", Body=b"x")
    s3.put_object(Bucket="acme-static-sites", Key="stays/index.html", Body=b"x")
    table.put("stays.example.com", "s3://acme-static-sites/stays")
    table.put("empty.example.com", "s3://leaves/b")
    table.put("url.example.com", "https://app.acme.example")
    found = {orphan.domain: orphan.reason for orphan in upkeep.orphans(table)}
    assert found == {"empty.example.com": "Nothing is under the prefix."}
    s3.delete_object(Bucket="leaves", Key="a/index.html")
    s3.delete_bucket(Bucket="leaves")
    fresh = RoutingTable(table.stack, client=aws.client)
    assert "does not exist" in next(upkeep.orphans(fresh)).reason


def test_what_was_promoted_is_lost_and_never_an_orphan(table: RoutingTable, aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.put_object(Bucket="acme-static-sites", Key="pr-9/index.html", Body=b"x")
    environments.up(table, "pr-9", "example.com", {"": "s3://acme-static-sites/pr-9"})
    promote(table, "pr-9", {"www.example.com": ""})
    assert list(upkeep.gone(table)) == []
    s3.delete_object(Bucket="acme-static-sites", Key="pr-9/index.html")
    assert [orphan.domain for orphan in upkeep.orphans(table)] == ["pr-9.example.com"]
    lost = [found for found in upkeep.gone(table) if isinstance(found, upkeep.Lost)]
    assert [(found.domain, found.reason) for found in lost] == [("www.example.com", "Nothing is under the prefix.")]


@settings(max_examples=60)
@given(st.data())
def test_no_row_makes_anything_raise_but_a_sentence(table: RoutingTable, aws: EmbeddedAws, data: st.DataObject) -> None:
    item: dict[str, Any] = dict(encode_route(route(HOST, target=A, environment="shop")))
    name = data.draw(st.sampled_from(sorted({*item, "managed", "source"} - {"domain", "environment"})))
    item[name] = data.draw(VALUES)
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=item)
    broken: list[str] = []
    for attempt in (
        lambda: list(table.list(on_broken=lambda domain, _: broken.append(domain))),
        lambda: list(environments.summaries(table)),
        lambda: environments.extend(table, "shop", permanent=True, dry_run=True),
        lambda: promote(table, "shop", {"www.example.com": ""}, dry_run=True),
        lambda: list(upkeep.sweep(table, dry_run=True)),
        lambda: list(upkeep.refresh(table, dry_run=True)),
        lambda: list(upkeep.orphans(table)),
        lambda: explain(table, f"https://{HOST}/"),
        lambda: table.get(HOST),
        lambda: environments.adopt(table, "shop", dry_run=True),
        lambda: environments.up(table, "shop", "example.com", {"": A}, prune=True, dry_run=True),
        lambda: environments.down(table, "shop"),
    ):
        try:
            attempt()
        except TableAdminError as error:
            assert "\n" not in str(error)  # noqa: PT017


def other_name(fresh: RoutingTable, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a load balancer answer under another name, as one does that was made again."""
    resolve = fresh.targets.resolve

    def changed(target: str, **options: Any) -> Any:
        found: Any = resolve(target, **options)
        return found._replace(domain_name="new.elb.amazonaws.com") if target == old else found

    monkeypatch.setattr(fresh.targets, "resolve", changed)


@pytest.mark.parametrize("part", ["canary", "standby"])
def test_a_second_targets_load_balancer_is_looked_up_again_too(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    moved = balancer(aws, f"moved-{part}", [("HTTP", 80)])
    table.put(HOST, A, canary={"target": moved, "weight": 5} if part == "canary" else None)
    table.put(HOST, A, standby=moved if part == "standby" else None)
    fresh = RoutingTable(table.stack, client=aws.client)
    other_name(fresh, moved, monkeypatch)
    assert [found.domain for found in upkeep.refresh(fresh)] == [HOST]
    assert getattr(table.get(HOST), part).origin.domain_name == "new.elb.amazonaws.com"
    assert list(upkeep.refresh(fresh)) == []


def test_a_standby_in_service_is_looked_up_again_and_stays_in_service(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = balancer(aws, "serving", [("HTTP", 80)])
    table.put(HOST, A, standby=moved)
    fail_over(table, [HOST])
    fresh = RoutingTable(table.stack, client=aws.client)
    other_name(fresh, moved, monkeypatch)
    assert [found.domain for found in upkeep.refresh(fresh)] == [HOST]
    route = table.get(HOST)
    assert route.standby is not None
    assert (route.target, route.standby.target, route.standby.failed_over) == (moved, A, True)
    assert getattr(route.origin, "domain_name", "") == "new.elb.amazonaws.com"


@pytest.mark.parametrize("part", ["canary", "standby"])
def test_a_second_target_that_is_gone_is_reported_and_holds_up_no_other(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    gone, moved = balancer(aws, f"lost-{part}", [("HTTP", 80)]), balancer(aws, f"found-{part}", [("HTTP", 80)])
    canary, standby = (gone, A) if part == "canary" else (A, gone)
    table.put(HOST, moved, canary={"target": canary, "weight": 5}, standby=f"{standby}-2" if standby == A else standby)
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=gone)
    fresh = RoutingTable(table.stack, client=aws.client)
    other_name(fresh, moved, monkeypatch)
    orphan, change = upkeep.refresh(fresh)
    assert isinstance(orphan, upkeep.Orphan)
    assert (orphan.domain, orphan.target) == (HOST, gone)
    assert isinstance(change, Change)
    assert change.action == "updated"
    assert getattr(table.get(HOST), part) == getattr(change.before, part)
    assert [found.target for found in upkeep.orphans(RoutingTable(table.stack, client=aws.client))].count(gone) == 1
