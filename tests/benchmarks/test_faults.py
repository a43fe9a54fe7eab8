"""The attack itself: that it tries what it says, tells right from wrong, and writes it down. Nothing here is timed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults import budgets, report
from benchmarks.faults.catalogue import CLOCKS, DNS, FAULTS, FOLLOWED, S3_FAULTS, TABLE_FAULTS
from benchmarks.faults.certificates import make_authority
from benchmarks.faults.matrix import Cell, covers, followed_cells, s3_cells, table_cells
from benchmarks.faults.result import Result
from benchmarks.faults.seen import Seen
from benchmarks.faults.state import World
from benchmarks.faults.tables import real_tables
from benchmarks.faults.verdict import Ask, late, wrong
from benchmarks.faults.workers import run_cells

A_FEW = [
    Cell("connection refused", 2, "first", "new", "unknown", "plain"),
    Cell("500 always", 1, "all", "kept", "known", "plain"),
    Cell("another host's row", 1, "all", "new", "unknown", "TLS"),
    Cell("a surplus answer 30 ms after the right one", 1, "all", "kept", "unknown", "TLS"),
    Cell("clock: an hour back while fresh", 1, "all", "kept", "known", "plain"),
    Cell("closed after half", 1, "all", "new", "unknown", "plain", "S3"),
    Cell("another table's", 1, "all", "kept", "known", "TLS", "feed"),
    Cell("the answer collected a minute later", 2, "first", "kept", "known", "plain", "feed"),
    Cell("the bucket refuses connections", 2, "first", "new", "unknown", "plain", "snapshot"),
    Cell("a damaged part", 1, "all", "kept", "unknown", "plain", "snapshot"),
    Cell("the table resets", 1, "all", "new", "unknown", "plain", "snapshot"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Result]]:
    """Run a few cells, on two processes."""
    with real_tables() as (http, https):
        world = World(http, https, make_authority(tmp_path_factory.mktemp("authority")).folder)
        yield {one.cell.fault: one for one in run_cells(A_FEW, world, workers=2)}


def test_viewers_get_what_is_right(results: dict[str, Result]) -> None:
    assert len(results) == len(A_FEW)
    assert [problem for one in results.values() for problem in one.wrong] == []


def test_what_they_got_is_counted(results: dict[str, Result]) -> None:
    assert results["connection refused"].statuses["helped"] >= {"200"}
    assert results["500 always"].statuses["known"] == {"200"}
    assert results["another host's row"].statuses["alone"] == {"503"}
    assert results["500 always"].lines > 0
    assert results["clock: an hour back while fresh"].requests % 5 == 0
    assert results["the table resets"].statuses == {"known": {"200"}, "alone": {"503"}}
    for one in results.values():
        assert len(one.waits) == len(one.statuses)
        assert one.recoveries


@pytest.mark.parametrize("faults", [TABLE_FAULTS, DNS], ids=["table", "DNS"])
def test_every_pair_that_makes_sense_is_tried(faults: list[object]) -> None:
    every, chosen = (table_cells(faults, full=full) for full in (True, False))  # type: ignore[arg-type]
    assert set().union(*map(covers, every)) == set().union(*map(covers, chosen))
    assert len(chosen) < len(every) / 5


def test_each_way_to_fail_befalls_a_start_and_a_running_instance_with_and_without_another_bucket() -> None:
    cells = followed_cells(full=False)
    for fault in FOLLOWED["snapshot"].values():
        befallen = {(one.connection, one.broken) for one in cells if one.fault == fault.name}
        buckets = ("all", "first") if max(fault.replicas) > 1 else ("all",)
        assert befallen == {(when, broken) for when in fault.connections for broken in buckets}


def test_the_catalogue_is_no_shorter_than_it_was_asked_to_be() -> None:
    assert len(FAULTS) == len(TABLE_FAULTS) + len(DNS) >= 100
    assert len(S3_FAULTS) >= 20
    assert len(CLOCKS) == 4
    assert len(FOLLOWED["feed"]) >= 20
    assert len(FOLLOWED["snapshot"]) >= 19
    assert {cell.replicas for cell in table_cells(TABLE_FAULTS, full=False)} == {1, 2, 3}


def ask(seen: Seen, *, known: bool = False, exists: bool = True, well: bool = False, truthful: bool = False) -> Ask:
    return Ask("env-1.example", known, exists, well, truthful, ("503",), seen)


def seen(
    status: str = "200", target: str = "env-1", wait: float = 0.0, retry: int | None = None, why: str = ""
) -> Seen:
    return Seen(status, target, wait, 0.0, retry, 0, why)


REFUSED = seen("503", "", retry=1)
RIGHT = [
    ask(seen()),
    ask(seen(), known=True),
    ask(REFUSED),
    ask(seen("404", ""), exists=False, well=True),
    ask(seen("404", ""), exists=False, truthful=True),
    ask(seen(wait=budgets.KNOWN_SECONDS), known=True),
    ask(seen(wait=budgets.ANY_SECONDS)),
]
WRONG = {
    "another's target": ask(seen(target="env-2")),
    "a target where there is no row": ask(seen(), exists=False),
    "known and refused": ask(REFUSED, known=True),
    "404 for what is there": ask(seen("404", "")),
    "404 that nobody can have told": ask(seen("404", ""), exists=False),
    "502": ask(seen("502", "")),
    "503 without Retry-After": ask(seen("503", "")),
    "503 with a long one": ask(seen("503", "", retry=3600)),
    "an exception": ask(seen(why="RecursionError")),
}
LATE = {
    "known": ask(seen(wait=1.01), known=True),
    "unknown": ask(seen(wait=2.51)),
    "not helped by the other replica": ask(REFUSED, well=True),
}


@pytest.mark.parametrize("right", RIGHT)
def test_what_is_right_is_right(right: Ask) -> None:
    assert wrong(right) == late(right) == ""


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_wrong(what: str) -> None:
    assert wrong(WRONG[what])


@pytest.mark.parametrize("what", LATE)
def test_what_is_late_is_late_but_not_wrong(what: str) -> None:
    assert late(LATE[what])
    assert not wrong(LATE[what])


def test_the_table_is_written_into_the_document(results: dict[str, Result], tmp_path: Path) -> None:
    document, figures = tmp_path / "reliability.md", tmp_path / "figures" / "faults.json"
    document.write_text(f"before\n{report.BEGIN}\nan old table\n{report.END}\nafter\n")
    report.write(list(results.values()), "A summary.", document, figures)
    text = document.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\nA summary.\n\n| fault |")
    assert text.endswith(f"|\n{report.END}\nafter\n")
    assert "an old table" not in text
    assert "| S3: closed after half | 1 |" in text
    assert figures.stat().st_size > 1000


def test_a_failure_says_which_cell_it_was(results: dict[str, Result]) -> None:
    result = Result(A_FEW[0])
    result.judge([ask(seen(target="env-2"), known=True)])
    result.add_recovery(budgets.WELL_SECONDS + 1, budgets.WELL_SECONDS)
    assert report.failures([result, *results.values()])[:2] == [
        "table: connection refused (first of 2; new; unknown; plain): env-1.example got env-2",
        "table: connection refused (first of 2; new; unknown; plain): not well again after 13.0 s, 12.0 at most",
    ]


def test_the_document_has_a_row_for_every_fault_and_the_budgets_as_they_are() -> None:
    text = report.DOCUMENT.read_text()
    told, _, table = text.partition(report.BEGIN)
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    expected = [*(fault.name for fault in TABLE_FAULTS), *(f"S3: {fault.name}" for fault in S3_FAULTS)]
    expected += [f"{service}: {name}" for service, faults in FOLLOWED.items() for name in faults]
    assert [name for name in rows if not name.startswith("DNS: ")][2:-1] == expected
    assert len({cell.fault for cell in s3_cells()}) == len(S3_FAULTS)
    for figure in (
        f"{budgets.ANY_SECONDS} s",
        f"{budgets.KNOWN_SECONDS:.0f} s",
        f"at most {budgets.RETRY_AFTER_SECONDS} s",
        f"{budgets.AGAIN_SECONDS} s at most",
        f"{budgets.WELL_SECONDS:.0f} s after",
        f"within {budgets.CHANGE_SECONDS:.0f} s",
        f"{budgets.FOLLOWING_SECONDS:.0f} s after",
    ):
        assert figure in told, figure
