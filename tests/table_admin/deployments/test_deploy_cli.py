"""`table-admin deploy`, as people and pipelines run it."""

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_handler.routes.policy import Policy
from edge_handler.website.listing import blob_key
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.deployments.items import Deployments
from table_admin.deployments.uploads import Uploader
from tests.table_admin.conftest import Command
from tests.table_admin.deployments.sites import make_bucket, page, write_site

WWW = "www.example.com"


@pytest.fixture
def site(aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TABLE_ADMIN_BUCKET", make_bucket(aws))
    return write_site(tmp_path / "dist")


def test_the_url_is_the_last_line(command: Command, site: Path, table: RoutingTable) -> None:
    for sent, action in (("3 sent (22 bytes)", "created"), ("none sent", "unchanged")):
        code, out, _ = command("deploy", "dist", "--domain", WWW)
        first, second, last = out.splitlines()
        assert (code, last) == (0, f"http://{WWW}:8080/")
        assert first == f"3 files (22 bytes), {sent}"
        assert second.startswith(f"{action} {WWW} -> s3://")
    assert table.get(WWW).revision == 1
    assert command("deploy", "dist", "--domain", WWW, "--edge", "https://{domain}/")[1].endswith(f"\nhttps://{WWW}/\n")


@pytest.mark.usefixtures("site")
def test_that_a_site_takes_an_applications_place_is_said(command: Command) -> None:
    application = "https://lb.acme.example"
    command("put", WWW, application)
    for options in (["--dry-run"], []):
        code, _, err = command("deploy", "dist", "--domain", WWW, *options)
        assert (code, err) == (0, f"table-admin: Instead of {application}, an application; rollback brings it back.\n")
    assert command("deploy", "dist", "--domain", WWW)[2] == ""


def test_resend_brings_back_what_somebody_removed(
    command: Command, site: Path, table: RoutingTable, aws: EmbeddedAws
) -> None:
    command("deploy", "dist", "--domain", WWW)
    s3, bucket = aws.client("s3"), table.get(WWW).target.split("/")[2]
    s3.delete_object(Bucket=bucket, Key=blob_key(hashlib.sha256(b"about").hexdigest()))
    for options, sent in (
        ([], "none sent"),
        (["--resend", "--dry-run"], "1 would be sent (5 bytes)"),
        (["--resend"], "1 sent (5 bytes)"),
        (["--resend"], "none sent"),
    ):
        code, out, _ = command("deploy", "dist", "--domain", WWW, *options)
        assert (code, out.splitlines()[0]) == (0, f"3 files (22 bytes), {sent}")
    assert page(table, WWW, "/about.html") == b"about"
    assert table.get(WWW).revision == 1


def test_an_environment_and_a_branch_are_named_as_env_up_does(
    command: Command, site: Path, table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_ADMIN_EXPIRES_IN", "7d")
    code, out, _ = command(
        "deploy", "dist", "-e", "env-42", "--base", "example.com", "-s", "web", "--source", "a", "--note", "why"
    )
    assert (code, out.splitlines()[-1]) == (0, "http://web-env-42.example.com:8080/")
    route = table.get("web-env-42.example.com")
    assert (route.service, route.source, route.note, route.lifetime) == ("web", "a", "why", "ephemeral")
    code, out, _ = command("deploy", "dist", "--branch", "feature/ABC", "--base", "example.com")
    assert (code, out.splitlines()[-1]) == (0, "http://feature-abc.example.com:8080/")
    code, _, err = command("deploy", "dist", "-e", "env-42", "--base", "example.com", "-s", "web", "--source", "b")
    assert (code, "is of a, not of b" in err) == (1, True)


@pytest.mark.usefixtures("site")
def test_a_preview_is_private_from_its_first_row_on(command: Command, table: RoutingTable) -> None:
    place = ("--branch", "feature/x", "--base", "example.com")
    code, out, err = command("deploy", "dist", *place, "--private", "--allow", "203.0.113.0/24")
    assert code == 0
    *_, link, url = out.splitlines()
    assert link.startswith(f"link {url}.well-known/edge-access/link#view.")
    assert "whoever has a link gets in" in err
    (made,) = table.history("feature-x.example.com")
    assert made.state is not None
    assert made.state.policy == Policy(private=1, allow=("203.0.113.0/24",))
    assert "link " not in command("deploy", "dist", *place)[1]
    assert [one.state and one.state.policy for one in table.history("feature-x.example.com")] == [made.state.policy]
    told = json.loads(command("deploy", "dist", *place, "--private", "--json", "--edge", "http://{domain}:99/")[1])
    assert [one.partition("#")[0] for one in told["links"]] == [f"{told['url']}.well-known/edge-access/link"]
    assert told["url"] == "http://feature-x.example.com:99/"
    assert command("deploy", "dist", *place, "--private", "--public")[0] == 2


def test_base_is_the_configured_one(command: Command, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("deploy", "dist", "-e", "env-42")[0] == 2
    monkeypatch.setenv("TABLE_ADMIN_BASE", "example.com")
    assert command("deploy", "dist", "-e", "env-42")[1].endswith("http://env-42.example.com:8080/\n")
    assert command("deploy", "dist", "--domain", WWW)[0] == 0
    code, _, err = command("deploy", "dist", "--domain", WWW, "--base", "example.com")
    assert (code, "a domain is whole" in err) == (2, True)


def test_json_has_what_was_done(command: Command, site: Path, table: RoutingTable) -> None:
    document = json.loads(command("deploy", "dist", "--domain", WWW, "--json")[1])
    assert document["change"]["after"]["origin"]["kind"] == "deployment"
    assert (document["files"], document["bytes"], document["sent_files"], document["sent_bytes"]) == (3, 22, 3, 22)
    assert document["target"].endswith(f"/_deployments/{document['deployment']}")
    assert document["url"] == f"http://{WWW}:8080/"


def test_a_dry_run_says_what_would_be_sent_and_changed(command: Command, site: Path, table: RoutingTable) -> None:
    code, out, _ = command("deploy", "dist", "--domain", WWW, "--dry-run")
    assert code == 0
    assert ", 3 would be sent (22 bytes)" in out
    assert f"would be created {WWW}" in out
    assert ([*table.list()], [*Deployments(table).list()]) == ([], [])


def test_what_whoever_deploys_should_know_is_told_beside_it(command: Command, site: Path) -> None:
    write_site(site, {"index.html": "app", ".secret": "x"})
    (site / "about.html").unlink()
    code, out, err = command("deploy", "dist", "--domain", WWW)
    assert (code, len(out.splitlines())) == (0, 3)
    assert all(line.startswith("table-admin: ") for line in err.splitlines())
    assert ".secret" in err


def test_a_directory_that_is_none_is_a_mistake_of_the_caller(command: Command, site: Path) -> None:
    for directory in ("nowhere", str(site / "index.html")):
        code, out, err = command("deploy", directory, "--domain", WWW)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
    code, _, err = command("deploy", str(site / "assets"), "--domain", WWW)
    assert (code, "--force" in err) == (2, True)
    assert command("deploy", str(site / "assets"), "--domain", WWW, "--force")[0] == 0


def test_an_older_and_slower_pipeline_is_refused_with_a_sentence(
    command: Command, site: Path, table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("deploy", "dist", "--domain", WWW)
    begin = Deployments.begin

    def overtaken(self: Deployments, *arguments: object) -> object:
        table.put(WWW, "s3://acme-static-sites/env-a")
        return begin(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Deployments, "begin", overtaken)
    write_site(site, {"index.html": "late"})
    code, out, err = command("deploy", "dist", "--domain", WWW)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "was changed while this was on its way, by tester" in err
    assert table.get(WWW).target == "s3://acme-static-sites/env-a"


def test_an_interruption_says_that_the_same_command_does_the_rest(
    command: Command, site: Path, table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Uploader._send

    def interrupt(*_: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return True

    with monkeypatch.context() as patch:
        patch.setattr(Uploader, "_send", interrupt)
        code, out, err = command("deploy", "dist", "--domain", WWW)
    assert Uploader._send is send
    assert (code, out, err) == (1, "", "table-admin: interrupted; the same command does the rest.\n")
    assert command("deploy", "dist", "--domain", WWW)[0] == 0
    assert page(table, WWW, "/index.html") == b"<h1>one</h1>"


def test_a_terminal_gets_a_bar_with_files_and_bytes(
    site: Path, table: RoutingTable, aws: EmbeddedAws, tmp_path: Path
) -> None:
    write_site(site, {f"p{number}.html": f"{number}" for number in range(300)})
    terminal, side = pty.openpty()
    environ = {**os.environ, "TABLE_ADMIN_STACK": table.stack, "AWS_ENDPOINT_URL": aws.endpoint, "TERM": "xterm"}
    command = [sys.executable, "-m", "table_admin.cli", "deploy", str(site), "--domain", WWW]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=side) as process:
        os.close(side)
        seen = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
        out = process.stdout.read() if process.stdout else b""
    os.close(terminal)
    assert process.returncode == 0
    assert b" files, " in seen
    assert b" bytes, " in seen
    assert out.splitlines()[-1] == f"http://{WWW}:8080/".encode()
