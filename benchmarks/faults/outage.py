"""Ten minutes in which no region answers, for an instance that knows a thousand hosts."""

from benchmarks.faults import budgets, moved_time
from benchmarks.faults.edge import make_viewer
from benchmarks.faults.matrix import OUTAGE, Cell
from benchmarks.faults.result import Result
from benchmarks.faults.server import FaultServer, Manners
from benchmarks.faults.state import State
from benchmarks.faults.tables import HOSTS, MANY
from benchmarks.faults.verdict import Ask

_A_SECOND = 10


def outage(state: State) -> Result:
    """Ask ten times a second, a host that is not known each ten seconds; count tries and log lines."""
    result = Result(Cell(OUTAGE, 3, "all", "kept", "known", "plain"))
    servers = [FaultServer(state.plain, None) for _ in range(3)]
    viewer = make_viewer([f"127.0.0.1:{server.address[1]}" for server in servers], "http")
    for host in MANY:
        viewer.ask(host)
    moved_time.let_pass(11.0)
    for server in servers:
        server.begin(Manners(accept=lambda wire: wire.reset()))
    connects = sum(server.connects for server in servers)
    started = moved_time.now()
    asks = []
    for number in range(int(budgets.OUTAGE_SECONDS * _A_SECOND)):
        moved_time.let_pass(max(0.0, started + number / _A_SECOND - moved_time.now()))
        host = HOSTS[0] if number % (10 * _A_SECOND) == 0 else MANY[number % len(MANY)]
        asks.append(Ask(host, host in MANY, True, False, False, ("503",), viewer.ask(host)))
    result.count([], asks, sum(server.connects for server in servers) - connects, 0)
    result.judge(asks)
    for what, count, most in (
        ("tries", result.connects, budgets.TRIES_A_SECOND),
        ("log lines", result.lines, budgets.LINES_A_SECOND),
    ):
        if count > most * budgets.OUTAGE_SECONDS:
            result.wrong.append(f"{count / budgets.OUTAGE_SECONDS:.2f} {what} a second, {most} at most")
    for server in servers:
        server.close()
    return result
