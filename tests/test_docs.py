"""The documents are true: their commands and their Python run, against the local edge they describe."""

import itertools
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_handler.access.keys import MAX_KEYS
from edge_handler.errors import MalformedPath
from edge_handler.paths import comparable_path
from edge_handler.routes.origin import CustomOrigin, S3Origin
from edge_handler.routes.path_rules import MAX_PATTERN, MAX_RULES, Rule, RuleTable, redirected
from edge_handler.routes.policy import MAX_HEADER_BYTES, MAX_HEADERS, MAX_MESSAGE, MAX_NETWORKS, Policy
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.route import encode_route
from edge_handler.routes.wildcards import FEWEST_LABELS, MOST_LABELS
from edge_handler.snapshot.records import MAX_ROW_BYTES, encode_row
from table_admin.deployments.headers import parse_headers
from table_admin.deployments.redirects import parse_redirects
from table_admin.rule_targets import parse_rule_target
from table_admin.targets import TargetResolver
from tests.local_edge.running import LocalEdge, local_edge
from tests.support import ROOT, route

README = (ROOT / "README.md").read_text()
ROUTING = (ROOT / "docs" / "routing.md").read_text()
BIN = Path(sys.executable).parent


@pytest.fixture
def edge() -> Iterator[LocalEdge]:
    with local_edge() as running:
        yield running


def run(edge: LocalEdge, text: str, folder: Path) -> str:
    """Run a document's commands in one shell, as somebody who follows it does, and then its Python."""
    for block in re.findall(r"```yaml\n(.+?)```", text, re.DOTALL):
        (folder / "routes.yaml").write_text(block)
    lines = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    script = "\n".join(["set -eu", *lines]).replace(".venv/bin/", "")
    for written, here in (
        ("http://127.0.0.1:4566", edge.aws_endpoint),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{edge.port}"),
    ):
        script = script.replace(written, here)
    environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    output = done.stdout
    for block in re.findall(r"```python\n(.+?)```", text, re.DOTALL):
        python = {**environ, "AWS_ENDPOINT_URL": edge.aws_endpoint}
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=folder, env=python, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        output += done.stdout
    return output


def test_the_commands_and_the_python_of_the_readme_run(edge: LocalEdge, tmp_path: Path) -> None:
    output = run(edge, README, tmp_path)
    assert "env-789.localhost" in output
    assert "updated env-123.localhost -> s3://acme-static-sites/env-456 (revision 2" in output
    assert "/env-456/docs/index.html" in output
    assert "the other site" in output
    assert output.endswith("created 1\n")


def test_the_commands_and_the_python_of_the_guide_run(edge: LocalEdge, tmp_path: Path) -> None:
    output = run(edge, (ROOT / "docs" / "table-admin.md").read_text(), tmp_path)
    for part in (
        "created env-42.localhost -> s3://acme-static-sites/env-123",
        "created web-env-43.localhost",
        "target: s3://acme-static-sites/env-123 -> s3://acme-static-sites/env-456",
        "+ beta.shop.localhost",
        "    rule /old: redirect:301:/new -> (none)",
        "    rule /docs/*: (none) -> strip:s3://acme-static-sites/env-456",
        "rule /api/*: strip:https://api.example.com -> (none)",
        "answers 308, to https://www.example.com/some/path?kept=1",
        "deleted *.tenant.example.com (revision 2)",
        "0 created, 0 updated",
        "ok     answer         200",
        "web-env-45.localhost s3://acme-static-sites/env-123",
    ):
        assert part in output, part


def test_the_commands_of_the_page_on_static_sites_run(edge: LocalEdge, tmp_path: Path) -> None:
    output = run(edge, (ROOT / "docs" / "static-sites.md").read_text(), tmp_path)
    assert "http://hello.localhost:8080/" in output.splitlines()
    assert "http://env-77.localhost:8080/" in output.splitlines()
    edge.until(lambda answer: "Hello again" in answer.text, "hello.localhost")  # the rollback, and then the promotion
    assert edge.get("hello.localhost", "/docs").headers["location"] == "/docs/"
    assert edge.table.get("hello.localhost").revision == 4


def test_the_commands_and_the_python_of_the_page_on_routing_run(edge: LocalEdge, tmp_path: Path) -> None:
    output = run(edge, ROUTING, tmp_path)
    for part in ("created shop.localhost", "created *.shop.localhost", "/api/*", "https://api.example.com"):
        assert part in output, part
    assert output.endswith("updated\n")
    links = [line for line in output.splitlines() if "/.well-known/edge-access/link#" in line]
    assert [("#view." in line, "#bypass." in line) for line in links] == [(True, False)] * 3 + [(False, True)]
    preview = edge.table.get("preview.localhost").policy
    assert preview == Policy(noindex=False)
    kept = edge.table.get("shop.localhost").policy
    assert kept == Policy(headers=(("permissions-policy", "camera=()"),))
    assert edge.get("web-env-88.localhost").status == 403
    row = edge.table.get("shop.localhost")
    assert [rule.pattern for rule in row.rules] == ["/api/*"]
    site, other = (f"s3://acme-static-sites/{name}" for name in ("env-123", "env-456"))
    assert (row.target, row.canary, row.standby and row.standby[::2]) == (site, None, (other, False))
    states = [entry.state for entry in edge.table.history("shop.localhost") if entry.state is not None][::-1]
    moves = [(state.target, state.canary.weight if state.canary else None) for state in states]
    cut_over = [(site, 10), (site, 50), (other, None), (other, 5), (other, None)]
    failover = [(site, None), (other, None), (site, None)]
    assert moves[moves.index((site, 10)) :] == [*cut_over, *failover, (site, None)]  # the last one is Python's
    moved = edge.get("old-shop.localhost", "/a?x=1")
    assert (moved.status, moved.headers["location"]) == (308, "https://shop.example.com/a?x=1")
    assert moved.headers["cache-control"] in ROUTING
    edge.until(lambda answer: answer.status == 200, "any.name.shop.localhost")


def test_each_path_of_the_page_on_routing_gets_the_rule_that_it_says() -> None:
    patterns = re.findall(r"`([^`]+)`", re.search(r"With rules for (.+):", ROUTING)[1])  # type: ignore[index]
    table = RuleTable(tuple(Rule(pattern, Redirect("/", 301), 1) for pattern in patterns))
    rows = _table("| path | rule | |")
    assert len(patterns) == 4
    assert len(rows) == 9
    for paths, said, _ in rows:
        for path in re.findall(r"`([^`]+)`", paths):
            try:
                number = table.find(comparable_path(path))
                found = f"`{patterns[number]}`" if number >= 0 else "none"
            except MalformedPath:
                found = "400"
            assert found == said, path


def test_each_redirect_of_the_page_on_routing_leads_where_it_says() -> None:
    rows = _table("| row or rule | asked for | sent to |")
    assert len(rows) == 6
    for written, asked, location in ([cell.strip("`") for cell in row] for row in rows):
        pattern, _, text = written.partition("=") if written.startswith("/") else ("", "", written)
        wanted = parse_rule_target(text)
        redirect = TargetResolver().resolve(wanted.target)
        assert isinstance(redirect, Redirect)
        uri, _, query = asked.partition("?")
        rule = Rule(pattern, redirect, 1, wanted.strip_prefix) if pattern else None
        if rule is not None:
            assert RuleTable((rule,)).find(uri) == 0
        assert redirected(redirect, rule, uri, query) == location, written


def test_the_limits_that_the_page_on_routing_tells_are_the_code_s() -> None:
    told = dict(_table("| | |", after="## Limits"))
    assert told["rules of a row"] == str(MAX_RULES)
    assert told["networks of a row"] == str(MAX_NETWORKS)
    assert told["response headers of a row"].startswith(f"{MAX_HEADERS}, of {MAX_HEADER_BYTES:,} characters")
    assert told["a message of maintenance"] == f"{MAX_MESSAGE} characters"
    assert told["signing keys that count"].startswith(f"{MAX_KEYS}:")
    assert told["a pattern"].startswith(f"{MAX_PATTERN} ")
    assert told["labels after a wildcard's `*`"] == f"{FEWEST_LABELS} to {MOST_LABELS}"
    carried = next(cell for name, cell in told.items() if "performance.md" in name)
    assert MAX_ROW_BYTES == 2 * 1024
    said = r"(\d+) rules that share an origin, (\d+) with a load balancer each, (\d+) with a prefix each, (\d+) with"
    numbers = re.search(said, carried)
    assert numbers
    balancer = CustomOrigin("k8s-1.us-east-1.elb.amazonaws.com", "https", 443, "", "viewer", website=False)
    prefix = S3Origin("acme-static-sites.s3.us-east-1.amazonaws.com", "us-east-1", "/env")
    makers: tuple[Callable[[int], Answering], ...] = (
        lambda _: balancer,
        lambda n: balancer._replace(domain_name=f"k8s-ingress-{n:010}.us-east-1.elb.amazonaws.com"),
        lambda n: prefix._replace(prefix=f"/env-{n:03}"),
        lambda n: Redirect(f"https://www.example.com/somewhere{n}", 301),
    )
    for number, make in zip(map(int, numbers.groups()), makers, strict=True):
        rules = tuple(Rule(f"/section-{n}/*", make(n), 12, target="s3://x") for n in range(number + 3))
        assert encode_row(encode_route(route("shop.example.com", rules=rules[:number])))
        assert not encode_row(encode_route(route("shop.example.com", rules=rules)))


def _table(head: str, after: str = "") -> list[list[str]]:
    """Return the cells of a table of the page on routing."""
    lines = ROUTING[ROUTING.index(after) :].partition(f"{head}\n|")[2].splitlines()[1:]
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_rules_that_the_page_on_static_sites_shows_are_taken() -> None:
    page = (ROOT / "docs" / "static-sites.md").read_text()
    redirects, headers = map(textwrap.dedent, re.findall(r"(?:^    .*\n)+", page, re.MULTILINE))
    assert [rule.status for _, rule in parse_redirects(redirects)] == [301, 301, 200, 200, 404, 302]
    assert [rule.pattern for _, rule in parse_headers(headers)] == ["/*", "/fonts/*", "/embedded/*"]


def test_every_make_target_of_the_docs_exists() -> None:
    targets = set(re.findall(r"`make ([a-z]+)", README)) | set(re.findall(r"^    make ([a-z]+)", README, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text()
    assert {"run", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/deploy.md",
        "docs/examples/README.md",
        "docs/table-admin.md",
        "docs/static-sites.md",
        "docs/routing.md",
        "docs/comparison.md",
        "docs/performance.md",
        "docs/reliability.md",
    ],
)
def test_every_file_that_is_linked_exists(name: str) -> None:
    document = ROOT / name
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in link:
            assert (document.parent / link).exists(), link
    for event in re.findall(r"events/([a-z-]+\.json)", document.read_text()):
        assert (ROOT / "events" / event).exists(), event
