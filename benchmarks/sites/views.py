"""Requests to S3 for 1,000 page views through the played CloudFront: `python -m benchmarks.sites.views`.

A deployment beside `aws s3 sync` and `touch`, whose objects have no lifetime. One cache of CloudFront and one instance
of each function; browsers keep what has a lifetime and ask again for the rest. A thousand views take an hour; visitors
come for four pages each.
"""

import argparse
import asyncio
import mimetypes
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header

from benchmarks.sites.directory import SHARED, shared, site
from benchmarks.sites.server import BUCKET, STACK, client, server
from edge_handler.aws.sigv4 import Credentials
from edge_handler.origin_request import make_handler as origin_request
from edge_handler.routes.resolver import Resolver
from edge_handler.table.reader import Replica, RoutesTable
from edge_handler.viewer_request import make_handler as viewer_request
from local_edge.embedded_aws import REGION
from local_edge.origin import HOP_BY_HOP, end_to_end_headers
from table_admin import RoutingTable
from table_admin.deployments.deploy import deploy as deploy_directory
from tests.local_edge.playing import Played, playing
from tests.support import SETTINGS, Clock

HOST = "www.localhost"
PAGES = 100
SECONDS_A_VIEW = 3.6
WARM, AFTER = "warm", "just after a deploy"
WITH_QUERY, MISSING = 0.05, 0.01
"""Shares of the views: with a campaign's parameter, and of a page that is not there any more."""
Publish = Callable[[RoutingTable, Any, Path], None]


@dataclass(slots=True)
class Phase:
    """What was asked, and of whom."""

    viewers: int = 0
    """Requests of browsers to CloudFront."""
    s3: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Visitor:
    """A browser's cache."""

    clock: Clock
    kept: dict[str, tuple[str, float]] = field(default_factory=dict)
    """ETag, and until when it is fresh, by path."""

    async def get(self, played: Played, path: str, phase: Phase) -> int:
        """Load what is not fresh; return its status."""
        etag, fresh_until = self.kept.get(path, ("", 0.0))
        if self.clock() < fresh_until:
            return 200
        phase.viewers += 1
        answer = await played.get(path, host=HOST, **({"if_none_match": etag} if etag else {}))
        control = parse_cache_control_header(answer.headers.get("cache-control"), cls=ResponseCacheControl)
        if answer.status in (200, 304) and not control.no_store:
            self.kept[path] = answer.headers.get("etag", etag), self.clock() + (control.max_age or 0)
        return answer.status


def deploy(table: RoutingTable, _s3: Any, directory: Path) -> None:
    """Publish a deployment."""
    deploy_directory(table, directory, bucket=BUCKET, domain=HOST)


def sync(table: RoutingTable, s3: Any, directory: Path) -> None:
    """Publish as `aws s3 sync` does, which sends a content type and no Cache-Control, and empty the CDN."""
    for file in directory.rglob("*"):
        if file.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "binary/octet-stream"
            key = f"www/{file.relative_to(directory).as_posix()}"
            s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes(), ContentType=kind)
    if table.put(HOST, f"s3://{BUCKET}/www").action == "unchanged":
        table.touch(HOST)


WAYS: dict[str, Publish] = {"deploy": deploy, "aws s3 sync, touch": sync}


async def measure(publish: Publish, views: int) -> dict[str, Phase]:
    """Publish twice; return what as many views ask for, by name of the phase."""
    clock, rng = Clock(), random.Random(13)
    clock.now = time.time()
    with tempfile.TemporaryDirectory() as name, server() as aws:
        folder = Path(name)
        async with _world(clock, aws) as (played, table, s3, counts):
            visitors: dict[int, Visitor] = {}
            found = {}
            for version, phase in ((1, WARM), (2, AFTER)):
                await asyncio.to_thread(site, folder, PAGES, version)
                await asyncio.to_thread(publish, table, s3, folder)
                clock.now += 2 * SETTINGS.fresh_seconds
                if version == 1:
                    await _see_all(played, clock)
                counts.clear()
                found[phase] = Phase(s3=counts)
                for at in range(views):
                    clock.now += SECONDS_A_VIEW
                    visitor = visitors.setdefault(rng.randrange(at // 4, at // 4 + 200), Visitor(clock))
                    await _view(played, visitor, rng, version, found[phase])
                found[phase].s3 = counts.copy()
    return found


async def _see_all(played: Played, clock: Clock) -> None:
    """Fill CloudFront's cache: all pages with all that is on them."""
    for number in range(PAGES):
        for path in _paths(number, 1):
            await Visitor(clock).get(played, path, Phase())


async def _view(played: Played, visitor: Visitor, rng: random.Random, version: int, phase: Phase) -> None:
    number = rng.choices(range(PAGES), [1 / (rank + 1) for rank in range(PAGES)])[0]
    if rng.random() < MISSING:
        assert await visitor.get(played, f"/old-{number}/", phase) in (403, 404)
        return
    query = f"?utm_source={rng.choice('abc')}" if rng.random() < WITH_QUERY else ""
    page, *files = _paths(number, version)
    for path in (page + query, *files):
        status = await visitor.get(played, path, phase)
        assert status in (200, 304), f"{path}: {status}"


def _paths(number: int, version: int) -> list[str]:
    """Return a page's path, and those of what is on it."""
    page = f"/page-{number}/" if number else "/"
    return [page, *(f"/{shared(extension, version)}" for extension in SHARED), f"/pictures/{number}.svg"]


@asynccontextmanager
async def _world(clock: Clock, aws: str) -> AsyncIterator[tuple[Played, RoutingTable, Any, Counter[str]]]:
    """Play CloudFront before an S3 whose requests are counted."""
    counts = Counter[str]()
    async with ClientSession(auto_decompress=False, timeout=ClientTimeout(total=60)) as session:

        async def count(request: web.BaseRequest) -> web.StreamResponse:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
            url = f"{aws}{request.raw_path}"
            async with session.request(request.method, url, headers=headers, allow_redirects=False) as answer:
                counts[_kind(request, answer.status)] += 1
                kept = end_to_end_headers(answer)
                body = await answer.read()
                if request.method != "HEAD":
                    kept.popall("content-length", None)
                return web.Response(status=answer.status, headers=kept, body=body or None)

        runner = web.ServerRunner(web.Server(count))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        replica = Replica(f"{STACK}-routes", REGION, aws, Credentials("local", "local", ""))
        functions = {
            "viewer-request": viewer_request(Resolver(RoutesTable([replica]), SETTINGS, clock)),
            "origin-request": origin_request(f"http://127.0.0.1:{runner.addresses[0][1]}"),
        }
        async with playing(count, functions=functions) as played:
            played.clock = clock
            played.cloudfront.cache = type(played.cloudfront.cache)(played.cloudfront.distribution, clock)
            table = RoutingTable(STACK, actor="bench", client=lambda name, **said: client(name, aws, **said))
            yield played, table, client("s3", aws), counts
        await runner.cleanup()


def _kind(request: web.BaseRequest, status: int) -> str:
    if "_deployments/" in request.path:
        return "lists"
    return "asked whether it is there" if request.method == "HEAD" else "not modified" if status == 304 else "files"


def table(views: int, found: dict[str, dict[str, Phase]]) -> str:
    """Return everything as Markdown."""
    head = ("files", "not modified", "asked whether it is there", "lists")
    lines = [
        f"| {views:,} page views | published with | browsers' requests | requests to S3 | {' | '.join(head)} |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for way, phases in found.items():
        for name, phase in phases.items():
            parts = " | ".join(f"{phase.s3[kind]:,}" for kind in head)
            lines.append(f"| {name} | {way} | {phase.viewers:,} | {phase.s3.total():,} | {parts} |")
    return "\n".join(lines)


def compare(views: int) -> dict[str, dict[str, Phase]]:
    """Measure both ways; return their phases by name."""
    return {way: asyncio.run(measure(publish, views)) for way, publish in WAYS.items()}


def main() -> None:
    """Print what both ask of S3."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=1_000)
    views = parser.parse_args().views
    print(table(views, compare(views)))


if __name__ == "__main__":
    main()
