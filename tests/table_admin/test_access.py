"""Links, passwords and keys of private domains: what the edge would say of them, and where none of it is found."""

import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.access.guard import Guard
from edge_handler.access.keys import hash_password
from edge_handler.access.session import Key, is_signed, read_token
from edge_handler.routes.resolver import Resolver
from edge_handler.table.reader import RoutesTable
from edge_handler.viewer_request import make_handler
from local_edge.embedded_aws import EmbeddedAws
from table_admin import Access, InvalidInput, Link, NotFound, RevisionConflict, RoutingTable, TableAdminError
from table_admin.environments import up
from table_admin.maintenance import switch_off, switch_on
from table_admin.rollback import rollback
from tests.support import SETTINGS, Clock, header, run
from tests.table_admin.conftest import Command

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST, OTHER = "env-1.example.com", "env-2.example.com"
PRIVATE = {"private": True}
BEGIN = f"https://{HOST}/.well-known/edge-access/link#"


def item(table: RoutingTable, domain: str) -> Any:
    key = {"domain": {"S": domain}}
    return table.tables.dynamodb.get_item(TableName=f"{table.stack}-access", Key=key).get("Item")


def keys(table: RoutingTable) -> list[Key]:
    """Return the signing keys as the edge reads them."""
    found = item(table, "*")["keys"]["L"]
    return [Key(one["M"]["id"]["S"], bytes(one["M"]["secret"]["B"])) for one in found]


def opens(table: RoutingTable, url: str, domain: str = HOST, *, bypass: bool = False) -> bool:
    """Tell whether the edge lets in by a link, now, by its own code."""
    text = url.partition("#")[2].partition("&")[0]
    token, policy = read_token(text), table.get(domain).policy
    assert token is not None
    assert policy is not None
    assert token.kind == ("bypass" if bypass else "view")
    since = policy.private if not bypass else policy.maintenance.since if policy.maintenance else 0
    return is_signed(token, "link", domain, since, keys(table), table.clock())


def everything_written(table: RoutingTable) -> str:
    """Return what rows and history hold."""
    tables = (table.tables.routes, table.tables.history)
    return repr([table.tables.dynamodb.scan(TableName=name)["Items"] for name in tables])


def test_a_link_is_good_for_its_domain_until_it_expires(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    for domain in (HOST, OTHER):
        table.put(domain, A, policy=PRIVATE)
    link = Access(table).link(HOST)
    assert link.url.startswith(BEGIN)
    assert (link.domain, link.host, link.kind, link.expires_at) == (HOST, HOST, "view", int(clock.now) + 7 * 86_400)
    assert opens(table, link.url)
    assert not opens(table, link.url, OTHER)
    clock.now += 7 * 86_400 - 1
    assert opens(table, link.url)
    clock.now += 1
    assert not opens(table, link.url)


def test_a_link_lasts_as_long_as_asked_and_leads_where_asked(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    link = Access(table).link(HOST, expires_in="1h", to="/docs/é?a=b c&d#e", edge="http://{domain}:8080/")
    assert link.url.startswith(f"http://{HOST}:8080/.well-known/edge-access/link#view.")
    assert link.url.endswith("&to=/docs/%C3%A9?a=b%20c&d#e")
    assert opens(table, link.url)
    assert link.expires_at <= table.clock() + 3600


@pytest.mark.parametrize("to", ["", "docs", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb"])
def test_a_link_leads_to_no_other_host(table: RoutingTable, to: str) -> None:
    table.put(HOST, A, policy=PRIVATE)
    with pytest.raises(InvalidInput, match="no path on the link's own host"):
        Access(table).link(HOST, to=to)


def test_a_wildcards_link_is_for_one_of_its_hosts_and_signed_for_all(table: RoutingTable) -> None:
    table.put("*.example.com", A, policy=PRIVATE)
    link = Access(table).link(HOST)
    assert (link.domain, link.host) == ("*.example.com", HOST)
    assert link.url.startswith(BEGIN)
    assert opens(table, link.url, "*.example.com")
    with pytest.raises(InvalidInput, match="name one of its hosts"):
        Access(table).link("*.example.com")


def test_nobody_is_let_in_to_what_is_not_private_not_there_or_over(table: RoutingTable) -> None:
    table.clock = clock = Clock()
    access = Access(table)
    for call in (access.link, access.password, access.revoke):
        with pytest.raises(NotFound, match="no route"):
            call(HOST)
    table.put(HOST, A, expires_in="1h")
    for call in (access.link, access.password, access.revoke):
        with pytest.raises(InvalidInput, match=f"table-admin put {HOST} {A} --private"):
            call(HOST)
    with pytest.raises(InvalidInput, match="is not in maintenance"):
        access.link(HOST, bypass=True)
    table.put(HOST, A, policy=PRIVATE)
    access.link(HOST)
    clock.now += 3601
    for call in (access.link, access.password):
        with pytest.raises(NotFound, match="has expired"):
            call(HOST)


def test_a_revoked_link_opens_nothing_and_the_history_says_who_did_it(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    before, password = access.link(HOST), access.password(HOST)
    change = access.revoke(HOST)
    assert (change.action, change.revision, change.before and change.before.generation) == ("updated", 2, 1)
    assert change.after
    assert change.after.generation == 1  # the CDN keeps what it has
    assert not opens(table, before.url)
    assert opens(table, access.link(HOST).url)
    newest = next(table.history(HOST))
    assert (newest.action, newest.updated_by, newest.note) == ("put", "tester", "links, sessions and password revoked")
    assert password.password not in everything_written(table)
    assert item(table, HOST) is None  # nor is the hash kept


def test_revoking_leaves_the_password_of_after_it(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    access.revoke(HOST)
    access.password(HOST)
    assert int(item(table, HOST)["since"]["N"]) == table.get(HOST).policy.private  # type: ignore[union-attr]
    table.put(HOST, A, note="looked at it")
    assert item(table, HOST) is not None
    access.revoke(HOST, note="left the company", if_revision=3)
    assert (item(table, HOST), table.get(HOST).note) == (None, "left the company")
    with pytest.raises(RevisionConflict):
        access.revoke(HOST, if_revision=3)


def test_no_rollback_brings_a_revoked_link_back(table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    links = [access.link(HOST)]
    access.revoke(HOST)
    table.put(HOST, B)
    rollback(table, [HOST])  # to A, as revoked
    assert table.get(HOST).target == A
    assert not opens(table, links[0].url)
    links.append(access.link(HOST))
    rollback(table, [HOST], to=2)  # from before it was revoked
    assert [opens(table, link.url) for link in links] == [False, True]
    table.put(HOST, A, policy={"private": False})
    rollback(table, [HOST], to=2)
    assert [opens(table, link.url) for link in links] == [False, False]
    table.delete(HOST)
    rollback(table, [HOST], to=2)
    assert not any(opens(table, link.url) for link in links)


def test_what_is_made_again_under_the_same_name_is_not_opened_by_former_links(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    link = Access(table).link(HOST)
    table.put(HOST, B)
    assert opens(table, link.url)  # it was private all the time
    table.delete(HOST)
    table.put(HOST, A, policy=PRIVATE)
    assert not opens(table, link.url)


def test_a_dry_run_revokes_nothing(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    link = Access(table).link(HOST)
    Access(table).password(HOST)
    assert Access(table).revoke(HOST, dry_run=True).revision == 2
    assert opens(table, link.url)
    assert item(table, HOST) is not None


def test_a_bypass_is_for_one_maintenance_and_revoked_with_the_links(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    switch_on(table, [HOST])
    bypass = access.link(HOST, bypass=True)
    assert bypass.kind == "bypass"
    assert opens(table, bypass.url, bypass=True)
    switch_on(table, [HOST], message="Back at 9.")
    assert opens(table, bypass.url, bypass=True)
    access.revoke(HOST)
    assert not opens(table, bypass.url, bypass=True)
    again = access.link(HOST, bypass=True)
    switch_off(table, [HOST])
    switch_on(table, [HOST])
    assert not opens(table, again.url, bypass=True)


def test_revoking_what_is_in_maintenance_only_ends_its_bypass(table: RoutingTable) -> None:
    table.put(HOST, A)
    switch_on(table, [HOST])
    bypass = Access(table).link(HOST, bypass=True)
    Access(table).revoke(HOST)
    assert not opens(table, bypass.url, bypass=True)
    assert table.get(HOST).policy.private == 0  # type: ignore[union-attr]


def test_a_password_is_kept_as_its_hash_only_and_says_of_which_time_it_is(table: RoutingTable) -> None:
    table.put(HOST, A)
    table.put(HOST, A, policy=PRIVATE)
    made = Access(table).password(HOST, name="design")
    kept = item(table, HOST)
    assert set(kept) == {"domain", "name", "salt", "hash", "since", "updated_at", "updated_by"}
    salt = bytes(kept["salt"]["B"])
    assert (len(salt), kept["name"], kept["since"], kept["updated_by"]) == (
        16,
        {"S": "design"},
        {"N": "2"},
        {"S": "tester"},
    )
    assert bytes(kept["hash"]["B"]) == hash_password(made.password, salt)
    assert len(bytes(kept["hash"]["B"])) == 32
    assert made.url == f"https://{HOST}/.well-known/edge-access/password"
    assert made.password not in repr(made) + repr(kept) + everything_written(table)


def test_a_password_is_anothers_each_time_and_has_enough_to_guess(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    made = {Access(table).password(HOST).password for _ in range(20)}
    assert len(made) == 20
    assert all(len(one.replace("-", "")) == 20 for one in made)


def test_a_password_comes_with_the_key_that_its_sessions_are_signed_with(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    Access(table).password(HOST)
    assert len(keys(table)) == 1


def test_a_password_under_a_wildcard_is_the_wildcards(table: RoutingTable) -> None:
    table.put("*.example.com", A, policy=PRIVATE)
    made = Access(table).password(HOST)
    assert (made.domain, made.host) == ("*.example.com", HOST)
    assert item(table, HOST) is None
    assert item(table, "*.example.com") is not None


@pytest.mark.parametrize("password", ["", "short", "a" * 129, "pässwörter", "two\nlines", "tab\there"])
def test_a_password_that_cannot_be_typed_or_is_too_short_is_refused_unseen(table: RoutingTable, password: str) -> None:
    table.put(HOST, A, policy=PRIVATE)
    with pytest.raises(InvalidInput, match="A password") as caught:
        Access(table).password(HOST, password=password)
    assert not password or password not in str(caught.value)
    assert item(table, HOST) is None


@pytest.mark.parametrize("name", ["", "a:b", "a" * 65, "é", "a\n"])
def test_a_name_that_basic_authentication_has_no_place_for_is_refused(table: RoutingTable, name: str) -> None:
    table.put(HOST, A, policy=PRIVATE)
    with pytest.raises(InvalidInput, match="no name to sign in with"):
        Access(table).password(HOST, name=name)


def test_former_keys_verify_until_they_are_the_fourth(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    links = [access.link(HOST)]
    first = keys(table)[0].id
    for number in (1, 2):
        done = access.rotate()
        links.append(access.link(HOST))
        assert (done.key, len(done.verifying), done.dropped) == (keys(table)[0].id, number, ())
        assert all(opens(table, link.url) for link in links)
    done = access.rotate()
    assert (len(done.verifying), done.dropped) == (2, (first,))
    assert [opens(table, link.url) for link in links] == [False, True, True]
    assert [one["M"]["made_at"]["S"] for one in item(table, "*")["keys"]["L"]] == sorted(
        (one["M"]["made_at"]["S"] for one in item(table, "*")["keys"]["L"]), reverse=True
    )


def test_a_rotation_at_once_ends_all_links_and_no_password(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    access.password(HOST)
    link = access.link(HOST)
    old = keys(table)[0].id
    done = access.rotate(now=True)
    assert (done.verifying, done.dropped, len(keys(table))) == ((), (old,), 1)
    assert not opens(table, link.url)
    assert item(table, HOST) is not None


def test_nothing_that_is_printed_holds_a_secret(table: RoutingTable) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    link, done = access.link(HOST), access.rotate()
    mac = link.url.rpartition(".")[2]
    assert mac not in repr(link)
    assert all(repr(key.secret)[2:-1] not in repr(done) + repr(keys(table)) for key in keys(table))
    assert mac not in everything_written(table)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Return what calls return that are made in threads, all at the same time."""
    found: list[Any] = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(number: int) -> None:
        gate.wait()
        found[number] = calls[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_links_that_make_the_first_key_at_once_are_all_good(make_table: Callable[[str], RoutingTable]) -> None:
    table = make_table("tester")
    table.put(HOST, A, policy=PRIVATE)
    links: list[Link] = at_once(*[lambda: Access(make_table("other")).link(HOST)] * 6)
    assert len(keys(table)) == 1
    assert all(opens(table, link.url) for link in links)


def test_rotations_at_once_lose_no_key_that_signs(make_table: Callable[[str], RoutingTable]) -> None:
    table = make_table("tester")
    table.put(HOST, A, policy=PRIVATE)
    done = at_once(*[lambda: Access(make_table("other")).rotate()] * 3)
    assert {one.key for one in done} == {key.id for key in keys(table)}
    assert len(keys(table)) == 3
    assert item(table, "*")["revision"] == {"N": "3"}


def test_a_rotation_at_once_with_another_still_ends_what_was(make_table: Callable[[str], RoutingTable]) -> None:
    table = make_table("tester")
    table.put(HOST, A, policy=PRIVATE)
    link = Access(table).link(HOST)
    at_once(lambda: Access(table).rotate(now=True), lambda: Access(make_table("other")).rotate())
    assert not opens(table, link.url)


@pytest.mark.parametrize(
    "broken",
    [
        {"keys": {"S": "none"}, "revision": {"N": "1"}},
        {"keys": {"L": [{"M": {"id": {"S": "x"}, "secret": {"B": b"s" * 32}, "made_at": {"S": ""}}}]}},
        {"keys": {"L": [{"M": {"id": {"S": "0" * 8}, "secret": {"B": b"sesame"}}}]}, "revision": {"N": "7"}},
        {},
    ],
)
def test_keys_that_cannot_be_read_are_said_so_and_made_anew(table: RoutingTable, broken: Any) -> None:
    table.put(HOST, A, policy=PRIVATE)
    table.tables.dynamodb.put_item(TableName=f"{table.stack}-access", Item={"domain": {"S": "*"}, **broken})
    access = Access(table)
    for call in (lambda: access.link(HOST), access.rotate):
        with pytest.raises(TableAdminError, match="rotate --now") as caught:
            call()
        assert "sesame" not in f"{caught.value!r}{caught.value.__cause__!r}"
    access.rotate(now=True)
    assert opens(table, access.link(HOST).url)


def test_a_stack_without_the_table_says_that_it_is_to_be_updated(table: RoutingTable, command: Command) -> None:
    table.put(HOST, A, policy=PRIVATE)
    table.tables.dynamodb.delete_table(TableName=f"{table.stack}-access")
    for verb in (["link", HOST], ["password", HOST], ["rotate"], ["rotate", "--now"]):
        status, out, err = command("access", *verb)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert f"The table {table.stack}-access does not exist here" in err
        assert "update it" in err
    for line in (["put", OTHER, A, "--private"], ["env", "up", "e", "--base", "example.com", "-s", A, "--private"]):
        assert command(*line)[0] == 1
    assert [route.domain for route in table.list()] == [HOST]  # nothing that nobody could get in to
    assert command("access", "revoke", HOST)[0] == 0


@given(
    expires_in=st.integers(1, 3650).map(lambda days: f"{days}d"),
    to=st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: f"/{text}"),
)
def test_whatever_link_is_made_can_be_read_again(table: RoutingTable, expires_in: str, to: str) -> None:
    table.put(HOST, A, policy=PRIVATE)
    try:
        link = Access(table).link(HOST, expires_in=expires_in, to=to)
    except InvalidInput:
        return
    assert link.url.isascii()
    assert link.url.isprintable()
    assert " " not in link.url
    assert opens(table, link.url)


# ---- By the edge, which reads what was written


@pytest.fixture
def ask(table: RoutingTable, aws: EmbeddedAws) -> Callable[..., Any]:
    """Return what asks an instance that was just started."""
    settings = SETTINGS._replace(table=f"{table.stack}-routes", endpoint=aws.endpoint)

    def asked(uri: str, **headers: str) -> Any:
        resolver = Resolver(RoutesTable.from_settings(settings), settings, time.time)
        handler = make_handler(resolver, Guard.from_settings(settings, time.time))
        sent = {name: [{"key": name, "value": value}] for name, value in {"host": HOST, **headers}.items()}
        request = {"headers": sent, "method": "GET", "uri": uri, "querystring": "", "clientIp": "192.0.2.1"}
        config = {"requestId": "id", "eventType": "viewer-request"}
        return run(handler, {"Records": [{"cf": {"config": config, "request": request}}]})

    return asked


def status(result: Any) -> str:
    return str(result.get("status", "let in"))


def with_session(answer: Any) -> dict[str, str]:
    return {"cookie": str(header(answer, "set-cookie")).partition(";")[0]}


def test_the_edge_lets_in_by_a_link_until_it_is_revoked(table: RoutingTable, ask: Callable[..., Any]) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    assert status(ask("/")) == "403"
    path, _, token = access.link(HOST).url.removeprefix(f"https://{HOST}").partition("#")
    answer = ask(path, authorization=f"Bearer {token}")
    assert status(answer) == "204"
    assert status(ask("/", **with_session(answer))) == "let in"
    access.rotate()
    assert status(ask("/", **with_session(answer))) == "let in"
    access.revoke(HOST)
    assert status(ask("/", **with_session(answer))) == "403"
    assert status(ask(path, authorization=f"Bearer {token}")) == "401"


def test_the_edge_lets_in_by_a_password_until_it_is_revoked(table: RoutingTable, ask: Callable[..., Any]) -> None:
    table.put(HOST, A, policy=PRIVATE)
    access = Access(table)
    made = access.password(HOST, name="design")
    path = made.url.removeprefix(f"https://{HOST}")

    def basic(name: str, password: str) -> dict[str, str]:
        return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}

    assert status(ask(path)) == status(ask(path, **basic("preview", made.password))) == "401"
    answer = ask(path, **basic("design", made.password))
    assert status(answer) == "303"
    assert status(ask("/", **with_session(answer))) == "let in"
    again = access.password(HOST, name="design", password="correct horse")
    assert status(ask(path, **basic("design", made.password))) == "401"
    assert status(ask(path, **basic("design", again.password))) == "303"
    access.revoke(HOST)
    assert status(ask(path, **basic("design", again.password))) == "401"
    assert status(ask("/", **with_session(answer))) == "403"


def test_the_edge_lets_past_maintenance_by_a_link_for_that(table: RoutingTable, ask: Callable[..., Any]) -> None:
    table.put(HOST, A, policy=PRIVATE)
    switch_on(table, [HOST])
    assert status(ask("/")) == "503"
    path, _, token = Access(table).link(HOST, bypass=True).url.removeprefix(f"https://{HOST}").partition("#")
    session = with_session(ask(path, authorization=f"Bearer {token}"))
    assert status(ask("/", **session)) == "let in"
    switch_off(table, [HOST])
    assert status(ask("/", **session)) == "403"


# ---- On the command line


def test_the_commands_let_in_and_keep_out(command: Command, table: RoutingTable) -> None:
    command("put", HOST, A, "--private", "--note", "for the designers")
    status, out, err = command("access", "link", HOST, "--expires-in", "1d", "--to", "/docs/", "--edge", "https://x.y")
    assert (status, out.count("\n"), err.count("\n")) == (0, 1, 1)
    assert out.startswith("https://x.y/.well-known/edge-access/link#view.")
    assert out.endswith("&to=/docs/\n")
    assert "gets in until" in err
    assert opens(table, out.strip())
    status, out, _ = command("access", "password", HOST, "--name", "design")
    assert (status, "name:        design\n" in out) == (0, True)
    password = out.partition("password:")[2].split()[0]
    assert bytes(item(table, HOST)["hash"]["B"]) == hash_password(password, bytes(item(table, HOST)["salt"]["B"]))
    assert command("access", "revoke", HOST)[1] == f"updated {HOST} -> {A} (revision 2, private)\n"
    status, out, _ = command("access", "rotate")
    assert (status, out.startswith(f"key {keys(table)[0].id} signs from now on, and 1 former key")) == (0, True)
    assert "1 former key" in command("access", "rotate", "--now")[1].replace("2 former keys", "1 former key")


def test_a_password_from_standard_input_is_not_printed(
    command: Command, table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.put(HOST, A, policy=PRIVATE)
    monkeypatch.setattr("sys.stdin", type("In", (), {"read": lambda *_: "correct horse\n"})())
    for more in ([], ["--json"]):
        status, out, err = command("access", "password", HOST, "--stdin", *more)
        assert (status, "correct horse" in out + err, HOST in out) == (0, False, True)
    salt = bytes(item(table, HOST)["salt"]["B"])
    assert bytes(item(table, HOST)["hash"]["B"]) == hash_password("correct horse", salt)
    monkeypatch.setattr("sys.stdin", type("In", (), {"read": lambda *_: "one line\nand another\n"})())
    status, out, err = command("access", "password", HOST, "--stdin")
    assert (status, out, "more than one line" in err) == (2, "", True)


def test_what_the_commands_say_as_json_is_one_document(command: Command, table: RoutingTable) -> None:
    put = json.loads(command("put", HOST, A, "--private", "--json")[1])
    assert [opens(table, url) for url in put["links"]] == [True]
    link = json.loads(command("access", "link", HOST, "--json")[1])
    assert set(link) == {"domain", "host", "kind", "url", "expires_at"}
    assert set(json.loads(command("access", "password", HOST, "--json")[1])) == {"domain", "name", "password", "url"}
    assert json.loads(command("access", "revoke", HOST, "--json")[1])["revision"] == 2
    assert set(json.loads(command("access", "rotate", "--json")[1])) == {"key", "verifying", "dropped"}


def test_an_environment_that_is_made_private_prints_a_link_for_each_url(command: Command, table: RoutingTable) -> None:
    line = ["env", "up", "env-1", "--base", "example.com", "-s", f"web={A}", "-s", f"api={B}", "--private"]
    status, out, err = command(*line, "--dry-run")
    assert (status, "link" in out, table.tables.read(["web-env-1.example.com"])) == (0, False, {})
    for _ in range(2):  # a second run changes nothing, and has its links, too
        status, out, err = command(*line)
        links = [text.removeprefix("link ") for text in out.splitlines() if text.startswith("link ")]
        assert [
            opens(table, link, f"{name}-env-1.example.com") for link, name in zip(links, ("web", "api"), strict=True)
        ]
        assert err.count("whoever has a link gets in until") == 1
        assert "a session is one host's, and env-1 has 2" in err
        assert links[0] not in everything_written(table)
    assert {route.revision for route in table.list()} == {1}
    changes = json.loads(command(*line, "--json")[1])
    assert [len(change["links"]) for change in changes] == [1, 1]
    assert "links" not in json.loads(command(*line[:-1], "--json")[1])[0]


def test_one_host_is_not_warned_of_others(command: Command) -> None:
    assert "a session is one host's" not in command("env", "up", "e", "--base", "x.example", "-s", A, "--private")[2]
    assert "a session is one host's" not in command("put", HOST, A, "--private")[2]


def test_a_branchs_environment_may_be_private(command: Command, table: RoutingTable) -> None:
    out = command("env", "up", "--branch", "feature/a", "--base", "example.com", "-s", A, "--private")[1]
    (link,) = [text.removeprefix("link ") for text in out.splitlines() if text.startswith("link ")]
    assert opens(table, link, "feature-a.example.com")


def test_a_wildcard_made_private_says_how_a_link_is_made(command: Command) -> None:
    status, out, err = command("put", "*.example.com", A, "--private")
    assert (status, "link" in out, "access link HOST" in err) == (0, False, True)


def test_who_may_not_read_the_keys_makes_a_domain_private_all_the_same(
    command: Command, table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = TableAdminError("DynamoDB refused: AccessDeniedException: not authorized")
    monkeypatch.setattr("table_admin.access_table.AccessTable.keys", lambda _: (_ for _ in ()).throw(refused))
    status, out, err = command("put", HOST, A, "--private")
    assert (status, "link" in out) == (0, False)
    assert "no link could be made: DynamoDB refused: AccessDeniedException" in err
    assert table.get(HOST).policy is not None


def test_what_is_said_of_a_policy_is_in_the_row_and_stays(command: Command, table: RoutingTable) -> None:
    options = ["--allow", "203.0.113.7", "--allow", "2001:db8::/32", "--index", "--header", "X-A: b: c", "--header"]
    assert command("put", HOST, A, *options, "Server-Timing:")[0] == 0
    policy = table.get(HOST).policy
    assert policy is not None
    assert (policy.private, policy.allow, policy.noindex) == (0, ("2001:db8::/32", "203.0.113.7/32"), False)
    assert policy.headers == (("server-timing", ""), ("x-a", "b: c"))
    assert "unchanged" in command("put", HOST, A, *options, "Server-Timing:")[1]
    assert "unchanged" in command("put", HOST, A)[1]
    command("put", HOST, A, "--allow-all", "--noindex", "--no-header", "X-A")
    policy = table.get(HOST).policy
    assert policy is not None
    assert (policy.allow, policy.noindex, policy.headers) == ((), True, (("server-timing", ""),))
    command("put", HOST, A, "--private")
    command("put", HOST, A, "--public", "--index", "--no-header", "server-timing")
    assert table.get(HOST).policy is not None
    assert "unchanged" in command("put", HOST, A, "--public")[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--private", "--public"], "--private and --public do not go together"),
        (["--allow", "10.0.0.0/8", "--allow-all"], "--allow and --allow-all do not go together"),
        (["--noindex", "--index"], "--noindex and --index do not go together"),
        (["--header", "X-A"], "--header X-A is not 'NAME: VALUE'"),
        (["--header", ": b"], "is not 'NAME: VALUE'"),
        (["--header", "X-A: b", "--header", "x-a: c"], "x-a is given twice"),
        (["--header", "X-A: b", "--no-header", "x-a"], "x-a is given twice"),
        (["--no-header", "X-A: b"], "a name alone"),
        (["--header", "Set-Cookie: a=b"], "Set-Cookie cannot be used"),
        (["--header", "X-A: é"], "not ASCII"),
        (["--header", "X-Cache: a"], "is CloudFront's"),
        (["--allow", "10.0.0.1/8"], "has host bits set"),
        (["--allow", "office"], "is no network"),
        (["--allow", ""], "it is empty"),
    ],
)
def test_an_option_that_says_nothing_usable_is_wrong_usage(command: Command, options: list[str], says: str) -> None:
    status, out, err = command("put", HOST, A, *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says.lower() in err.lower()


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        (["access", "link", "b.example.com"], 1, "has no route"),
        (["access", "link", HOST], 2, f"table-admin put {HOST} {A} --private"),
        (["access", "link", HOST, "--bypass"], 2, "maintenance on"),
        (["access", "link", HOST, "--expires-in", "soon"], 2, "not a duration"),
        (["access", "link", HOST, "--to", "//evil"], 2, "no path"),
        (["access", "password", HOST], 2, "is not private"),
        (["access", "password", HOST, "--name", "a:b"], 2, "no name to sign in with"),
        (["access", "revoke", HOST], 2, "is not private"),
        (["access", "revoke", HOST, "--if-revision", "9"], 1, "changed by somebody else"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(command: Command, line: list[str], status: int, says: str) -> None:
    command("put", HOST, A)
    code, out, err = command(*line)
    assert (code, out, err.count("\n")) == (status, "", 1)
    assert says in err


def test_a_preview_that_was_private_is_promoted_without_that(command: Command, table: RoutingTable) -> None:
    up(table, "env-1", "example.com", {"": A}, policy={**PRIVATE, "headers": {"x-a": "b"}})
    table.put("www.example.com", B, policy={"allow": ["10.0.0.0/8"]})
    assert command("env", "promote", "env-1", "www.example.com", "new.example.com")[0] == 0
    policy = table.get("www.example.com").policy
    assert policy is not None
    assert (policy.private, policy.allow, policy.headers) == (0, ("10.0.0.0/8",), ())
    assert table.get("new.example.com").policy is None
