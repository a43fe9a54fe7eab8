"""No argument, environment variable, file, terminal or signal makes a traceback: one line, and a status that tells.

`COMMAND_LINES=10000 COMMAND_PROCESSES=300` tries more than `make test` does; `COMMAND_SEED` others.
"""

import contextlib
import functools
import io
import os
import pty
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.loaders
import click
import pytest
from botocore.config import Config

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.cli import main, session
from tests.table_admin.command_lines import CommandLine, CommandLines

LINES = int(os.environ.get("COMMAND_LINES", "250"))
PROCESSES = int(os.environ.get("COMMAND_PROCESSES", "24"))
SEED = int(os.environ.get("COMMAND_SEED", "11"))
UNTOUCHED = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TABLE_ADMIN_"))}


class Terminal(io.TextIOWrapper):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


class Bytes(io.BytesIO):
    """Has a name, as a file has."""

    name = "<stdin>"


def check(line: CommandLine, status: int | None, errors: str) -> None:
    said = f"{line}\nended with {status}, and said:\n{errors}"
    assert status in (0, 1, 2) or (status == 3 and line.verb == "plan"), said
    # The embedded AWS may be in this process, and say on the same stream what went wrong there.
    assert "Traceback" not in errors or "/moto/" in errors, said
    assert "mistake of table-admin's own" not in errors, said
    assert "Exception ignored" not in errors, said


@pytest.fixture
def lines(table: RoutingTable, aws: EmbeddedAws, tmp_path: Path) -> CommandLines:
    return CommandLines(SEED, tmp_path, aws.endpoint, table.stack)


def in_process(line: CommandLine, terminal: bool) -> tuple[int, str]:
    kind = Terminal if terminal else io.TextIOWrapper
    contents = [Bytes(given) for given in (line.stdin, b"", b"")]
    streams = [kind(content, encoding="utf-8") for content in contents]
    names = ("stdin", "stdout", "stderr")
    before = [getattr(sys, name) for name in names]
    for name, stream in zip(names, streams, strict=True):
        setattr(sys, name, stream)
    try:
        main(line.arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        for name, stream in zip(names, before, strict=True):
            setattr(sys, name, stream)
    streams[2].flush()
    return status, contents[2].getvalue().decode("utf-8", "replace")


def end(line: CommandLine) -> None:
    """Let what would stay come to an end."""
    if line.verb == "ui":
        line.arguments.append("--help")
    if line.verb == "watch":
        line.arguments.extend(("--once", "--once"))  # the first may be what an option before it has for a value


def test_no_command_line_environment_or_file_makes_a_traceback(
    lines: CommandLines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What answers, answers at once; what does not is asked once.
    monkeypatch.setattr(session, "PATIENCE", Config(connect_timeout=2, retries={"total_max_attempts": 1}))
    monkeypatch.setattr(botocore.loaders, "create_loader", functools.cache(botocore.loaders.create_loader))
    monkeypatch.chdir(tmp_path)
    chance = random.Random(SEED)
    statuses = []
    for _ in range(LINES):
        line = lines.next()
        end(line)
        with mock.patch.dict(os.environ, {**UNTOUCHED, **line.environ}, clear=True):
            status, errors = in_process(line, terminal=chance.random() < 0.3)
        check(line, status, errors)
        # A bar that was drawn is erased in the line that follows.
        fatal = [said for said in click.unstyle(errors).splitlines() if said.strip().startswith("table-admin: ")]
        quiet = "_TABLE_ADMIN_COMPLETE" in line.environ  # it talks to a shell, not to a person
        assert status in (0, 3) or fatal or quiet, f"{line} says nothing"
        statuses.append(status)
    assert {0, 1, 2} <= set(statuses)


Ending = Callable[[CommandLine, dict[str, Any]], tuple[int, str]]


def _plain(line: CommandLine, how: dict[str, Any]) -> tuple[int, str]:
    done = subprocess.run(**how, input=line.stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stderr.decode("utf-8", "replace")


def _full_disk(line: CommandLine, how: dict[str, Any]) -> tuple[int, str]:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(**how, input=line.stdin, stdout=full, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stderr.decode("utf-8", "replace")


def _deaf(line: CommandLine, how: dict[str, Any]) -> tuple[int, str]:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(**how, input=line.stdin, stdout=subprocess.PIPE, stderr=full, check=False)
    return done.returncode, ""


def _closed_pipe(line: CommandLine, how: dict[str, Any]) -> tuple[int, str]:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(**how, input=line.stdin, stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)
    return done.returncode, done.stderr.decode("utf-8", "replace")


def _closed_streams(line: CommandLine, how: dict[str, Any]) -> tuple[int, str]:
    command = ["sh", "-c", 'exec "$@" <&- >&-', "sh", *how["args"]]
    return _plain(line, {**how, "args": command})


def _on_a_terminal(line: CommandLine, how: dict[str, Any]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(**how, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, b"y\n\x04")
    seen = b""
    with contextlib.suppress(OSError):  # EIO is its end
        while part := os.read(ours, 65536):
            seen += part
    os.close(ours)
    return process.wait(), seen.decode("utf-8", "replace")


def _signalled(number: int) -> Ending:
    def run(line: CommandLine, how: dict[str, Any]) -> tuple[int, str]:
        process = subprocess.Popen(**how, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        ended = threading.Event()

        def send() -> None:
            # From when it can be caught: before that Python itself is still starting.
            while not _catches(process.pid, number) and process.poll() is None:
                ended.wait(0.01)
            ended.wait(random.Random(process.pid).random())
            while process.poll() is None:
                process.send_signal(number)
                ended.wait(5)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            errors = process.communicate(line.stdin)[1]
        finally:
            ended.set()
            sender.join()
        return process.returncode, errors.decode("utf-8", "replace")

    return run


def _catches(process: int, number: int) -> bool:
    try:
        (mask,) = (
            line.split()[1] for line in Path(f"/proc/{process}/status").read_text().splitlines() if line[:6] == "SigCgt"
        )
    except (OSError, ValueError):
        return False
    # Python has SIGINT from its start, SIGTERM only from the command.
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1) and number != signal.SIGKILL


ENDINGS: list[Ending] = [
    *(_plain, _full_disk, _deaf, _closed_pipe, _closed_streams, _on_a_terminal),
    *(_signalled(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc tells when signals are caught")
def test_no_signal_terminal_full_disk_or_closed_pipe_makes_a_traceback(lines: CommandLines, tmp_path: Path) -> None:
    for number in range(PROCESSES):
        ending = ENDINGS[number % len(ENDINGS)]
        line = lines.next()
        if ending not in ENDINGS[6:]:
            end(line)
        environ = {**UNTOUCHED, **line.environ}
        command = [sys.executable, "-m", "table_admin.cli", *line.arguments]
        how = {"args": command, "cwd": tmp_path, "env": environ}
        status, errors = ending(line, how)
        check(line, status, errors)


@pytest.fixture
def put(aws: EmbeddedAws, table: RoutingTable) -> list[str]:
    where = ["--endpoint-url", aws.endpoint, "--stack", table.stack]
    return [sys.executable, "-m", "table_admin.cli", *where, "put", "a.example.com", "s3://acme-static-sites/env-a"]


def test_a_full_disk_is_one_line(put: list[str]) -> None:
    status, errors = _full_disk(CommandLine([], {}, b"", "put"), {"args": put})
    why = "table-admin: the output cannot be used: No space left on device."
    assert (status, errors) == (1, f"{why} What was written in the table is written: see table-admin history.\n")
    status, errors = _full_disk(CommandLine([], {}, b"", "list"), {"args": [*put[:-3], "list"]})
    assert (status, errors) == (1, f"{why}\n")


def test_a_reader_that_has_seen_enough_is_no_failure_of_what_only_reads(put: list[str]) -> None:
    nothing = CommandLine([], {}, b"", "put")
    assert _closed_pipe(nothing, {"args": put}) == (1, "")
    assert _closed_pipe(nothing, {"args": [*put[:-3], "list"]}) == (0, "")


def test_an_interrupted_command_says_so_and_fails(put: list[str]) -> None:
    ui = [*put[:-3], "import", "-"]
    process = subprocess.Popen(ui, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not _catches(process.pid, signal.SIGTERM):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate()
    assert (process.returncode, out, errors.count(b"\n")) == (1, b"", 1)
    assert b"interrupted" in errors
