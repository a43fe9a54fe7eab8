"""What a terminal gets: tables as wide as it is, colours, bars, by rich; it honours NO_COLOR and TERM=dumb.

What is piped stays plain text, the same on every machine, and does not wait until rich is imported.
"""

import itertools
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, TextIO

import click

_PAGE_ROWS = 200
_NARROWEST = 8
_BETWEEN_LINES = 10.0
_BETWEEN_DRAWINGS = 0.1


def echo(*parts: str | tuple[str, str]) -> None:
    """Print a line of parts; a pair is text and its style, e.g. `("gone", "red")`."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    if sys.stdout.isatty() and any(style for _, style in pairs):
        from rich.text import Text  # noqa: PLC0415

        _console(sys.stdout).print(Text.assemble(*pairs), soft_wrap=True)
    else:
        click.echo("".join(text for text, _ in pairs))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Print rows under heads, columns as wide as the first page needs; return how many there were."""
    rows = iter(rows)
    page = [*itertools.islice(rows, _PAGE_ROWS)]
    widths = [max(map(len, column)) for column in zip(heads, *page, strict=True)]
    terminal = sys.stdout.isatty()
    shown: Sequence[str] | None = heads
    count = 0
    while page or shown:
        if terminal:
            _print_page(heads, page, widths, show_heads=shown is not None)
        else:
            for row in itertools.chain([shown] if shown else [], page):
                click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        count += len(page)
        shown = None
        page = [*itertools.islice(rows, _PAGE_ROWS)]
    return count


def counted(number: int, noun: str) -> str:
    """Return `1 route`, `2 routes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _console(stream: TextIO) -> Any:
    from rich.console import Console  # noqa: PLC0415

    # The size here: rich takes every dumb terminal for one of 80 columns.
    width, height = shutil.get_terminal_size()
    return Console(file=stream, width=width, height=height, highlight=False, markup=False, emoji=False)


def _print_page(
    heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], *, show_heads: bool
) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = _console(sys.stdout)
    page = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=show_heads, header_style="bold")
    for head, width in zip(heads, _fitting(widths, heads, console.width), strict=True):
        page.add_column(Text(head), width=width, overflow="fold")
    for row in rows:
        page.add_row(*map(Text, row))
    console.print(page)


def _fitting(widths: Sequence[int], heads: Sequence[str], available: int) -> list[int]:
    """Return widths that fit, taken from the widest; a cell that is wider goes on in its next line, a head does not."""
    fitting = [*widths]
    least = [max(_NARROWEST, len(head)) for head in heads]
    while sum(fitting) + 2 * len(fitting) > available:
        room, widest = max((width - low, place) for place, (width, low) in enumerate(zip(fitting, least, strict=True)))
        if room <= 0:
            break
        fitting[widest] -= 1
    return fitting


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

    def __call__(self, count: int) -> None:
        """Show that `count` are done."""
        now = time.monotonic()
        if now - self._last < (_BETWEEN_DRAWINGS if self._terminal else _BETWEEN_LINES):
            return
        self._last = now
        text = f"{counted(count, self._what)}, {count / (now - self._started):,.0f}/s"
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
