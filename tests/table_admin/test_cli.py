import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import boto3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_handler.routes.route import encode_route
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.cli.reference import verbs, written
from table_admin.tables import Tables
from tests.support import ROOT
from tests.table_admin.conftest import Command

A = "s3://acme-static-sites/env-a"


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
    assert (
        json.loads(command("explain", "env-1.example.com/", "--json")[1])["origin_request"]["uri"]
        == "/env-a/index.html"
    )
    assert json.loads(command("touch", "env-1.example.com", "--json")[1])["revision"] == 2
    for action in ("deleted", "unchanged"):  # several may be named, so it is an array of one too
        (change,) = json.loads(command("delete", "env-1.example.com", "--json")[1])
        assert change["action"] == action


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["frob"], 2, "No such command"),
        (["put"], 2, "Missing argument"),
        (["put", "a..b", A], 2, "not a domain"),
        (["put", "*.com", A], 2, "after its * a wildcard has 2 to 8 labels"),
        (["put", "a.*.example.com", A], 2, "not a domain"),
        (["put", "env-1.example.com", A, "--rule", "/api/*"], 2, "--rule /api/* is not PATTERN=TARGET"),
        (["put", "env-1.example.com", A, "--rule", f"={A}"], 2, "is not PATTERN=TARGET"),
        (["put", "env-1.example.com", A, "--rule", "/api/*= "], 2, "is not PATTERN=TARGET"),
        (["put", "env-1.example.com", A, "--rule", ""], 2, "'--rule': it is empty"),
        (["put", "env-1.example.com", A, "--rule", f"/a={A}", "--rule", f"/a={A}"], 2, "for /a is given twice"),
        (["put", "env-1.example.com", A, "--rule", f"/a={A}", "--rule", f"/%61={A}"], 2, "/a is there twice"),
        (["put", "env-1.example.com", A, "--rule", f"/a={A}", "--no-rule", "/a"], 2, "for /a is given twice"),
        (["put", "env-1.example.com", A, "--no-rule", f"/a={A}"], 2, "a pattern alone says which"),
        (["put", "env-1.example.com", A, "--no-rules", "--no-rule", "/a"], 2, "--no-rule goes without it"),
        (["put", "env-1.example.com", A, "--rule", f"api={A}"], 2, "'api' is not a pattern"),
        (["put", "env-1.example.com", A, "--rule", f"/*={A}"], 2, "/* is all of a domain"),
        (["put", "env-1.example.com", A, "--rule", "/a=nowhere"], 2, "The rule for /a: 'nowhere' is not a target"),
        (["put", "env-1.example.com", A, "--rule", "/a=strip:https://a.example"], 2, "ends with /*"),
        (["put", "env-1.example.com", A, "--rule", "/a=/env-a"], 2, "prefix of the configured bucket, and none is"),
        (["put", "env-1.example.com", A, "--rule", "/a=s3://no-such-bucket/x"], 1, "The rule for /a: The bucket"),
        (["put", "env-1.example.com", "redirect:200:https://a.example"], 2, "status is one of"),
        (["put", "env-1.example.com", "redirect:https://env-1.example.com"], 2, "in a circle"),
        (["env", "up", "env-42", "--base", "*.example.com", "-s", A], 2, "*.example.com is a wildcard"),
        (["put", "env-1.example.com", "nowhere"], 2, "not a target"),
        (["put", "env-1.example.com", A, "--expires-in", "soon"], 2, "not a duration"),
        (["put", "env-1.example.com", A, "--expires-in", "1d", "--permanent"], 2, "not both"),
        (["put", "env-1.example.com", "s3://no-such-bucket/x"], 1, "does not exist"),
        (["put", "env-1.example.com", A, "--if-revision", "3"], 1, "changed by somebody else"),
        (["get", "env-1.example.com"], 1, "no route"),
        (["delete", "env-1.example.com", "--must-exist"], 1, "no route"),
        (["--stack", "other", "list"], 1, "tables do not exist"),
        (["--endpoint-url", "nonsense", "list"], 2, "endpoint"),
        (["list", "--endpoint-url", "http://127.0.0.1:99999"], 2, "Port out of range"),
        (["list", "--stack", ""], 2, "'--stack': it is empty"),
        (["put", "env-1.example.com", A, "--expires-in", ""], 2, "'--expires-in': it is empty"),
        (["put", "env-1.example.com", A, "--environment", " "], 2, "it is empty"),
        (["put", "env-1.example.com", ""], 2, "'TARGET': it is empty"),
        (["delete", ""], 2, "it is empty"),
        (["list", "-e", ""], 2, "it is empty"),
        (["rollback", "-e", "e", "--since", ""], 2, "'--since': it is empty"),
        (["env", "up", "env-42", "--base", "", "-s", A], 2, "'--base': it is empty"),
        (["env", "up", "env-42", "--base", "example.com", "-s", f"={A}"], 2, "empty on one side"),
        (["env", "up", "env-42", "--base", "example.com", "-s", "web="], 2, "empty on one side"),
        (["env", "promote", "env-42", "www.example.com="], 2, "names no service"),
        (
            ["--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1", "get", "a.example.com"],
            1,
            "does not answer",
        ),
        (["--profile", "no-such-profile", "list"], 1, "profile"),
        (["explain", "http://["], 2, "not a URL"),
        (["rollback"], 2, "Name domains"),
        (["rollback", "a.example.com", "--since", "2026-01-01"], 2, "Name domains"),
        (["rollback", "-e", "e", "--since", "soon"], 2, "not a time"),
        (["rollback", "-e", "e", "--since", "2999-01-01"], 2, "yet to come"),
        (["rollback", "a.example.com"], 1, "has no history"),
        (["diff", "a.example.com"], 1, "no history"),
        (["env", "up", "env-42", "--base", "example.com"], 2, "Missing option"),
        (["env", "up", "env-42", "--base", "example.com", "-s", A, "-s", A], 2, "given twice"),
        (["env", "extend", "env-42"], 2, "how long"),
        (["env", "extend", "env-42", "--permanent"], 1, "no environment"),
        (["env", "down"], 2, "or say --branch"),
        (["env", "up", "env-42", "--branch", "b", "--base", "example.com", "-s", A], 2, "goes without NAME"),
        (["env", "up", "Env_42", "--base", "example.com", "-s", A], 2, "lower-case letters, digits and dashes"),
        (["env", "show", "?"], 2, "lower-case letters, digits and dashes"),
        (["env", "promote", "env-42", "www.example.com=web", "www.example.com=api"], 2, "given twice"),
        (["plan", "/nowhere/routes.yaml"], 2, "No such file"),
        (["plan", "/"], 2, "directory"),
        (["import", "/nowhere/routes.jsonl"], 2, "No such file"),
        (["import", __file__, "--format", "yaml"], 2, "YAML file to import is a list"),
    ],
)
def test_an_error_is_one_line_and_a_status(command: Command, arguments: list[str], status: int, says: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (status, "", 1)
    assert err.startswith("table-admin: ")
    assert says in err


@pytest.mark.parametrize("name", ["TABLE_ADMIN_STACK", "TABLE_ADMIN_ACTOR", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"])
def test_a_variable_that_is_empty_is_wrong_usage(command: Command, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    assert command("list") == (2, "", f"table-admin: {name} is set and empty; give it a value, or unset it.\n")


@pytest.mark.parametrize("url", ["127.0.0.1:4566", "http://[", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_no_url_is_one_line(table: RoutingTable, url: str) -> None:
    environ = {**os.environ, "AWS_ENDPOINT_URL": url, "TABLE_ADMIN_STACK": table.stack}
    done = subprocess.run(
        [sys.executable, "-m", "table_admin.cli", "list"], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "endpoint" in done.stderr


def test_options_of_all_verbs_stand_before_or_after_the_verb(command: Command) -> None:
    command("--actor", "before", "put", "env-1.example.com", A, "--actor", "after")
    assert (
        json.loads(command("get", "env-1.example.com", "--json", "--region", "us-east-1")[1])["updated_by"] == "after"
    )
    assert command("env", "--stack", "other", "list")[0] == 1
    assert command("env", "list", "--stack", "other")[0] == 1


def test_what_writes_has_a_dry_run_a_note_and_json_and_what_shows_has_json() -> None:
    options = {name: {parameter.name for parameter in verb.params} for name, verb in verbs()}
    assert len(options) > 20
    for name, found in options.items():
        if "dry_run" in found:
            # The rows of a file carry their notes.
            assert {"as_json", "note"} - found <= ({"note"} if name in ("apply", "import") else set()), name
        elif name not in ("schema", "completion", "export", "ui"):
            assert "as_json" in found, name
        assert {"stack", "actor", "profile", "region", "endpoint_url"} <= found, name


def test_the_table_of_verbs_in_the_guide_is_the_committed_one() -> None:
    guide = (ROOT / "docs" / "table-admin.md").read_text()
    assert written(guide) == guide, "run: .venv/bin/python -m table_admin.cli.reference docs/table-admin.md"


def test_one_is_one_and_two_are_two(command: Command) -> None:
    command("put", "env-1.example.com", A)
    assert command("list")[2] == "1 route\n"
    command("put", "env-2.example.com", A)
    assert command("list")[2] == "2 routes\n"


def on_a_terminal(*arguments: str, columns: int = 60, answer: str = "", **environ: str) -> str:
    """Run the command on a terminal, and return what is seen there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))
    command = [sys.executable, "-m", "table_admin.cli", *arguments]
    without = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
    process = subprocess.Popen(command, env={**without, **environ}, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    seen = b""
    with contextlib.suppress(OSError):  # EIO is its end
        while part := os.read(ours, 65536):
            seen += part
    os.close(ours)
    assert process.wait() in (0, 1, 2)
    return seen.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colour_unless_it_is_told_otherwise(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put("env-1.example.com", A)
    table.put("env-1.example.com", "s3://acme-static-sites/env-b")
    where = ("diff", "env-1.example.com", "--endpoint-url", aws.endpoint, "--stack", table.stack)
    assert "\x1b[32ms3://acme-static-sites/env-b" in on_a_terminal(*where, TERM="xterm")
    for quiet in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
        shown = on_a_terminal(*where, columns=60, answer="", **quiet)
        assert shown.startswith("target: s3://acme-static-sites/env-a -> s3://acme-static-sites/env-b\n"), quiet
        assert "\x1b" not in shown, quiet


def test_a_narrow_terminal_is_shown_fewer_columns_and_no_broken_cell(
    command: Command, table: RoutingTable, aws: EmbeddedAws
) -> None:
    domain, target = f"{'a' * 20}.example.com", f"s3://acme-static-sites/{'b' * 20}"
    table.put(domain, target, expires_in="1d")
    table.put("env-1.example.com", A)
    where = ("--endpoint-url", aws.endpoint, "--stack", table.stack)
    whole = [f"{domain}  {target}", f"{'env-1.example.com':<32}  {A}"]
    heads = ("DOMAIN", "TARGET", "ENVIRONMENT", "REVISION", "EXPIRES", "BY", "RULES", "POLICY")
    for columns, left_out in (
        (200, []),
        (150, ["BY"]),
        (98, ["ENVIRONMENT", "REVISION", "EXPIRES", "BY"]),
        (40, ["ENVIRONMENT", "REVISION", "EXPIRES", "BY", "RULES", "POLICY"]),
    ):
        lines = on_a_terminal(*where, "list", columns=columns, TERM="dumb").splitlines()
        assert lines[0].split() == [head for head in heads if head not in left_out], columns
        # A terminal goes on in its next line by itself, and gives back one line to who copies it.
        assert all(line.startswith(shown) for line, shown in zip(sorted(lines[1:3]), whole, strict=True)), columns
        assert any(line.startswith(f"{', '.join(left_out)} left out") for line in lines) == bool(left_out)
        assert columns < 60 or max(map(len, lines[:3])) <= columns
    piped = command("list")[1]
    assert piped.splitlines()[0].split()[-2:] == ["RULES", "POLICY"]
    assert target in piped
    history = on_a_terminal(*where, "history", domain, TERM="dumb").splitlines()
    assert history[0].split()[-1] == "NOTE"
    assert f"  {target}  " in history[1]


def test_a_head_is_bold_where_there_is_colour(table: RoutingTable, aws: EmbeddedAws) -> None:
    where = ("--endpoint-url", aws.endpoint, "--stack", table.stack)
    assert on_a_terminal(*where, "env", "list", TERM="xterm").startswith("\x1b[1mENVIRONMENT  ROUTES")


WORDS = st.one_of(
    st.sampled_from(
        ["put", "get", "list", "delete", "history", "explain", "touch", "--json", "--note", "-e", "env-1.example.com"]
        + ["env", "up", "down", "extend", "promote", "show", "rollback", "diff", "plan", "apply", "import", "export"]
        + [
            "sweep",
            "refresh",
            "schema",
            "--dry-run",
            "--yes",
            "--since",
            "--to",
            "--base",
            "example.com",
            "-s",
            A,
            "1d",
        ]
    ),
    st.text(max_size=20),
)


@settings(max_examples=150)
@given(st.lists(WORDS, max_size=5))
@example(["put", "\ud800", A])
def test_no_arguments_make_a_traceback(command: Command, arguments: list[str]) -> None:
    code, _, err = command(*arguments)
    assert code in (0, 1, 2, 3)
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith("table-admin: ")]) <= 1


def test_an_unknown_url_is_explained(command: Command) -> None:
    out = command("explain", "https://env-404.example.com/")[1]
    assert "no route has this domain" in out
    assert "answers 404" in out


def test_a_reader_that_leaves_early_is_no_error(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put("env-1.example.com", A)
    script = f"{sys.executable} -m table_admin.cli --endpoint-url {aws.endpoint} --stack {table.stack} list | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_a_broken_row_is_named_beside_the_listing(command: Command, table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put("env-1.example.com", A)
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item={"domain": {"S": "damaged.example.com"}})
    code, out, err = command("list", "--json")
    assert [row["domain"] for row in json.loads(out)] == ["env-1.example.com"]
    assert (code, err.count("\n")) == (0, 1)
    assert "the row of damaged.example.com is left out" in err


def test_an_environments_day_on_the_command_line(command: Command) -> None:
    assert command("env", "up", "env-42", "--base", "example.com", "-s", f"web={A}", "-s", f"api={A}")[
        1
    ].splitlines() == [
        f"created web-env-42.example.com -> {A} (revision 1)",
        f"created api-env-42.example.com -> {A} (revision 1)",
    ]
    assert command("env", "up", "env-43", "--base", "example.com", "-s", A)[1].startswith("created env-43.example")
    assert [line.split()[:2] for line in command("env", "list")[1].splitlines()[1:]] == [
        ["env-42", "2"],
        ["env-43", "1"],
    ]
    assert "web-env-42.example.com" in command("env", "show", "env-42")[1]
    assert "expires" in command("env", "extend", "env-42", "--expires-in", "2d")[1]
    assert command("env", "promote", "env-42", "www.example.com=web")[1].startswith("created www.example.com")
    code, _, err = command("env", "down", "env-42")
    assert (code, err.count("\n"), "www.example.com from s3://" in err) == (1, 1, True)
    assert command("env", "down", "env-42", "--force", "--dry-run")[1].startswith("would be deleted")
    assert len(json.loads(command("env", "down", "env-42", "--force", "--json")[1])) == 2
    assert command("env", "down", "env-42", "--force")[:2] == (
        0,
        "nothing to remove: the environment env-42 manages no route\n",
    )
    assert command("rollback", "web-env-42.example.com", "api-env-42.example.com")[1].startswith("created web-env-42")
    assert command("diff", "www.example.com")[1].startswith("target: (none) -> s3://")
    assert json.loads(command("diff", "www.example.com", "--json")[1])["environment"] == [None, "www"]


def test_the_url_of_an_environment_is_one_that_opens(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    up = ("env", "up", "env-42", "--base", "example.com", "-s", A)
    assert command(*up)[1] == f"created env-42.example.com -> {A} (revision 1)\n"
    for endpoint, here in (
        ("http://127.0.0.1:4566", True),
        ("http://localhost:4566", True),
        ("http://routes.localhost:4566", True),
        ("http://[::1]:4566", True),
        ("https://dynamodb.us-east-1.amazonaws.com", False),
        ("http://localhost.example.com", False),
    ):
        client = boto3.client("dynamodb", endpoint_url=endpoint)
        assert Tables("edge-routing", client).is_here == here, endpoint
    monkeypatch.setattr(Tables, "is_here", False)
    assert command(*up)[1] == f"unchanged https://env-42.example.com/ -> {A} (revision 1)\n"


def test_a_branchs_day_on_the_command_line(command: Command) -> None:
    services = ("--base", "example.com", "-s", A)
    assert command("env", "name", "feature/ABC_123")[1] == "feature-abc-123\n"
    assert json.loads(command("env", "name", "feature/ABC_123", "--json")[1]) == {"name": "feature-abc-123"}
    assert command("env", "up", "--branch", "feature/ABC_123", *services)[1].splitlines() == [
        "environment feature-abc-123",
        f"created feature-abc-123.example.com -> {A} (revision 1)",
    ]
    other = command("env", "name", "feature/abc-123")[1].strip()
    assert other != "feature-abc-123"
    assert command("env", "up", "--branch", "feature/abc-123", *services)[1].startswith(f"environment {other}\n")
    assert command("env", "extend", "--branch", "feature/abc-123", "--expires-in", "1d")[1].startswith("updated")
    assert other in command("env", "show", "--branch", "feature/abc-123")[1]
    assert command("env", "down", "--branch", "feature/ABC_123")[1].startswith("deleted feature-abc-123.")
    command("put", "docs.example.com", A)
    code, out, err = command("env", "down", "docs")
    assert (code, out) == (0, "nothing to remove: the environment docs manages no route\n")
    assert err == "table-admin: docs.example.com stays as it is: docs does not manage it; env adopt docs takes it in\n"
    assert command("env", "adopt", "docs")[1].startswith("updated docs.example.com")


def test_a_file_is_planned_and_applied(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(f"owner: shop\nroutes:\n  a.example.com: {A}\n")
    code, out, _ = command("plan", str(file), "--exit-code")
    assert code == 3
    assert out.startswith(f"+ a.example.com  {A}\nPlan ")
    shown = out.split()[4].rstrip(":")
    assert command("apply", str(file))[0] == 2
    assert command("apply", str(file), "--dry-run")[0] == 0
    assert [change["action"] for change in json.loads(command("apply", str(file), "--dry-run", "--json")[1])] == [
        "created"
    ]
    assert command("get", "a.example.com")[0] == 1
    assert command("apply", str(file), "--plan", "0" * 12)[0] == 1
    assert command("apply", str(file), "--plan", shown)[1].endswith("1 change written.\n")
    assert command("plan", str(file), "--exit-code") == (0, command("plan", str(file))[1], "")
    assert json.loads(command("plan", str(file), "--json")[1])["unchanged"] == 1
    assert command("apply", str(file), "--dry-run", "--json")[:2] == (0, "[]\n")
    assert json.loads(command("schema")[1])["title"]
    file.write_text("owner: shop\nroutes:\n  a..b: x\n")
    assert command("plan", str(file)) == (
        2,
        "",
        "table-admin: routes.yaml:3: 'a..b' is not a domain: the host is not a name that DNS could hold.\n",
    )


def test_who_is_asked_sees_the_plan_and_what_came_of_the_answer(
    table: RoutingTable, aws: EmbeddedAws, tmp_path: Path
) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(f"owner: shop\nroutes:\n  a.example.com: {A}\n")
    where = ("apply", str(file), "--endpoint-url", aws.endpoint, "--stack", table.stack)
    seen = on_a_terminal(*where, answer="n\n", TERM="dumb")
    assert f"+ a.example.com  {A}\n" in seen
    assert seen.endswith("Nothing was written.\n")
    # As JSON no plan is shown, so nobody can say yes to it.
    assert "say --yes" in on_a_terminal(*where, "--json", answer="y\n", TERM="dumb")
    assert [*table.list()] == []
    assert on_a_terminal(*where, answer="y\n", TERM="dumb").endswith("1 change written.\n")


def test_routes_are_imported_and_exported(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "routes.csv"
    file.write_text(f"domain,target\na.example.com,{A}\nb..c,{A}\n")
    code, _, err = command("import", str(file), "--strict")
    assert (code, "line 3" in err, "nothing was written" in err) == (1, True, True)
    code, out, err = command("import", str(file))
    assert (code, out.startswith("1 created, 0 updated, 0 unchanged, 1 rejected")) == (1, True)
    assert "line 3: 'b..c' is not a domain" in err
    assert json.loads(command("export")[1])["domain"] == "a.example.com"
    out_file = tmp_path / "out.yaml"
    assert "1 route (" in command("export", str(out_file))[2]
    assert command("import", str(out_file), "--dry-run")[1].startswith("0 would be created, 0 would be updated, 1 unch")


def test_doctor_and_upkeep_report(command: Command, table: RoutingTable) -> None:
    command("put", "env-1.example.com", "s3://acme-static-sites/nothing-there")
    code, out, err = command("doctor", "env-1.example.com", "--edge", "http://127.0.0.1:9")
    assert (code, err.count("\n")) == (1, 1)
    assert "WRONG  prefix         Nothing is under /nothing-there." in out
    assert "aws s3 sync ./public s3://acme-static-sites/nothing-there" in out
    assert (
        json.loads(command("doctor", "env-1.example.com", "--edge", "http://127.0.0.1:9", "--json")[1])[0]["step"]
        == "row"
    )
    assert "orphan: env-1.example.com" in command("sweep")[2]
    out, err = command("sweep", "--json")[1:]
    found = json.loads(out)
    assert (found["changes"], found["orphans"][0]["domain"], err) == ([], "env-1.example.com", "")
    assert command("refresh") == (0, "nothing to do\n", "")


@pytest.mark.parametrize("verb", ["list --limit", "history a.example.com --limit", "rollback a.example.com --to"])
def test_a_number_that_no_table_has_is_wrong_usage(command: Command, verb: str) -> None:
    code, out, err = command(*verb.split(), "9" * 40)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_file_without_a_route_is_said_to_be_one(command: Command, tmp_path: Path) -> None:
    for name, content in (("a.jsonl", ""), ("a.csv", "domain,target\n"), ("a.json", "[]\n")):
        (tmp_path / name).write_text(content)
        code, _, err = command("import", name)
        assert (code, err) == (0, "table-admin: there is no route in it\n")


NASTY = "ok\x1b]0;title\x07\x1b[1A\x1b[2K\u202ehidden\u2028line\x85"


def test_nobody_who_writes_a_row_moves_the_cursor_of_who_reads_it(
    command: Command, table: RoutingTable, aws: EmbeddedAws
) -> None:
    command("--actor", NASTY, "put", "env-1.example.com", A, "--note", NASTY)
    assert next(table.history("env-1.example.com")).updated_by.isprintable()
    # A row may be written by others than us.
    item = {**encode_route(table.get("env-1.example.com")), "updated_by": {"S": NASTY}, "note": {"S": NASTY}}
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=item)
    aws.client("dynamodb").put_item(TableName=table.tables.history, Item={**item, "action": {"S": "put"}})
    for arguments in (
        ["get", "env-1.example.com"],
        ["list"],
        ["history", "env-1.example.com"],
        ["env", "list"],
        ["put", "env-1.example.com", "s3://no-such\u202e\x1b[2K"],
        ["explain", "http://env-1.example.com/\u202e\x1b[2K"],
        ["list", "--no\x1b[2Ksuch"],
        ["rollback", "env-1.example.com", "--to", "1"],
    ):
        _, out, err = command(*arguments)
        assert all(line.isprintable() for line in (out + err).split("\n")), (arguments, out, err)


def test_a_sweep_fails_where_what_was_promoted_is_lost(command: Command) -> None:
    # A nightly job that is green is read by nobody.
    command("env", "up", "pr-9", "--base", "example.com", "--service", "s3://acme-static-sites/nothing-there")
    command("env", "promote", "pr-9", "www.example.com")
    for more in ([], ["--json"]):
        code, out, err = command("sweep", *more)
        assert (code, "1 promoted route leads nowhere" in err, "www.example.com" in out + err) == (1, True, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(command: Command, shell: str) -> None:
    assert "_TABLE_ADMIN_COMPLETE" in command("completion", shell)[1]
    environ = {
        **os.environ,
        "_TABLE_ADMIN_COMPLETE": "bash_complete",
        "COMP_WORDS": "table-admin env ",
        "COMP_CWORD": "2",
    }
    script = [sys.executable, "-m", "table_admin.cli"]
    done = subprocess.run(script, env=environ, capture_output=True, text=True, check=True)
    assert "plain,promote" in done.stdout
