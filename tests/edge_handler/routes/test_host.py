import re

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import MalformedHost
from edge_handler.routes import host
from edge_handler.routes.host import normalise_host


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("env-123.example.com", "env-123.example.com"),
        ("ENV-123.Example.COM", "env-123.example.com"),
        ("env-123.example.com:8080", "env-123.example.com"),
        ("env-123.example.com.", "env-123.example.com"),
        ("env-123.example.com.:443", "env-123.example.com"),
        ("my_env.example.com", "my_env.example.com"),
        ("b\u00fccher.example.com", "xn--bcher-kva.example.com"),
        ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:8080", "[::1]"),
        ("[2001:0DB8::0:1]", "[2001:db8::1]"),
        ("localhost", "localhost"),
    ],
)
def test_every_spelling_of_a_host_becomes_one(raw: str, expected: str) -> None:
    assert normalise_host(raw) == expected


@pytest.mark.parametrize(
    "raw",
    ["", ".", "a..b", "*.example.com", "a" * 300, ".".join(["a" * 60] * 5), "a" * 64 + ".com", "-a.com", "a-.com"]
    + ["a b.com", "a/b", "a:b", "a.com:80:80", "[::1", "[nonsense]", "[::1]x", "a\x00b", "\ud800.com", "stra\u00dfe.de"]
    + ["a.com..", "::1", "a@b.com", "a.com:123456"],
)
def test_what_is_not_a_host_is_refused(raw: str) -> None:
    with pytest.raises(MalformedHost):
        normalise_host(raw)


@given(st.text(max_size=300))
def test_any_text_is_a_clean_host_or_refused(raw: str) -> None:
    try:
        host = normalise_host(raw)
    except MalformedHost:
        return
    assert re.fullmatch(r"[a-z0-9_.-]{1,253}|\[[0-9a-f:.]+\]", host)
    assert normalise_host(host) == host


@given(st.from_regex(r"[a-z\u00e0-\u00f6\u03b1-\u03c1\u4e00-\u4eff]{1,12}", fullmatch=True))
def test_a_labels_agree_with_the_idna_library(label: str) -> None:
    try:
        expected = idna.encode(label, uts46=True).decode()
    except idna.IDNAError:
        return
    assert normalise_host(f"{label}.example.com") == f"{expected}.example.com"


@pytest.mark.parametrize("raw", ["\ufdfa" * 6000, "a" * 260, "[" + ":" * 300 + "]"])
def test_a_host_too_long_is_refused_before_anything_is_made_of_it(raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters of other scripts take half a second of a processor by the 20 KB that a header may have."""
    monkeypatch.setattr(host, "_to_a_labels", None)
    monkeypatch.setattr(host, "_normalise_ipv6", None)
    with pytest.raises(MalformedHost, match="characters long"):
        normalise_host(raw)


def test_the_longest_name_may_have_a_port_and_a_dot() -> None:
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])
    assert normalise_host(f"{longest}.:65535") == longest
