"""What the first page of the README promises, asked of the running thing."""

import contextlib
import hashlib
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_handler.routes.route import encode_route
from local_edge.nginx import nginx_path
from tests.local_edge.running import LocalEdge, local_edge
from tests.support import event, need, route, wait_until


def make_site(edge: LocalEdge, name: str, text: str = "hello") -> str:
    """Upload a site and route a host of the same name to it."""
    for key in ("index.html", "docs/index.html", "caf\u00e9/a b+c.txt"):
        edge.client("s3").put_object(
            Bucket="acme-static-sites",
            Key=f"{name}/{key}",
            Body=f"{text} {key}".encode(),
            CacheControl="public, max-age=300",
        )
    host = f"{name}.localhost"
    edge.table.put(host, f"s3://acme-static-sites/{name}")
    return host


def test_the_demo_shows_two_sites_and_a_service(edge: LocalEdge) -> None:
    assert "The mountain shop" in edge.get("env-123.localhost").text
    assert "The moon observatory" in edge.get("env-456.localhost").text
    page = edge.get("env-789.localhost").text
    assert '<dd id="count">1229</dd>' in page


def test_the_demo_has_a_wildcard_for_all_names_that_have_no_row(edge: LocalEdge) -> None:
    for host in ("acme.tenant.localhost", "a.b.tenant.localhost"):
        assert "A site for every tenant" in edge.get(host).text
    assert edge.get("tenant.localhost").status == 404
    host = "own.tenant.localhost"
    edge.table.put(host, "s3://acme-static-sites/env-456")
    edge.until(lambda answer: "The moon observatory" in answer.text, host)
    edge.table.delete(host)
    edge.until(lambda answer: "A site for every tenant" in answer.text, host)


def test_the_demo_has_a_service_under_a_path_of_a_static_site(edge: LocalEdge) -> None:
    assert "The number market" in edge.get("market.localhost").text
    for path in ("/api/primes", "/%61pi/primes", "//api//primes"):
        found = json.loads(edge.get("market.localhost", path, x_forwarded_prefix="/forged").body)
        assert (found["path"], found["prefix"], found["count"]) == ("/primes", "/api", 1229)
    # Not under the rule's prefix: the site answers, with its only page.
    assert "The number market" in edge.get("market.localhost", "/apis/primes").text
    assert edge.get("market.localhost", "/api/../primes").status == 400
    assert edge.get("market.localhost", "/api/echo", "POST", b"body").body == b"body"
    assert edge.get("market.localhost", "/echo", "POST", b"body").status == 405


def test_the_demo_has_an_old_name_that_is_redirected(edge: LocalEdge) -> None:
    answer = edge.get("old-market.localhost", "/api/primes?below=100")
    assert (answer.status, answer.x_cache) == (308, "LambdaGeneratedResponse")
    assert answer.headers["location"] == f"http://market.localhost:{edge.port}/api/primes?below=100"


def test_the_demo_has_sites_that_do_not_answer_everybody(edge: LocalEdge) -> None:
    for path in ("/", "/api/primes", "/style.css"):
        assert edge.ask("private.localhost", path).status == 403
    office = edge.ask("office.localhost")
    assert office.status == 403
    assert "127.0.0.1" in office.text
    mended = edge.ask("maintenance.localhost", method="POST", body=b"x")
    assert (mended.status, mended.headers["retry-after"]) == (503, "1800")
    assert "Orders are safe" in mended.text
    for answer in (office, mended):
        assert (answer.headers["cache-control"], answer.headers["x-robots-tag"]) == ("no-store", "noindex")


def test_the_demo_s_link_begins_a_session_that_the_service_is_not_told_of(edge: LocalEdge) -> None:
    link = re.search(r"http://(private\.localhost):\d+(/\S+)#(\S+)", edge.banner)
    assert link
    host, path, token = link.groups()
    session = edge.ask(host, path, Authorization=f"Bearer {token}")
    assert session.status == 204
    cookie = f"a=1; {session.headers['set-cookie'].partition(';')[0]}; b=2"
    assert "The autumn catalogue" in edge.get(host, Cookie=cookie).text
    told = json.loads(edge.get(host, "/api/headers", Cookie=cookie, Authorization="Basic eDp5").text)["headers"]
    assert [value for name, value in told if name in ("cookie", "authorization")] == ["Basic eDp5", "a=1; b=2"]
    assert edge.ask(host).status == 403  # with what the CDN keeps now


def test_the_demo_s_key_is_the_one_that_the_sample_of_a_session_is_signed_with(edge: LocalEdge) -> None:
    request = event("viewer-request-session")["Records"][0]["cf"]["request"]
    host, cookie = (request["headers"][name][0]["value"] for name in ("host", "cookie"))
    assert edge.get(host, request["uri"], Cookie=cookie).status == 200


def test_the_sample_of_who_asks_the_edge_is_answered(edge: LocalEdge) -> None:
    request = event("viewer-request-ask-edge")["Records"][0]["cf"]["request"]
    host, token = (request["headers"][name][0]["value"] for name in ("host", "x-route-debug"))
    answer = edge.get(host, request["uri"], X_Route_Debug=token)
    assert json.loads(answer.body)["rule"] == "/api/*"
    assert answer.x_cache == "LambdaGeneratedResponse"


def test_the_demo_has_a_site_with_headers_of_its_own(edge: LocalEdge) -> None:
    for path, status in (("/", 200), ("/style.css", 200), ("/nothing.js", 404)):
        answer = edge.get("headers.localhost", path)
        assert answer.status == status
        assert answer.headers["permissions-policy"] == "camera=()"
        assert answer.headers["x-robots-tag"] == "noindex"
    assert edge.get("headers.localhost").headers["cache-control"] == "public, max-age=60"
    assert "x-robots-tag" not in edge.get("env-123.localhost").headers


def test_the_demo_s_canary_is_shown_to_who_its_cookies_say(edge: LocalEdge) -> None:
    seen = {visitor: edge.get("canary.localhost", Cookie=f"visitor={visitor}").text for visitor in range(1000, 1006)}
    for visitor, text in seen.items():
        assert ("The bakery, as it was" in text) != ("The bakery, as it will be" in text)
        assert edge.get("canary.localhost", Cookie=f"visitor={visitor}").text == text
    assert [visitor for visitor, text in seen.items() if "as it will be" in text] == [1002, 1003]
    # The samples say the same, of the demo's row.
    for name, title in (("cookie", "as it was"), ("choice", "as it will be")):
        request = event(f"viewer-request-canary-{name}")["Records"][0]["cf"]["request"]
        cookie = request["headers"]["cookie"][0]["value"]
        assert title in edge.get("canary.localhost", request["uri"], Cookie=cookie).text


def test_the_demo_has_a_site_with_a_standby_that_has_a_url_of_its_own(edge: LocalEdge) -> None:
    row = edge.table.get("failover.localhost")
    assert row.standby is not None
    assert (row.standby.target, row.standby.failed_over) == (edge.table.get("standby.localhost").target, False)
    assert "This is the <strong>primary</strong>" in edge.get("failover.localhost").text
    assert "This is the <strong>standby</strong>" in edge.get("standby.localhost").text


def test_the_second_request_is_a_hit(edge: LocalEdge) -> None:
    host = make_site(edge, "hit")
    first, second = (edge.get(host, method="HEAD") for _ in range(2))
    assert (first.x_cache, second.x_cache) == ("Miss", "Hit")
    assert (edge.get(host).x_cache, edge.get(host).x_cache) == ("Miss", "Hit")
    hit = edge.get(host)
    assert "age" in hit.headers
    assert edge.get(host, If_None_Match=hit.headers["etag"]).status == 304


def test_a_cut_over_is_seen_after_the_fresh_time_without_an_invalidation(edge: LocalEdge) -> None:
    host = make_site(edge, "cut-over", "old")
    make_site(edge, "other-site", "new")
    assert edge.get(host).text == "old index.html"
    assert edge.get(host).x_cache == "Hit"
    edge.table.put(host, "s3://acme-static-sites/other-site")
    assert edge.until(lambda answer: answer.text == "new index.html", host).x_cache == "Miss"
    edge.logged(lambda line: host in line and ";2;s3;" in line)
    log = [line for line in edge.log if line.startswith("200") and host in line]
    assert ";1;s3;" in log[0]
    assert ";2;s3;" in log[-1]


def test_what_cannot_be_served_has_its_status(edge: LocalEdge) -> None:
    edge.client("dynamodb").put_item(
        TableName="edge-routing-routes",
        Item=encode_route(route("expired.localhost", expires_at=1, lifetime="ephemeral")),
    )
    edge.client("dynamodb").put_item(TableName="edge-routing-routes", Item={"domain": {"S": "damaged.localhost"}})
    hosts = {"unknown.localhost": 404, "expired.localhost": 410, "damaged.localhost": 502, "a..b": 400, "a" * 300: 400}
    for host, status in hosts.items():
        answer = edge.get(host, Accept="text/html")
        assert (answer.status, answer.headers["cache-control"]) == (status, "no-store")
        assert "<h1>" in answer.text
        assert answer.headers["x-request-id"] == answer.headers["x-amz-cf-id"]
    assert json.loads(edge.get("unknown.localhost", Accept="application/json").text)["status"] == 404


def test_a_clients_stamp_changes_nothing_and_no_origin_sees_it(edge: LocalEdge) -> None:
    forged = "1;env-123.localhost;1;s3;acme-static-sites.s3.us-east-1.amazonaws.com;us-east-1;/env-456"
    assert edge.get("env-123.localhost", x_route=forged).body == edge.get("env-123.localhost").body
    seen = dict(json.loads(edge.get("env-789.localhost", "/headers", x_route=forged).text)["headers"])
    assert "x-route" not in seen
    assert seen["host"] == seen["x-forwarded-host"] == "env-789.localhost"


def test_the_ingress_refuses_what_did_not_come_through_the_edge(edge: LocalEdge) -> None:
    seen = edge.get("env-789.localhost", "/headers", x_origin_verify="forged")
    assert seen.status == 200
    assert "x-origin-verify" not in seen.text
    ingress = re.search(r"^on (\d+)", edge.banner, re.MULTILINE)
    assert ingress
    beside = LocalEdge(int(ingress[1]), edge.aws_endpoint, "", [])
    assert beside.get("env-789.localhost").status == 403


def test_security_headers_are_added_where_the_origin_says_nothing(edge: LocalEdge) -> None:
    for answer in (edge.get("env-123.localhost"), edge.get("env-789.localhost")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_a_service_gets_cookies_query_string_and_authorization(edge: LocalEdge) -> None:
    answer = edge.get("env-789.localhost", "/headers?a=1&b=%20", Cookie="session=1", Authorization="Basic eDp5")
    seen = json.loads(answer.text)
    assert seen["path"] == "/headers?a=1&b=%20"
    assert ["cookie", "session=1"] in seen["headers"]
    assert ["authorization", "Basic eDp5"] in seen["headers"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_methods_and_bodies_reach_the_service(edge: LocalEdge, method: str) -> None:
    body = bytes(range(256)) * 4096
    answer = edge.get("env-789.localhost", "/echo", method, body)
    assert (answer.status, answer.headers["x-method"]) == (200, method)
    assert answer.body == body


def test_an_upload_of_100_mb_in_chunks_passes_and_is_nowhere_held(edge: LocalEdge) -> None:
    need(nginx_path(), "nginx (apt-get install nginx)")

    def peak() -> int:
        status = Path(f"/proc/{edge.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    chunk, chunks = bytes(range(256)) * 4096, 100
    before = peak()
    connection = http.client.HTTPConnection("127.0.0.1", edge.port)
    connection.request("POST", "/upload", (chunk for _ in range(chunks)), {"Host": "env-789.localhost"})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (
        200,
        {"bytes": chunks * len(chunk), "sha256": hashlib.sha256(chunk * chunks).hexdigest()},
    )
    connection.close()
    assert peak() - before < 30 * len(chunk)


def test_a_request_is_as_long_as_cloudfront_takes_and_no_longer(edge: LocalEdge) -> None:
    assert edge.get("env-123.localhost", "/", Cookie="x" * 15_000).status == 200
    assert edge.get("env-123.localhost", "/", Cookie="x" * 21_000).status == 413
    assert edge.get("env-123.localhost", "/?" + "x" * 8_000).status == 200
    assert edge.get("env-123.localhost", "/?" + "x" * 9_000).status == 413
    assert edge.get("env-123.localhost", "/" + "+" * 3_000).status == 404


def test_other_methods_are_405_on_a_static_site(edge: LocalEdge) -> None:
    answer = edge.get("env-123.localhost", method="POST", body=b"x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("query", ["list-type=2", "response-content-type=text/plain", "versionId=x", "acl"])
def test_no_query_string_steers_the_bucket(edge: LocalEdge, query: str) -> None:
    edge.table.put("prefix.localhost", "s3://acme-static-sites/env-123")
    for host, kind in (("env-123.localhost", "text/html; charset=utf-8"), ("prefix.localhost", "text/html")):
        plain, steered = edge.get(host, "/"), edge.get(host, f"/?{query}")
        assert (steered.status, steered.body) == (200, plain.body)
        assert steered.headers["content-type"] == plain.headers["content-type"] == kind


def test_a_static_site_behaves_like_a_web_server(edge: LocalEdge) -> None:
    host = make_site(edge, "web-server")
    assert edge.get(host, "/docs/").text == "hello docs/index.html"
    redirect = edge.get(host, "/docs")
    assert (redirect.status, redirect.headers["location"]) == (308, "/docs/")
    assert edge.get(host, "/caf%C3%A9/a%20b+c.txt").text == "hello caf\u00e9/a b+c.txt"
    assert edge.get(host, "/nothing.txt").status == 404
    assert edge.get(host, "/%2e%2e/env-456/index.html").status == 400
    part = edge.get(host, "/", Range="bytes=0-4")
    assert (part.status, part.text) == (206, "hello")
    assert edge.get(host, "/").x_cache == "Miss"
    part = edge.get(host, "/", Range="bytes=6-10")
    assert (part.status, part.text, part.x_cache) == (206, "index", "Hit")


def test_another_bucket_is_read_with_origin_requests_own_signature(edge: LocalEdge) -> None:
    s3 = edge.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="acme-eu-sites", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="acme-eu-sites", Key="here/index.html", Body=b"from the other bucket")
    edge.table.put("eu.localhost", "s3://acme-eu-sites/here")
    assert edge.get("eu.localhost").text == "from the other bucket"


def test_a_domain_that_comes_back_never_shows_its_former_self(edge: LocalEdge) -> None:
    host = make_site(edge, "reborn", "former")
    assert edge.get(host).text == "former index.html"
    edge.table.delete(host)
    edge.until(lambda answer: answer.status == 404, host)
    make_site(edge, "reborn", "new")
    assert edge.until(lambda answer: answer.status != 404, host).text == "new index.html"
    assert [entry.revision for entry in edge.table.history(host)] == [3, 2, 1]


def test_extending_an_expiry_leaves_the_cache_warm_and_touch_empties_it(edge: LocalEdge) -> None:
    host = make_site(edge, "warm")
    edge.table.put(host, "s3://acme-static-sites/warm", expires_in="1d")
    edge.wait_fresh()
    edge.get(host)
    edge.table.put(host, "s3://acme-static-sites/warm", expires_in="7d")
    edge.wait_fresh()
    assert edge.get(host).x_cache == "Hit"
    edge.table.touch(host)
    edge.until(lambda answer: answer.x_cache == "Miss", host)


def test_the_log_says_host_status_cache_route_and_stages(edge: LocalEdge) -> None:
    edge.get("env-123.localhost", "/style.css")
    line = edge.logged(lambda line: "env-123.localhost/style.css" in line)[0]
    for part in ("200 Miss", ";1;deployment;", "viewer-request", "origin-request", "origin ", "total"):
        assert part in line


def test_the_log_says_from_where_a_route_was_known(edge: LocalEdge) -> None:
    def source(host: str) -> str:
        edge.get(host)
        line = edge.logged(lambda line: f" {host}/" in line)[-1]
        return line.partition("] from ")[2].partition(" ")[0]

    wait_until(lambda: source("env-456.localhost") in ("memory", "snapshot", "feed"))
    assert source("nobody-has-asked-for-this.localhost") == "table"


def test_a_taken_port_is_one_clear_line(edge: LocalEdge) -> None:
    command = [sys.executable, "-m", "local_edge", "--aws-port", "0", "--port", str(edge.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"port {edge.port} is taken; choose another: make run PORT=8081" in done.stderr
    assert "Traceback" not in done.stderr
    command = [sys.executable, "-m", "local_edge", "--aws-port", edge.aws_endpoint.rpartition(":")[2], "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "make run AWS_PORT=4567" in done.stderr


class Proxy:
    """Between the edge and its table, so that a test can cut the line."""

    def __init__(self) -> None:
        self.cut = False
        self.upstream = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self.cut or not self.upstream:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.upstream))
            self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while chunk := one.recv(65536):
                other.sendall(chunk)
        except OSError:
            pass
        for end in (one, other):
            end.close()

    def break_line(self) -> None:
        self.cut = True
        for end in self._open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def test_known_hosts_outlive_the_table_and_changes_are_seen_when_it_is_back() -> None:
    proxy = Proxy()
    with local_edge("--table-endpoint", f"http://127.0.0.1:{proxy.port}") as edge:
        proxy.upstream = int(edge.aws_endpoint.rpartition(":")[2])
        assert edge.get("env-123.localhost").status == 200
        assert edge.get("env-789.localhost").status == 200
        proxy.break_line()
        edge.table.put("env-123.localhost", "s3://acme-static-sites/env-456")
        for _ in range(4):
            edge.wait_fresh()
            assert "The mountain shop" in edge.get("env-123.localhost").text
            assert edge.get("env-789.localhost").status == 200
        unknown = edge.ask("never-seen.localhost")
        assert unknown.status == 503
        assert int(unknown.headers["retry-after"]) >= 1
        proxy.cut = False
        edge.until(lambda answer: "The moon observatory" in answer.text, "env-123.localhost")
        assert edge.get("never-seen.localhost").status == 404


def test_many_open_websockets_keep_nobody_waiting(edge: LocalEdge) -> None:
    opening = (
        "GET /live HTTP/1.1\r\nHost: env-789.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    edge.get("env-789.localhost")  # the route is known from now on
    with contextlib.ExitStack() as stack:
        for _ in range(120):
            viewer = stack.enter_context(socket.create_connection(("127.0.0.1", edge.port)))
            viewer.sendall(opening.encode())
            assert viewer.recv(12) == b"HTTP/1.1 101"
        assert edge.get("env-123.localhost", "/?other").status == 200
        assert edge.get("env-789.localhost", "/headers").status == 200
