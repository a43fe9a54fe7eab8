import json
import re
import shutil
import subprocess
from itertools import product
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_handler.website.listing import HeaderRule
from edge_handler.website.rules import find_rule, headers_for, location, match, target
from tests.edge_handler.website.sites import ask, rules
from tests.support import need


@pytest.mark.parametrize(
    ("pattern", "path", "values"),
    [
        ("/a", "/a", {}),
        ("/a", "/a/", None),
        ("/a/", "/a", None),
        ("/a", "/A", None),
        ("/blog/*", "/blog/", {"splat": ""}),
        ("/blog/*", "/blog/a/b.html", {"splat": "a/b.html"}),
        ("/blog/*", "/blog", None),
        ("/blog/*", "/blogs/a", None),
        ("*", "/a", {"splat": "/a"}),
        ("/*", "/", {"splat": ""}),
        ("/*.php", "/a/b.php", {"splat": "a/b"}),
        ("/*.php", "/a/b.phps", None),
        ("/img-*-big.png", "/img-1/2-big.png", {"splat": "1/2"}),
        ("/img-*-big.png", "/img-big.png", None),
        ("/a*a", "/a", None),
        ("/*/edit", "/a/b/edit", {"splat": "a/b"}),
        ("/*/edit", "/edit", None),
        ("/:year/:month/:slug", "/2024/05/hello-world", {"year": "2024", "month": "05", "slug": "hello-world"}),
        ("/:year/:month/:slug", "/2024/05", None),
        ("/:year/:month/:slug", "/2024/05/a/b", None),
        ("/blog/:slug", "/blog/", None),
        ("/p-:id_2.html", "/p-7.html", {"id_2": "7"}),
        ("/p-:id_2.html", "/p-.html", None),
        ("/:lang/docs/*", "/de/docs/a/b", {"lang": "de", "splat": "a/b"}),
        ("/*/by/:name", "/a/b/by/c", {"splat": "a/b", "name": "c"}),
        ("/at/12:30", "/at/12:30", {}),
        ("/at/12:30", "/at/1230", None),
        ("/café/:x", "/café/ü", {"x": "ü"}),
        ("/a.c", "/abc", None),
    ],
)
def test_a_pattern_matches_whole_paths(pattern: str, path: str, values: dict[str, str] | None) -> None:
    assert match(pattern, path) == values


SEGMENT = st.sampled_from(["", "a", "ab", ":x", ":y", "a:x", ":xb", "a:xb", "12:30", "a.b", "b", ":x_1-"])


@given(st.lists(SEGMENT, max_size=4), st.lists(SEGMENT, max_size=3) | st.none(), st.data())
@example(["a"], ["a"], None)
def test_matching_is_what_a_regular_expression_says(
    before: list[str], after: list[str] | None, data: st.DataObject | None
) -> None:
    pattern = "/" + "/".join(before) + ("" if after is None else "*" + "/".join(after))
    wanted, names = "", []
    for part in re.split(r"(\*|:[A-Za-z]\w*)", pattern):
        if part == "*":
            wanted += "(.*)"
            names.append("splat")
        elif re.fullmatch(r":[A-Za-z]\w*", part):
            wanted += "([^/]+)"
            names.append(part[1:])
        else:
            wanted += re.escape(part)
    # One of a kind, and one to a segment or a splat: others are none of the patterns that a site may have.
    segments = pattern.split("/")
    if len(set(names)) < len(names) or any(len(re.findall(r"\*|:[A-Za-z]", segment)) > 1 for segment in segments):
        return
    path = "/aa"
    if data is not None:
        pieces = st.lists(st.sampled_from(["/", "a", "b", "ab", "x", ".", ":", "12:30", "\n"]), max_size=8).map("".join)
        path = "/" + data.draw(pieces | st.just(re.sub(r"\*|:[A-Za-z]\w*", "ab", pattern[1:])))
    found = re.fullmatch(wanted, path, re.DOTALL)
    assert match(pattern, path) == (dict(zip(names, found.groups(), strict=True)) if found else None)


def test_the_first_rule_wins_and_exact_ones_before_patterns() -> None:
    found = rules("""
        /* /all 301
        /a/* /under-a 301
        /a/b /first 301
        /a/b /second 301
    """)
    assert find_rule("/a/b", found) == (found[2], {})
    assert find_rule("/a/c", found) == (found[0], {"splat": "a/c"})
    assert find_rule("/a/c", found[1:]) == (found[1], {"splat": "c"})
    assert find_rule("/b", found[1:]) is None


def test_a_redirect_to_where_one_is_already_is_passed_over() -> None:
    found = rules("""
        /a /a?x=1 301
        /caf%C3%A9 /unused 301
        /b/* /b/:splat 302
        /* /café 301
    """)
    assert find_rule("/a", found) == (found[3], {"splat": "a"})
    assert find_rule("/b/c", found) == (found[3], {"splat": "b/c"})
    assert find_rule("/café", found) is None
    assert find_rule("/café", rules("/* /caf%C3%A9 301")) is None
    assert ask("/index", ["/index.html"], "/* /index 301") == "200 /index.html P"
    # Where nobody is sent anywhere nothing goes round.
    same = rules("/* /:splat 200")
    assert find_rule("/a", same) == (same[0], {"splat": "a"})
    elsewhere = rules("/* https://example.com/:splat 301")
    assert find_rule("/a", elsewhere) == (elsewhere[0], {"splat": "a"})


def test_a_rewrite_finds_a_file_whose_name_is_spelled_in_another_form_of_unicode() -> None:
    assert ask("/rew", ["/café.html"], "/rew /cafe%CC%81.html 200") == "200 /café.html P"


@pytest.mark.parametrize(("line", "path"), [("/naïve /nai%CC%88ve 301", "/naïve"), ("/a* /a/.:splat 301", "/a/")])
def test_a_redirect_to_the_same_path_spelled_otherwise_is_passed_over(line: str, path: str) -> None:
    assert find_rule(path, rules(line)) is None


@pytest.mark.parametrize(
    ("destination", "query", "expected"),
    [
        ("/new", "", "/new"),
        ("/new", "q=1", "/new?q=1"),
        ("/new?own=1", "q=1", "/new?own=1"),
        ("/new?", "q=1", "/new?"),
        ("/new#part", "q=1", "/new?q=1#part"),
        ("/new?own=1#part", "q=1", "/new?own=1#part"),
        ("/café/%C3%A9", "", "/caf%C3%A9/%C3%A9"),
        ("/a b\\c", "", "/a%20b%5Cc"),
        ("/:splat", "", "/s/%20%3F%23%25%C3%BC&=+%5C"),
        ("/:id/:id_2/:none", "", "/1/2/:none"),
        ("/find?q=:splat&r=:id", "q=1", "/find?q=s%2F%20%3F%23%25%C3%BC%26%3D%2B%5C&r=1"),
        ("/page#:id", "", "/page#1"),
        ("https://example.com:8443/x/:id", "q=1", "https://example.com:8443/x/1?q=1"),
        ("http://example.com", "q=1", "http://example.com/?q=1"),
        ("https://:id.example.com/", "", "https://:id.example.com/"),
    ],
)
def test_a_location_is_filled_in(destination: str, query: str, expected: str) -> None:
    values = {"splat": "s/ ?#%ü&=+\\", "id": "1", "id_2": "2"}
    assert location(destination, values, query) == expected


def test_what_a_rewrite_leads_to_is_decoded_but_its_values_are_not_decoded_again() -> None:
    assert target("/caf%C3%A9/:splat?x#y", {"splat": "100%25"}) == "/café/100%25"
    assert target("https://example.com/:splat", {"splat": "a"}) == ""
    assert ask("/d/100%2525", ["/v2/100%25.html"], "/d/* /v2/:splat 200") == "200 /v2/100%25.html P"


@pytest.mark.parametrize(
    "path",
    [
        *("/blog//evil.com", "/blog/%5Cevil.com", "/blog/%2Fevil.com", "/blog/%2F%2Fevil.com", "//evil.com/blog"),
        *("/blog/%09//evil.com", "/blog/%09/evil.com", "/blog/%0d%0aSet-Cookie:x", "/blog/https://evil.com"),
        *("/blog/%5C%5Cevil.com", "/blog/@evil.com", "/blog/%E2%80%AE/evil.com", "/blog//%5C/evil.com/%252e%252e/"),
    ],
)
def test_whoever_makes_up_a_path_is_not_sent_to_another_host(path: str) -> None:
    for redirects in (
        "/blog/* /:splat 301",
        "/blog/:x /:x 301",
        "/blog/:x/* /:x:splat",
        "/* :splat",
        "/blog/* //:splat",
    ):
        answer = ask(path, ["/index.html"], redirects, fallback="/index.html")
        if " -> " in answer:
            sent = answer.partition(" -> ")[2]
            assert re.fullmatch(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", sent), sent


NASTY = [
    "/",
    "//",
    "\\",
    "%5C",
    "%2F",
    "%09",
    "%0A",
    "%0D",
    "%00",
    "@",
    ":",
    "https:",
    "evil.com",
    "?",
    "#",
    ";",
    "ü",
    "%25",
]


def test_a_browser_agrees_that_it_stays_on_the_host() -> None:
    node = shutil.which("node")
    need(node, "node (apt-get install nodejs)")
    destinations = (
        "/:splat",
        "/x:splat",
        "/:splat/y",
        "//:splat",
        "/?q=:splat",
        "/#:splat",
        "/.:splat",
        "/./:splat",
        "/",
    )
    sent = [
        location(destination, {"splat": unquote("".join(parts))}, query)
        for destination in destinations
        for parts in product(NASTY, repeat=2)
        for query in ("", 'a=b"<\\#\r\n')
    ]
    script = """
        const sent = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const base = "https://site.example/a/b?c#d";
        console.log(JSON.stringify(sent.filter((one) => new URL(one, base).origin !== "https://site.example")));
    """
    done = subprocess.run([str(node), "-e", script], input=json.dumps(sent), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    assert all(one.isascii() and one.isprintable() and " " not in one for one in sent)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), st.text())
def test_a_location_begins_with_exactly_one_slash_whatever_the_values(splat: str, word: str, query: str) -> None:
    query = query.encode(errors="replace").decode()
    for destination in ("/:splat", "/:x/:splat", "/:x:splat", ":splat", "//:splat?:x#:splat"):
        sent = location(destination, {"splat": splat, "x": word}, query)
        assert re.match(r"/(?![/\\])", sent)
        assert re.fullmatch(r"[!-~]*", sent)
        assert not set('"<>\\') & set(sent)


def headers(text: str) -> list[HeaderRule]:
    found: list[HeaderRule] = []
    for line in filter(str.strip, text.splitlines()):
        word = line.strip()
        if word.startswith("/"):
            found.append(HeaderRule(word, (), ()))
        elif word.startswith("!"):
            found[-1] = found[-1]._replace(remove=(*found[-1].remove, word[1:].strip()))
        else:
            name, _, value = word.partition(":")
            found[-1] = found[-1]._replace(set=(*found[-1].set, (name, value.strip())))
    return found


def test_all_blocks_that_match_say_their_headers() -> None:
    blocks = headers("""
        /*
          X-Frame-Options: DENY
          Link: </a.css>; rel=preload
          link: </b.css>; rel=preload
        /docs/*
          Link: </c.css>; rel=preload
          Cache-Control: max-age=60
        /embed/*
          ! X-Frame-Options
          ! X-Never
        /embed/again
          X-Frame-Options: SAMEORIGIN
        /movies/:title
          X-Title: about ":title" at 12:30, blob: :other
    """)
    everywhere = [("x-frame-options", "DENY"), ("link", "</a.css>; rel=preload, </b.css>; rel=preload")]
    assert headers_for("/", blocks) == everywhere
    assert headers_for("/docs/a", blocks) == [
        ("x-frame-options", "DENY"),
        ("link", "</a.css>; rel=preload, </b.css>; rel=preload, </c.css>; rel=preload"),
        ("cache-control", "max-age=60"),
    ]
    assert headers_for("/embed/a", blocks) == everywhere[1:]
    assert dict(headers_for("/embed/again", blocks))["x-frame-options"] == "SAMEORIGIN"
    assert headers_for("/movies/ü\r\n", blocks)[-1] == ("x-title", 'about "%C3%BC%0D%0A" at 12:30, blob: :other')
    assert headers_for("/", []) == []


def test_a_quoted_path_is_safe_in_a_header() -> None:
    value = dict(headers_for("/a\r\nb", headers("/*\n x: :splat")))["x"]
    assert value == quote("a\r\nb")
