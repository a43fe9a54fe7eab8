"""`local-edge` as a person runs it: a process, asked over HTTP."""

import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from table_admin import RoutingTable
from tests.support import wait_until

FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def x_cache(self) -> str:
        return self.headers["x-cache"].removesuffix(" from cloudfront")


@dataclass(frozen=True)
class LocalEdge:
    port: int
    aws_endpoint: str
    banner: str
    log: list[str]
    dynamodb: str | None = None
    pid: int = 0

    def get(self, host: str, path: str = "/", method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """Return what a viewer gets who, told to come back later, does."""
        answer = self.ask(host, path, method, body, **headers)
        # On a busy machine the table may answer later than the edge waits for it.
        while answer.status == 503 and "retry-after" in answer.headers:
            time.sleep(int(answer.headers["retry-after"]))
            answer = self.ask(host, path, method, body, **headers)
        return answer

    def until(self, wanted: Callable[[Answer], object], host: str) -> Answer:
        """Ask for a host's page until it is as wanted."""
        while not wanted(answer := self.get(host)):
            time.sleep(0.1)
        return answer

    def ask(self, host: str, path: str = "/", method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """Return what a viewer gets at once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        answer = Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        connection.close()
        return answer

    def client(self, service: str, **options: Any) -> Any:
        options.setdefault("region_name", "us-east-1")
        endpoint = self.dynamodb if self.dynamodb and service == "dynamodb" else self.aws_endpoint
        return boto3.client(service, endpoint_url=endpoint, **options)  # type: ignore[call-overload]

    def logged(self, wanted: Callable[[str], object]) -> list[str]:
        """Return the lines of the access log that are as wanted, once there are any: they follow the answers."""
        wait_until(lambda: any(map(wanted, list(self.log))))
        return [line for line in list(self.log) if wanted(line)]

    def wait_fresh(self) -> None:
        """Wait until the edge has to ask the table again."""
        time.sleep(FRESH_SECONDS + 0.3)

    @property
    def table(self) -> RoutingTable:
        return RoutingTable(actor="tester", client=self.client)


@contextmanager
def local_edge(*arguments: str, fresh_seconds: float = FRESH_SECONDS) -> Iterator[LocalEdge]:
    environ = {**os.environ, "EDGE_FRESH_SECONDS": str(fresh_seconds), "EDGE_UNKNOWN_SECONDS": "0.5"}
    command = [sys.executable, "-m", "local_edge", "--port", "0", "--aws-port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True) as process:
        assert process.stdout is not None
        banner = ""
        for line in process.stdout:
            banner += line
            if "table-admin deploy" in line:
                break
        port = re.search(r"env-123\.localhost:(\d+)", banner)
        endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", banner)
        assert port, banner
        assert endpoint
        log: list[str] = []
        reading = threading.Thread(target=log.extend, args=(process.stdout,), daemon=True)
        reading.start()
        try:
            dynamodb = arguments[arguments.index("--dynamodb") + 1] if "--dynamodb" in arguments else None
            yield LocalEdge(int(port[1]), endpoint[1], banner, log, dynamodb, process.pid)
        finally:
            process.terminate()
            reading.join(60)  # it reads what is closed below
