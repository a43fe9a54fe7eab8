import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.cli import main

A = "s3://acme-static-sites/env-a"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("TABLE_ADMIN_STACK", table.routes.removesuffix("-routes"))
    monkeypatch.setenv("TABLE_ADMIN_ACTOR", "pipeline")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out, err = capsys.readouterr()
        code = caught.value.code
        return int(code or 0), out, err

    return run


def test_a_route_goes_through_every_verb(command: Command) -> None:
    assert command("put", "env-1.example.com", A, "--expires-in", "7d", "--note", "for QA")[1].startswith(
        f"created env-1.example.com -> {A} (revision 1, expires "
    )
    assert "target:      s3://" in command("get", "env-1.example.com")[1]
    assert "env-1.example.com" in command("list")[1]
    assert "revision 2" in command("touch", "env-1.example.com")[1]
    assert (
        "asks https://acme-static-sites.s3.us-east-1.amazonaws.com/env-a/index.html"
        in command("explain", "https://env-1.example.com/")[1]
    )
    assert command("delete", "env-1.example.com")[1] == "deleted env-1.example.com (revision 3)\n"
    assert [line.split()[:2] for line in command("history", "env-1.example.com")[1].splitlines()[1:]] == [
        ["3", "delete"],
        ["2", "touch"],
        ["1", "put"],
    ]


def test_everything_prints_json(command: Command) -> None:
    assert json.loads(command("put", "env-1.example.com", A, "--json")[1])["after"]["origin"]["kind"] == "s3"
    assert json.loads(command("get", "env-1.example.com", "--json")[1])["revision"] == 1
    assert [row["domain"] for row in json.loads(command("list", "--json")[1])] == ["env-1.example.com"]
    assert json.loads(command("list", "-e", "none", "--json")[1]) == []
    assert json.loads(command("history", "env-1.example.com", "--json")[1])[0]["updated_by"] == "pipeline"
    assert json.loads(command("explain", "env-1.example.com/x", "--json")[1])["origin_request"]["uri"] == "/env-a/x"
    assert json.loads(command("touch", "env-1.example.com", "--json")[1])["revision"] == 2
    assert json.loads(command("delete", "env-1.example.com", "--json")[1])["action"] == "deleted"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["frob"], 2, "No such command"),
        (["put"], 2, "Missing argument"),
        (["put", "a..b", A], 2, "not a domain"),
        (["put", "*.example.com", A], 2, "wildcard"),
        (["put", "env-1.example.com", "nowhere"], 2, "not a target"),
        (["put", "env-1.example.com", A, "--expires-in", "soon"], 2, "not a duration"),
        (["put", "env-1.example.com", A, "--expires-in", "1d", "--permanent"], 2, "not both"),
        (["put", "env-1.example.com", "s3://no-such-bucket/x"], 1, "does not exist"),
        (["put", "env-1.example.com", A, "--if-revision", "3"], 1, "changed by somebody else"),
        (["get", "env-1.example.com"], 1, "no route"),
        (["delete", "env-1.example.com"], 1, "no route"),
        (["--stack", "other", "list"], 1, "tables do not exist"),
        (["--endpoint-url", "nonsense", "list"], 2, "endpoint"),
        (
            ["--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1", "get", "a.example.com"],
            1,
            "does not answer",
        ),
        (["--profile", "no-such-profile", "list"], 1, "profile"),
        (["explain", "http://["], 2, "not a URL"),
    ],
)
def test_an_error_is_one_line_and_a_status(command: Command, arguments: list[str], status: int, says: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (status, "", 1)
    assert err.startswith("table-admin: ")
    assert says in err


WORDS = st.one_of(
    st.sampled_from(
        ["put", "get", "list", "delete", "history", "explain", "touch", "--json", "--note", "-e", "env-1.example.com"]
    ),
    st.text(max_size=20),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(WORDS, max_size=5))
@example(["put", "\ud800", A])
def test_no_arguments_make_a_traceback(command: Command, arguments: list[str]) -> None:
    code, _, err = command(*arguments)
    assert code in (0, 1, 2)
    assert "Traceback" not in err
    assert err.count("\n") <= 1


def test_an_unknown_url_is_explained(command: Command) -> None:
    out = command("explain", "https://env-404.example.com/")[1]
    assert "no route has this domain" in out
    assert "answers 404" in out


def test_a_reader_that_leaves_early_is_no_error(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put("env-1.example.com", A)
    script = (
        f"{sys.executable} -m table_admin.cli --endpoint-url {aws.endpoint} --stack {table.routes[:-7]} list | true"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_a_broken_row_is_named_beside_the_listing(command: Command, table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put("env-1.example.com", A)
    aws.client("dynamodb").put_item(TableName=table.routes, Item={"domain": {"S": "damaged.example.com"}})
    code, out, err = command("list", "--json")
    assert [row["domain"] for row in json.loads(out)] == ["env-1.example.com"]
    assert (code, err.count("\n")) == (0, 1)
    assert "the row of damaged.example.com is left out" in err
