"""`_redirects` as people write it: every line is a rule, or refused with its number."""

import re
from collections.abc import Callable
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.website.listing import RedirectRule
from edge_handler.website.rules import find_rule, target
from table_admin.deployments.redirects import MAX_EXACT, MAX_PATTERNS, parse_redirects
from table_admin.deployments.rule_lines import MAX_BYTES, text_of
from table_admin.errors import InvalidInput

NAMED = re.compile(r"_redirects, line (\d+): \S")


def rules_of(text: str) -> list[RedirectRule]:
    return [rule for _, rule in parse_redirects(text)]


def lines_refused(text: str) -> list[int]:
    with pytest.raises(InvalidInput) as refused:
        parse_redirects(text)
    return [int(NAMED.match(line)[1]) for line in str(refused.value).splitlines()]  # type: ignore[index]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("/home /", ("/home", "/", 302, False)),
        ("  /home\t/  301  ", ("/home", "/", 301, False)),
        ("/home / 301!", ("/home", "/", 301, True)),
        ("/a /b#ads 303 # why", ("/a", "/b#ads", 303, False)),
        ("/a /b?x=1 307", ("/a", "/b?x=1", 307, False)),
        ("/twitter https://x.com/acme 308", ("/twitter", "https://x.com/acme", 308, False)),
        ("/port http://localhost:8080/:8080", ("/port", "http://localhost:8080/:8080", 302, False)),
        ("/blog/* /posts/:splat 301", ("/blog/*", "/posts/:splat", 301, False)),
        ("/*.php /:splat 301", ("/*.php", "/:splat", 301, False)),
        ("/news/:year/:month /blog-:year-:month.html", ("/news/:year/:month", "/blog-:year-:month.html", 302, False)),
        ("/news/:slug.php /news/:slug", ("/news/:slug.php", "/news/:slug", 302, False)),
        (
            "/authors/c%C3%A9line /authors/c%C3%A9line.html",
            ("/authors/céline", "/authors/c%C3%A9line.html", 302, False),
        ),
        ("/cafe\u0301 /x", ("/caf\u00e9", "/x", 302, False)),
        ("/app/* /app/index.html 200", ("/app/*", "/app/index.html", 200, False)),
        ("/app/* /app/index.html 200!", ("/app/*", "/app/index.html", 200, True)),
        ("/en/* /en/404.html 404", ("/en/*", "/en/404.html", 404, False)),
        ("/secret/* /404.html 404!", ("/secret/*", "/404.html", 404, True)),
        ("/dir/ /file 301", ("/dir/", "/file", 301, False)),
    ],
)
def test_a_line_is_read_as_it_is_meant(line: str, rule: tuple[str, str, int, bool]) -> None:
    assert rules_of(line) == [RedirectRule(*rule)]


def test_comments_empty_lines_and_any_line_ends_are_no_rules() -> None:
    assert parse_redirects("# first\r\n\r\n \t\r/a /b\n\n#/c /d\n  # e\n/f /g") == [
        (4, RedirectRule("/a", "/b", 302, False)),
        (8, RedirectRule("/f", "/g", 302, False)),
    ]
    assert parse_redirects("") == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/a", "does not say where"),
        ("/a 301", "does not say where"),
        ("/a # /b", "does not say where"),
        ("a /b", "no path"),
        ("https://www.example.com/* /:splat", "not for hosts"),
        ("//evil.example/* /:splat", "not for hosts"),
        ("/a b", "no destination"),
        ("/a ftp://example.com/", "no destination"),
        ("/store id=:id /blog/:id 301", "is a condition"),
        ("/ /china 302 Country=cn,hk", "is a condition"),
        ("/ /china 302 Language=zh", "is a condition"),
        ("/ /china Country=cn", "is a condition"),
        ("/ /member 200! Role=member", "is a condition"),
        ("/ /new 302 Cookie=beta", "is a condition"),
        ("/a /b 200! Sign=SECRET", "is a condition"),
        ("/a /b 410", "no status"),
        ("/a /b 3011", "no status"),
        ("/a /b 301!!", "no status"),
        ("/a /b permanent", "no status"),
        ("/a /b ٣٠١", "no status"),
        ("/a /b 301 /c", "more than a rule has"),
        ("/a?x=1 /b", "a query"),
        ("/a#x /b", "a fragment"),
        ("/a\\b /b", "a backslash"),
        ("/a//b /b", "empty segment"),
        ("/a/../b /b", "no request"),
        ("/a/%2e /b", "no request"),
        ("/%ff /b", "no request"),
        ("/%00 /b", "no request"),
        (f"/{'a' * 1024} /b", "no request"),
        ("/a%2Ab /b", "encoded * or :"),
        ("/Special%3ASearch /b", "encoded * or :"),
        ("/a/*/b/* /b", "more than one *"),
        ("/:a/:a /b", "twice"),
        ("/:splat/* /b", "twice"),
        ("/:a-:b /b", "two placeholders"),
        ("/a /:b", "not in the rule's path"),
        ("/a /b/:splat", "not in the rule's path"),
        ("/a/* /b/*", "is :splat"),
        ("/dot/* /./dot/:splat 301", "has . or .. segments"),
        ("/dot /x/../dot 301", "has . or .. segments"),
        ("/dot /x/%2E%2e/dot 301", "has . or .. segments"),
        ("/dot /dot/.?x=1 301", "has . or .. segments"),
        ("/dot /x/..#y 301", "has . or .. segments"),
        ("/dot /x/%2e./dot.html 200", "has . or .. segments"),
        ("/dot /x/%ff 301", "not UTF-8"),
        ("/dot /x/%00 301", "NUL"),
        ("/a //evil.example/", "as another host"),
        ("/a /\\evil.example/", "as another host"),
        ("/* https://:splat 301", "no fixed host"),
        ("/* https://example.com:splat 301", "no fixed host"),
        ("/* https://example.com:splat/ 301", "no fixed host"),
        ("/* https://me@example.com/ 301", "no fixed host"),
        ("/* https://example.com\\.evil.example/ 301", "no fixed host"),
        ("/* https:///x 301", "no fixed host"),
        ("/api/* https://api.example.com/:splat 200", "not with another server's"),
        ("/api/* https://example.com/404 404", "not with another server's"),
        ("/a /b?c 200", "neither query nor fragment"),
        ("/a /b#c 404", "neither query nor fragment"),
        ("/api/* /.netlify/functions/:splat 200", "no functions"),
        ("/_headers /b", "does not exist"),
        ("/* /index.html", "every script"),
        ("/* / 301", "every script"),
        ("/a\0 /b", "U+0000"),
        ("/a\u200b\ufeff /b", "U+FEFF"),
        (f"/a /{'b' * 2048}", "longer than"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_its_line(line: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^_redirects, line 3: .*{re.escape(why)}"):
        parse_redirects(f"/ok /fine\n# next\n{line}\n")


def test_every_wrong_line_is_named_up_to_ten() -> None:
    assert lines_refused("/a\n/ok /fine\nb\n") == [1, 3]
    with pytest.raises(InvalidInput) as refused:
        parse_redirects("wrong\n" * 13)
    assert [*map(int, NAMED.findall(str(refused.value)))] == [*range(1, 11)]
    assert "3 more lines" in str(refused.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a /b 301", "/a /c 301"),
        ("/a /b 200", "/a /c 301"),
        ("/a/:x /b 301", "/a/:y /c/:y 301"),
        ("/caf%C3%A9 /b", "/cafe\u0301 /c"),
        ("/* /index.html 200", "/* /404.html 404"),
    ],
)
def test_a_second_rule_for_the_same_paths_never_applies(first: str, second: str) -> None:
    assert lines_refused(f"{first}\n\n{second}") == [3]


def test_a_slash_at_the_end_makes_another_path() -> None:
    assert len(rules_of("/a /b\n/a/ /c\n/a/* /d/:splat")) == 3


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("/a /b\n/b /a", [1, 2]),
        ("/a /b\n/b /c\n/c /b", [2, 3]),
        ("/a /b\n/b https://example.com/", []),
        ("/* /en/:splat 302", [1]),
        ("/en/* /en/:splat 200\n/* /en/:splat 302", []),
        ("/* /en/:splat 302\n/en/* /en/:splat 200", [1]),
        ("/:page /:page/", [1]),
        ("/* /:splat/ 301", [1]),
        ("/x /x", [1]),
        ("/x /x/ 200", []),
        ("/:page/ /:page", [1]),
        ("/:a/:b /:b/:a", [1]),
        ("/old/:x /new/:x\n/new/* /old/:splat", [1, 2]),
        ("/blog/* /:splat 301", []),
        ("/* https://www.example.com/:splat 301", []),
        ("/* /maintenance.html 302", []),
        ("/a /a?x=1", [1]),
        ("/a%20b /a%20c\n/a%20c /a%20b", [1, 2]),
        ("/na\u00efve /na%C3%AFf\n/na%C3%AFf /nai%CC%88ve", [1, 2]),
        ("/k/*/z /m/:splat/z 301\n/m/y/* /k/y/:splat 301", [1, 2]),
        ("/k/:a/z /m/:a/z\n/m/y/:a /k/y/:a", [1, 2]),
        ("/k/*.php /m/:splat.php\n/m/y-* /k/y-:splat", [1, 2]),
        ("/k/:a/:b/p/q /m/:a/:b/p/q\n/m/r/s/* /k/r/s/:splat", [1, 2]),
        ("/k/*/z /m/:splat/z\n/m/y/* /n/y/:splat", []),
    ],
)
def test_rules_that_lead_in_circles_are_refused(text: str, lines: list[int]) -> None:
    if lines:
        assert lines_refused(text) == lines
    else:
        assert follow(rules_of(text)) < 4


def follow(rules: list[RedirectRule]) -> int:
    """Return how often the edge redirects a browser, at most."""
    longest = 0
    for start in ("/", "/a", "/b", "/x", "/x/y", "/en/x", "/blog/x", "/x/", "/maintenance.html"):
        path, hops = start, 0
        while (found := find_rule(path, rules)) and 300 <= found[0].status < 400 and hops < 10:
            path, hops = target(found[0].destination, found[1]), hops + 1
        longest = max(longest, hops)
    return longest


def test_more_rules_than_there_may_be_are_refused_at_the_first() -> None:
    exact = "".join(f"/old/{number} /new/{number}\n" for number in range(MAX_EXACT))
    patterns = "".join(f"/old/{number}/* /new/{number}/:splat\n" for number in range(MAX_PATTERNS))
    assert len(rules_of(exact + patterns)) == MAX_EXACT + MAX_PATTERNS
    assert lines_refused(exact + "/a /b\n/b /c\n") == [MAX_EXACT + 1]
    assert lines_refused(patterns + "# a comment\n/a/* /b\n") == [MAX_PATTERNS + 2]


def test_a_file_that_is_no_utf_8_or_too_large_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"_redirects, line 2: it is not UTF-8"):
        text_of("_redirects", b"/a /b\r\n/c\xe9 /d\n")
    with pytest.raises(InvalidInput, match=r"larger than"):
        text_of("_redirects", b"#" * (MAX_BYTES + 1))
    for ends in (b"\n", b"\r", b"\r\n"):
        with pytest.raises(InvalidInput, match=r"_redirects, line 3:"):
            text_of("_redirects", b"/a /b" + ends + ends + b"\xff")
    assert text_of("_redirects", "\ufeff/é /b".encode()) == "/é /b"


WORDS = st.sampled_from(
    [
        "/",
        "/a",
        "/a/*",
        "/:x",
        "/b/:splat",
        "https://example.com/",
        "301",
        "200!",
        "404",
        "#",
        "x=1",
        "*",
        ":",
        "%",
        "\\",
    ]
)
TEXTS = st.one_of(
    st.text(),
    st.lists(st.lists(st.one_of(WORDS, st.text(max_size=4)), max_size=5).map(" ".join), max_size=8).map("\n".join),
)


@given(TEXTS)
def test_any_text_is_rules_or_is_refused_line_by_line(text: str) -> None:
    says = [
        number
        for number, line in enumerate(re.split("\r\n|\r|\n", text), 1)
        if line.strip(" \t") and line.strip(" \t")[0] != "#"
    ]
    try:
        rules = parse_redirects(text)
    except InvalidInput as error:
        lines = str(error).splitlines()
        named = [int(NAMED.match(line)[1]) for line in lines if "more lines" not in line]  # type: ignore[index]
        assert named
        assert set(named) <= set(says)
    else:
        assert [number for number, _ in rules] == says


SEGMENT = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=6)
EXACT = st.lists(SEGMENT, min_size=1, max_size=4, unique=True).map(lambda segments: "/" + "/".join(segments))


@st.composite
def written_rules(draw: Callable[..., str]) -> list[tuple[str, str, str]]:
    sources = draw(st.lists(EXACT, unique_by=_composed, max_size=6))
    return [
        (
            source,
            f"/~{number}{draw(st.sampled_from(['', '/', '?q=1', '#x']))}",
            draw(st.sampled_from(["", "301", "308!"])),
        )
        for number, source in enumerate(sources)
    ]


def _composed(text: str) -> str:
    return normalize("NFC", text)


@given(written_rules())
def test_well_formed_rules_come_out_as_they_went_in(rules: list[tuple[str, str, str]]) -> None:
    text = "\n".join("  ".join(rule) for rule in rules)
    assert rules_of(text) == [
        RedirectRule(_composed(source), destination, int(status.rstrip("!") or 302), status.endswith("!"))
        for source, destination, status in rules
    ]
