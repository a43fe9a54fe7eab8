"""Time that passes when told, for a whole process: an idle minute and a pause of seconds cost nothing here.

`install` before anything of the edge that has a clock is imported: it binds these functions. What waits in the kernel,
for a socket say, waits in real time, and `time.perf_counter` measures it.
"""

import sys
import time
from dataclasses import dataclass

_time, _monotonic = time.time, time.monotonic


@dataclass(slots=True)
class _Moved:
    passed: float = 0.0
    """On both clocks."""
    stepped: float = 0.0
    """On the wall clock only."""


_moved = _Moved()


def install() -> None:
    """Let both clocks of this process be moved.

    Raises:
        RuntimeError: a module of the edge has bound the clocks that cannot be.
    """
    early = [
        name for name, module in sys.modules.items() if name.startswith("edge_handler") and hasattr(module, "time")
    ]
    if early:
        raise RuntimeError(f"imported too early: {early}")
    time.time = lambda: _time() + _moved.passed + _moved.stepped
    time.monotonic = lambda: _monotonic() + _moved.passed


def let_pass(seconds: float) -> None:
    """Move both clocks on."""
    _moved.passed += seconds


def step(seconds: float) -> None:
    """Correct the wall clock, which the monotonic one does not notice."""
    _moved.stepped += seconds


def now() -> float:
    """Return what has passed, real and moved."""
    return _monotonic() + _moved.passed
