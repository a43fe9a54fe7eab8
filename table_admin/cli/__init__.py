"""The command `table-admin`: thin over the Python API, every verb one of its functions.

Here is what stands around it: whatever happens, one line says it and the status tells. Imported last is what is
slow to import, so that a signal finds somebody who catches it.
"""

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
_signals_seen: list[int] = []


def main(arguments: list[str] | None = None) -> None:
    """Run the command: exit status 0, 1 for a failure or 2 for wrong usage, with one line that says why."""
    status = 1
    if arguments is None:
        _rarely_look_for_garbage()
    try:
        with _signals_interrupt(for_good=arguments is None):
            _open_closed_streams()
            from table_admin.cli.program import run  # noqa: PLC0415

            status = run(sys.argv[1:] if arguments is None else arguments)
            _flush()
    except KeyboardInterrupt:
        say("interrupted.")
    if arguments is None and _signals_seen:
        # Where the signal came in the middle of an exec, a dataclass being made say, Python would kill itself with
        # SIGINT in the end, whoever caught the exception.
        _flush()
        os._exit(status)
    if arguments is None:
        gc.freeze()  # nor once more at the end
    sys.exit(status)


def _rarely_look_for_garbage() -> None:
    """Let what a command builds up be: to look through it as often as Python does took a third of the time."""
    gc.set_threshold(50_000, 50, 100)


def say(message: str) -> None:
    """Say in one line, on standard error, what is wrong. Where nobody can hear it there is nobody to tell."""
    message = " ".join(message.split())
    if not message.isprintable():
        from table_admin.inputs import printable  # noqa: PLC0415

        message = printable(message)
    line = message.encode(sys.stderr.encoding or "utf-8", "backslashreplace")
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"table-admin: {line.decode(sys.stderr.encoding or 'utf-8')}\n")
        sys.stderr.flush()


def discard(stream: object) -> None:
    """Send what is still to be written nowhere: Python would try, and complain, once more when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
        os.close(nowhere)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            discard(stream)


def _open_closed_streams() -> None:
    """Make what the caller closed (`>&-`) nowhere: else the next file that is opened would take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for the process's life
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _signals_interrupt(*, for_good: bool) -> Iterator[None]:
    """Make what ends a process an exception; `for_good` in a process of its own, whose end nothing interrupts."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        _signals_seen.append(number)
        if for_good:  # a second one does not wait
            for other in before:
                signal.signal(other, _end_now)
        raise KeyboardInterrupt

    if for_good:
        sys.unraisablehook = _interrupted_where_nothing_can_be_raised
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    # Ignored, by nohup say: it stays so. Not the main thread: whoever called has the signals.
    if threading.current_thread() is not threading.main_thread():
        before.clear()
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if for_good else handler)


def _end_now(_number: int, _frame: FrameType | None) -> None:
    os._exit(1)


def _interrupted_where_nothing_can_be_raised(unraisable: "sys.UnraisableHookArgs") -> None:
    """End where a signal came while Python tidied up; it would print a traceback and go on."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        say("interrupted.")
        os._exit(1)
    sys.__unraisablehook__(unraisable)
