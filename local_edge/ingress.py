"""The load balancer and the ingress controller behind it, played by nginx where it is installed.

Without nginx a stand-in does as little as a demo needs.
"""

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, web

ORIGIN_VERIFY = "x-origin-verify"
"""The header by which the load balancer knows what came through CloudFront, see cluster.yaml."""

_NGINX_CONF = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; proxy_request_buffering off; proxy_buffering off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  # The load balancer: its rule forwards what carries the secret, its listener refuses the rest.
  map $http_x_origin_verify $admitted {{ default 0; "{secret}" 1; }}
  server {{
    listen 127.0.0.1:{port} reuseport; client_max_body_size 0;
    location / {{
      if ($admitted = 0) {{ return 403 "not through CloudFront\\n"; }}
      proxy_pass http://127.0.0.1:{ingress_port}; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Proto https;
    }}
  }}
  # The ingress controller.
  {entries}
  server {{ listen 127.0.0.1:{ingress_port} default_server reuseport; return 404 "no ingress for this host\\n"; }}
  {servers}
}}
"""
# What F5's controller makes of an Ingress, in little.
_NGINX_SERVER = """
  server {{
    listen 127.0.0.1:{port}; server_name {host};
    location / {{
      {snippets}
      proxy_pass {upstream}; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Proto {scheme};
    }}
  }}
"""


def nginx_path() -> str | None:
    """Return where nginx is; Debian puts it where only root's PATH looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class Ingress:
    """Routes by Host to the frontends' URLs, on a port of its own, what carries the secret."""

    def __init__(self, upstreams: Mapping[str, str], secret: str, entries: Mapping[str, str]) -> None:
        """`upstreams`: host -> `http://address:port`; `entries` of the controller's ConfigMap."""
        self._upstreams = upstreams
        self._secret = secret
        self._entries = dict(entries)
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
            self._runner = web.ServerRunner(web.Server(self._stand_in))
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

    def _nginx_conf(self, ingress_port: int) -> str:
        entries = dict(self._entries)
        snippets = entries.pop("location-snippets", "")
        scheme = "https" if entries.pop("redirect-to-https", "") == "true" else "$scheme"
        servers = "".join(
            _NGINX_SERVER.format(port=ingress_port, host=host, upstream=upstream, snippets=snippets, scheme=scheme)
            for host, upstream in self._upstreams.items()
        )
        # The others are called as nginx's own directives are, but for the dash.
        directives = " ".join(f"{name.replace('-', '_')} {value};" for name, value in entries.items())
        return _NGINX_CONF.format(
            folder=self._folder.name,
            port=self.port,
            ingress_port=ingress_port,
            secret=self._secret,
            entries=directives,
            servers=servers,
        )

    async def _start_nginx(self, nginx: str) -> None:
        conf, log = (Path(self._folder.name) / name for name in ("nginx.conf", "error.log"))
        with _reserved_port() as self.port, _reserved_port() as ingress_port:
            conf.write_text(self._nginx_conf(ingress_port), encoding="utf-8")
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

    async def _stand_in(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get(ORIGIN_VERIFY) != self._secret:
            return web.Response(status=403, text="not through CloudFront\n")
        upstream = self._upstreams.get(request.headers.get("host", ""))
        if upstream is None:
            return web.Response(status=404, text="no ingress for this host\n")
        headers = {name: value for name, value in request.headers.items() if name.lower() != ORIGIN_VERIFY}
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                f"{upstream}{request.raw_path}",
                headers=headers,
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            ) as answer,
        ):
            headers = {n: v for n, v in answer.headers.items() if n.lower() not in ("transfer-encoding", "connection")}
            return web.Response(status=answer.status, headers=headers, body=await answer.read())


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """Keep a port for a process of ours that will listen with SO_REUSEPORT; nobody else can take it meanwhile."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
