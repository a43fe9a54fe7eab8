"""Sites of many files, as origin-request finds them: their lists in a bucket, and requests for their files."""

import copy
import hashlib
import json
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.processes import python
from benchmarks.sites.server import BUCKET
from edge_handler.routes.origin import DeploymentOrigin, bucket_domain_name
from edge_handler.routes.stamp import HEADER, encode_stamp
from edge_handler.website.listing import BLOBS, File, Options, encode_listing
from local_edge.embedded_aws import REGION
from tests.support import event

_ASK = """
import json, time
from edge_handler.origin_request import handler
with open({events!r}) as lines:
    for line in lines:
        given = json.loads(line)
        started = time.process_time()
        answer = handler(given, None)
        spent = time.process_time() - started
        assert answer.get("uri", "").startswith("/{blobs}/"), answer
        print("spent", spent)
"""
# What a reader without a codec would do.
_PARSE = """
import json, time
started = time.process_time()
with open({file!r}) as file:
    found = json.load(file)[{path!r}]
print("spent", time.process_time() - started)
"""


def files(count: int, site: int = 0) -> dict[str, File]:
    """Return a site's files by path: half pages, half scripts with a hash in their names."""
    found = {}
    for number in range(count):
        blob = hashlib.sha256(f"{site} {number}".encode()).hexdigest()
        if number % 2:
            found[f"/assets/{number}-{blob[:8]}.js"] = File(blob, "text/javascript; charset=utf-8", True, 4096)
        else:
            found[f"/docs/part-{number % 100}/{number}/index.html"] = File(
                blob, "text/html; charset=utf-8", False, 4096
            )
    return found


def publish(s3: Any, found: dict[str, File]) -> str:
    """Put a site's list into the bucket; return the deployment."""
    listing = encode_listing(found, Options())
    s3.put_object(Bucket=BUCKET, Key=listing.key, Body=listing.content)
    return listing.id


def ask(deployment: str, path: str) -> dict[str, Any]:
    """Return the event that asks origin-request for a file."""
    given = copy.deepcopy(event("origin-request-static"))
    request = given["Records"][0]["cf"]["request"]
    origin = DeploymentOrigin(bucket_domain_name(BUCKET, REGION), REGION, deployment, "files", "")
    request["headers"][HEADER] = [{"key": HEADER, "value": encode_stamp("env-123.localhost", 1, origin)}]
    request["uri"] = path.removesuffix("index.html")
    return given


def asks(sites: dict[str, list[str]], each: int) -> Iterator[dict[str, Any]]:
    """Yield requests for some files of each site, one site after the other, all of them twice."""
    rng = random.Random(13)
    chosen = [(deployment, rng.choices(paths, k=each)) for deployment, paths in sites.items()]
    for _ in range(2):
        for deployment, paths in chosen:
            yield from (ask(deployment, path) for path in paths)


def answered(events: Path, environ: dict[str, str], before: str = "") -> tuple[list[float], float]:
    """Ask in a new process; return the CPU of each answer in ms, and the process's peak in MB."""
    script = _ASK.format(events=str(events), blobs=BLOBS)
    return _run(f"{before}exec({script!r})", environ)


def parsed(file: Path, path: str) -> float:
    """Return the CPU, in ms, of finding a path in a list that is JSON, in a new process."""
    return _run(f"exec({_PARSE.format(file=str(file), path=path)!r})", {})[0][0]


def as_json(file: Path, found: dict[str, File]) -> None:
    """Write a list as JSON, as small as it goes."""
    file.write_text(json.dumps({path: list(one) for path, one in found.items()}, separators=(",", ":")))


def _run(script: str, environ: dict[str, str]) -> tuple[list[float], float]:
    done = subprocess.run(python(script), capture_output=True, text=True, env=environ, check=False)
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    if done.returncode or not peak:
        raise RuntimeError(f"{done.stdout[-500:]}{done.stderr[-1500:]}")
    return [float(spent) * 1000 for spent in re.findall(r"^spent (\S+)$", done.stdout, re.M)], int(peak[1]) / 1024
