"""Tokens and the cookie: nothing is good for another host, time or use, and other cookies stay as they were."""

import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_handler.access.session import (
    COOKIE,
    Key,
    Kind,
    Token,
    Use,
    encode_token,
    is_signed,
    read_token,
    set_cookie,
    take_sessions,
)

NOW = 1_800_000_000
KEY = Key("0123abcd", b"k" * 32)
DOMAIN = "env-123.example.com"
_uses: st.SearchStrategy[Use] = st.sampled_from(["link", "session"])
_kinds: st.SearchStrategy[Kind] = st.sampled_from(["view", "bypass"])
_keys = st.builds(Key, st.text("0123456789abcdef", min_size=8, max_size=8), st.binary(min_size=32, max_size=32))
_domains = st.from_regex(r"(\*\.)?[a-z0-9]{1,10}(\.[a-z]{1,5}){0,3}", fullmatch=True)
_signed = st.tuples(_uses, _kinds, _domains, st.integers(1, 10**9), st.integers(1, 10**12 - 1), _keys)


def _read(text: str) -> Token:
    token = read_token(text)
    assert token is not None
    return token


@given(_signed)
def test_a_token_is_good_for_what_it_was_signed_for_until_it_expires(
    signed: tuple[Use, Kind, str, int, int, Key],
) -> None:
    use, kind, domain, since, expires_at, key = signed
    token = _read(encode_token(*signed))
    assert (token.kind, token.expires_at, token.key_id) == (kind, expires_at, key.id)
    assert is_signed(token, use, domain, since, [Key("ffffffff", b"x" * 32), key], expires_at - 1)
    assert not is_signed(token, use, domain, since, [key], expires_at)


@given(_signed, _signed)
def test_it_is_good_for_nothing_else(
    signed: tuple[Use, Kind, str, int, int, Key], other: tuple[Use, Kind, str, int, int, Key]
) -> None:
    token = _read(encode_token(*signed))
    use, _, domain, since, _, key = signed
    other_use, other_kind, other_domain, other_since, other_expires_at, other_key = other
    assume(key.secret != other_key.secret)
    for changed in (
        (other_use, domain, since, key),
        (use, other_domain, since, key),
        (use, domain, other_since, key),
        (use, domain, since, Key(key.id, other_key.secret)),
    ):
        if changed != (use, domain, since, key):
            assert not is_signed(token, *changed[:3], [changed[3]], 0)
    for forged in (
        token._replace(kind=other_kind),
        token._replace(expires_at=other_expires_at),
        token._replace(key_id=other_key.id),
    ):
        if forged != token:
            assert not is_signed(forged, use, domain, since, [key, Key(other_key.id, other_key.secret)], 0)


@given(_signed, st.integers(0, 200), st.characters())
def test_a_token_with_another_character_in_it_is_none(
    signed: tuple[Use, Kind, str, int, int, Key], position: int, character: str
) -> None:
    text = encode_token(*signed)
    position %= len(text)
    assume(text[position] != character)
    token = read_token(text[:position] + character + text[position + 1 :])
    assert token is None or not is_signed(token, signed[0], *signed[2:4], [signed[5]], 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "view",
        "view.1.0123abcd." + "a" * 42,
        "view.1.0123abcd." + "a" * 44,
        "view.1.0123abcd." + "a" * 43 + "\n",
        "view.01.0123abcd." + "a" * 43,
        "view.0.0123abcd." + "a" * 43,
        "view.-1.0123abcd." + "a" * 43,
        "view.\u0661.0123abcd." + "a" * 43,
        "view.1.0123ABCD." + "a" * 43,
        "admin.1.0123abcd." + "a" * 43,
        "view.1.0123abcd." + "a" * 43 + ".more",
    ],
)
def test_what_is_no_token_is_not_read(text: str) -> None:
    assert read_token(text) is None


@pytest.mark.parametrize(
    ("since", "expires_at", "key"),
    [
        (0, NOW, KEY),
        (-1, NOW, KEY),
        (1, 0, KEY),
        (1, 10**12, KEY),
        (1, NOW, Key("0123ABCD", KEY.secret)),
        (1, NOW, Key("0123abcd", b"")),
    ],
)
def test_no_token_is_made_that_nobody_could_read(since: int, expires_at: int, key: Key) -> None:
    with pytest.raises(ValueError, match="no token"):
        encode_token("link", "view", DOMAIN, since, expires_at, key)


def test_a_key_that_is_printed_does_not_tell_its_secret() -> None:
    assert "kkk" not in f"{KEY} {KEY!r} {[KEY]}"


def _lines(*values: str) -> list[dict[str, str]]:
    return [{"key": "Cookie", "value": value} for value in values]


@pytest.mark.parametrize(
    ("cookies", "found", "left"),
    [
        (["a=1; b=2"], [], ["a=1; b=2"]),
        ([f"{COOKIE}=t"], ["t"], []),
        ([f"a=1; {COOKIE}=t; b=2"], ["t"], ["a=1; b=2"]),
        ([f"{COOKIE}=t;a=1"], ["t"], ["a=1"]),
        ([f"a=1 ;  b = 2;{COOKIE}=t"], ["t"], ["a=1 ;  b = 2"]),
        ([f"{COOKIE}=t; a=1; {COOKIE}=u", "b=2", f"{COOKIE}=v"], ["t", "u", "v"], ["a=1", "b=2"]),
        ([f" {COOKIE} = t ;a"], ["t"], ["a"]),
        ([COOKIE], [""], []),
        ([f"x{COOKIE}=1; {COOKIE}x=2; {COOKIE.lower()}=3"], [], [f"x{COOKIE}=1; {COOKIE}x=2; {COOKIE.lower()}=3"]),
        ([f"a={COOKIE}=t"], [], [f"a={COOKIE}=t"]),
    ],
)
def test_the_session_is_taken_out_and_nothing_else(cookies: list[str], found: list[str], left: list[str]) -> None:
    headers: dict[str, Any] = {"cookie": _lines(*cookies), "host": [{"key": "Host", "value": DOMAIN}]}
    assert take_sessions(headers) == found
    assert [line["value"] for line in headers.get("cookie", [])] == left
    assert headers.get("cookie") != []
    assert headers["host"] == [{"key": "Host", "value": DOMAIN}]


_pair = st.text(string.ascii_letters + string.digits + '=-_." ', max_size=12) | st.sampled_from(
    [COOKIE, f"{COOKIE}=t", f" {COOKIE}=u"]
)


@given(st.lists(st.lists(_pair, max_size=5).map(";".join), max_size=4))
def test_no_session_stays_and_every_other_cookie_does(values: list[str]) -> None:
    headers: dict[str, Any] = {"cookie": _lines(*values)} if values else {}
    take_sessions(headers)
    left = [pair.strip() for line in headers.get("cookie", []) for pair in line["value"].split(";")]
    asked = [pair.strip() for value in values for pair in value.split(";")]
    assert [pair for pair in left if pair] == [
        pair for pair in asked if pair and pair.partition("=")[0].strip() != COOKIE
    ]


def test_a_request_without_cookies_stays_without() -> None:
    headers: dict[str, Any] = {}
    assert take_sessions(headers) == []
    assert headers == {}


def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it() -> None:
    assert set_cookie(COOKIE, "t", 60) == f"{COOKIE}=t; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"
