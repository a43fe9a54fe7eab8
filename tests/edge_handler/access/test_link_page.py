"""The script of the page that a link opens, as a JavaScript engine runs it."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from edge_handler.access.pages import LINK_REFUSED, UNKNOWN, checking
from tests.support import need

PAGE = "https://env-123.localhost/.well-known/edge-access/link"
STAGE = """
const [href, status] = JSON.parse(process.argv[1]), seen = {asked: null, to: null, text: {}};
const location = {href, hash: new URL(href).hash, pathname: new URL(href).pathname, origin: new URL(href).origin,
  replace: to => { seen.to = new URL(to, href).href; }};
const document = {querySelector: name => ({set textContent(text) { seen.text[name] = text; }})};
const fetch = async (path, options) => {
  seen.asked = [path, options.headers.authorization, options.cache];
  if (!status) throw new TypeError("no network");
  return {status, ok: status < 300};
};
"""


def opened(fragment: str, status: int = 204) -> dict[str, Any]:
    node = shutil.which("node")
    need(node, "node (apt-get install nodejs)")
    body = checking({"headers": {"host": [{"value": "env-123.localhost"}]}}, "id")["body"]
    (script,) = re.findall("<script>(.*)</script>", body, re.DOTALL)
    whole = f"{STAGE}{script}\nsetTimeout(() => console.log(JSON.stringify(seen)), 0);"
    command = [str(node), "--eval", whole, json.dumps([PAGE + fragment, status])]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


@pytest.mark.parametrize(
    ("fragment", "to"),
    [
        ("#view.1.a.b", "/"),
        ("#view.1.a.b&to=/docs/?a=1&b=%20#part", "/docs/?a=1&b=%20#part"),
        ("#view.1.a.b&to=/a&to=/b", "/a&to=/b"),
        ("#view.1.a.b&to=", "/"),
        ("#view.1.a.b&to=//evil.example/", "/"),
        ("#view.1.a.b&to=/\\evil.example/", "/"),
        ("#view.1.a.b&to=/%09/evil.example/", "/%09/evil.example/"),
        ("#view.1.a.b&to=https://evil.example/", "/"),
        ("#view.1.a.b&to=javascript:alert(1)", "/"),
        ("#view.1.a.b&to=docs", "/"),
    ],
)
def test_the_token_is_handed_over_and_the_viewer_goes_on_on_this_host_alone(fragment: str, to: str) -> None:
    found = opened(fragment)
    assert found["asked"] == ["/.well-known/edge-access/link", "Bearer view.1.a.b", "no-store"]
    assert found["to"] == f"https://env-123.localhost{to}"


@pytest.mark.parametrize(
    ("fragment", "status", "title"),
    [
        ("#t", 401, LINK_REFUSED.title),
        ("#t", 503, UNKNOWN.title),
        ("#t", 200, UNKNOWN.title),
        ("#t", 0, UNKNOWN.title),
        ("", 204, "This link is not whole"),
        ("#", 204, "This link is not whole"),
        ("#&to=/x", 204, "This link is not whole"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_stays(fragment: str, status: int, title: str) -> None:
    found = opened(fragment, status)
    assert (found["to"], found["text"]["h1"]) == (None, title)
    assert found["text"]["main p:last-of-type"]
