"""Import, export and plan at scale, on MiniStack: `python -m benchmarks.scale --rows 1000000`."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from edge_handler.routes.route import encode_route
from local_edge.embedded_aws import EmbeddedAws
from tests.support import dynamodb_client, make_tables, ministack, route

BUCKET = "acme-static-sites"
CHANGES = 1_000


def main() -> None:
    """Print rate and peak memory of each, beside a bare batch_writer loop on the same server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, ministack() as endpoint:
        aws = EmbeddedAws(0)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        client = dynamodb_client(endpoint)
        make_tables("bench", client)
        make_tables("bare", client)
        environ = {
            **os.environ,
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
            "TABLE_ADMIN_STACK": "bench",
        }
        file = Path(folder) / "routes.jsonl"
        with file.open("w") as out:
            for number in range(rows):
                out.write(json.dumps(_line(number, "a")) + "\n")
        bare = min(rows, 50_000)
        print(f"bare batch_writer, one put a row:    {bare / _bare(endpoint, bare):>9,.0f} rows/s", flush=True)
        _run("import, row and history in one transaction", rows, environ, "import", str(file))
        _run("import again, nothing to change", rows, environ, "import", str(file))
        _run("export", rows, environ, "export", os.devnull)
        plan = Path(folder) / "routes.yaml"
        with plan.open("w") as out:
            out.write("owner: bench\nroutes:\n")
            out.writelines(f"  r{n}.example.com: s3://{BUCKET}/b{n}\n" for n in range(CHANGES))
        _run("plan with 1,000 changes", CHANGES, environ, "plan", str(plan), "--adopt")
        _run("apply them", CHANGES, environ, "apply", str(plan), "--adopt", "--yes", "--force")
        aws.close()


def _line(number: int, site: str) -> dict[str, Any]:
    return {
        "domain": f"r{number}.example.com",
        "target": f"s3://{BUCKET}/{site}{number}",
        "environment": f"env-{number // 10}",
    }


def _bare(endpoint: str, rows: int) -> float:
    resource_ = boto3.resource("dynamodb", endpoint_url=endpoint, region_name="us-east-1")
    deserialize = boto3.dynamodb.types.TypeDeserializer().deserialize  # type: ignore[attr-defined]
    started = time.perf_counter()
    with resource_.Table("bare-routes").batch_writer() as batch:
        for item in _items(rows):
            batch.put_item(Item={name: deserialize(value) for name, value in item.items()})
    return time.perf_counter() - started


def _items(rows: int) -> Iterator[dict[str, Any]]:
    return (encode_route(route(f"r{number}.example.com")) for number in range(rows))


def _run(what: str, rows: int, environ: dict[str, str], *arguments: str) -> None:
    started = time.perf_counter()
    command = [sys.executable, "-m", "table_admin.cli", *arguments]
    done = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _, errors = done.communicate()
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{what}: {errors[-500:]}")
    # Of all children so far; each of these runs is larger than the ones before, or says so by not raising it.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{what:<43}{rows / seconds:>9,.0f} rows/s{seconds:>9.1f} s   peak {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
    main()
