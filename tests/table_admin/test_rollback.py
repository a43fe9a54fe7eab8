import pytest

from edge_handler.routes.origin import S3Origin
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, NotFound, RoutingTable, TargetRefused, environments
from table_admin.environment_rollback import rollback_environment
from table_admin.history import diff
from table_admin.promotions import promote
from table_admin.rollback import rollback
from tests.support import Clock

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST = "env-1.example.com"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(table: RoutingTable, aws: EmbeddedAws, clock: Clock) -> RoutingTable:
    return RoutingTable(table.stack, actor="tester", client=aws.client, clock=clock)


def test_a_domain_goes_back_to_before_its_last_change(table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(HOST, B)
    table.touch(HOST)
    (change,) = rollback(table, [HOST])
    assert (change.action, change.revision, table.get(HOST).target) == ("updated", 4, A)
    assert table.get(HOST).generation == 4
    assert next(table.history(HOST)).action == "rollback"
    assert next(table.history(HOST)).note == "back to revision 1"
    rollback(table, [HOST], to=2)
    assert table.get(HOST).target == B


def test_a_deleted_domain_comes_back_and_a_first_revision_has_nothing_before_it(table: RoutingTable) -> None:
    table.put(HOST, A)
    with pytest.raises(NotFound, match="no earlier revision"):
        rollback(table, [HOST])
    table.delete(HOST)
    assert rollback(table, [HOST])[0].revision == 3
    assert table.get(HOST).target == A
    with pytest.raises(NotFound):
        rollback(table, ["never.example.com"])


def test_a_domain_goes_back_to_a_revision(table: RoutingTable) -> None:
    for target in (A, B, C):
        table.put(HOST, target)
    rollback(table, [HOST], to=1, note="C was wrong")
    assert (table.get(HOST).target, table.get(HOST).note) == (A, "C was wrong")
    table.delete(HOST)
    table.put(HOST, B)
    assert rollback(table, [HOST], to=5)[0].action == "deleted"
    with pytest.raises(NotFound, match="no revision 99"):
        rollback(table, [HOST], to=99)
    with pytest.raises(InvalidInput):
        rollback(table, [HOST, "b.example.com"], to=1)


def test_the_target_is_not_resolved_again(table: RoutingTable, aws: EmbeddedAws) -> None:
    aws.client("s3").create_bucket(Bucket="short-lived")
    table.put(HOST, "s3://short-lived/x")
    table.put(HOST, A)
    aws.client("s3").delete_bucket(Bucket="short-lived")
    rollback(table, [HOST])
    assert table.get(HOST).origin == S3Origin("short-lived.s3.us-east-1.amazonaws.com", "us-east-1", "/x")


def test_several_domains_go_back_together_or_not_at_all(table: RoutingTable) -> None:
    other = "env-2.example.com"
    for domain in (HOST, other):
        table.put(domain, A)
    table.put(HOST, B)
    with pytest.raises(NotFound):
        rollback(table, [HOST, other])
    assert table.get(HOST).target == B
    table.put(other, B)
    assert len(rollback(table, [HOST, other])) == 2
    assert {table.get(HOST).target, table.get(other).target} == {A}


def test_what_has_expired_needs_a_new_expiry(timed: RoutingTable, clock: Clock) -> None:
    timed.put(HOST, A, expires_in="1h")
    timed.put(HOST, B, permanent=True)
    clock.now += 7200
    with pytest.raises(InvalidInput, match="has expired"):
        rollback(timed, [HOST])
    rollback(timed, [HOST], expires_in="1d")
    assert (timed.get(HOST).target, timed.get(HOST).expires_at) == (A, int(clock.now) + 86400)


def test_an_environment_goes_back_to_a_time_with_what_was_removed_since(timed: RoutingTable, clock: Clock) -> None:
    timed.put("kept.example.com", A, environment="shop")
    timed.put("changed.example.com", A, environment="shop")
    timed.put("removed.example.com", A, environment="shop")
    timed.put("elsewhere.example.com", A, environment="other")
    clock.now += 10
    since = int(clock.now)
    clock.now += 10
    timed.put("changed.example.com", B)
    timed.put("changed.example.com", C)
    timed.delete("removed.example.com")
    timed.put("new.example.com", B, environment="shop")
    timed.put("elsewhere.example.com", B)
    clock.now += 10
    changes = {change.domain: change.action for change in rollback_environment(timed, "shop", since)}
    assert changes == {
        "changed.example.com": "updated",
        "removed.example.com": "created",
        "new.example.com": "deleted",
    }
    assert {route.domain: route.target for route in timed.list("shop")} == {
        "kept.example.com": A,
        "changed.example.com": A,
        "removed.example.com": A,
    }
    assert timed.get("elsewhere.example.com").target == B
    assert list(rollback_environment(timed, "shop", since)) == []


def test_an_environments_rollback_leaves_what_it_does_not_manage_and_says_so(timed: RoutingTable, clock: Clock) -> None:
    environments.up(timed, "docs", "example.com", {"web": A, "api": A, "job": A, "short": A})
    timed.put("short-docs.example.com", A, expires_in="15s")
    timed.put("docs.example.com", A)
    timed.put("docs.example.net", A)
    clock.now += 10
    since = int(clock.now)
    clock.now += 10
    timed.put("docs.example.com", B)
    timed.delete("docs.example.net")
    timed.put("docs.example.org", B)
    timed.put("web-docs.example.com", B)
    timed.put("api-docs.example.com", B)
    timed.put("api-docs.example.com", C, environment="other")
    timed.delete("job-docs.example.com")
    timed.put("job-docs.example.com", B)
    timed.delete("short-docs.example.com")
    left: dict[str, str] = {}
    (change,) = rollback_environment(timed, "docs", since, on_left=left.__setitem__)
    assert (change.domain, timed.get("web-docs.example.com").target) == ("web-docs.example.com", A)
    assert left == {
        "docs.example.com": "docs does not manage it; env adopt docs takes it in",
        "docs.example.net": "docs does not manage it; env adopt docs takes it in",
        "docs.example.org": "docs does not manage it; env adopt docs takes it in",
        "short-docs.example.com": "revision 2 has expired; rollback short-docs.example.com --to it says how long",
        "api-docs.example.com": "it belongs to the environment other now",
        "job-docs.example.com": "it belongs to the environment job-docs now",
    }
    assert timed.get("api-docs.example.com").environment == "other"
    assert timed.get("job-docs.example.com").target == B
    assert timed.get("docs.example.com").target == B
    with pytest.raises(NotFound):
        timed.get("docs.example.net")


def test_what_viewers_did_not_see_is_no_change_to_take_back(table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(HOST, B)
    environments.up(table, "e2", "example.com", {"web": B})
    promote(table, "e2", {HOST: "web"})
    table.put(HOST, B, service="shop", note="whose it is")
    (change,) = rollback(table, [HOST])
    assert (change.action, table.get(HOST).target) == ("updated", A)
    assert rollback(table, [HOST])[0].action == "unchanged"
    table.put(HOST, A, expires_in="1h")
    rollback(table, [HOST])
    assert table.get(HOST).expires_at is None


def test_a_release_takes_back_itself_and_nothing_else(table: RoutingTable) -> None:
    def back(target: str) -> str:
        return rollback(table, [HOST], if_target=target)[0].action

    assert back(A) == "unchanged"  # there is no route yet
    table.put(HOST, A)
    assert back(B) == "unchanged"
    assert table.get(HOST).target == A
    table.put(HOST, B)
    table.touch(HOST)
    assert (back(f"{B}/"), table.get(HOST).target) == ("updated", A)
    assert back(B) == "unchanged"
    table.put(HOST, f"{C}/run-1")
    table.put(HOST, f"{C}/run-2")
    assert (back(f"{C}/*"), table.get(HOST).target) == ("updated", A)
    for wrong in ({"to": 1}, {"further": True}):
        with pytest.raises(InvalidInput, match="together"):
            rollback(table, [HOST], if_target=A, **wrong)
    with pytest.raises(InvalidInput, match="empty"):
        back("")


def test_a_first_release_that_is_taken_back_leaves_what_was_there_before(table: RoutingTable) -> None:
    table.put(HOST, A)
    assert rollback(table, [HOST], if_target=A)[0].action == "deleted"
    assert rollback(table, [HOST], if_target=A)[0].action == "unchanged"
    table.put(HOST, B)
    assert rollback(table, [HOST], if_target=B)[0].action == "deleted"
    with pytest.raises(NotFound):
        table.get(HOST)


def test_nothing_goes_back_to_where_nothing_is_any_more(timed: RoutingTable, clock: Clock, aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    gone = "s3://acme-static-sites/removed meanwhile"
    s3.put_object(Bucket="acme-static-sites", Key="removed meanwhile/index.html", Body=b"x")
    timed.put(HOST, A, environment="shop")
    timed.put(HOST, gone)
    clock.now += 10
    since = int(clock.now)
    clock.now += 10
    timed.put(HOST, B)
    assert [change.action for change in rollback(timed, [HOST], dry_run=True)] == ["updated"]
    s3.delete_object(Bucket="acme-static-sites", Key="removed meanwhile/index.html")
    for wanted in ({}, {"to": 2}, {"if_target": B}):
        with pytest.raises(TargetRefused, match=r"Revision 2 of .*removed meanwhile, where nothing is any more"):
            rollback(timed, [HOST], **wanted)
    left: list[str] = []
    assert list(rollback_environment(timed, "shop", since, on_left=lambda domain, _: left.append(domain))) == []
    assert (left, timed.get(HOST).target) == ([HOST], B)
    rollback(timed, [HOST], to=1)
    assert timed.get(HOST).target == A


def test_an_environment_that_never_was_is_said(table: RoutingTable) -> None:
    table.put(HOST, A)
    with pytest.raises(NotFound, match="no environment evn-1"):
        list(rollback_environment(table, "evn-1", 0))


def test_revisions_are_compared(table: RoutingTable) -> None:
    table.put(HOST, A, note="one")
    table.put(HOST, B, note="two")
    found = diff(table, HOST)
    assert found["target"] == (A, B)
    assert found["note"] == ("one", "two")
    assert "revision" not in found
    assert diff(table, HOST, 0, 1)["target"] == (None, A)
    table.delete(HOST)
    assert diff(table, HOST)["target"] == (B, None)
    with pytest.raises(NotFound):
        diff(table, "never.example.com")
    with pytest.raises(NotFound):
        diff(table, HOST, 1, 9)
