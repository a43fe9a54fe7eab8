"""Rows that name deployments: what they had before, where they are promoted to, rolled back to, and looked at."""

from dataclasses import replace

import pytest

from edge_handler.routes.destination import Former
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.website.listing import list_key
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, RoutingTable, TargetRefused, environments, upkeep
from table_admin.changes import Put, differences
from table_admin.deployments.former import FORMER_SECONDS
from table_admin.deployments.items import Deployments
from table_admin.doctor import doctor
from table_admin.environment_rollback import rollback_environment
from table_admin.explain import explain
from table_admin.promotions import StillServed, promote
from table_admin.rollback import rollback
from table_admin.transactions import commit_all
from tests.support import NOW, Clock
from tests.table_admin.conftest import Command
from tests.table_admin.deployments.deploying import Files, listing_of, publish, send, target_of
from tests.table_admin.deployments.sites import make_bucket

WWW, OTHER = "www.example.com", "docs.example.com"
ONE, TWO, THREE, FOUR = ({"/index.html": b"%d" % number} for number in range(1, 5))


@pytest.fixture
def bucket(aws: EmbeddedAws) -> str:
    return make_bucket(aws)


def id_of(files: Files) -> str:
    return listing_of(files).id


def former(table: RoutingTable, domain: str = WWW) -> list[str]:
    return [one.deployment for one in table.get(domain).former]


def test_a_deployments_target_resolves_to_what_its_list_says(table: RoutingTable, bucket: str) -> None:
    target = send(table, bucket, ONE)
    origin = table.put(WWW, target).after
    assert origin is not None
    assert origin.origin == DeploymentOrigin(
        f"{bucket}.s3.us-east-1.amazonaws.com", "us-east-1", id_of(ONE), "files", ""
    )
    assert table.put(WWW, f"{target}/").after.origin == origin.origin  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "path", ["_deployments", "_deployments/abc", "_blobs/x", "_condemned", f"_deployments/{'a' * 32}/x"]
)
def test_where_deployments_are_kept_no_plain_site_is(table: RoutingTable, bucket: str, path: str) -> None:
    with pytest.raises(InvalidInput, match="no deployment"):
        table.put(WWW, f"s3://{bucket}/{path}")


def test_what_is_no_list_is_refused(table: RoutingTable, bucket: str, aws: EmbeddedAws) -> None:
    with pytest.raises(TargetRefused, match="has no deployment"):
        table.put(WWW, target_of(bucket, ONE))
    for body in (b"", b"x", listing_of(TWO).content):
        aws.client("s3").put_object(Bucket=bucket, Key=list_key(id_of(ONE)), Body=body)
        with pytest.raises(TargetRefused, match=r"is no deployment's list|has no deployment"):
            table.put(WWW, target_of(bucket, ONE))


def test_a_row_names_the_two_that_it_had_before_for_a_week(table: RoutingTable, bucket: str, aws: EmbeddedAws) -> None:
    clock = Clock()
    timed = RoutingTable(table.stack, client=aws.client, clock=clock)
    publish(timed, bucket, ONE, WWW)
    assert former(timed) == []
    publish(timed, bucket, TWO, WWW)
    assert timed.get(WWW).former == (Former(id_of(ONE), int(NOW) + FORMER_SECONDS),)
    clock.now += 1000
    publish(timed, bucket, THREE, WWW)
    assert former(timed) == [id_of(TWO), id_of(ONE)]
    publish(timed, bucket, FOUR, WWW)
    assert former(timed) == [id_of(THREE), id_of(TWO)]
    # Back: what it goes to is not a former one of itself.
    rollback(timed, [WWW])
    assert former(timed) == [id_of(FOUR), id_of(TWO)]
    clock.now += FORMER_SECONDS
    publish(timed, bucket, ONE, WWW)
    assert former(timed) == [id_of(THREE)]


def test_former_ones_are_kept_by_what_changes_nothing_for_viewers_and_gone_with_the_kind_of_origin(
    table: RoutingTable, bucket: str
) -> None:
    publish(table, bucket, ONE, WWW)
    target = publish(table, bucket, TWO, WWW)
    table.touch(WWW)
    assert table.put(WWW, target).action == "unchanged"
    table.put(WWW, target, expires_in="1d")
    table.put(WWW, target, permanent=True, note="kept")
    assert former(table) == [id_of(ONE)]
    assert "former" not in differences(None, table.get(WWW))
    table.put(WWW, "s3://acme-static-sites/env-a")
    assert former(table) == []
    table.put(WWW, target)
    assert former(table) == []


def test_a_former_one_of_another_bucket_is_not_named(table: RoutingTable, bucket: str, aws: EmbeddedAws) -> None:
    publish(table, bucket, ONE, WWW)
    publish(table, make_bucket(aws), TWO, WWW)
    assert former(table) == []


def up(table: RoutingTable, bucket: str, files: Files, source: str | None, *, service: str = "") -> None:
    services = {service: send(table, bucket, files)}
    environments.up(table, "env-1", "example.com", services, expires_in="7d", source=source, take_over=True)


PREVIEW = "env-1.example.com"


def test_a_preview_that_another_branch_takes_over_serves_none_of_the_former_ones_files(
    table: RoutingTable, bucket: str
) -> None:
    up(table, bucket, ONE, "alice")
    up(table, bucket, TWO, "alice")
    assert former(table, PREVIEW) == [id_of(ONE)]
    up(table, bucket, TWO, "bob")  # the same site, and yet another's
    assert former(table, PREVIEW) == []
    up(table, bucket, THREE, "bob")
    assert former(table, PREVIEW) == [id_of(TWO)]
    up(table, bucket, FOUR, "alice")
    assert former(table, PREVIEW) == []
    # Back to what was bob's: what was alice's is not served there.
    rollback(table, [PREVIEW])
    assert (table.get(PREVIEW).source, former(table, PREVIEW)) == ("bob", [])


def test_what_is_taken_over_unseen_beside_a_service_has_no_former_ones_either(table: RoutingTable, bucket: str) -> None:
    for site in (ONE, TWO):
        up(table, bucket, site, "alice", service="docs")
    assert former(table, "docs-env-1.example.com") == [id_of(ONE)]
    up(table, bucket, THREE, "bob", service="web")
    assert table.get("docs-env-1.example.com").source == "bob"
    assert former(table, "docs-env-1.example.com") == []


def test_a_preview_that_expired_and_is_made_again_has_no_former_ones(
    table: RoutingTable, bucket: str, aws: EmbeddedAws
) -> None:
    clock = Clock()
    timed = RoutingTable(table.stack, client=aws.client, clock=clock)
    up(timed, bucket, ONE, "alice")
    up(timed, bucket, TWO, "alice")
    clock.now += FORMER_SECONDS - 1
    up(timed, bucket, TWO, "alice")
    assert former(timed, PREVIEW) == [id_of(ONE)]
    clock.now += FORMER_SECONDS
    up(timed, bucket, THREE, "alice")
    assert former(timed, PREVIEW) == []


def test_what_another_file_came_to_keep_has_no_former_ones(table: RoutingTable, bucket: str) -> None:
    publish(table, bucket, ONE, WWW)
    put = Put(WWW, send(table, bucket, TWO), owner="docs.yaml")
    commit_all(table, [put], table.tables.read([WWW]), False)
    assert (table.get(WWW).owner, former(table)) == ("docs.yaml", [])


def test_production_keeps_former_ones_from_release_to_release(table: RoutingTable, bucket: str) -> None:
    for name, site in (("pr-1", ONE), ("pr-2", TWO), ("pr-3", THREE)):
        environments.up(table, name, "example.com", {"": send(table, bucket, site)}, expires_in="7d", source=name)
        promote(table, name, {WWW: ""})
    assert (table.get(WWW).source, former(table)) == ("env:pr-3", [id_of(TWO), id_of(ONE)])
    rollback(table, [WWW])
    assert (table.get(WWW).source, former(table)) == ("env:pr-2", [id_of(THREE), id_of(ONE)])
    publish(table, bucket, FOUR, WWW)  # by hand: it is of no environment any more
    assert (table.get(WWW).source, former(table)) == ("", [id_of(TWO), id_of(THREE)])


def test_production_is_promoted_to_a_deployment_which_outlives_its_environment(
    table: RoutingTable, bucket: str
) -> None:
    target = send(table, bucket, ONE)
    environments.up(table, "env-1", "example.com", {"": target}, expires_in="7d")
    promote(table, "env-1", {WWW: "", OTHER: ""})
    assert table.get(WWW).target == table.get(OTHER).target == target
    environments.down(table, "env-1")
    assert table.get(WWW).target == target
    # Of a plain prefix the files would go with it.
    environments.up(table, "env-a", "example.com", {"": "s3://acme-static-sites/env-a"}, expires_in="7d")
    promote(table, "env-a", {WWW: ""})
    with pytest.raises(StillServed):
        environments.down(table, "env-a")
    rollback(table, [WWW])
    assert (table.get(WWW).target, former(table)) == (target, [])


def condemn(table: RoutingTable, bucket: str, files: Files) -> None:
    seen = Deployments(table).get(bucket, id_of(files))
    Deployments(table).change_seen(seen, replace(seen, state="condemned", epoch=seen.epoch + 1))


def test_a_rollback_to_what_is_not_kept_is_refused_and_leaves_the_rest_of_an_environment(
    table: RoutingTable, bucket: str, aws: EmbeddedAws
) -> None:
    clock = Clock()
    timed = RoutingTable(table.stack, client=aws.client, clock=clock)
    for site, expires in ((ONE, "7d"), (TWO, None)):
        target = send(timed, bucket, site)
        services = {"web": target, "docs": f"s3://acme-static-sites/env-{'a' if site is ONE else 'b'}"}
        environments.up(timed, "env-1", "example.com", services, expires_in=expires)
        clock.now += 100
    condemn(timed, bucket, ONE)
    with pytest.raises(TargetRefused, match="condemned, not ready"):
        rollback(timed, ["web-env-1.example.com"])
    left: list[str] = []
    done = [*rollback_environment(timed, "env-1", int(clock.now) - 150, on_left=lambda domain, _: left.append(domain))]
    assert [change.domain for change in done] == ["docs-env-1.example.com"]
    assert left == ["web-env-1.example.com"]


def test_a_deployment_that_is_not_there_is_found_by_sweep_explain_and_doctor(
    table: RoutingTable, bucket: str, aws: EmbeddedAws
) -> None:
    publish(table, bucket, ONE, WWW)
    publish(table, bucket, TWO, OTHER)
    table.put("empty.example.com", f"s3://{bucket}/nothing-there")
    assert {one.domain: one.reason for one in upkeep.gone(table)} == {
        "empty.example.com": "Nothing is under the prefix."
    }
    assert explain(table, f"https://{WWW}/").missing == ""
    assert explain(table, "https://empty.example.com/").missing == "Nothing is under the prefix."
    steps = {found.step: found.status for found in doctor(table, WWW, edge="http://127.0.0.1:9")}
    assert (steps["deployment"], steps["policy"]) == ("ok", "unknown")
    aws.client("s3").delete_object(Bucket=bucket, Key=list_key(id_of(ONE)))
    condemn(table, bucket, TWO)
    fresh = RoutingTable(table.stack, client=aws.client)
    found = {one.domain: one.reason for one in upkeep.gone(fresh)}
    assert "has no deployment" in found[WWW]
    assert found[OTHER] == "The deployment is condemned, not ready."
    assert "has no deployment" in explain(fresh, f"https://{WWW}/").missing
    (wrong,) = [one for one in doctor(fresh, OTHER, edge="http://127.0.0.1:9") if one.step == "deployment"]
    assert (wrong.status, wrong.text) == ("wrong", "The deployment is condemned, not ready.")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/about", "/about.html, sent with status 200"),
        ("/", "/index.html, sent with status 200"),
        ("/nothing", "/404.html, sent with status 404"),
        ("/about.html", "answers 308, to /about"),
    ],
)
def test_explain_says_which_file_of_a_deployment_is_sent(
    command: Command,
    table: RoutingTable,
    bucket: str,
    aws: EmbeddedAws,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    said: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    publish(table, bucket, {"/index.html": b"1", "/about.html": b"2", "/404.html": b"3"}, WWW)
    (line,) = [one for one in command("explain", f"https://{WWW}{path}")[1].splitlines() if "origin-request" in one]
    assert line.endswith(f"{said} (on a cache miss)")


def test_put_to_a_prefix_under_which_nothing_is_says_so_and_writes_it(command: Command, table: RoutingTable) -> None:
    status, out, err = command("put", WWW, "s3://acme-static-sites/not-yet")
    assert (status, out.split()[0]) == (0, "created")
    assert err == "table-admin: s3://acme-static-sites/not-yet: Nothing is under the prefix.\n"
    assert table.get(WWW).target == "s3://acme-static-sites/not-yet"
    assert command("put", WWW, "s3://acme-static-sites/env-a")[2] == ""
    up = ("env", "up", "env-9", "--base", "example.com", "--service", "s3://acme-static-sites/not-yet")
    assert "Nothing is under the prefix" in command(*up)[2]
    assert "  target          Nothing is under the prefix.\n" in command("explain", "https://env-9.example.com/")[1]


def test_deployments_are_listed_and_shown(command: Command, table: RoutingTable, bucket: str) -> None:
    assert command("deployments", "list")[::2] == (0, "0 deployments\n")
    publish(table, bucket, ONE, WWW)
    send(table, bucket, TWO)
    status, out, err = command("deployments", "list")
    assert (status, err) == (0, "2 deployments\n")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [id_of(TWO), id_of(ONE)]
    assert command("deployments", "list", "--bucket", "other")[2] == "0 deployments\n"
    for name in (id_of(ONE), id_of(ONE)[:8], target_of(bucket, ONE)):
        status, out, _ = command("deployments", "show", name)
        assert status == 0
        assert f"needed by:       {WWW}\n" in out
    assert "needed by:       no row\n" in command("deployments", "show", id_of(TWO))[1]
    shown = command("deployments", "show", id_of(ONE), "--json")[1]
    assert '"state": "ready"' in shown
    assert '"domains": [' in shown
    for wrong, status in (("0" * 32, 1), ("abc", 2), (f"s3://{bucket}/env-a", 2), (f"{bucket}/x", 2)):
        assert command("deployments", "show", wrong)[0] == status


def test_sweep_says_what_it_did_to_deployments(command: Command, table: RoutingTable, aws: EmbeddedAws) -> None:
    plain = "plain-bucket-of-sites"
    aws.client("s3").create_bucket(Bucket=plain)
    publish(table, plain, ONE, WWW)
    status, out, err = command("sweep")
    assert (status, out) == (0, "")
    assert err == f"left s3://{plain}: It keeps no versions, so nothing can be taken away while others deploy.\n"
    assert '"action": "left"' in command("sweep", "--json")[1]
