"""Deploys that are killed, with a real signal, at twenty of the requests that they make."""

import os
import sys
from pathlib import Path

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, deploy
from table_admin.deployments.items import Deployments
from tests.table_admin.deployments.sites import make_bucket, page, shown, write_site
from tests.table_admin.killing import Line

WWW = "www.example.com"
KILLS = 20
FILES = 9


def test_killed_at_any_moment_the_site_is_whole_and_the_same_command_finishes(
    table: RoutingTable, aws: EmbeddedAws, tmp_path: Path
) -> None:
    bucket = make_bucket(aws)
    environ = {**os.environ, "TABLE_ADMIN_STACK": table.stack, "TABLE_ADMIN_BUCKET": bucket}
    environ |= {"AWS_ENDPOINT_URL": aws.endpoint, "TABLE_ADMIN_ACTOR": "pipeline"}
    command = [sys.executable, "-m", "table_admin.cli", "deploy", str(tmp_path), "--domain", WWW]

    def build(number: int) -> None:
        pages = {f"page-{name}.html": f"{name} of {number}" for name in range(FILES)}
        write_site(tmp_path, {"index.html": f"{number}", "same.css": "same", **pages})

    build(0)
    deploy(table, tmp_path, bucket=bucket, domain=WWW)
    killed, states, at = 0, set(), 1
    while killed < KILLS:
        for made in (False, True):
            killed += 1
            build(killed)
            ended = Line(aws.endpoint, at, made).run(command, environ, "DYNAMODB", "S3")
            now = page(table, WWW, "/index.html")
            site = shown(table, WWW)  # every file of it is there
            assert not ended, "it ended before it was killed"
            assert now in (b"%d" % (killed - 1), b"%d" % killed)
            assert site.head.files == FILES + 2
            states |= {one.state for one in Deployments(table).list()}
            # Not killed any more, but on the same line: the same command.
            assert Line(aws.endpoint, 10_000, made).run(command, environ, "DYNAMODB", "S3")
            assert page(table, WWW, "/index.html") == b"%d" % killed
            assert page(table, WWW, "/page-3.html") == b"3 of %d" % killed
        at += 2 if at < 10 else 3
    assert states == {"uploading", "ready"}, "none was killed while it sent files"
    # One row for each: a second run of what is done writes nothing.
    assert table.get(WWW).revision == KILLS + 1
