"""Who gets an answer and what goes with it, as the command shows it: in plain words, and no secret."""

import json
from pathlib import Path
from typing import Any

from table_admin import RoutingTable
from tests.table_admin.conftest import Command

A = "s3://acme-static-sites/env-a"
HOST = "www.example.com"
SAID: dict[str, Any] = {
    "private": True,
    "allow": ["203.0.113.0/24", "2001:db8::/32"],
    "noindex": True,
    "headers": {"x-frame-options": "DENY", "x-powered-by": ""},
    "maintenance": {"retry_after": "10m", "message": "Back at noon."},
}
DIFFERENT = """\
private: no -> yes
allow: everybody -> 2001:db8::/32, 203.0.113.0/24
noindex: (as it expires or not) -> yes
header x-frame-options: (none) -> DENY
header x-powered-by: (none) -> (taken away)
maintenance: no -> Retry-After 600, 'Back at noon.'
"""


def test_get_says_it_in_plain_words(command: Command, table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(HOST, A, policy=SAID)
    assert (
        "private:     since revision 2\n"
        "allow:       2001:db8::/32, 203.0.113.0/24\n"
        "noindex:     yes\n"
        "headers:     x-frame-options: DENY\n"
        "             x-powered-by: (taken away)\n"
        "maintenance: since revision 2; Retry-After 600, 'Back at noon.'\n"
    ) in command("get", HOST)[1]
    table.put("env-1.example.com", A, expires_in="1d")
    found = command("get", "env-1.example.com")[1]
    assert "private:     no\nallow:       everybody\nnoindex:     yes, since it expires\nheaders:\n" in found
    table.put(HOST, A, policy={"noindex": None})
    assert "noindex:     no (nothing is said)\n" in command("get", HOST)[1]


def test_list_history_diff_and_watch_show_it(command: Command, table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(HOST, A, policy=SAID)
    words = "private,allow,maintenance,noindex,headers"
    assert [line.split()[-1] for line in command("list")[1].splitlines()] == ["POLICY", words]
    assert [line.split()[-1] for line in command("history", HOST)[1].splitlines()[1:]] == [words, table.actor]
    assert command("diff", HOST)[1] == DIFFERENT
    news = command("watch", "--since", "1h", "--once")[1]
    assert f"{HOST} -> {A} (revision 2, private, allow, maintenance, noindex, headers, by " in news
    table.put(HOST, A, policy={"noindex": False, "headers": {"x-frame-options": "SAMEORIGIN", "x-powered-by": None}})
    assert command("diff", HOST)[1] == (
        "noindex: yes -> no\nheader x-frame-options: DENY -> SAMEORIGIN\nheader x-powered-by: (taken away) -> (none)\n"
    )
    assert json.loads(command("diff", HOST, "--json")[1])["noindex"] == [True, False]
    table.put(HOST, A, policy={"headers": {"x-robots-tag": "none"}})
    assert command("diff", HOST)[1] == "header x-robots-tag: (none) -> none\n", "of headers that stay nothing is said"
    assert command("list")[1].splitlines()[-1].split()[-1] == "private,allow,maintenance,index,headers"


def test_a_plan_shows_it_a_line_each(command: Command, table: RoutingTable, tmp_path: Path) -> None:
    file = tmp_path / "routes.json"
    file.write_text(json.dumps({"owner": "shop", "routes": {HOST: {"target": A, **SAID}}}))
    lines = "".join(f"    {line}\n" for line in DIFFERENT.splitlines())
    assert command("plan", str(file))[1].startswith(f"+ {HOST}  {A}\n{lines}Plan ")
    assert command("apply", str(file), "--yes")[0] == 0
    assert command("plan", str(file), "--exit-code")[0] == 0
    file.write_text(json.dumps({"owner": "shop", "routes": {HOST: {"target": A, **SAID, "private": False}}}))
    assert command("plan", str(file))[1].startswith(f"~ {HOST}\n    private: yes -> no\nPlan ")
