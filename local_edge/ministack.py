"""MiniStack's DynamoDB, in an environment and a process of its own: it takes many rows, moto's does not.

moto copies both tables for each item of a transaction, so what an import takes grows with its square.
"""

import contextlib
import http.client
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PYTHON = Path(sys.prefix) / "ministack" / "bin" / "python"
"""Where make run installs it."""
_MAIN = """
import os, sys, threading

def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=end_with_parent, daemon=True).start()
from hypercorn.__main__ import main
main(sys.argv[1:])
"""
_OPTIONS = ("ministack.app:app", "--workers", "0", "--keep-alive", "3600", "--log-level", "ERROR")


class MiniStack:
    """The process, on a Unix socket that no browser can ask: MiniStack itself allows every origin."""

    def __init__(self, python: Path = PYTHON) -> None:
        """Start it. Who asks before it is there waits."""
        self._folder = tempfile.TemporaryDirectory(prefix="local-edge-")
        self._path = str(Path(self._folder.name) / "dynamodb")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._path)
            listener.listen(128)
            self._process = subprocess.Popen(  # noqa: S603  # what make run installed
                [str(python), "-c", _MAIN, *_OPTIONS, "--bind", f"fd://{listener.fileno()}"],
                env={"SERVICES": "dynamodb", "LOG_LEVEL": "ERROR", "PATH": ""},
                pass_fds=(listener.fileno(),),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                process_group=0,  # a Ctrl-C is ours, not its
            )
        self._connections = threading.local()

    def ask(self, method: str, headers: dict[str, str], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Pass a request on; return status, headers and body. Raises OSError or HTTPException where it has ended."""
        connection = self._connection()
        try:
            connection.request(method, "/", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def signal(self, number: int) -> None:
        """Send the process a signal, SIGSTOP for one: then nobody is answered."""
        self._process.send_signal(number)

    def close(self) -> None:
        """End the process; what it holds is in memory."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._connections, "of_thread", None)
        if found is None:
            found = self._connections.of_thread = _UnixConnection(self._path)
        return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)
