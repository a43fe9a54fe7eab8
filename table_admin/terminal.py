"""What a terminal gets: tables that fit it, colours, bars, by rich; it honours NO_COLOR and TERM=dumb.

What is piped stays plain text, the same on every machine, and does not wait until rich is imported.
"""

import itertools
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, TextIO

import click

from table_admin.inputs import printable

_PAGE_ROWS = 200
_GAP = 2
_BETWEEN_LINES = 10.0
_BETWEEN_DRAWINGS = 0.1


def echo(*parts: str | tuple[str, str], err: bool = False) -> None:
    """Print a line of parts; a pair is text and its style, e.g. `("gone", "red")`.

    Whoever writes a row could otherwise hide lines of what others are shown, see `printable`.
    """
    pairs = [(printable(part), "") if isinstance(part, str) else (printable(part[0]), part[1]) for part in parts]
    if not err and sys.stdout.isatty() and any(style for _, style in pairs):
        from rich.text import Text  # noqa: PLC0415

        _console(sys.stdout).print(Text.assemble(*pairs), soft_wrap=True)
    else:
        click.echo("".join(text for text, _ in pairs), err=err)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], spare: Sequence[str] = ()) -> int:
    """Print rows under heads, columns as wide as the first page needs; return how many rows there were.

    A cell is never cut or broken, so that it can be copied. A terminal that is too narrow is not shown the columns
    `spare`, the first first, as far as need be, and is told so; what is wider still goes on in its next line.
    """
    rows = ([printable(cell) for cell in row] for row in rows)
    page = [*itertools.islice(rows, _PAGE_ROWS)]
    terminal = sys.stdout.isatty()
    cells = _cells if terminal else len
    widths = {head: max(map(cells, column)) for head, column in zip(heads, zip(heads, *page, strict=True), strict=True)}
    left_out = _left_out(widths, spare) if terminal else []

    def line(row: Sequence[str]) -> str:
        shown = ((cell, widths[head]) for head, cell in zip(heads, row, strict=True) if head not in left_out)
        return (" " * _GAP).join(cell + " " * (width - cells(cell)) for cell, width in shown).rstrip()

    echo((line(heads), "bold"))
    count = 0
    for row in itertools.chain(page, rows):
        click.echo(line(row))
        count += 1
    if left_out:
        names = ", ".join(head for head in heads if head in left_out)
        click.echo(f"{names} left out: the terminal is narrow; a pipe (| cat) and --json have all", err=True)
    return count


def counted(number: int, noun: str) -> str:
    """Return `1 route`, `2 routes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sized(number: int) -> str:
    """Return `4.1 kB`, `12 MB`: three digits are enough for people."""
    size, unit = float(number), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if size >= 99.95 or unit == "bytes" else f"{size:.1f} {unit}"


def _console(stream: TextIO) -> Any:
    from rich.console import Console  # noqa: PLC0415

    # The size here: rich takes every dumb terminal for one of 80 columns.
    width, height = shutil.get_terminal_size()
    return Console(file=stream, width=width, height=height, highlight=False, markup=False, emoji=False)


def _cells(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415

    return cell_len(text)


def _left_out(widths: Mapping[str, int], spare: Sequence[str]) -> Sequence[str]:
    """Return as many of the columns `spare` as have to go."""
    available = shutil.get_terminal_size().columns
    wide = sum(widths.values()) + _GAP * (len(widths) - 1)
    for count, head in enumerate(spare):
        if wide <= available:
            return spare[:count]
        wide -= widths[head] + _GAP
    return spare


class Progress:
    """How far something is, on standard error: a bar with rate and time left, or a line every ten seconds."""

    def __init__(self, what: str, *, total: int | None = None, source: BinaryIO | None = None) -> None:
        """Begin.

        Args:
            what: is counted, e.g. `lines`.
            total: how many there are, where that is known.
            source: the file that is read, whose size says how much is left.
        """
        self._what = what
        self._source = source if source is not None and _size(source) else None
        self._total = _size(source) if source is not None else total
        self._started = self._last = time.monotonic()
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        self._bar: Any = None
        context = click.get_current_context(silent=True)
        if context is not None:
            context.call_on_close(self.done)

    def __call__(self, count: int, beside: str = "") -> None:
        """Show that `count` are done, and what else there is to say of them."""
        now = time.monotonic()
        if now - self._last < (_BETWEEN_DRAWINGS if self._terminal else _BETWEEN_LINES):
            return
        self._last = now
        text = f"{counted(count, self._what)}{beside}, {count / (now - self._started):,.0f}/s"
        if self._terminal:
            self._draw(count, text)
        else:
            click.echo(text, err=True)

    def done(self) -> None:
        """Remove the bar: what is printed next stands alone."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, count: int, text: str) -> None:
        if self._bar is None:
            self._bar = _bar(bool(self._total))
            self._bar.add_task(text, total=self._total)
            self._bar.start()
        self._bar.update(0, description=text, completed=self._source_position() if self._source else count)

    def _source_position(self) -> int:
        try:
            return int(self._source.tell()) if self._source else 0
        except (OSError, ValueError, AttributeError):
            return 0


def _bar(total: bool) -> Any:
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    left = TimeRemainingColumn() if total else TimeElapsedColumn()
    text = TextColumn("{task.description}", markup=False)
    return Bars(text, BarColumn(), left, console=_console(sys.stderr), transient=True, redirect_stdout=False)


def _size(file: BinaryIO) -> int | None:
    try:
        found = os.fstat(file.fileno())
    except (OSError, ValueError, AttributeError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
