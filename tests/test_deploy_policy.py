"""A pipeline with the stack's DeployPolicy can deploy and tidy up: the policy allows every request that it makes."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3

from local_edge.embedded_aws import CREDENTIALS, EmbeddedAws
from local_edge.template import load_template
from table_admin import Access, RoutingTable, deploy
from table_admin.branches import name_of
from table_admin.environments import down
from table_admin.promotions import promote
from table_admin.rollback import rollback
from tests.table_admin.deployments.sites import make_bucket, write_site
from tests.test_iam import allowed

Asked = set[tuple[str, str, str]]
"""Actions and what they were done to, as a policy names them; and of an item its key, which conditions look at."""
_S3 = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_TABLES = {
    "routes": "RoutesTable.Arn",
    "route-history": "RouteHistoryTable.Arn",
    "deployments": "DeploymentsTable.Arn",
    "access": "AccessTable.Arn",
}


def actions(method: str, path: str, target: str, body: bytes, stack: str) -> Asked:
    """Return what a request needs to be allowed."""
    if target.startswith("DynamoDB_"):
        return {(f"dynamodb:{verb}", table, key) for verb, table, key in _of_tables(target, json.loads(body), stack)}
    if form := parse_qs(body.decode("ascii", "replace")).get("Action"):
        return {(f"cloudformation:{form[0]}", f"arn:aws:cloudformation:us-east-1:123456789012:stack/{stack}/1", "")}
    bucket, _, key = urlsplit(path).path.removeprefix("/").partition("/")
    if not key:
        return {("s3:ListBucket", f"arn:aws:s3:::{bucket}", "")}
    return {(_S3[method], f"arn:aws:s3:::{bucket}/{key}", "")}


def _of_tables(target: str, request: dict[str, Any], stack: str) -> Iterator[tuple[str, str, str]]:
    verb = target.partition(".")[2]

    def arn(name: str) -> str:
        return _TABLES[name.removeprefix(f"{stack}-")]

    if verb == "TransactWriteItems":
        for item in request["TransactItems"]:
            ((kind, about),) = item.items()
            yield f"{kind}Item", arn(about["TableName"]), _key(about)
    elif verb.startswith("Batch"):
        yield from ((verb, arn(name), "") for name in request["RequestItems"])
    else:
        index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
        yield verb, arn(request["TableName"]) + index, _key(request)


def _key(request: dict[str, Any]) -> str:
    item = request.get("Key") or request.get("Item") or {}
    return str(item.get("domain", {}).get("S", ""))


@contextmanager
def overheard(aws: EmbeddedAws, stack: str) -> Iterator[tuple[str, Asked]]:
    """Serve an endpoint that passes everything on and says what was asked."""
    asked: Asked = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.update(actions(self.command, self.path, self.headers.get("x-amz-target", ""), body, stack))
            connection = http.client.HTTPConnection(urlsplit(aws.endpoint).netloc)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = answer.getheader("content-length", "0") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_what_a_pipeline_asks_is_what_its_policy_allows(table: RoutingTable, aws: EmbeddedAws, tmp_path: Path) -> None:
    bucket = make_bucket(aws)
    output = {"Resources": {}, "Outputs": {"StaticBucketName": {"Value": bucket}}}
    aws.client("cloudformation").create_stack(StackName=table.stack, TemplateBody=json.dumps(output))
    with overheard(aws, table.stack) as (endpoint, asked):

        def client(service: str, **options: Any) -> Any:
            options.setdefault("region_name", "us-east-1")
            return boto3.client(service, endpoint_url=endpoint, **CREDENTIALS, **options)  # type: ignore[call-overload]

        pipeline = RoutingTable(table.stack, actor="pipeline", client=client)
        for text in ("one", "two"):
            write_site(tmp_path, {"index.html": text})
            # Now and then an older run of the same stands beside it, so all that is known is looked at.
            private = {"private": True}
            done = deploy(pipeline, tmp_path, branch="feature/x", base="example.com", expires_in="7d", policy=private)
            Access(pipeline).link(done.domain)
            promote(pipeline, name_of(pipeline, "feature/x"), {"www.example.com": ""})
        rollback(pipeline, ["www.example.com"], if_target=done.target)
        down(pipeline, name_of(pipeline, "feature/x"), force=True)
    policy = load_template(stack=table.stack, bucket=bucket).properties("DeployPolicy")["PolicyDocument"]["Statement"]
    assert {action for action, *_ in asked} >= {"s3:PutObject", "s3:GetObject", "dynamodb:ConditionCheckItem"}
    assert [one for one in sorted(asked) if not allowed(policy, *one[:2], LeadingKeys=one[2])] == []
