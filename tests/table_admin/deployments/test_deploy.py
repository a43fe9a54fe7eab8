"""A directory becomes a site, against moto's S3 and tables."""

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.website.listing import blob_key, list_key
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, RoutingTable, TableAdminError, TargetRefused, deploy, environments
from table_admin.deployments import sending
from table_admin.deployments.condemned import Condemned, write_condemned
from table_admin.deployments.items import Deployments, NotReady
from table_admin.deployments.sending import Sent
from table_admin.deployments.uploads import FileChanged, Upload, Uploader
from table_admin.errors import Overtaken
from table_admin.ownership import Taken
from tests.table_admin.deployments.sites import SITE, make_bucket, page, shown, versions, write_site

WWW = "www.example.com"


@pytest.fixture
def bucket(aws: EmbeddedAws) -> str:
    return make_bucket(aws)


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def requests_of(client: Any) -> list[str]:
    """Return a list that gets the name of each request of a boto3 client."""
    seen: list[str] = []
    client.meta.events.register("before-call.*", lambda model, **_: seen.append(model.name))
    return seen


def test_a_directory_becomes_what_a_domain_shows(table: RoutingTable, bucket: str, tmp_path: Path) -> None:
    done = deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW, note="first")
    assert (done.url, done.files, done.sent_files) == (f"https://{WWW}/", 3, 3)
    assert done.size == done.sent_size == sum(map(len, SITE.values()))
    route = table.get(WWW)
    assert isinstance(route.origin, DeploymentOrigin)
    assert route.target == done.target == f"s3://{bucket}/_deployments/{done.deployment}"
    assert (route.lifetime, route.note, route.managed) == ("permanent", "first", False)
    script = shown(table, WWW).find("/assets/app-3f9a1c2b.js")
    assert script is not None
    assert script.immutable
    assert page(table, WWW, "/index.html") == b"<h1>one</h1>"
    found = Deployments(table).get(bucket, done.deployment)
    assert (found.state, found.files, found.size, found.created_by) == ("ready", 3, done.size, "tester")


def test_a_second_run_sends_nothing_and_writes_nothing(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    first = deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    before = (Deployments(table).get(bucket, first.deployment), versions(aws.client("s3"), bucket, ""))
    asked = requests_of(table.tables.dynamodb)
    again = deploy(table, tmp_path, bucket=bucket, domain=WWW)
    assert (again.change.action, again.sent_files, again.deployment) == ("unchanged", 0, first.deployment)
    assert set(asked) == {"BatchGetItem", "GetItem", "Scan"}
    assert (Deployments(table).get(bucket, first.deployment), versions(aws.client("s3"), bucket, "")) == before


def test_only_what_is_not_there_is_sent(table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws) -> None:
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    write_site(tmp_path, {"index.html": "<h1>two</h1>", "copy.html": "about"})
    seen: list[Sent] = []
    done = deploy(table, tmp_path, bucket=bucket, domain=WWW, on_progress=seen.append)
    assert (done.files, done.sent_files, done.sent_size) == (4, 1, len("<h1>two</h1>"))
    assert [one.of_files for one in seen] == [1]  # nothing else was tried
    assert versions(aws.client("s3"), bucket) == sorted(
        blob_key(digest(text)) for text in (*SITE.values(), "<h1>two</h1>")
    )
    route = table.get(WWW)
    assert (route.revision, route.generation, page(table, WWW, "/index.html")) == (2, 2, b"<h1>two</h1>")


def test_a_new_url_takes_the_files_of_the_newest_deployment(table: RoutingTable, bucket: str, tmp_path: Path) -> None:
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    write_site(tmp_path, {"index.html": "preview"})
    seen: list[Sent] = []
    done = deploy(table, tmp_path, bucket=bucket, environment="pr-7", base="example.com", on_progress=seen.append)
    assert (done.domain, done.sent_files, len(seen)) == ("pr-7.example.com", 1, 1)
    assert page(table, "pr-7.example.com", "/about.html") == b"about"


def test_a_blob_that_is_there_without_a_list_is_not_overwritten(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    s3 = aws.client("s3")
    large = b"x" * (sending_limit := 2**20)
    for content in (b"about", large):
        s3.put_object(Bucket=bucket, Key=blob_key(digest(content)), Body=content)
    write_site(tmp_path, {**SITE, "large.bin": large})
    done = deploy(table, tmp_path, bucket=bucket, domain=WWW)
    assert (done.sent_files, done.sent_size) == (2, len(SITE["index.html"]) + len("run()"))
    assert len(versions(s3, bucket)) == 4
    assert sending_limit == len(large)


def test_what_somebody_removed_from_the_bucket_is_sent_again_and_nothing_else_is_written(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    s3, item = aws.client("s3"), Deployments(table).get(bucket, first.deployment)
    for key in (blob_key(digest("about")), blob_key(digest("run()")), list_key(first.deployment)):
        s3.delete_object(Bucket=bucket, Key=key)
    before = versions(s3, bucket, "")
    assert deploy(table, tmp_path, bucket=bucket, domain=WWW).sent_files == 0  # it believes the item
    assert versions(s3, bucket, "") == before
    planned = deploy(table, tmp_path, bucket=bucket, domain=WWW, resend=True, dry_run=True)
    assert (planned.sent_files, planned.sent_size, versions(s3, bucket, "")) == (2, 10, before)
    asked = requests_of(table.tables.dynamodb)
    monkeypatch.setattr(sending, "LEASE_SECONDS", -1)
    done = deploy(table, tmp_path, bucket=bucket, domain=WWW, resend=True)
    assert (done.sent_files, done.sent_size, done.change.action) == (2, 10, "unchanged")
    assert page(table, WWW, "/about.html") == b"about"
    assert len(versions(s3, bucket, "")) == len(before) + 3  # the two files and the list
    assert Deployments(table).get(bucket, first.deployment) == item
    assert set(asked) == {"BatchGetItem", "GetItem", "Scan"}


def test_a_resend_of_a_site_that_is_whole_sends_nothing_and_of_another_all_that_is_missing(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    s3 = aws.client("s3")
    before = versions(s3, bucket, "")
    assert deploy(table, tmp_path, bucket=bucket, domain=WWW, resend=True).sent_files == 0
    assert versions(s3, bucket, "") == before
    s3.delete_object(Bucket=bucket, Key=blob_key(digest("about")))
    write_site(tmp_path, {"index.html": "two"})
    assert deploy(table, tmp_path, bucket=bucket, domain=WWW, resend=True).sent_files == 2
    assert page(table, WWW, "/about.html") == b"about"


def test_a_condemned_blob_is_sent_as_a_new_version(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    s3, blob = aws.client("s3"), digest("about")
    write_condemned(s3, bucket, {blob: Condemned(0, ("some",))})
    done = deploy(table, write_site(tmp_path, {"new.html": "new"}), bucket=bucket, domain=WWW)
    assert done.sent_files == 2
    assert versions(s3, bucket).count(blob_key(blob)) == 2


def test_what_is_condemned_counts_from_the_moment_the_list_is_there(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = aws.client("s3")
    steps: list[str] = []
    send, condemned, begin, ready = Uploader.send, Deployments.condemned_blobs, Deployments.begin, Deployments.ready

    def noted(name: str, real: Any) -> Any:
        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            steps.append(name if name != "send" else arguments[0][0].key.partition("/")[0])
            return real(self, *arguments, **options)

        return call

    for owner, name, real in (
        (Uploader, "send", send),
        (Deployments, "condemned_blobs", condemned),
        (Deployments, "begin", begin),
        (Deployments, "ready", ready),
    ):
        monkeypatch.setattr(owner, name, noted(name, real))
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    assert steps == ["begin", "_deployments", "condemned_blobs", "_blobs", "ready"]
    assert len(versions(s3, bucket)) == 3


@pytest.mark.parametrize("where", ["ready", "row"])
def test_what_was_given_up_meanwhile_is_begun_again(
    where: str, table: RoutingTable, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, times = Deployments.ready, iter((True, False))

    def given_up(self: Deployments, bucket: str, deployment: str, epoch: int) -> None:
        if where == "row":
            ready(self, bucket, deployment, epoch)
        if next(times):
            found = self.get(bucket, deployment)
            self.change_seen(found, replace(found, state="condemned", epoch=found.epoch + 1))
        if where == "ready":
            ready(self, bucket, deployment, epoch)

    monkeypatch.setattr(Deployments, "ready", given_up)
    done = deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    assert Deployments(table).get(bucket, done.deployment).state == "ready"
    assert table.get(WWW).revision == 1


def test_what_is_given_up_every_time_is_said(
    table: RoutingTable, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given_up(*_: Any) -> None:
        raise NotReady("given up")

    monkeypatch.setattr(Deployments, "ready", given_up)
    with pytest.raises(NotReady):
        deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    with pytest.raises(TableAdminError, match="has no route"):
        table.get(WWW)


def test_an_older_and_slower_deploy_does_not_replace_a_newer(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    deploy(table, write_site(tmp_path / "zero", {"index.html": "zero"}), bucket=bucket, domain=WWW)
    old, new = write_site(tmp_path / "old", {"index.html": "old"}), write_site(tmp_path / "new", {"index.html": "new"})
    other = RoutingTable(table.stack, actor="the newer", client=aws.client)

    def overtake(_: Sent) -> None:
        deploy(other, new, bucket=bucket, domain=WWW)

    with pytest.raises(Overtaken, match=r"changed while this was on its way, by the newer .*run the same command"):
        deploy(table, old, bucket=bucket, domain=WWW, on_progress=overtake)
    assert page(table, WWW, "/index.html") == b"new"
    deploy(table, old, bucket=bucket, domain=WWW)  # on purpose
    assert page(table, WWW, "/index.html") == b"old"


@pytest.mark.parametrize("place", [{"domain": WWW}, {"environment": "env-1", "base": "example.com"}])
def test_a_newer_deploy_replaces_one_that_was_on_its_way_and_ended_first(
    place: dict[str, str], table: RoutingTable, bucket: str, tmp_path: Path
) -> None:
    old, new = write_site(tmp_path / "old", {"index.html": "old"}), write_site(tmp_path / "new", {"index.html": "new"})
    started, may_end = threading.Event(), threading.Event()

    def wait(_: Sent) -> None:
        started.set()
        assert may_end.wait(60)

    older = threading.Thread(target=deploy, args=(table, old), kwargs={"bucket": bucket, "on_progress": wait, **place})
    older.start()
    assert started.wait(60)

    def end_it(_: Sent) -> None:
        may_end.set()
        older.join()

    done = deploy(table, new, bucket=bucket, on_progress=end_it, **place)  # type: ignore[arg-type]
    assert (done.change.revision, page(table, done.domain, "/index.html")) == (2, b"new")


def test_a_url_that_was_removed_meanwhile_stays_removed(table: RoutingTable, bucket: str, tmp_path: Path) -> None:
    place: dict[str, Any] = {"bucket": bucket, "environment": "env-1", "base": "example.com"}
    deploy(table, write_site(tmp_path), **place)

    def close(_: Sent) -> None:
        environments.down(table, "env-1")

    with pytest.raises(Overtaken, match="was removed"):
        deploy(table, write_site(tmp_path, {"index.html": "two"}), **place, on_progress=close)
    assert [*table.list("env-1")] == []


def test_what_does_not_change_what_viewers_get_overtakes_nobody(
    table: RoutingTable, bucket: str, tmp_path: Path
) -> None:
    place: dict[str, Any] = {"bucket": bucket, "environment": "env-1", "base": "example.com"}
    deploy(table, write_site(tmp_path), **place, expires_in="1d")

    def extend(_: Sent) -> None:
        environments.extend(table, "env-1", expires_in="7d")

    done = deploy(table, write_site(tmp_path, {"index.html": "two"}), **place, on_progress=extend)
    assert done.change.after is not None
    assert done.change.after.expires_at is not None
    assert (done.change.revision, done.change.after.expires_at - table.clock() > 6 * 86400) == (3, True)


def test_an_environments_rules_are_those_of_env_up(table: RoutingTable, bucket: str, tmp_path: Path) -> None:
    write_site(tmp_path)
    api = {"api": "https://api.acme.example"}
    environments.up(table, "env-1", "example.com", api, source="feature/one", expires_in="2d")
    place: dict[str, Any] = {"bucket": bucket, "environment": "env-1", "base": "example.com", "service": "web"}
    seen: list[Sent] = []
    with pytest.raises(Taken, match="is of feature/one"):
        deploy(table, tmp_path, **place, source="feature/two", on_progress=seen.append)
    assert seen == []
    assert [*Deployments(table).list()] == []
    done = deploy(table, tmp_path, **place, source="feature/one")
    route = table.get("web-env-1.example.com")
    assert (done.domain, route.managed, route.service, route.source) == (route.domain, True, "web", "feature/one")
    assert route.expires_at == table.get("api-env-1.example.com").expires_at


def test_a_branch_has_an_environment(table: RoutingTable, bucket: str, tmp_path: Path) -> None:
    done = deploy(table, write_site(tmp_path), bucket=bucket, branch="feature/ABC_1", base="example.com")
    assert (done.domain, table.get(done.domain).source) == ("feature-abc-1.example.com", "feature/ABC_1")


def test_a_dry_run_says_what_would_be_and_does_nothing(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    before = ([*Deployments(table).list()], versions(aws.client("s3"), bucket, ""))
    write_site(tmp_path, {"index.html": "two"})
    done = deploy(table, tmp_path, bucket=bucket, domain=WWW, dry_run=True)
    assert (done.sent_files, done.sent_size, done.change.action, done.change.revision) == (1, 3, "updated", 2)
    assert ([*Deployments(table).list()], versions(aws.client("s3"), bucket, "")) == before
    assert table.get(WWW).revision == 1
    assert deploy(table, tmp_path, bucket=bucket, domain=WWW).deployment == done.deployment


def test_a_file_that_is_written_to_meanwhile_is_not_published(
    table: RoutingTable, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_site(tmp_path)
    begin = Deployments.begin

    def write_first(self: Deployments, *arguments: Any) -> Any:
        write_site(tmp_path, {"about.html": "other"})
        return begin(self, *arguments)

    monkeypatch.setattr(Deployments, "begin", write_first)
    with pytest.raises(FileChanged, match=r"about\.html was changed while it was being deployed"):
        deploy(table, tmp_path, bucket=bucket, domain=WWW)
    with pytest.raises(TableAdminError, match="has no route"):
        table.get(WWW)


def test_what_cannot_be_named_is_refused_before_anything_is_sent(
    table: RoutingTable, bucket: str, tmp_path: Path
) -> None:
    write_site(tmp_path)
    for place, why in (
        ({}, "Say where to"),
        ({"domain": WWW, "environment": "e"}, "Say where to once"),
        ({"environment": "env-1"}, "Say which domain"),
        ({"domain": WWW, "service": "web"}, "a domain has none"),
        ({"branch": "b", "base": "example.com", "source": "b"}, "goes without"),
        ({"domain": "*.example.com"}, "wildcard"),
    ):
        with pytest.raises(InvalidInput, match=why):
            deploy(table, tmp_path, bucket=bucket, **place)  # type: ignore[arg-type]
    with pytest.raises(TargetRefused, match="does not exist"):
        deploy(table, tmp_path, bucket="nobody-has-this", domain=WWW)
    assert [*Deployments(table).list()] == []


def test_without_a_bucket_the_stacks_own_is_taken(
    table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws
) -> None:
    with pytest.raises(TableAdminError, match="Say it: --bucket"):
        deploy(table, write_site(tmp_path), domain=WWW)
    topic = '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"StaticBucketName": {"Value": "%s"}}}'
    aws.client("cloudformation").create_stack(StackName=table.stack, TemplateBody=topic % bucket)
    assert deploy(table, tmp_path, domain=WWW).target.startswith(f"s3://{bucket}/")


def test_a_large_file_is_sent_as_it_is_read(table: RoutingTable, bucket: str, tmp_path: Path, aws: EmbeddedAws) -> None:
    content = bytes(range(256)) * (9 * 4096)
    write_site(tmp_path, {**SITE, "film.mp4": content})
    seen: list[Sent] = []
    deploy(table, tmp_path, bucket=bucket, domain=WWW, on_progress=seen.append)
    assert page(table, WWW, "/film.mp4") == content
    assert (seen[-1].files, seen[-1].of_files, len(seen)) == (4, 4, 4)


def test_an_upload_that_goes_on_keeps_its_lease(
    table: RoutingTable, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LEASE_SECONDS", -1)
    extended: list[str] = []
    monkeypatch.setattr(Deployments, "extend_lease", lambda self, bucket, name, epoch: extended.append(name))
    done = deploy(table, write_site(tmp_path), bucket=bucket, domain=WWW)
    assert extended == [done.deployment] * 3


def test_s3s_refusal_is_told_with_its_reason(aws: EmbeddedAws) -> None:
    upload = Upload("_blobs/x", digest("x"), 1, b"x")
    with pytest.raises(TableAdminError, match="does not take s3://no-such-bucket/_blobs/x: NoSuchBucket"):
        list(Uploader(aws.client("s3"), "no-such-bucket").send([upload]))
