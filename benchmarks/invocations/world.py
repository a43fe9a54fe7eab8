"""What the functions ask, table and storage, and a run of one of them against it."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.invocations.failing_server import FailingServer
from benchmarks.invocations.load import LOADS, objects, rows
from benchmarks.invocations.runtime import PLAN, Findings, Plan, Session, invoke
from local_edge.embedded_aws import EmbeddedAws
from tests.support import ROOT, dynalite, dynamodb_client

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1")


@dataclass(frozen=True, slots=True)
class World:
    """What the functions ask: a table and a storage, each behind a server that can fail."""

    table: FailingServer
    storage: FailingServer

    def run(
        self, function: str, region: str, count: int, *, plan: Plan = PLAN, handler: str = "", folder: Path = ROOT
    ) -> Findings:
        """Invoke a function as often as that, and a little more, in a process that is in `region`.

        `handler` of the code in `folder` instead of ours is for tests.
        """
        server = self.table if function == "viewer-request" else self.storage
        environ = {
            "AWS_REGION": region,
            "AWS_LAMBDA_FUNCTION_NAME": f"us-east-1.edge-routing-{function}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{self.table.port}",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.storage.port}",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "EDGE_REPLICA_REGIONS": ",".join(REGIONS),
            # Short, so that a run of seconds reads the table as often as hours would.
            "EDGE_FRESH_SECONDS": "0.5",
            "EDGE_UNKNOWN_SECONDS": "0.2",
        }
        session = Session(LOADS[function](random.Random(region)), server, count, plan)
        server.regions.clear()
        findings = invoke(handler or f"edge_handler.{function.replace('-', '_')}.handler", session, environ, folder)
        findings.regions = server.regions.copy()
        return findings


@contextmanager
def world() -> Iterator[World]:
    """Run the servers, with everything in them that is asked for."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(dynalite())
        client = dynamodb_client(endpoint)
        puts = [{"PutRequest": {"Item": item}} for item in rows()]
        for start in range(0, len(puts), 25):
            client.batch_write_item(RequestItems={"edge-routing-routes": puts[start : start + 25]})
        aws = EmbeddedAws(0)
        stack.callback(aws.close)
        s3 = aws.client("s3")
        for bucket in {bucket for bucket, _ in objects()}:
            s3.create_bucket(Bucket=bucket)
        for bucket, key in objects():
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        servers = [FailingServer(found.removeprefix("http://")) for found in (endpoint, aws.endpoint)]
        for server in servers:
            stack.callback(server.close)
        yield World(*servers)
