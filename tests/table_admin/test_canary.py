"""A canary: begun, weighed, promoted and aborted, each with one write that empties nobody's cache."""

from typing import Any

import pytest

from edge_handler.routes.canary import Canary
from edge_handler.routes.destination import decode_destination
from edge_handler.routes.remembered import Known, Ruled, remembered_as
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, NotFound, RevisionConflict, RoutingTable, TargetRefused, environments
from table_admin.canary import abort, promote, start, weigh
from table_admin.environment_rollback import rollback_environment
from table_admin.promotions import StillServed
from table_admin.promotions import promote as promote_environment
from table_admin.rollback import rollback
from tests.support import Clock
from tests.table_admin.conftest import Command
from tests.table_admin.deployments.deploying import Files, listing_of, send
from tests.table_admin.deployments.sites import make_bucket
from tests.table_admin.test_races import MakeTable, at_once

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST, OTHER = "www.example.com", "preview.example.com"
ONE, TWO, THREE, FOUR = ({"/index.html": b"canary %d" % number} for number in range(1, 5))


@pytest.fixture
def bucket(aws: EmbeddedAws) -> str:
    return make_bucket(aws)


def canary(table: RoutingTable, domain: str = HOST) -> Canary:
    found = table.get(domain).canary
    assert found is not None
    return found


def remembered(table: RoutingTable, host: str = HOST) -> Known | Ruled:
    now = table.clock()
    return remembered_as(host, decode_destination(table.tables.read([host])[host]), now, now + 60)


def stamps(table: RoutingTable) -> tuple[str, str]:
    """Return what the edge tells origin-request for the stable side and for the canary's."""
    found = remembered(table)
    assert isinstance(found, Ruled)
    assert found.only is not None
    return found.only.stamp, found.of_canary.stamp


def stamp(table: RoutingTable) -> str:
    found = remembered(table)
    assert isinstance(found, Known)
    return found.stamp


def former(table: RoutingTable, domain: str = HOST) -> list[str]:
    return [one.deployment for one in table.get(domain).former]


def id_of(files: Files) -> str:
    return listing_of(files).id


def test_it_begins_at_a_revision_and_a_second_run_changes_nothing(table: RoutingTable) -> None:
    table.put(HOST, A)
    change = start(table, HOST, B, weight=5, cookie="session", note="new shop")
    assert (change.action, change.revision, change.after and change.after.note) == ("updated", 2, "new shop")
    found = canary(table)
    assert (found.target, found.weight, found.since, found.generation, found.cookie) == (B, 5, 2, 2, "session")
    assert (table.get(HOST).target, table.get(HOST).generation) == (A, 1)
    more: dict[str, Any]
    for more in ({}, {"cookie": "session"}, {"note": "again"}, {"if_revision": 1}):
        assert start(table, HOST, B, weight=5, **more).action == "unchanged"
    assert table.get(HOST).revision == 2


def test_its_weight_changes_and_those_who_have_it_keep_it(table: RoutingTable) -> None:
    table.put(HOST, A)
    start(table, HOST, B, weight=5)
    before = stamps(table)
    assert weigh(table, HOST, 50).action == "updated"
    assert weigh(table, HOST, 50).action == "unchanged"
    assert start(table, HOST, B, weight=20).action == "updated"
    assert (canary(table).weight, canary(table).since, canary(table).generation) == (20, 2, 2)
    assert stamps(table) == before


def test_another_target_is_refused_until_it_is_aborted(table: RoutingTable) -> None:
    table.put(HOST, A)
    start(table, HOST, B, weight=5)
    with pytest.raises(InvalidInput, match=f"has a canary already, {B}; end it first: table-admin canary abort"):
        start(table, HOST, C, weight=5)
    abort(table, HOST)
    start(table, HOST, C, weight=5)
    assert (canary(table).target, canary(table).since) == (C, 4)


def test_another_cookie_is_refused_for_viewers_would_change_sides(table: RoutingTable) -> None:
    table.put(HOST, A)
    start(table, HOST, B, weight=10, cookie="visitor")
    assert start(table, HOST, B, weight=20).action == "updated"
    with pytest.raises(InvalidInput, match=r"by the cookie visitor; .*canary abort"):
        start(table, HOST, B, weight=20, cookie="session")
    assert canary(table).cookie == "visitor"


@pytest.mark.parametrize("cookie", ["__Host-edge-side", "__Host-edge-access"])
def test_a_cookie_of_the_edges_own_says_nothing_of_a_viewer(table: RoutingTable, cookie: str) -> None:
    table.put(HOST, A)
    with pytest.raises(InvalidInput, match="the edge's own cookie"):
        start(table, HOST, B, weight=10, cookie=cookie)


@pytest.mark.parametrize("said", [{"private": True}, {"allow": ["192.0.2.0/24"]}])
def test_what_is_not_for_everybody_is_not_given_to_everybody_by_another_domains_name(
    table: RoutingTable, said: dict[str, Any]
) -> None:
    table.put(HOST, A)
    table.put(OTHER, B, policy=said)
    with pytest.raises(InvalidInput, match=f"{OTHER} is not for everybody"):
        start(table, HOST, of=OTHER, weight=10)
    table.put(HOST, A, policy={"private": True})
    assert start(table, HOST, of=OTHER, weight=10).action == "updated"


def test_what_cannot_be_is_refused_and_nothing_is_written(table: RoutingTable) -> None:
    table.put(HOST, A)
    said: dict[str, Any]
    error: type[Exception]
    for said, error in (
        ({"target": A, "weight": 5}, InvalidInput),
        ({"target": B, "weight": 101}, InvalidInput),
        ({"target": B, "weight": -1}, InvalidInput),
        ({"target": B, "weight": 5, "cookie": "a b"}, InvalidInput),
        ({"target": B, "weight": 5, "keep_host": True}, InvalidInput),
        ({"of": OTHER, "weight": 5, "keep_host": True}, InvalidInput),
        ({"target": B, "of": OTHER, "weight": 5}, InvalidInput),
        ({"weight": 5}, InvalidInput),
        ({"target": "redirect:https://example.com", "weight": 5}, InvalidInput),
        ({"target": "s3://no-such-bucket-anywhere/x", "weight": 5}, TargetRefused),
        ({"of": OTHER, "weight": 5}, NotFound),
    ):
        with pytest.raises(error):
            start(table, HOST, **said)
    with pytest.raises(RevisionConflict):
        start(table, HOST, B, weight=5, if_revision=7)
    with pytest.raises(NotFound, match="has no canary"):
        weigh(table, HOST, 5)
    table.put(OTHER, "redirect:https://example.com")
    with pytest.raises(InvalidInput, match="redirected has no canary"):
        start(table, OTHER, B, weight=5)
    assert table.get(HOST).revision == 1


def test_of_what_has_expired_nobody_gets_a_share(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    table.put(HOST, A, expires_in="1h")
    table.put(OTHER, B, expires_in="1h")
    start(table, HOST, B, weight=5)
    clock.now += 3600
    with pytest.raises(NotFound, match="has expired"):
        weigh(table, HOST, 6)
    with pytest.raises(NotFound, match="has expired"):
        promote(table, HOST)
    with pytest.raises(NotFound, match="has expired"):
        abort(table, HOST)
    table.put(HOST, A, permanent=True)
    assert table.get(HOST).canary is None
    with pytest.raises(NotFound, match="has expired"):
        start(table, HOST, of=OTHER, weight=5)


def test_it_may_be_what_another_domain_leads_to(table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(OTHER, "https://ingress.example.net", keep_host=True)
    start(table, HOST, of=OTHER, weight=5)
    assert canary(table).target == "keep-host:https://ingress.example.net"
    assert canary(table).origin == table.get(OTHER).origin
    promote(table, HOST)
    assert (table.get(HOST).target, table.get(HOST).origin) == (table.get(OTHER).target, table.get(OTHER).origin)


def test_promoted_it_is_the_target_and_what_its_side_has_in_the_cdn_is_served_on(table: RoutingTable) -> None:
    table.put(HOST, A, environment="shop", service="web", rules={"/api/*": C}, standby=C, policy={"noindex": True})
    before = table.get(HOST)
    start(table, HOST, B, weight=5)
    change = promote(table, HOST, note="good")
    after = table.get(HOST)
    assert (change.action, after.target, after.generation, after.canary, after.note) == ("updated", B, 2, None, "good")
    kept = ("environment", "service", "managed", "owner", "source", "rules", "standby", "policy")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    again = promote(table, HOST)
    assert (again.action, again.message) == ("unchanged", f"its canary {B} was promoted already")
    table.touch(HOST)
    assert promote(table, HOST).action == "unchanged"


def test_what_was_not_promoted_is_not_said_to_be(table: RoutingTable) -> None:
    table.put(HOST, A)
    with pytest.raises(NotFound, match="has no canary; begin one"):
        promote(table, HOST)
    start(table, HOST, B, weight=5)
    abort(table, HOST)
    with pytest.raises(NotFound, match="has no canary"):
        promote(table, HOST)
    start(table, HOST, B, weight=5)
    promote(table, HOST)
    table.put(HOST, C)
    with pytest.raises(NotFound, match="has no canary"):
        promote(table, HOST)
    start(table, HOST, A, weight=5)
    promote(table, HOST)
    start(table, HOST, B, weight=5)
    abort(table, HOST)
    with pytest.raises(NotFound, match="has no canary"):  # the last one was aborted, whatever became of one before
        promote(table, HOST)


def test_aborted_all_viewers_get_what_the_others_had_all_along(table: RoutingTable) -> None:
    table.put(HOST, A)
    before = stamp(table)
    assert abort(table, HOST).action == "unchanged"
    start(table, HOST, B, weight=5)
    assert stamps(table)[0] == before
    assert abort(table, HOST).action == "updated"
    assert abort(table, HOST).message == "it has no canary, so there is nothing to abort"
    assert stamp(table) == before


def test_a_promoted_deployment_is_stamped_as_its_side_was(table: RoutingTable, bucket: str) -> None:
    for files in (ONE, TWO):
        table.put(HOST, send(table, bucket, files))
    start(table, HOST, send(table, bucket, THREE), weight=5)
    for weight in (50, 20, 100):
        weigh(table, HOST, weight)
    side = stamps(table)[1]
    promote(table, HOST)
    assert stamp(table) == side
    assert former(table) == [id_of(TWO), id_of(ONE)]


def test_whoever_is_taken_off_a_deployment_still_gets_its_files(table: RoutingTable, bucket: str) -> None:
    for files in (ONE, TWO):
        table.put(HOST, send(table, bucket, files))
    start(table, HOST, send(table, bucket, THREE), weight=5)
    weigh(table, HOST, 50)
    assert former(table) == [id_of(ONE)]
    side = stamps(table)[1]
    weigh(table, HOST, 20)
    assert former(table) == [id_of(THREE), id_of(ONE)]
    once = stamps(table)
    weigh(table, HOST, 0)
    abort(table, HOST)
    assert once == (stamp(table), side)
    assert former(table) == [id_of(THREE), id_of(ONE)]


@pytest.mark.parametrize("how", ["put", "rollback", "cookie", "other"])
def test_so_do_those_who_are_taken_off_by_another_write(table: RoutingTable, bucket: str, how: str) -> None:
    target = send(table, bucket, ONE)
    table.put(HOST, target)
    start(table, HOST, send(table, bucket, TWO), weight=5)
    if how == "put":
        table.put(HOST, target, canary="none")
    elif how == "rollback":
        rollback(table, [HOST])
    elif how == "cookie":
        table.put(HOST, target, canary={"cookie": "session"})
    else:
        table.put(HOST, target, canary={"target": send(table, bucket, THREE)})
    assert former(table) == [id_of(TWO)]


def test_a_canary_nobody_was_on_leaves_nothing_behind(table: RoutingTable, bucket: str) -> None:
    table.put(HOST, send(table, bucket, ONE))
    start(table, HOST, send(table, bucket, TWO), weight=0)
    abort(table, HOST)
    assert former(table) == []


def test_put_of_its_target_is_a_promotion(table: RoutingTable, bucket: str) -> None:
    table.put(HOST, send(table, bucket, ONE))
    target = send(table, bucket, TWO)
    start(table, HOST, target, weight=5)
    side = stamps(table)[1]
    table.put(HOST, target)
    assert (table.get(HOST).canary, stamp(table)) == (None, side)


def test_a_new_target_beside_it_leaves_it(table: RoutingTable) -> None:
    table.put(HOST, A)
    start(table, HOST, B, weight=5)
    side = stamps(table)[1]
    table.put(HOST, C)
    assert (table.get(HOST).generation, canary(table).since, stamps(table)[1]) == (3, 2, side)


def test_touch_empties_both_sides(table: RoutingTable) -> None:
    table.put(HOST, A)
    start(table, HOST, B, weight=5)
    table.touch(HOST)
    assert (table.get(HOST).generation, canary(table).generation, canary(table).since) == (3, 3, 2)


def test_where_it_is_the_standby_the_two_change_places(table: RoutingTable) -> None:
    table.put(HOST, A, standby=B)
    start(table, HOST, B, weight=50)
    change = promote(table, HOST)
    standby = table.get(HOST).standby
    assert standby is not None
    assert (table.get(HOST).target, standby.target, standby.failed_over) == (B, A, False)
    assert change.message == f"its standby is {A}"


def test_back_goes_to_the_canary_as_it_was_by_weight_and_anew_by_time(table: RoutingTable) -> None:
    table.put(HOST, A)
    start(table, HOST, B, weight=5)
    weigh(table, HOST, 50)
    rollback(table, [HOST])
    assert (canary(table).weight, canary(table).since, canary(table).generation) == (5, 2, 2)
    weigh(table, HOST, 50)
    promote(table, HOST)
    (change,) = rollback(table, [HOST])
    assert (table.get(HOST).target, canary(table).weight, canary(table).since) == (A, 50, change.revision)
    assert canary(table).generation == change.revision
    (change,) = rollback(table, [HOST], to=1)
    assert f"its canary {B} ended" in change.message
    assert table.get(HOST).canary is None


def test_an_environments_rollback_restores_it_too(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    environments.up(table, "env-1", "example.com", {"": A})
    start(table, "env-1.example.com", B, weight=5)
    clock.now += 60
    moment = int(clock.now)
    clock.now += 60
    promote(table, "env-1.example.com")
    list(rollback_environment(table, "env-1", moment))
    assert (table.get("env-1.example.com").target, canary(table, "env-1.example.com").weight) == (A, 5)


def test_promoting_an_environment_leaves_it_and_ends_it_where_it_is_that(table: RoutingTable) -> None:
    for name, target in (("pr-1", B), ("pr-2", C)):
        environments.up(table, name, "example.com", {"": target})
    table.put(HOST, A, standby=A + "-2")
    start(table, HOST, C, weight=5)
    promote_environment(table, "pr-1", {HOST: ""})
    assert (table.get(HOST).target, canary(table).target) == (B, C)
    promote_environment(table, "pr-2", {HOST: ""})
    route = table.get(HOST)
    assert (route.target, route.canary, route.generation) == (C, None, 2)
    assert route.standby is not None


PR = "s3://acme-static-sites/pr-9/web"


@pytest.mark.parametrize("said", [{"canary": {"target": PR, "weight": 5}}, {"standby": PR}])
def test_an_environment_stays_while_another_domains_canary_or_standby_is_of_it(
    table: RoutingTable, said: dict[str, Any]
) -> None:
    environments.up(table, "pr-9", "example.com", {"": PR})
    table.put(HOST, A, **said)
    with pytest.raises(StillServed, match=f"{HOST} from {PR}"):
        environments.down(table, "pr-9")


def test_a_promoted_one_is_not_said_to_be_of_the_environment_before(table: RoutingTable) -> None:
    environments.up(table, "pr-1", "example.com", {"": "https://shared.example.net/pr"})
    table.put(HOST, A)
    promote_environment(table, "pr-1", {HOST: ""})
    start(table, HOST, B, weight=5)
    promote(table, HOST)
    assert table.get(HOST).source == ""
    assert environments.down(table, "pr-1")[0].action == "deleted"


def test_of_several_who_weigh_at_once_each_does_and_of_those_who_promote_one(make_table: MakeTable) -> None:
    table = make_table("before")
    table.put(HOST, A)
    start(table, HOST, B, weight=50)
    changes = at_once(make_table, 6, lambda table, number: weigh(table, HOST, 51 + number))
    assert sorted(change.revision for change in changes) == [*range(3, 9)]
    changes = at_once(make_table, 6, lambda table, _: promote(table, HOST))
    assert sorted(change.action for change in changes) == [*["unchanged"] * 5, "updated"]
    assert table.get(HOST).target == B


def test_who_puts_a_new_target_while_it_is_promoted_loses_nothing(make_table: MakeTable) -> None:
    for _ in range(3):
        table = make_table("before")
        table.put(HOST, A, canary="none")
        start(table, HOST, B, weight=50)

        def work(table: RoutingTable, number: int) -> Any:
            return table.put(HOST, C) if number else promote(table, HOST)

        outcomes = at_once(make_table, 2, work)
        assert {outcome.action for outcome in outcomes} == {"updated"}, outcomes
        # Whoever was second wrote over what the first made.
        assert table.get(HOST).canary is None
        assert table.get(HOST).target == (B if outcomes[0].revision > outcomes[1].revision else C)


def test_the_commands(command: Command, table: RoutingTable) -> None:
    command("put", HOST, A)
    target = "s3://acme-static-sites/nobody-put-anything-here"
    assert f"{target}: Nothing is under" in command("canary", "start", HOST, target, "--weight", "1", "--dry-run")[2]
    status, out, _ = command("canary", "start", HOST, B, "--weight", "5", "--cookie", "session", "--note", "try")
    assert (status, out.split()[0], canary(table).cookie) == (0, "updated", "session")
    assert command("canary", "start", HOST, B, "--weight", "5")[:1] == (0,)
    assert "would be updated" in command("canary", "weight", HOST, "50", "--dry-run")[1]
    assert command("canary", "weight", HOST, "50")[0] == 0
    assert canary(table).weight == 50
    status, _, err = command("canary", "start", HOST, C, "--weight", "5")
    assert (status, err.count("\n")) == (2, 1)
    assert command("canary", "promote", HOST)[0] == 0
    status, out, _ = command("canary", "promote", HOST)
    assert (status, "was promoted already" in out) == (0, True)
    assert "nothing to abort" in command("canary", "abort", HOST)[1]
    command("put", OTHER, C)
    assert command("canary", "start", HOST, "--from", OTHER, "--weight", "1")[0] == 0
    assert canary(table).target == C
    assert command("canary", "start", HOST, C, "--from", OTHER, "--weight", "1")[0] == 2
    assert command("canary", "start", HOST, "--weight", "1")[0] == 2
    assert command("canary", "weight", OTHER, "1")[0] == 1
