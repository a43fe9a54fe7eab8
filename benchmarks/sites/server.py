"""An AWS that nobody here wrote, with what deployments need: S3 and tables, in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from local_edge.embedded_aws import CREDENTIALS, REGION
from tests.support import ROOT, make_tables, need, serving

BUCKET = "acme-static-sites"
STACK = "edge-routing"
_HYPERCORN = ROOT / ".venv" / "ministack" / "bin" / "hypercorn"


@contextmanager
def server(pem: Path | None = None) -> Iterator[str]:
    """Run MiniStack with the tables and a bucket that keeps versions, as the stack's does; yield its endpoint.

    Over TLS with `pem`'s key and certificate.

    Of what installs from PyPI, takes conditional writes and keeps versions, it answers fastest: an object in 2 ms.
    """
    need(_HYPERCORN.exists(), "MiniStack, in an environment of its own (make bench installs it)")
    command = [str(_HYPERCORN), "ministack.app:app", "--workers", "0", "--keep-alive", "75", "--log-level", "ERROR"]
    if pem:
        command += ["--certfile", str(pem), "--keyfile", str(pem)]
    services = {"SERVICES": "dynamodb,s3", "LOG_LEVEL": "ERROR"}
    with serving(lambda fd: [*command, "--bind", f"fd://{fd}"], **services) as port:
        endpoint = f"{'https' if pem else 'http'}://127.0.0.1:{port}"
        s3 = client("s3", endpoint, pem)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        make_tables(STACK, client("dynamodb", endpoint, pem))
        yield endpoint


def client(service: str, endpoint: str, pem: Path | None = None, **options: Any) -> Any:
    """Return a boto3 client of a server; see `server` for `pem`."""
    options |= {"verify": str(pem)} if pem else {}
    options.setdefault("region_name", REGION)
    return boto3.client(service, endpoint_url=endpoint, **CREDENTIALS, **options)  # type: ignore[call-overload]
