"""The real servers behind the faulty ones, and what they answer."""

import http.client
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.rows import row

TABLE = "edge-routing-routes"
BUCKET = "acme-static-sites"
HOSTS = tuple(f"env-{number}.example" for number in range(1, 5))
MANY = tuple(f"many-{number}.example" for number in range(1000))
ABSENT = "absent.example"
BATCH_GET, QUERY = "DynamoDB_20120810.BatchGetItem", "DynamoDB_20120810.Query"
# Neither server checks the signature; that it is right is for tests/edge_handler/aws/test_sigv4.py.
_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{}/aws4_request, SignedHeaders=host;x-amz-date, Signature=0"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the edge asked, as far as a server cares."""

    method: str
    path: str
    body: bytes
    action: str = BATCH_GET
    """Of DynamoDB; S3 is not told."""

    @property
    def domains(self) -> list[str]:
        """Whose rows are asked for."""
        asked = json.loads(self.body).get("RequestItems", {}) if self.body else {}
        return [key["domain"]["S"] for table in asked.values() for key in table["Keys"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says, before it is put into bytes."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    head_only: bool = False

    def head(self, *, version: str = "HTTP/1.1", framing: str | None = None, **headers: str) -> bytes:
        """Return the head; `framing` instead of the length, `headers` besides."""
        lines = [f"{name}: {value}" for name, value in self.headers]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if not self.head_only:
            lines.append(f"content-length: {len(self.body)}" if framing is None else framing)
        return "\r\n".join([f"{version} {self.status}", *filter(None, lines), "", ""]).encode()

    def raw(self) -> bytes:
        """Return the bytes of a right answer."""
        return self.head() + self.body

    def saying(self, body: bytes) -> "Answer":
        """Return the same with another body, and a checksum that fits: a server that means what it says."""
        headers = [(name, value) for name, value in self.headers if name != "x-amz-crc32"]
        return replace(self, headers=(*headers, ("x-amz-crc32", str(zlib.crc32(body)))), body=body)


class Upstream:
    """A real server. Each thing is asked once: that it is slow when all workers ask is not what is tested."""

    def __init__(self, endpoint: str, bucket: str = BUCKET, *, remembers: bool = True) -> None:
        """`remembers`: nothing changes there, so it is asked once only."""
        self.endpoint = endpoint
        self._authority = endpoint.removeprefix("http://")
        self._bucket_host = f"{bucket}.s3.us-east-1.amazonaws.com"
        self._remembers = remembers
        self._answers: dict[Request, Answer] = {}
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Answer:
        """Return what it answers."""
        if not self._remembers:
            return self._fetch(request)
        with self._lock:
            if request not in self._answers:
                self._answers[request] = self._fetch(request)
            return self._answers[request]

    def rows(self, *domains: str) -> Answer:
        """Return what it says of these domains."""
        keys = [{"domain": {"S": domain}} for domain in domains]
        return self.ask(Request("POST", "/", json.dumps({"RequestItems": {TABLE: {"Keys": keys}}}).encode()))

    def _fetch(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(self._authority, timeout=30)
        service = "dynamodb" if request.method == "POST" else "s3"
        headers = {"x-amz-date": "20260101T000000Z", "authorization": _AUTHORIZATION.format(service)}
        if service == "dynamodb":
            headers |= {"content-type": "application/x-amz-json-1.0"}
            headers |= {"x-amz-target": request.action}
        else:
            headers["host"] = self._bucket_host
        connection.request(request.method, request.path, request.body, headers)
        found = connection.getresponse()
        body = found.read()
        connection.close()
        if found.status >= 500:
            raise OSError(f"the real server failed: {found.status} {body[:200]!r}")
        head_only = request.method == "HEAD"
        dropped = {"connection", "transfer-encoding", "keep-alive", *(() if head_only else ("content-length",))}
        kept = tuple((name.lower(), value) for name, value in found.getheaders() if name.lower() not in dropped)
        return Answer(f"{found.status} {found.reason}", kept, body, head_only)


@contextmanager
def real_tables() -> Iterator[tuple[str, str]]:
    """Run moto and dynalite with a row for every host, and a bucket with one directory; yield their endpoints."""
    from local_edge.embedded_aws import EmbeddedAws  # noqa: PLC0415  # not in workers, which would import it too
    from tests.support import dynalite, dynamodb_client, make_tables  # noqa: PLC0415

    aws = EmbeddedAws(0)
    try:
        make_tables("edge-routing", aws.client("dynamodb"))
        aws.client("s3").create_bucket(Bucket=BUCKET)
        aws.client("s3").put_object(Bucket=BUCKET, Key="env-1/docs/index.html", Body=b"x")
        _fill(aws.client("dynamodb"))
        with dynalite() as endpoint:
            _fill(dynamodb_client(endpoint))
            yield aws.endpoint, endpoint
    finally:
        aws.close()


def _fill(client: Any) -> None:
    domains = [*HOSTS, *MANY]
    for start in range(0, len(domains), 25):
        puts = [{"PutRequest": {"Item": row(domain)}} for domain in domains[start : start + 25]]
        client.batch_write_item(RequestItems={TABLE: puts})
