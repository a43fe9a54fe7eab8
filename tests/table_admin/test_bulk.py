import csv
import io
import json
import re
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from edge_handler.routes.path_rules import Rule
from table_admin import InvalidInput, Put, RoutingTable
from table_admin.bulk import Rejected, Summary, export_routes, import_routes
from table_admin.files import FIELDS, FORMATS, Format
from table_admin.lines import read_rows
from table_admin.rule_targets import parse_rules
from tests.support import STATIC, route

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
    for row in rows:
        rules = row.get("rules")
        cell = "none" if rules == {} else "\n".join(f"{pattern} {target}" for pattern, target in (rules or {}).items())
        writer.writerow(row | {"rules": cell})
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
    rejected: list[Rejected] = []
    imported(table, text, dry_run=True, on_rejected=rejected.append)
    assert sorted(one.line for one in rejected) == [2, 3]
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
    assert len(list(table.list())) in range(0, 170, 33)
    summary = imported(table, written(rows, "jsonl"))
    # What was under way when it was interrupted may have been written since.
    assert (summary.created + summary.unchanged, summary.updated, summary.rejected) == (230, 0, 0)
    assert all([one.revision for one in table.history(row["domain"])] == [1] for row in rows[:5])


@pytest.mark.parametrize("moment", ["on_change", "on_progress"])
def test_an_interrupt_while_it_counts_counts_nothing_twice(table: RoutingTable, moment: str) -> None:
    rows = [{"domain": f"r{number}.example.com", "target": A} for number in range(150)]
    seen: list[Summary] = []
    interrupted = False

    def once(_: object) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    def progress(summary: Summary) -> None:
        seen.append(summary)
        if moment == "on_progress":
            once(summary)

    on_change = once if moment == "on_change" else lambda _: None
    with pytest.raises(KeyboardInterrupt):
        imported(table, written(rows, "jsonl"), on_change=on_change, on_progress=progress)
    assert seen[-1].done <= len(list(table.list()))
    assert seen[-1].done + seen[-1].unknown == len(rows)
    assert 0 < seen[-1].line <= seen[-1].done


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
    # Also where the first is before the line at which an interrupted import goes on.
    last = rejected[-1].line
    assert counts(imported(table, written(rows, form), form, from_line=last)) == (0, 0, 0, 1)


def test_an_owner_that_is_not_named_stays(table: RoutingTable) -> None:
    imported(table, written(ROWS, "jsonl"))
    imported(table, written([{**ROWS[1], "owner": None, "target": A, "keep_host": None}], "csv"), "csv")
    assert (table.get("b.example.com").owner, table.get("b.example.com").target) == ("shop", A)


RICH = {
    "environment": "shop",
    "service": "web",
    "owner": "team-a",
    "expires_at": "2030-01-01T00:00:00.000000Z",
    "keep_host": True,
    "managed": True,
    "source": "feature/1",
    "rules": {"/api/*": "strip:https://api.acme.example", "/old": "redirect:301:/new"},
}


def unlike_new(table: RoutingTable) -> None:
    """Make a.example.com what a new route is in nothing but its target."""
    imported(table, written([{"domain": "a.example.com", "target": "https://one.acme.example", **RICH}], "jsonl"))


def exported(table: RoutingTable, form: Format = "jsonl") -> str:
    out = io.StringIO()
    export_routes(table.list(), out, form)
    return out.getvalue()


def as_exported(table: RoutingTable, domain: str = "a.example.com") -> dict[str, Any]:
    found: dict[str, Any] = next(
        row for row in map(json.loads, exported(table).splitlines()) if row.pop("domain") == domain
    )
    return found


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("unsaid", ["left out", "empty"])
def test_what_a_file_does_not_say_stays(table: RoutingTable, form: Format, unsaid: str) -> None:
    unlike_new(table)
    row = {"domain": "a.example.com", "target": "https://one.acme.example"}
    nothing = dict.fromkeys(FIELDS[2:])
    text = written([row | nothing], form)
    if unsaid == "left out":
        text = io.StringIO(f"domain,target\n{','.join(row.values())}\n") if form == "csv" else written([row], form)
    assert counts(imported(table, text, form)) == (0, 0, 1, 0)
    row["target"] = "https://two.acme.example"
    assert counts(imported(table, written([row | (nothing if unsaid == "empty" else {})], form), form)) == (0, 1, 0, 0)
    assert as_exported(table) == RICH | {"target": "https://two.acme.example"}


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_file_says_is_taken_away(table: RoutingTable, form: Format) -> None:
    unlike_new(table)
    row = {"domain": "a.example.com", "target": "https://one.acme.example"}
    said = {"expires_at": "Never", "keep_host": False, "managed": False, "rules": {}}
    summary = imported(table, written([row | said], form), form)
    assert (counts(summary), summary.changed) == ((0, 1, 0, 0), dict.fromkeys(said, 1))
    found = as_exported(table)
    assert (found["expires_at"], found["keep_host"], found["managed"], found["rules"]) == ("never", False, False, {})
    assert counts(imported(table, written([row | said], form), form)) == (0, 0, 1, 0)


def test_empty_text_in_json_takes_it_away(table: RoutingTable) -> None:
    unlike_new(table)
    row = {"domain": "a.example.com", "target": "https://one.acme.example", "service": "", "owner": "", "source": ""}
    assert imported(table, written([row], "jsonl")).changed == {"service": 1, "owner": 1, "source": 1}


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_is_imported_takes_back_what_was_done_since(table: RoutingTable, form: Format) -> None:
    table.put("a.example.com", "https://one.acme.example")
    before, text = as_exported(table), exported(table, form)
    table.put("a.example.com", A, expires_in="1h")
    table.put("a.example.com", "https://one.acme.example", environment="a", keep_host=True, rules={"/x": A})
    assert imported(table, io.StringIO(text), form).updated == 1
    assert as_exported(table) == before


@pytest.mark.parametrize("form", FORMATS)
def test_the_rules_of_a_file_are_all_that_a_route_has(table: RoutingTable, form: Format) -> None:
    table.put("a.example.com", A, rules={"/x": B, "/y/*": B})
    row = {"domain": "a.example.com", "target": A, "rules": {"/%61pi/*": "https://api.acme.example", "/y/*": B}}
    assert imported(table, written([row], form), form).changed == {"rules": 1}
    found = {rule.pattern: rule.generation for rule in table.get("a.example.com").rules}
    assert found == {"/api/*": 2, "/y/*": 1}
    assert counts(imported(table, written([row], form), form)) == (0, 0, 1, 0)


SEGMENT = st.text("a%=\xe9\u2028\xa0;, '\"\U0001f600.:+", min_size=1, max_size=6)
PATTERNS = st.builds(
    lambda segments, end: "".join(f"/{quote(segment)}" for segment in segments) + end,
    st.lists(SEGMENT, min_size=1, max_size=3),
    st.sampled_from(["", "/", "/*"]),
)
RULES = st.dictionaries(
    PATTERNS,
    st.sampled_from(
        [A, "https://api.acme.example:8443/v1", "redirect:https://www.example.org", "redirect:302:/a b", "s3://x/a b=c"]
    ),
    max_size=4,
)


@given(RULES, st.sampled_from(FORMATS))
@example({"/%2541": A, "/a%20b%3Dc": A}, "csv")
def test_any_rules_are_read_from_a_file_as_they_were_written_there(rules: dict[str, str], form: Format) -> None:
    try:
        parsed = parse_rules(rules)
    except InvalidInput:
        assume(False)
    had = tuple(Rule(pattern, STATIC, 1, False, str(text)) for pattern, text in sorted(parsed.items()))
    out = io.StringIO()
    export_routes([route("a.example.com", target=A, rules=had)], out, form)
    ((_, put),) = read_rows(io.StringIO(out.getvalue(), newline=""), form)
    assert isinstance(put, Put), put
    assert (put.rules, put.only_rules) == (parsed, True)


@pytest.mark.parametrize("together", [True, False], ids=["in one transaction", "in several"])
def test_what_a_dry_run_says_of_circles_is_what_an_import_does(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    if not together:
        monkeypatch.setattr("table_admin.bulk.TRANSACTION_ROWS", 1)
    lines = [
        {"domain": f"{one}.example.com", "target": f"redirect:https://{other}.example.com"}
        for one, other in ("ab", "ba", "cd")
    ]
    text = "\n".join(map(json.dumps, lines))
    for dry_run in (True, False):
        rejected: list[Rejected] = []
        summary = import_routes(table, io.StringIO(text), "jsonl", dry_run=dry_run, on_rejected=rejected.append)
        assert (summary.created, summary.rejected) == (2, 1)
        assert rejected[0].line in (1, 2)
        assert "in a circle" in rejected[0].reason


def test_a_circle_of_redirects_is_one_lines_fault(table: RoutingTable) -> None:
    there, back = ("redirect:https://b.example.com", "redirect:https://a.example.com")
    rows = [
        {"domain": "a.example.com", "target": there},
        {"domain": "b.example.com", "target": back},
        {"domain": "c.example.com", "target": A},
    ]
    rejected: list[Rejected] = []
    assert counts(imported(table, written(rows, "jsonl"), on_rejected=rejected.append)) == (2, 0, 0, 1)
    (one,) = rejected
    assert one.line == 2
    assert "b.example.com: viewers would be sent in a circle" in one.reason


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("/api/*", "rules: '/api/*' is no pattern and target"),
        (f"/a {A}\n/a {A}", "rules: /a is there twice"),
        (f"/a {A}\n/%61 {A}", "/a is there twice"),
        (f"api {A}", "'api' is not a pattern"),
        ("/a strip:", "The rule for /a: 'strip:' has no target"),
    ],
)
def test_a_cell_of_rules_that_cannot_be_is_said(cell: str, why: str) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS)
    writer.writeheader()
    writer.writerow({"domain": "a.example.com", "target": A, "rules": cell})
    ((line, found),) = read_rows(io.StringIO(out.getvalue(), newline=""), "csv")
    assert isinstance(found, str)
    assert (why in found, line) == (True, 2 + cell.count("\n")), found


def test_a_route_that_has_expired_is_not_made_permanent_in_passing(table: RoutingTable) -> None:
    expired = {"domain": "a.example.com", "target": A, "expires_at": "2020-01-01"}
    imported(table, written([expired], "jsonl"))
    rejected: list[Rejected] = []
    for target in (A, B):
        row = {"domain": "a.example.com", "target": target}
        assert counts(imported(table, written([row], "jsonl"), on_rejected=rejected.append)) == (0, 0, 0, 1)
    (reason,) = {one.reason for one in rejected}
    assert reason.startswith("a.example.com had expired; say how long")
    # A second run of the file that made it says what it says.
    assert counts(imported(table, written([expired], "jsonl"))) == (0, 0, 1, 0)
    assert imported(table, written([expired | {"expires_at": "never"}], "jsonl")).changed == {"expires_at": 1}
    assert table.get("a.example.com").lifetime == "permanent"


def test_a_prefix_is_one_of_the_configured_bucket(table: RoutingTable) -> None:
    rows = [{"domain": "a.example.com", "target": "/env-a"}]
    assert imported(table, written(rows, "csv"), "csv", bucket="acme-static-sites").created == 1
    assert table.get("a.example.com").target == A
    rejected: list[Rejected] = []
    assert imported(table, written(rows, "csv"), "csv", on_rejected=rejected.append).rejected == 1
    assert "/env-a is a prefix of the configured bucket, and none is" in rejected[0].reason


def test_what_an_update_changes_is_counted_by_field(table: RoutingTable) -> None:
    imported(table, written(ROWS, "jsonl"))
    rows = [ROWS[0] | {"target": B, "note": "moved"}, ROWS[1] | {"target": "https://x.acme.example"}, ROWS[2]]
    seen: list[tuple[str, str]] = []
    summary = imported(
        table,
        written(rows, "jsonl"),
        dry_run=True,
        on_change=lambda change: seen.append((change.action, change.domain)),
    )
    assert (counts(summary), summary.changed) == ((0, 2, 1, 0), {"target": 2, "note": 1})
    assert sorted(seen) == [
        ("unchanged", "c.example.com"),
        ("updated", "a.example.com"),
        ("updated", "b.example.com"),
    ]


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
    assert (put.note or "") == note
