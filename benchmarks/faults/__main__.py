"""`make faults`: try everything, write docs/reliability.md's table, and fail where something is wrong."""

import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks.faults import budgets, report
from benchmarks.faults.catalogue import DNS, FAULTS, FOLLOWED, TABLE_FAULTS
from benchmarks.faults.certificates import make_authority
from benchmarks.faults.dns import namespace_command
from benchmarks.faults.matrix import OUTAGE, Cell, followed_cells, s3_cells, table_cells
from benchmarks.faults.result import Result
from benchmarks.faults.state import World
from benchmarks.faults.tables import real_tables
from benchmarks.faults.workers import run_cells, run_outage

_NO_NAMESPACE = "DNS faults were left out: this machine lets nobody make a namespace (unshare -n -m)."


@click.command()
@click.option("--full", is_flag=True, help="All combinations, not only all pairs.")
@click.option("--only", default="", help="Only rows whose name has this in it; the document and the JSON stay.")
@click.option("--dns", type=click.Path(path_type=Path), help="Within a namespace: write DNS faults' results there.")
def main(full: bool, only: str, dns: Path | None) -> None:
    """Attack the edge."""
    started = time.monotonic()
    if dns:
        dns.write_bytes(pickle.dumps(_run(_chosen(table_cells(DNS, full=full), only), in_namespace=True)))
        return
    every = [*table_cells([*TABLE_FAULTS, *DNS], full=full), *s3_cells(), *followed_cells(full=full)]
    if not _chosen(every, only):
        raise click.BadParameter(f"no row's name has {only!r} in it", param_hint="--only")
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / "dns"
        arguments = ["--dns", str(named), "--only", only, *(["--full"] if full else [])]
        command = namespace_command([sys.executable, "-m", "benchmarks.faults", *arguments])
        beside = subprocess.Popen(command) if command else None
        cells = [*table_cells(TABLE_FAULTS, full=full), *s3_cells(), *followed_cells(full=full)]
        results = _run(_chosen(cells, only), outage=not only)
        if beside:
            if beside.wait():
                sys.exit("the attack on DNS broke off")
            results += pickle.loads(named.read_bytes())
    results.sort(key=_place)
    summary = _summary(results, time.monotonic() - started, command is not None)
    if not only:
        report.write(results, summary)
    found = report.failures(results)
    print("\n".join([report.table(results), "", summary, *found]))
    sys.exit(bool(found))


def _chosen(cells: list[Cell], only: str) -> list[Cell]:
    return [cell for cell in cells if only.lower() in report.cell_name(cell).lower()]


def _run(cells: list[Cell], *, in_namespace: bool = False, outage: bool = False) -> list[Result]:
    results = []
    with real_tables() as (http, https), tempfile.TemporaryDirectory() as folder:
        world = World(http, https, make_authority(Path(folder)).folder, in_namespace)
        for number, result in enumerate(run_cells(cells, world), 1):
            results.append(result)
            if problems := report.failures([result]):
                print(*problems, sep="\n", flush=True)
            if number % 50 == 0:
                print(f"{number} of {len(cells)} cells", flush=True)
        return [*results, run_outage(world)] if outage else results


def _place(result: Result) -> tuple[bool, int, int]:
    """Return where a result stands in the report: the catalogue's order, S3 after the table, the outage last."""
    cell = result.cell
    order = [*FOLLOWED.get(cell.service, FAULTS)]
    services = ["table", "S3", *FOLLOWED]
    return cell.fault == OUTAGE, services.index(cell.service), order.index(cell.fault) if cell.fault in order else 0


def _summary(results: list[Result], seconds: float, with_dns: bool) -> str:
    faults = len({report.row_name(one) for one in results})
    requests = sum(one.requests for one in results)
    starved = max((one.starved for one in results), default=0.0)
    sentences = [
        f"{faults} faults in {len(results)} cells, {requests:,} requests in {seconds:.0f} s.",
        f"A request had no processor for {starved:.2f} s at most.",
    ]
    for one in results:
        if one.cell.fault == OUTAGE:
            tries, lines = (count / budgets.OUTAGE_SECONDS for count in (one.connects, one.lines))
            sentences.append(
                f"In the outage an instance tried {tries:.2f} times a second, and logged {lines:.2f} lines."
            )
    return " ".join([*sentences, *([] if with_dns else [_NO_NAMESPACE])])


if __name__ == "__main__":
    main()
