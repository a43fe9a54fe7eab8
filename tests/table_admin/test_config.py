"""table-admin.toml: what need not be said each time."""

import json
import time
from pathlib import Path

import pytest

from table_admin import InvalidInput, RoutingTable, environments
from table_admin.config import Setting, settings
from tests.table_admin.conftest import Command
from tests.table_admin.test_cli import A

pytestmark = pytest.mark.usefixtures("command")


def test_an_option_wins_over_a_variable_and_a_variable_over_the_nearest_file(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "table-admin.toml").write_text('stack = "far"')
    (tmp_path / "a" / "pyproject.toml").write_text('[tool.table-admin]\nstack = "near"\nbase = "example.com"\n')
    (inner / "pyproject.toml").write_text('[tool.other]\nstack = "not ours"\n')
    near = str(tmp_path / "a" / "pyproject.toml")
    found = settings({}, {}, inner)
    assert (found["stack"], found["base"]) == (Setting("near", near), Setting("example.com", near))
    assert found["bucket"] == Setting("", "default")
    variables = {"TABLE_ADMIN_STACK": "variable", "AWS_DEFAULT_REGION": "eu-west-1"}
    found = settings({}, variables, inner)
    assert found["stack"] == Setting("variable", "TABLE_ADMIN_STACK")
    assert found["region"] == Setting("eu-west-1", "AWS_DEFAULT_REGION")
    assert settings({"stack": "option"}, variables, inner)["stack"] == Setting("option", "--stack")
    assert settings({}, {}, Path("/"))["stack"] == Setting("edge-routing", "default")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stack = ", "is not TOML"),
        ("stack = 7", "stack: text"),
        ('stack = ""', "stack: text"),
        ('expires-in = "7d"', "expires-in: there is no such key; known are stack, base"),
        ('expires_in = "soon"', "expires_in: 'soon' is not a duration"),
        ('base = "a..b"', "base: 'a..b' is not a domain"),
        ('bucket = "a/b"', "bucket: 'a/b' is not a name"),
    ],
)
def test_a_wrong_file_is_one_line_with_file_and_key(
    command: Command,
    tmp_path: Path,
    text: str,
    says: str,
) -> None:
    (tmp_path / "table-admin.toml").write_text(text)
    status, out, errors = command("list")
    assert (status, out, errors.count("\n")) == (2, "", 1)
    assert f"{tmp_path}/table-admin.toml" in errors
    assert says in errors
    assert command("list", "--help")[0] == 0


@pytest.mark.parametrize("name", ["table-admin.toml", "pyproject.toml"])
def test_a_file_with_a_byte_order_mark_is_read_and_one_that_is_not_utf_8_is_named(tmp_path: Path, name: str) -> None:
    text = f'{"[tool.table-admin]" if name == "pyproject.toml" else ""}\nbase = "example.com" # ü'
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert settings({}, {}, tmp_path)["base"] == Setting("example.com", str(tmp_path / name))
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(InvalidInput, match=rf"{name} is not UTF-8: .*Save it as UTF-8"):
        settings({}, {}, tmp_path)


def test_anothers_pyproject_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("this = is [not TOML")
    assert settings({}, {}, tmp_path)["stack"].source == "default"
    (tmp_path / "pyproject.toml").write_text('[tool]\ntable-admin = "x"')
    with pytest.raises(InvalidInput, match="a table is expected"):
        settings({}, {}, tmp_path)


def test_config_shows_what_holds_and_where_it_comes_from(command: Command, tmp_path: Path) -> None:
    (tmp_path / "table-admin.toml").write_text('base = "example.com"')
    shown = {line.split()[0]: line.split()[1:] for line in command("config", "--actor", "me")[1].splitlines()}
    assert shown["base"] == ["example.com", str(tmp_path / "table-admin.toml")]
    assert shown["actor"] == ["me", "--actor"]
    assert shown["stack"][1] == "TABLE_ADMIN_STACK"
    assert json.loads(command("config", "--json")[1])["expires_in"] == {"value": "", "source": "default"}


def test_base_bucket_and_expiry_of_the_file_are_used(
    command: Command,
    table: RoutingTable,
    tmp_path: Path,
) -> None:
    assert command("put", "a.example.com", "/env-a")[0] == 2
    text = 'base = "example.com"\nbucket = "acme-static-sites"\nexpires_in = "7d"\n'
    (tmp_path / "table-admin.toml").write_text(text)
    assert command("put", "a.example.com", "/env-a")[1].startswith(f"created a.example.com -> {A} (revision 1)")
    assert "expires" in command("env", "up", "env-1", "-s", "web=/env-a")[1]
    route = table.get("web-env-1.example.com")
    assert route.target == A
    # A permanent one stays so: what is not said stays as it is.
    assert "expires" not in command("env", "up", "env-2", "-s", "/env-a", "--permanent")[1]
    command("env", "up", "env-2", "-s", "/env-b")
    assert table.get("env-2.example.com").lifetime == "permanent"


def test_the_expiry_of_the_file_is_of_every_environment_without_a_live_route(
    command: Command,
    table: RoutingTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = RoutingTable(table.stack, client=table.client, clock=lambda: time.time() - 7200)
    made.put("docs.example.com", A)  # production's
    for name in ("pr-8", "one"):
        environments.up(made, name, "example.com", {"": A}, expires_in="1h")
    up, put = ("env", "up", "pr-8", "--base", "example.com", "-s", A), ("put", "one.example.com", A)
    for wanted in (up, put, up, put):
        status, out, err = command(*wanted)
        assert (status, out, "had expired; say how long" in err) == (2, "", True)
    (tmp_path / "table-admin.toml").write_text('expires_in = "7d"\n')
    for wanted in (up, put, ("env", "up", "docs", "--base", "example.com", "-s", f"web={A}")):
        assert ", expires " in command(*wanted)[1]
        assert command(*wanted)[1].startswith("unchanged")
    assert "expires" not in command("put", "new.example.com", A)[1]
    monkeypatch.setenv("TABLE_ADMIN_EXPIRES_IN", "soon")
    assert command(*put)[2].startswith("table-admin: TABLE_ADMIN_EXPIRES_IN: 'soon' is not a duration")


def test_urls_are_printed_of_where_sites_are(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_ADMIN_EDGE", "http://{domain}:8081/")
    assert "\nlink http://a.example.com:8081/.well-known/" in command("put", "a.example.com", A, "--private")[1]
    assert command("access", "link", "a.example.com")[1].startswith("http://a.example.com:8081/.well-known/")
    assert command("access", "link", "a.example.com", "--edge", "https://{domain}/")[1].startswith("https://a.example")
    monkeypatch.setenv("TABLE_ADMIN_EDGE", "localhost:8081")
    status, _, err = command("access", "link", "a.example.com")
    said = "table-admin: TABLE_ADMIN_EDGE: 'localhost:8081' does not say where sites are"
    assert (status, err.partition(";")[0]) == (2, said)
    assert command("put", "b.example.com", A, "--private")[0] == 2
    assert command("get", "b.example.com")[0] == 1, "nothing was written"


def test_an_environment_needs_a_base_in_the_library_too(table: RoutingTable) -> None:
    with pytest.raises(InvalidInput, match="base"):
        environments.up(table, "env-1", "", {"": A})
    with pytest.raises(InvalidInput, match="duration"):
        table.put("a.example.com", A, expires_in="")
