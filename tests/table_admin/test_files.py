"""Files of routes as spreadsheets, editors and other programs write them: read, or refused naming what was found."""

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from local_edge.embedded_aws import EmbeddedAws
from local_edge.ministack import PYTHON, MiniStack
from table_admin import InvalidInput, Put, RoutingTable
from table_admin.cli import main
from table_admin.files import Format, format_of, text_of
from table_admin.lines import read_rows
from table_admin.manifest import load_manifest
from tests.support import make_tables, need, wait_until

A = "s3://acme-static-sites/env-a"
PLAIN = f"domain,target,note,keep_host\r\na.example.com,{A},Größe,\r\nb.example.com,https://b.example,,true\r\n"


def rows_of(content: bytes, form: Format = "csv") -> list[tuple[int, Any]]:
    return [*read_rows(text_of(io.BufferedReader(io.BytesIO(content))), form)]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.replace(",", ";").encode("utf-8-sig"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace("domain,target,note,keep_host", "Domain, TARGET ,Note,Keep Host").encode(),
        PLAIN.replace("\r\n", ",,,\r\n").encode(),
        (PLAIN + ",,,\r\n\r\n").encode(),
        ("sep=;\r\n" + PLAIN.replace(",", ";")).encode(),
        ("\r\n,,,\r\n" + PLAIN).encode(),
        PLAIN.replace("domain", ",domain").replace("\na.", "\n,a.").replace("\nb.", "\n,b.").encode(),
        PLAIN.replace(",", ",,").encode(),
        PLAIN.replace(",", ";;").replace("\r\n", ";;\r\n;;;;;;;\r\n").encode("utf-8-sig"),
        ('"","","",""\r\n"\xa0";;;\r\n' + PLAIN).encode("utf-8-sig"),
        (",,,\r\n" + PLAIN.replace("\r\n", "\r\n,,,\r\n")).encode("utf-16"),
        PLAIN.replace("true", "TRUE").encode(),
        PLAIN.replace("true", "yes").encode(),
        PLAIN.replace(",a.ex", ", a.ex").replace("a.example.com,", "a.example.com ,").encode(),
        PLAIN.replace("\r\n", "\r").encode(),
    ],
)
@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_what_a_spreadsheet_saves_is_read(content: bytes, form: Format) -> None:
    found = [put for _, put in rows_of(content, form)]
    assert [(put.domain, put.target, put.note, put.keep_host) for put in found] == [
        ("a.example.com", A, "Größe", None),
        ("b.example.com", "https://b.example", None, True),
    ]


def test_a_line_of_a_spreadsheet_is_told_by_its_number_there() -> None:
    content = f'sep=;\n\ndomain;target;note;keep_host\na..b;{A};;\nc.d;https://x.y;"two\nlines";maybe\nd.e;{A};;;more\n'
    assert [(line, reason) for line, reason in rows_of(content.encode()) if isinstance(reason, str)] == [
        (4, "'a..b' is not a domain: the host is not a name that DNS could hold."),
        (6, "keep_host is 'maybe'; write true, false or nothing."),
        (7, "column E has no name, but 'more' is in it."),
    ]


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (f"domain,,target\na.b,{A},{A}\n", "B"),
        (f",domain,target\n1,a.b,{A}\n", "A"),
        (f"domain,target{',' * 30}\na.b,{A}{',' * 26}x\n", "AB"),
        (f"domain,target\na.b,{A},,,\n,,,x\n", "D"),
    ],
)
def test_a_value_under_no_name_is_refused_naming_its_column(content: str, column: str) -> None:
    reason = rows_of(content.encode())[-1][1]
    assert re.fullmatch(rf"column {column} has no name, but '.*' is in it\.", reason)


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (b"name;target\n", "csv", "found 'name', 'target': domain is missing"),
        (b"domain;target;Ziel\n", "csv", "found 'domain', 'target', 'Ziel': 'Ziel' is none"),
        (b"domain,,target,,Ziel\n", "csv", "found 'domain', 'target', 'Ziel': 'Ziel' is none"),
        (b",,\r\nOur routes,,\r\ndomain,target,\r\n", "csv", "^Line 2, .* found 'Our routes': domain is missing"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08", "csv", r"spreadsheet's own format \(.xlsx, .ods\) or another zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "tsv", r"spreadsheet's own format \(.xls\)"),
        (b"\x1f\x8b\x08\x00", "jsonl", "compressed with gzip"),
        (b"domain,target,Domain\n", "csv", "domain is there twice"),
        (b'{"domain": "a.b"}\n', "csv", "domain is missing"),
        (b"\xff\xfed\x00o\x00m", "csv", "not UTF-16"),
        (b'{"domain": "a.b"}\n{"domain": "c.d"}\n', "json", "an array of routes; with an object a line .*jsonl"),
        (b"owner: shop\nroutes: {}\n", "yaml", "owner and routes is for plan and apply"),
    ],
)
def test_another_file_is_refused_naming_what_was_found(content: bytes, form: Format, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        rows_of(content, form)


@pytest.mark.parametrize(
    ("content", "form", "expected"),
    [
        ('[{"domain": "a.b", "target": null},\n{"domain": "c.d",\n"target": 5},\n[1]]', "json", [
            (1, "target is missing."),
            (2, "target must be text, not the number 5."),
            (4, "not a route: an object with domain and target is expected."),
        ]),
        ('[{"domain": "a.b"}\n{"domain": "c.d"}]', "json", [
            (1, "target is missing."),
            (2, "not JSON: a comma or ] is missing before this. Nothing after it was read."),
        ]),
        ('\n[{"domain": "a.b", "domain": "c.d"}, {"domain": 1}', "json", [
            (2, "domain is written twice."),
            (2, "domain is missing, or no text."),
            (2, "not JSON: a comma or ] is missing before this. Nothing after it was read."),
        ]),
        ('{"domain": "a.b", "target": {"a": 1}}\n{"domain": "a.b", "a": 1, "a": 2}\n"a.b"\n', "jsonl", [
            (1, "target must be text, not an object."),
            (2, "a is written twice."),
            (3, "not a route: an object with domain and target is expected."),
        ]),
        ('{"domain": "a.b", "target": "s3://x", "expires_at": ""}\n', "jsonl", [
            (1, "expires_at is empty; leave it out, or say what it is."),
        ]),
        ('{"domain": "a.b", "target": "s3://x", "expires_at": "soon"}\n', "jsonl", [
            (1, "expires_at: 'soon' is not a time; write 2026-12-01, 2026-12-01T08:00Z, or never."),
        ]),
        ('{"domain": "a.b", "target": "s3://x", "traget": ""}\n', "jsonl", [
            (1, "'traget' is none of target, environment, service, expires_at, keep_host, note, managed, "
                "source, rules, private, allow, noindex, headers, maintenance, canary, standby."),
        ]),
        ("- domain: a.b\n  target: s3://x\n  keep_host: perhaps\n- a.b\n- {<<: 1}\n- {a: 1, a: 2}\n", "yaml", [
            (1, "keep_host must be true or false, not text: 'perhaps'."),
            (4, "not a route: a mapping with domain and target is expected."),
            (5, "<< merges mappings, and this is none."),
            (6, "a is written twice."),
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_line_is_said_with_its_field_in_the_formats_words(
    content: str, form: Format, expected: list[tuple[int, str]]
) -> None:
    assert rows_of(content.encode(), form) == expected


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (f'{{"domain": "a.b", "target": "{A}", "note": null, "owner": null}}\n', "jsonl"),
        (f'\ufeff{{"domain": "a.b", "target": "{A}"}}\r\n', "jsonl"),
        (f'[{{"domain": "a.b", "target": "{A}"}}]', "json"),
        (f"- {{domain: a.b, target: {A}, note: }}\n", "yaml"),
        (f"- &base {{target: {A}, domain: b.b}}\n- {{<<: *base, domain: a.b}}\n", "yaml"),
        (f"- {{domain: b.b, target: {A}}}\n---\n- {{domain: a.b, target: {A}}}\n", "yaml"),
    ],
)
def test_what_programs_write_is_read(content: str, form: Format) -> None:
    put = rows_of(content.encode(), form)[-1][1]
    assert isinstance(put, Put), put
    assert (put.domain, put.target) == ("a.b", A)


def test_a_format_is_told_by_the_ending_or_asked_for() -> None:
    names = ("a.jsonl", "a.ndjson", "a.JSON", "a.CSV", "a.tsv", "a.yml", "-", "<stdin>", "/dev/stdin")
    assert [format_of(name) for name in names] == [
        *("jsonl", "jsonl", "json", "csv", "tsv", "yaml", "jsonl", "jsonl", "jsonl")
    ]
    for name, why in (("a.txt", "name the format"), ("a.csv.gz", "name the format"), ("a.xlsx", "save it as CSV")):
        with pytest.raises(InvalidInput, match=why):
            format_of(name)


@pytest.fixture
def command(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("TABLE_ADMIN_STACK", table.stack)

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        return int(caught.value.code or 0)

    return run


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "yaml"])
def test_a_second_run_ends_with_success(command: Callable[..., int], table: RoutingTable, ending: str) -> None:
    table.put("a.example.com", A, note='ö, "x"')
    table.put("b.example.com", A)
    assert command("export", f"routes.{ending}") == 0
    table.delete("b.example.com")
    assert [command("import", f"routes.{ending}") for _ in range(2)] == [0, 0]
    assert [command("import", f"routes.{ending}", "--strict") for _ in range(2)] == [0, 0]
    assert (table.get("a.example.com").revision, table.get("b.example.com").revision) == (1, 3)


def test_a_spreadsheets_file_with_a_double_line_writes_nothing_with_strict(
    command: Callable[..., int], table: RoutingTable, capsys: pytest.CaptureFixture[str]
) -> None:
    content = f"Domain;Target\na.example.com;{A}\nA.EXAMPLE.com;{A}\n"
    Path("routes.csv").write_text(content, encoding="utf-16")
    assert command("import", "routes.csv", "--strict") == 1
    assert "line 3: a.example.com is in line 2 already." in capsys.readouterr().err
    assert list(table.list()) == []
    assert command("import", "routes.csv") == 1
    assert [one.domain for one in table.list()] == ["a.example.com"]
    Path("routes.xlsx").write_text("a spreadsheet")
    assert command("export", "routes.xlsx") == 2
    assert Path("routes.xlsx").read_text() == "a spreadsheet"


def test_a_dry_run_shows_what_would_change(
    command: Callable[..., int], table: RoutingTable, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        table.put(f"r{number}.example.com", A, expires_in="7d")
    Path("routes.csv").write_text(
        "domain,target,expires_at\n" + "".join(f"r{n}.example.com,{A},never\n" for n in range(12))
    )
    capsys.readouterr()
    assert command("import", "routes.csv", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "~ r0.example.com"
    assert sum(line.startswith("~ ") for line in lines) == 10
    assert sum(line.startswith("    expires_at: ") and line.endswith(" -> (never)") for line in lines) == 10
    assert lines[-2] == "... and 2 more"
    assert lines[-1].startswith("0 would be created, 12 would be updated (expires_at 12), 0 unchanged, 0 rejected (")
    assert command("import", "routes.csv", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["changed"] == {"expires_at": 12}
    assert table.get("r0.example.com").revision == 1


def test_with_strict_an_expired_route_writes_nothing_either(
    command: Callable[..., int], table: RoutingTable, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("expired.csv").write_text(f"domain,target,expires_at\na.example.com,{A},2020-01-01\n")
    assert command("import", "expired.csv") == 0
    Path("routes.csv").write_text(f"domain,target\nb.example.com,{A}\na.example.com,{A}\n")
    assert command("import", "routes.csv", "--strict") == 1
    assert "line 3: a.example.com had expired; say how long" in capsys.readouterr().err
    assert [one.domain for one in table.list()] == ["a.example.com"]


def test_an_export_of_an_environment_that_is_not_there_fails_and_leaves_the_file_as_it_was(
    command: Callable[..., int], table: RoutingTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.put("a.example.com", A)
    Path("old.csv").write_text("what was here")
    for name in ("new.csv", "old.csv", "-"):
        assert command("export", "--environment", "typo", name) == 1
        out, errors = capsys.readouterr()
        assert (out, "There is no environment typo" in errors) == ("", True)
    assert (Path("new.csv").exists(), Path("old.csv").read_text()) == (False, "what was here")
    # Nor does a table that cannot be read.
    assert command("export", "old.csv", "--stack", "other") == 1
    assert Path("old.csv").read_text() == "what was here"
    assert command("export", "old.csv", "-e", "a") == 0
    assert Path("old.csv").read_text().startswith("domain,target,")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_plan_reads_a_file_with_a_byte_order_mark(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    Path("table-admin.toml").write_text('bucket = "acme-static-sites"\n', encoding="utf-8-sig")
    Path("routes.yaml").write_text("owner: shop\nroutes: {a.b: /env-a}\n", encoding)
    assert command("plan", "routes.yaml") == 0
    assert capsys.readouterr().out.startswith(f"+ a.b  {A}\n")
    Path("routes.csv").write_text("domain,target\na.b,/env-a\n")
    assert command("import", "routes.csv") == 0
    assert command("plan", "routes.csv") == 2
    Path("sheet.yaml").write_bytes(b"PK\x03\x04")
    assert command("apply", "sheet.yaml", "--yes") == 2
    assert "spreadsheet's own format" in capsys.readouterr().err


@pytest.fixture
def stoppable() -> Iterator[tuple[MiniStack, EmbeddedAws]]:
    need(PYTHON.exists(), "MiniStack, in an environment of its own (make test installs it)")
    with closing(MiniStack()) as tables, closing(EmbeddedAws(0, tables=tables)) as aws:
        make_tables("edge-routing", aws.client("dynamodb"))
        aws.client("s3").create_bucket(Bucket="acme-static-sites")
        yield tables, aws


def test_an_interrupted_import_ends_though_dynamodb_does_not_answer_and_says_the_truth(
    stoppable: tuple[MiniStack, EmbeddedAws], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, aws = stoppable
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    file = tmp_path / "routes.jsonl"
    rows = [{"domain": f"r{number}.example.com", "target": A} for number in range(20_000)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "table_admin.cli", "import", str(file)]
    table = RoutingTable(client=aws.client)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: table.page(limit=1).items)
        tables.signal(signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        # botocore would wait for four minutes.
        assert process.wait(timeout=120) == 1
        assert process.stderr
        said = process.stderr.read().splitlines()[-1]
    found = re.fullmatch(
        r"table-admin: interrupted: all up to line (\d+) is done, (\d+) routes in the table(?:, (\d+) more may be)?\. "
        r"The same command does the rest, sooner with --from-line (\d+)\.",
        said,
    )
    assert found, said
    line, done, unknown, again = (int(number or 0) for number in found.groups())
    tables.signal(signal.SIGCONT)
    written = {one.domain for one in table.list()}
    assert line <= done <= len(written) <= done + unknown, said
    assert {row["domain"] for row in rows[:line]} <= written
    assert again == line + 1


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (
            f'{{"domain":"a.b","target":"{A}"}}\n{{"domain":"bad\xff.b"}}\n{{"domain":"c.b","target":"{A}"}}',
            "jsonl",
            "UTF-8",
        ),
        (
            f'{{"domain":"a.b","target":"{A}"}}\n{{"domain":"x.b","target":"\\ud800"}}\n{{"domain":"c.b","target":"{A}"}}',
            "jsonl",
            "UTF-8",
        ),
        (f"domain,target,note\na.b,{A},\nx.b,{A},Gr\xf6\xdfe\nc.b,{A},", "csv", "UTF-8"),
        (f'domain,target\na.b,{A}\n"x"y,{A}\nc.b,{A}', "csv", "not CSV: .* expected after"),
        (f"domain,target\na.b,{A}\n{'x' * 140_000},{A}\nc.b,{A}", "csv", "."),
        (
            f"- {{domain: a.b, target: {A}}}\n- {{domain: x.b, target: &a [*a]}}\n- {{domain: c.b, target: '{A}'}}",
            "yaml",
            "inside itself",
        ),
    ],
)
def test_one_line_that_cannot_be_read_is_told_and_the_rest_goes_on(content: str, form: Format, why: str) -> None:
    first, wrong, last = (outcome for _, outcome in rows_of(content.encode("latin-1"), form))
    assert (first.domain, last.domain) == ("a.b", "c.b")
    assert re.search(why, wrong)


def test_a_quote_that_is_never_closed_is_said_to_hold_the_rest() -> None:
    rows = rows_of(f'domain,target\na.b,{A}\n"c.b,{A}\nd.b,{A}\n'.encode())
    assert rows[1][1] == "not CSV: unexpected end of data. A quote is not closed, so the rest of the file is in it."


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [
        f"{BOMB}owner: x\nroutes: {{}}\n",
        "a0: &a0 {x: y}\n"
        + "".join(f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 12)),
    ],
)
def test_a_few_lines_of_aliases_do_not_make_billions(text: str) -> None:
    with pytest.raises(InvalidInput, match="aliases make more of it"):
        load_manifest("routes.yaml", text)
    indented = text.replace("\n", "\n  ").rstrip()
    ((_, wrong),) = rows_of(f"- {indented}\n".encode(), "yaml")
    assert "aliases make more of it" in wrong
