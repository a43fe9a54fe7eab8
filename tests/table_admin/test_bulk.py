import csv
import io
import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from table_admin import InvalidInput, Put, RoutingTable
from table_admin.bulk import Rejected, Summary, check_rows, export_routes, import_routes, read_rows
from table_admin.files import FIELDS, FORMATS, Format
from tests.support import route

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"


def written(rows: list[dict[str, Any]], form: Format) -> io.StringIO:
    if form == "jsonl":
        return io.StringIO("".join(json.dumps(row) + "\n" for row in rows))
    if form == "json":
        return io.StringIO(json.dumps(rows, indent=2))
    if form == "yaml":
        return io.StringIO(yaml.safe_dump(rows))
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, delimiter="," if form == "csv" else "\t")
    writer.writeheader()
    writer.writerows(rows)
    return io.StringIO(out.getvalue())


def imported(table: RoutingTable, text: io.StringIO, form: Format = "jsonl", **options: Any) -> Summary:
    return import_routes(table, text, form, **options)


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.created, summary.updated, summary.unchanged, summary.rejected


ROWS: list[dict[str, Any]] = [
    {"domain": "a.example.com", "target": A, "environment": "shop", "note": 'caf\u00e9, "quoted"\nno'[:14]},
    {"domain": "b.example.com", "target": "https://lb.acme.example", "keep_host": True, "owner": "shop"},
    {"domain": "c.example.com", "target": B, "expires_at": "2030-01-01T00:00:00.000000Z", "service": "web"},
]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_exported_is_imported_unchanged(table: RoutingTable, form: Format) -> None:
    assert counts(imported(table, written(ROWS, form), form)) == (3, 0, 0, 0)
    out = io.StringIO()
    assert export_routes(table.list(), out, form) == 3
    assert counts(imported(table, io.StringIO(out.getvalue()), form)) == (0, 0, 3, 0)
    found = {one.domain: one for one in table.list()}
    assert found["b.example.com"].origin.host_header == "viewer"  # type: ignore[union-attr]
    assert (found["b.example.com"].owner, found["c.example.com"].service) == ("shop", "web")
    assert found["c.example.com"].expires_at == 1893456000


def test_a_line_that_cannot_be_is_reported_and_the_rest_goes_on(table: RoutingTable) -> None:
    lines = [
        json.dumps({"domain": "a.example.com", "target": A}),
        "{not json",
        "",
        json.dumps({"domain": "b.example.com", "target": "s3://no-such-bucket/x"}),
        json.dumps({"domain": "a..b", "target": A}),
        json.dumps({"domain": "c.example.com", "target": A, "traget": B}),
        json.dumps({"target": A}),
        json.dumps([1]),
        json.dumps({"domain": "d.example.com", "target": A}),
    ]
    rejected: list[Rejected] = []
    summary = imported(table, io.StringIO("\n".join(lines)), on_rejected=rejected.append)
    assert counts(summary) == (2, 0, 0, 6)
    assert sorted(one.line for one in rejected) == [2, 4, 5, 6, 7, 8]
    assert any("does not exist" in one.reason for one in rejected)
    assert summary.line == 9


def test_lines_can_be_checked_before_any_is_written(table: RoutingTable) -> None:
    text = written([ROWS[0], {"domain": "a..b", "target": A}, {"domain": "x.example.com", "target": "?"}], "jsonl")
    assert [one.line for one in check_rows(table, text, "jsonl")] == [2, 3]
    assert list(table.list()) == []


def test_a_second_run_does_the_rest(table: RoutingTable) -> None:
    rows = [{"domain": f"r{number}.example.com", "target": A} for number in range(230)]

    class Interrupted(io.StringIO):
        def __next__(self) -> str:  # type: ignore[override]
            line = super().__next__()
            if "r170." in line:
                raise KeyboardInterrupt
            return line

    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        imported(
            table, Interrupted(written(rows, "jsonl").getvalue()), on_progress=lambda summary: seen.append(summary.line)
        )
    assert len(list(table.list())) in (0, 50, 100, 150)
    summary = imported(table, written(rows, "jsonl"))
    # What was under way when it was interrupted may have been written since.
    assert (summary.created + summary.unchanged, summary.updated, summary.rejected) == (230, 0, 0)
    assert all([one.revision for one in table.history(row["domain"])] == [1] for row in rows[:5])


def test_it_goes_on_from_a_line(table: RoutingTable) -> None:
    assert counts(imported(table, written(ROWS, "jsonl"), from_line=3)) == (1, 0, 0, 0)
    assert [one.domain for one in table.list()] == ["c.example.com"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_second_line_for_a_domain_is_rejected_whatever_it_says(table: RoutingTable, form: Format) -> None:
    rows = [{"domain": domain, "target": target} for domain, target in (("a.b", A), ("c.d", A), ("A.b", B), ("c.d", A))]
    rejected: list[Rejected] = []
    assert counts(imported(table, written(rows, form), form, on_rejected=rejected.append)) == (2, 0, 0, 2)
    assert table.get("a.b").target == A
    assert all(re.fullmatch(r"(a\.b|c\.d) is in line \d+ already\.", one.reason) for one in rejected)
    assert [one.reason for one in check_rows(table, written(rows, form), form)] == [one.reason for one in rejected]
    # Also where the first is before the line at which an interrupted import goes on.
    last = rejected[-1].line
    assert counts(imported(table, written(rows, form), form, from_line=last)) == (0, 0, 0, 1)


def test_an_owner_that_is_not_named_stays(table: RoutingTable) -> None:
    imported(table, written(ROWS, "jsonl"))
    imported(table, written([{**ROWS[1], "owner": None, "target": A, "keep_host": None}], "csv"), "csv")
    assert (table.get("b.example.com").owner, table.get("b.example.com").target) == ("shop", A)


def test_a_dry_run_writes_nothing(table: RoutingTable) -> None:
    assert counts(imported(table, written(ROWS, "jsonl"), dry_run=True)) == (3, 0, 0, 0)
    assert list(table.list()) == []


def test_a_deleted_domain_goes_on_with_its_revisions(table: RoutingTable) -> None:
    table.put("a.example.com", A)
    table.delete("a.example.com")
    imported(table, written([*ROWS, {"domain": "z.example.com", "target": A}], "jsonl"))
    found = table.get("a.example.com")
    assert (found.revision, found.generation) == (3, 3)
    assert table.get("z.example.com").revision == 1


@pytest.mark.parametrize(
    ("text", "form"),
    [("name;target\n", "csv"), ("a: b\n", "yaml"), ("just text", "yaml")],
)
def test_another_format_is_said(text: str, form: Format) -> None:
    with pytest.raises(InvalidInput):
        list(read_rows(io.StringIO(text), form))


@given(st.text(max_size=120), st.sampled_from(FORMATS))
@example('"', "csv")
def test_any_text_gives_rows_or_reasons(text: str, form: Format) -> None:
    try:
        for line, outcome in read_rows(io.StringIO(text, newline=""), form):
            assert line >= 1
            assert isinstance(outcome, str | Put)
    except InvalidInput:
        return


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40), st.sampled_from(FORMATS))
def test_any_note_survives(note: str, form: Format) -> None:
    out = io.StringIO()
    export_routes([route(target=A, note=note)], out, form)
    ((_, put),) = read_rows(io.StringIO(out.getvalue(), newline=""), form)
    assert isinstance(put, Put)
    assert put.note == note
