"""`_headers` as people write it: every line is of a block, or refused with its number."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.website.listing import HeaderRule
from edge_handler.website.rules import headers_for
from local_edge.contract import is_disallowed
from table_admin.deployments.headers import MAX_BLOCKS, cors_of, parse_headers
from table_admin.errors import InvalidInput
from tests.support import ROOT

NAMED = re.compile(r"_headers, line (\d+): \S")


def test_blocks_are_read_as_they_are_meant() -> None:
    text = """\ufeff# everywhere
/*
  X-Frame-Options: DENY
  Link: </a.css>; rel=preload
  link: </b.css>; rel=preload
\t! X-Powered-By
  Content-Security-Policy: default-src 'self'; img-src https: data:

/caf%C3%A9/:page
# said of one page
X-Page: :page
https-like: no host
  !X-Frame-Options
"""
    assert parse_headers(text.removeprefix("\ufeff").replace("\n", "\r\n")) == [
        (
            2,
            HeaderRule(
                "/*",
                (
                    ("x-frame-options", "DENY"),
                    ("link", "</a.css>; rel=preload"),
                    ("link", "</b.css>; rel=preload"),
                    ("content-security-policy", "default-src 'self'; img-src https: data:"),
                ),
                ("x-powered-by",),
            ),
        ),
        (
            9,
            HeaderRule("/café/:page", (("x-page", ":page"), ("https-like", "no host")), ("x-frame-options",)),
        ),
    ]
    assert parse_headers("# nothing\n\n") == []


@pytest.mark.parametrize(
    ("lines", "at", "why"),
    [
        ("X-A: b", 1, "before the first path"),
        ("/a\n/b\n  X-A: b", 1, "no header follows /a"),
        ("/a\n  X-A: b\n/b", 3, "no header follows /b"),
        ("https://example.com/*\n  X-A: b", 1, "not for hosts"),
        ("//example.com/*\n  X-A: b", 1, "not for hosts"),
        ("/a/*/b/*\n  X-A: b", 1, "more than one *"),
        ("/a?b\n  X-A: b", 1, "a query"),
        ("/../a\n  X-A: b", 1, "no request"),
        ("/a\n  just words", 2, "neither a path nor a header"),
        ("/a\n  X-A:", 2, "has no value"),
        ("/a\n  X A: b", 2, "no header's name"),
        ("/a\n  : b", 2, "no header's name"),
        ("/a\n  !", 2, "no header's name"),
        ("/a\n  ! X-A: b", 2, "no header's name"),
        ("/a\n  X-A: Grüße", 2, "not ASCII"),
        ("/a\n  X-A: a\0b", 2, "U+0000"),
        ("/a\n  X-A: a\x0bb", 2, "U+000B"),
        ("/a\n  Set-Cookie: a=b", 2, "given to everybody"),
        ("/a\n  Basic-Auth: me:secret", 2, "no protection"),
        ("/a\n  Content-Length: 5", 2, "said by who answers"),
        ("/a\n  ! Content-Length", 2, "said by who answers"),
        ("/a\n  ETag: x", 2, "said by who answers"),
        ("/a\n  Last-Modified: x", 2, "said by who answers"),
        ("/a\n  Location: /b", 2, "said by who answers"),
        ("/a\n  Transfer-Encoding: chunked", 2, "CloudFront's"),
        ("/a\n  Via: me", 2, "CloudFront's"),
        ("/a\n  X-Amz-Meta-A: b", 2, "CloudFront's"),
        ("/a\n  X-Edge-A: b", 2, "CloudFront's"),
        ("/a\n  X-Route-Kind: site", 2, "CloudFront's"),
        ("/a\n  ! Content-Type", 2, "browsers guess"),
        (f"/a\n  X-A: {'b' * 4096}", 2, "longer than"),
        ("/a\n  Access-Control-Allow-Origin: null", 2, "neither * nor an origin"),
        ("/a\n  Access-Control-Allow-Origin: https://a.example, https://b.example", 2, "neither * nor an origin"),
        ("/a\n  Access-Control-Allow-Origin: https://a.example/", 2, "neither * nor an origin"),
        (
            "/a\n  Access-Control-Allow-Origin: *\n/b\n  Access-Control-Allow-Origin: https://a.example",
            4,
            "line 2 allows",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_line(lines: str, at: int, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_headers(lines)
    assert [*map(int, NAMED.findall(str(refused.value)))] == [at]
    assert why in str(refused.value)


def test_nothing_that_cloudfront_would_refuse_comes_through() -> None:
    names = set(re.findall(r'"([a-z][a-z0-9-]+)"', (ROOT / "local_edge" / "contract.py").read_text()))
    disallowed = {name for name in names if is_disallowed(name)} | {
        "transfer-encoding",
        "via",
        "x-edge-a",
        "x-amz-cf-a",
    }
    assert len(disallowed) > 25
    for name in disallowed:
        with pytest.raises(InvalidInput, match="CloudFront's"):
            parse_headers(f"/*\n  {name}: x")


def test_one_origin_or_any_may_read_the_site() -> None:
    text = "/a\n  Access-Control-Allow-Origin: https://app.example:8443\n/b\n  access-control-allow-origin: https://app.example:8443"
    assert cors_of([rule for _, rule in parse_headers(text)]) == "https://app.example:8443"
    assert cors_of([rule for _, rule in parse_headers("/a\n  Access-Control-Allow-Origin: *")]) == "*"
    assert cors_of([rule for _, rule in parse_headers("/a\n  X-A: b")]) == ""


def test_an_origin_that_two_blocks_allow_is_said_once() -> None:
    blocks = "/*\n  Access-Control-Allow-Origin: *\n  X-A: b\n/fonts/*\n  Access-Control-Allow-Origin: *\n  X-A: c"
    rules = [rule for _, rule in parse_headers(blocks)]
    assert headers_for("/fonts/a.woff2", rules) == [("access-control-allow-origin", "*"), ("x-a", "b, c")]


def test_more_blocks_than_there_may_be_are_refused_at_the_first() -> None:
    blocks = "".join(f"/{number}\n  X-A: b\n" for number in range(MAX_BLOCKS))
    assert len(parse_headers(blocks)) == MAX_BLOCKS
    with pytest.raises(InvalidInput, match=rf"^_headers, line {2 * MAX_BLOCKS + 1}: it is the first of more than"):
        parse_headers(blocks + "/a\n  X-A: b\n/b\n  X-A: b")


WORDS = st.sampled_from(["/", "/a", "/*", ":", "! ", "X-A: b", "Set-Cookie: a", "https://a/", "#", "!", "%", "\\", "é"])
TEXTS = st.one_of(
    st.text(),
    st.lists(st.lists(st.one_of(WORDS, st.text(max_size=4)), max_size=3).map(" ".join), max_size=8).map("\n".join),
)


@given(TEXTS)
def test_any_text_is_blocks_or_is_refused_line_by_line(text: str) -> None:
    lines = enumerate(re.split("\r\n|\r|\n", text), 1)
    says = {number: line.strip(" \t") for number, line in lines if line.strip(" \t") and line.strip(" \t")[0] != "#"}
    try:
        blocks = parse_headers(text)
    except InvalidInput as error:
        named = [int(number) for number in re.findall(r"(?m)^_headers, line (\d+): \S", str(error))]
        assert named
        assert set(named) <= set(says)
    else:
        assert [number for number, _ in blocks] == [number for number, line in says.items() if line[0] == "/"]
        headers = sum(len(rule.set) + len(rule.remove) for _, rule in blocks)
        assert headers == len(says) - len(blocks)


NAMES = st.from_regex(r"X-[A-Za-z]{1,8}", fullmatch=True).map(lambda name: f"X-Own{name}")
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1).map(str.strip).filter(bool)
PATTERNS = st.from_regex(r"(/[a-z]{1,4}){1,3}(/\*|\.js|/:id)?", fullmatch=True)
BLOCKS = st.lists(
    st.tuples(PATTERNS, st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=3), st.lists(NAMES, max_size=2)),
    max_size=4,
)


@given(BLOCKS)
def test_well_formed_blocks_come_out_as_they_went_in(
    blocks: list[tuple[str, list[tuple[str, str]], list[str]]],
) -> None:
    written = []
    for pattern, headers, removed in blocks:
        written += [pattern, *(f"  {name}: {value}" for name, value in headers), *(f"  ! {name}" for name in removed)]
    assert [rule for _, rule in parse_headers("\n".join(written))] == [
        HeaderRule(
            pattern,
            tuple((name.lower(), value) for name, value in headers),
            tuple(name.lower() for name in removed),
        )
        for pattern, headers, removed in blocks
    ]
