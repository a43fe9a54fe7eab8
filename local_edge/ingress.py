"""The load balancer and the ingress controller behind it, played by nginx where it is installed, else by a stand-in."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from local_edge.kubernetes import IngressRule
from local_edge.nginx import nginx_conf, nginx_path
from local_edge.stand_in import stand_in


class Ingress:
    """Routes by Host to the frontends' URLs, on a port of its own, what carries the secret."""

    def __init__(
        self,
        upstreams: Mapping[str, tuple[str, IngressRule]],
        secret: str,
        entries: Mapping[str, str],
        attributes: Mapping[str, str],
    ) -> None:
        """See `nginx_conf` for what they are."""
        self._upstreams = upstreams
        self._secret = secret
        self._entries = entries
        self._attributes = attributes
        self._nginx = nginx_path()
        self._process: asyncio.subprocess.Process | None = None
        self._runner: web.ServerRunner | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="ingress-")
        self.port = 0
        """Known from its start on."""

    @property
    def name(self) -> str:
        """Say what it is."""
        return self._nginx or "a stand-in, for nginx is not installed (apt-get install nginx)"

    async def __aenter__(self) -> Self:
        """Start, and wait until it listens."""
        if self._nginx:
            await self._start_nginx(self._nginx)
        else:
            self._runner = web.ServerRunner(stand_in(self._upstreams, self._secret), shutdown_timeout=1)
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
            self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        if self._runner is not None:
            await self._runner.cleanup()
        self._folder.cleanup()

    async def _start_nginx(self, nginx: str) -> None:
        conf, log = (Path(self._folder.name) / name for name in ("nginx.conf", "error.log"))
        with _reserved_port() as self.port, _reserved_port() as ingress_port:
            ports = self.port, ingress_port
            text = nginx_conf(conf.parent, ports, self._secret, self._upstreams, self._entries, self._attributes)
            conf.write_text(text, encoding="utf-8")
            self._process = await asyncio.create_subprocess_exec(
                nginx, "-p", self._folder.name, "-c", str(conf), "-e", str(log)
            )
            while self._process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return
        raise OSError(f"nginx does not start: {log.read_text()[-500:]}")


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """Keep a port for a process of ours that will listen with SO_REUSEPORT; nobody else can take it meanwhile."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
