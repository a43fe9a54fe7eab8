"""Failover: a domain's standby, moved to in one write while whatever fails is failing, and moved back from."""

from typing import Any

import pytest

from edge_handler.routes.route import Standby
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, NotFound, RoutingTable, TableAdminError, TargetRefused, environments
from table_admin.canary import promote as promote_canary
from table_admin.canary import start
from table_admin.deployments.items import Deployments
from table_admin.environment_rollback import rollback_environment
from table_admin.failover import fail_back, fail_over
from table_admin.maintenance import switch_on
from table_admin.promotions import promote
from table_admin.rollback import rollback
from table_admin.tables import TRANSACTION_ROWS
from tests.support import Clock
from tests.table_admin.conftest import Command
from tests.table_admin.deployments.deploying import listing_of, send
from tests.table_admin.deployments.sites import make_bucket
from tests.table_admin.test_races import MakeTable, at_once

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST, OTHER = "www.example.com", "docs.example.com"
INGRESS = "https://ingress.example.net"
KEEPS = f"keep-host:{INGRESS}"


def served(table: RoutingTable, domain: str = HOST) -> tuple[str, str | None, bool]:
    """Return what viewers get, the other one, and whether a domain is failed over."""
    route = table.get(domain)
    standby = route.standby
    return route.target, standby and standby.target, standby is not None and standby.failed_over


def test_it_is_one_write_there_and_one_back(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B, rules={"/api/*": C}, policy={"noindex": True})
    before = table.get(HOST)
    (change,) = fail_over(table, [HOST], note="bucket lost")
    assert (change.action, change.revision, change.message) == ("updated", 2, "it is failed over to its standby")
    assert served(table) == (B, A, True)
    after = table.get(HOST)
    assert (after.generation, after.note) == (2, "bucket lost")
    assert (after.rules, after.policy, after.environment) == (before.rules, before.policy, before.environment)
    (change,) = fail_back(table, [HOST])
    assert (change.revision, change.message) == (3, "it is failed back")
    assert served(table) == (A, B, False)
    assert table.get(HOST).generation == 3
    assert (table.get(HOST).origin, table.get(HOST).standby) == (before.origin, before.standby)


def test_a_second_run_says_that_it_is_so(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B)
    (change,) = fail_back(table, [HOST])
    assert (change.action, change.message) == ("unchanged", "it is not failed over, so there is nothing to do")
    fail_over(table, [HOST])
    (change,) = fail_over(table, [HOST])
    assert change.action == "unchanged"
    assert change.message.startswith("it is failed over already")
    assert table.get(HOST).revision == 2


@pytest.mark.parametrize(("own", "keeps", "standby"), [(INGRESS, True, A), (A, None, KEEPS), (INGRESS, False, KEEPS)])
def test_who_keeps_the_host_goes_on_doing_so(table: RoutingTable, own: str, keeps: bool | None, standby: str) -> None:
    table.put(HOST, own, keep_host=keeps, standby=standby)
    before = table.get(HOST)
    assert before.standby is not None
    fail_over(table, [HOST])
    assert table.get(HOST).origin == before.standby.origin
    assert table.get(HOST).target == standby.removeprefix("keep-host:")
    fail_back(table, [HOST])
    assert table.get(HOST)._replace(revision=1, generation=1, updated_at=before.updated_at) == before


def test_nothing_is_looked_up_for_it(table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    table.put(HOST, A, standby=B)
    monkeypatch.setattr(table.targets, "resolve", lambda *_, **__: pytest.fail("something was looked up"))
    monkeypatch.setattr(table, "client", lambda *_, **__: pytest.fail("something was asked"))
    assert fail_over(table, [HOST])[0].action == "updated"
    assert fail_back(table, [HOST])[0].action == "updated"


def test_it_works_whatever_became_of_the_deployment_that_it_leaves(table: RoutingTable, aws: EmbeddedAws) -> None:
    bucket, files = make_bucket(aws), {"/index.html": b"standby"}
    table.put(HOST, send(table, bucket, files), standby=A)
    deployments = Deployments(table)
    table.tables.dynamodb.delete_item(
        TableName=table.tables.deployments,
        Key={"deployment": {"S": next(one.key for one in deployments.list() if one.id == listing_of(files).id)}},
    )
    assert fail_over(table, [HOST])[0].action == "updated"


def test_pages_of_the_deployments_that_it_leaves_still_get_their_files(table: RoutingTable, aws: EmbeddedAws) -> None:
    bucket = make_bucket(aws)
    one, two, three = ({"/index.html": b"failover %d" % number} for number in range(3))
    table.put(HOST, send(table, bucket, one), standby=send(table, bucket, two))
    start(table, HOST, send(table, bucket, three), weight=50)
    fail_over(table, [HOST])
    assert [one.deployment for one in table.get(HOST).former] == [listing_of(one).id, listing_of(three).id]


def test_a_canary_ends_with_it_and_that_is_said(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B)
    start(table, HOST, C, weight=5)
    (change,) = fail_over(table, [HOST])
    assert change.message == f"it is failed over to its standby; its canary {C} ended"
    fail_back(table, [HOST])
    assert table.get(HOST).canary is None


def test_back_may_be_gradual(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B)
    fail_over(table, [HOST])
    start(table, HOST, A, weight=5)
    assert served(table) == (B, A, True)
    assert "it is failed back" in promote_canary(table, HOST).message
    assert served(table) == (A, B, False)
    assert fail_back(table, [HOST])[0].action == "unchanged"


def test_what_is_put_meanwhile_is_where_it_leads_afterwards_and_that_is_said(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B)
    fail_over(table, [HOST])
    change = table.put(HOST, C)
    assert change.message == f"it is failed over, and leads to {C} after fail-back"
    assert (served(table), table.get(HOST).generation) == ((B, C, True), 2)
    assert table.put(HOST, C).action == "unchanged"
    with pytest.raises(InvalidInput, match="fail-back goes first"):
        table.put(HOST, C, standby="none")
    fail_back(table, [HOST])
    assert served(table) == (C, B, False)
    table.put(HOST, C, standby="none")
    assert served(table) == (C, None, False)


def test_it_may_stay_where_it_is(table: RoutingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table.put(HOST, A, standby=B)
    (moved,) = fail_over(table, [HOST])
    change = table.put(HOST, B)
    assert change.message == "it stays where it was failed over to"
    route = table.get(HOST)
    assert (route.target, route.generation) == (B, moved.revision)
    assert route.standby == Standby(A, table.targets.resolve(A))
    assert table.put(HOST, B).action == "unchanged"
    (change,) = fail_over(table, [HOST])
    assert change.after is not None
    assert change.after.target == A


def test_what_has_none_is_refused_and_nothing_is_written(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    table.put(HOST, A, standby=B)
    with pytest.raises(NotFound, match="has no route"):
        fail_over(table, [HOST, OTHER])
    table.put(OTHER, A)
    with pytest.raises(InvalidInput, match=f"{OTHER}: it has no standby; give it one: .*Nothing was written"):
        fail_over(table, [HOST, OTHER])
    assert fail_back(table, [OTHER])[0].action == "unchanged"
    table.put(OTHER, A, standby=B, expires_in="1h")
    clock.now += 3600
    with pytest.raises(NotFound, match="has expired"):
        fail_over(table, [HOST, OTHER])
    with pytest.raises(InvalidInput, match="Name domains, or an environment"):
        fail_over(table)
    assert served(table) == (A, B, False)


def test_an_environment_moves_all_that_it_manages_and_says_what_it_cannot(table: RoutingTable) -> None:
    environments.up(table, "env-1", "example.com", {"web": A, "api": A, "docs": A})
    for domain in ("web-env-1.example.com", "api-env-1.example.com"):
        table.put(domain, A, standby=B)
    table.put("env-1.example.com", A, standby=B)  # seen under its name
    left: dict[str, str] = {}
    done = fail_over(table, environment="env-1", on_left=left.__setitem__)
    assert [(change.domain, change.action) for change in done] == [
        ("api-env-1.example.com", "updated"),
        ("web-env-1.example.com", "updated"),
    ]
    assert left == {
        "docs-env-1.example.com": "it has no standby",
        "env-1.example.com": "env-1 does not manage it; env adopt env-1 takes it in",
    }
    assert {change.action for change in fail_over(table, environment="env-1")} == {"unchanged"}
    back = {change.domain: change.action for change in fail_back(table, environment="env-1")}
    assert back == {
        "api-env-1.example.com": "updated",
        "docs-env-1.example.com": "unchanged",
        "web-env-1.example.com": "updated",
    }


def test_of_what_loses_its_standby_meanwhile_that_is_said(table: RoutingTable) -> None:
    environments.up(table, "env-1", "example.com", {"web": A, "api": A, "docs": A})
    for domain in ("web-env-1.example.com", "api-env-1.example.com"):
        table.put(domain, A, standby=B)

    def takes_away(*_: str) -> None:  # told of docs after the environment was read, and before its rows are
        table.put("api-env-1.example.com", A, standby="none")

    done = fail_over(table, environment="env-1", on_left=takes_away)
    assert [(change.domain, change.action, change.message) for change in done] == [
        ("api-env-1.example.com", "unchanged", "it has no standby"),
        ("web-env-1.example.com", "updated", "it is failed over to its standby"),
    ]


def test_an_environment_without_any_fails(table: RoutingTable) -> None:
    environments.up(table, "env-1", "example.com", {"": A})
    with pytest.raises(NotFound, match="Nothing that env-1 manages has a standby"):
        fail_over(table, environment="env-1")
    with pytest.raises(NotFound, match="There is no environment none"):
        fail_over(table, environment="none")


def test_a_transaction_moves_as_many_as_it_takes_also_with_deployments(table: RoutingTable, aws: EmbeddedAws) -> None:
    bucket = make_bucket(aws)
    domains = [f"s{number}.example.com" for number in range(TRANSACTION_ROWS + 1)]
    for number, domain in enumerate(domains):
        own, other = (send(table, bucket, {"/index.html": b"%d %d" % (number, kind)}) for kind in range(2))
        table.put(domain, own, standby=other)
    assert len([change for change in fail_over(table, domains) if change.action == "updated"]) == len(domains)


def test_a_standby_that_would_redirect_in_a_circle_is_refused_once_it_is_moved_to(table: RoutingTable) -> None:
    table.put(OTHER, f"redirect:https://{HOST}")
    table.put(HOST, A, standby=f"redirect:https://{OTHER}")
    with pytest.raises(InvalidInput, match="in a circle"):
        fail_over(table, [HOST])
    assert served(table) == (A, f"redirect:https://{OTHER}", False)
    table.put(OTHER, B)
    fail_over(table, [HOST])
    assert fail_back(table, [HOST])[0].action == "updated"


def test_a_rollback_over_it_is_said(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B)
    fail_over(table, [HOST])
    (change,) = rollback(table, [HOST])
    assert change.message.startswith("undoes revision 2 (put by ")
    assert change.message.endswith("; it is failed back")
    assert served(table) == (A, B, False)
    (change,) = rollback(table, [HOST], to=2)
    assert change.message.endswith("; it is failed over to its standby")
    assert served(table) == (B, A, True)


def test_an_environments_rollback_restores_where_it_led(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    environments.up(table, "env-1", "example.com", {"": A})
    table.put("env-1.example.com", A, standby=B)
    clock.now += 60
    moment = int(clock.now)
    clock.now += 60
    fail_over(table, environment="env-1")
    list(rollback_environment(table, "env-1", moment))
    assert served(table, "env-1.example.com") == (A, B, False)


def test_what_goes_on_meanwhile_leaves_viewers_where_they_are(table: RoutingTable) -> None:
    environments.up(table, "env-1", "example.com", {"": A}, expires_in="1h")
    domain = "env-1.example.com"
    table.put(domain, A, standby=B)
    fail_over(table, [domain])
    environments.extend(table, "env-1", expires_in="2h")
    switch_on(table, [domain])
    table.touch(domain)
    environments.up(table, "env-1", "example.com", {"": A})
    environments.extend(table, "env-1", permanent=True)
    assert served(table, domain) == (B, A, True)
    environments.up(table, "env-1", "example.com", {"": C})
    assert served(table, domain) == (B, C, True)


def test_what_is_promoted_meanwhile_is_where_it_leads_afterwards(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B)
    fail_over(table, [HOST])
    environments.up(table, "pr-1", "example.com", {"": "s3://acme-static-sites/pr-1"})
    (change,) = promote(table, "pr-1", {HOST: ""})
    assert "leads to s3://acme-static-sites/pr-1 after fail-back" in change.message
    assert served(table) == (B, "s3://acme-static-sites/pr-1", True)
    with pytest.raises(TableAdminError, match=f"{HOST} from s3://acme-static-sites/pr-1"):
        environments.down(table, "pr-1")
    environments.down(table, "pr-1", force=True)
    assert promote(table, "pr-1", {HOST: ""})[0].action == "unchanged"


def test_the_standby_of_a_promoted_domain_is_none_of_the_environments(table: RoutingTable) -> None:
    environments.up(table, "pr-1", "example.com", {"": INGRESS})
    table.put(HOST, A, standby=B)
    promote(table, "pr-1", {HOST: ""})
    fail_over(table, [HOST])
    with pytest.raises(TableAdminError, match=f"{HOST} from {INGRESS};"):
        environments.down(table, "pr-1")


def test_of_several_who_fail_over_at_once_one_does(make_table: MakeTable) -> None:
    table = make_table("before")
    table.put(HOST, A, standby=B)
    changes = at_once(make_table, 6, lambda table, _: fail_over(table, [HOST])[0].action)
    assert sorted(changes) == [*["unchanged"] * 5, "updated"]
    assert (served(table), table.get(HOST).revision) == ((B, A, True), 2)


def test_nothing_is_lost_of_who_puts_and_who_fails_over_at_once(make_table: MakeTable) -> None:
    for number in range(3):
        table = make_table("before")
        domain = f"s{number}.example.com"
        table.put(domain, A, standby=B)

        def work(table: RoutingTable, number: int, domain: str = domain) -> Any:
            return fail_over(table, [domain])[0] if number else table.put(domain, C)

        outcomes = at_once(make_table, 2, work)
        assert {outcome.action for outcome in outcomes} == {"updated"}
        assert served(table, domain) == (B, C, True)


def test_a_standby_is_another_target(table: RoutingTable) -> None:
    for target in (A, f"{A}/"):
        with pytest.raises(InvalidInput, match="a standby is another target"):
            table.put(HOST, A, standby=target)
    with pytest.raises(TargetRefused, match="The standby: "):
        table.put(HOST, A, standby="s3://no-such-bucket-anywhere/x")
    table.put(HOST, A, standby=B)
    with pytest.raises(InvalidInput, match="leads to its standby already"):
        table.put(HOST, B)
    assert table.put(HOST, B, standby=A).action == "updated"


def test_the_commands(command: Command, table: RoutingTable) -> None:
    command("put", HOST, A, "--standby", B)
    assert table.get(HOST).standby == Standby(B, table.targets.resolve(B))
    assert "would be updated" in command("fail-over", HOST, "--dry-run")[1]
    status, out, err = command("fail-over", HOST, "--note", "down")
    assert (status, err) == (0, "")
    assert out.startswith(f"updated {HOST} -> {B} (revision 2")
    assert command("fail-over", HOST)[:2][0] == 0
    assert f"leads to {C} after fail-back\n" in command("put", HOST, C)[1]
    assert "it is failed over to its standby until fail-back" in command("put", HOST, C)[1]
    assert command("fail-back", HOST)[0] == 0
    assert served(table) == (C, B, False)
    assert command("put", HOST, C, "--no-standby")[0] == 0
    assert served(table) == (C, None, False)
    status, _, err = command("fail-over", HOST)
    assert (status, err.count("\n")) == (2, 1)
    assert command("put", HOST, C, "--standby", A, "--no-standby")[0] == 2
    assert command("fail-over")[0] == command("fail-back", HOST, "-e", "x")[0] == 2
