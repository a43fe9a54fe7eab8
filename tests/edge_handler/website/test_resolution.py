import pytest

from edge_handler.errors import MalformedPath
from edge_handler.website.listing import Options
from edge_handler.website.resolution import CACHE, Missing, Serve, resolve, site_path
from tests.edge_handler.website.sites import ask, files


def nothing(path: str) -> None:
    raise AssertionError(f"asked elsewhere for {path}")


@pytest.mark.parametrize(
    "path",
    [
        *("/%ff", "/a%00b", "/..", "/../secret", "/a/./b", "/a/%2e%2e/b", "/a/..%2fb", "/a\\..\\b", "/..;x/b"),
        "no-slash",
    ],
)
def test_a_path_that_cannot_be_meant_is_malformed(path: str) -> None:
    with pytest.raises(MalformedPath):
        ask(path, ["/index.html"], "/* /index.html 200")


def test_a_path_is_decoded_once() -> None:
    assert ask("/caf%C3%A9", ["/café.html"]) == "200 /café.html P"
    assert ask("/100%25", ["/100%.html"]) == "200 /100%.html P"
    assert ask("/a%252Fb", ["/a/b.html"]) == "404"
    assert ask("/a+b", ["/a+b.html"]) == "200 /a+b.html P"


def test_a_name_is_one_name_in_whichever_form_it_is_typed() -> None:
    assert ask("/cafe%CC%81", ["/café.html"]) == "200 /café.html P"
    assert ask("/cafe%CC%81/", ["/café.html"]) == "308 -> /caf%C3%A9"
    assert site_path("/cafe%CC%81") == "/café"


def test_a_path_that_no_file_can_have_is_missing_without_a_look() -> None:
    long = "/" + "ü" * 512
    assert ask(long, ["/index.html"], f"{long} /index.html 200", fallback="/index.html") == "404"
    assert ask(long, ["/404.html"]) == "404 /404.html N"
    assert ask(long[:-1], ["/index.html"], fallback="/index.html") == "200 /index.html P"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("//", "308 -> /?q=1"),
        ("//a", "308 -> /a?q=1"),
        ("/b//", "308 -> /b/?q=1"),
        ("/b//index.html", "308 -> /b/?q=1"),
        ("/b%2F", "308 -> /b/?q=1"),
        ("/b%2fc.css", "308 -> /b/c.css?q=1"),
        ("//a///", "308 -> /a?q=1"),
        ("//nothing", "404"),
        ("//nothing.js", "404 asset"),
    ],
)
def test_repeated_slashes_are_one_in_a_single_redirect_to_something_that_is_there(path: str, answer: str) -> None:
    assert ask(path, ["/index.html", "/a.html", "/b/index.html", "/b/c.css"], query="q=1") == answer


def test_the_rules_files_do_not_exist() -> None:
    paths = ["/_redirects", "/_headers", "/404.html"]
    assert ask("/_redirects", paths) == ask("/_headers", paths) == "404 /404.html N"
    assert ask("/x", paths, "/x /_headers 200") == "404 /404.html N"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", "200 /index.html P"),
        ("/dir/", "200 /dir/index.html P"),
        ("/file/", "308 -> /file"),
        ("/both/", "200 /both/index.html P"),
        ("/bin/", "404"),
        ("/index", "308 -> /"),
        ("/index.html", "308 -> /"),
        ("/dir/index", "308 -> /dir/"),
        ("/dir/index.html", "308 -> /dir/"),
        ("/file/index", "308 -> /file"),
        ("/file/index.html", "308 -> /file"),
        ("/named/index", "200 /named/index P"),
        ("/named/index.html", "308 -> /named/"),
        ("/named/", "200 /named/index.html P"),
        ("/file.html", "308 -> /file"),
        ("/bin.html", "200 /bin.html P"),
        ("/dir.html", "308 -> /dir/"),
        ("/none.html", "404"),
        ("/bin", "200 /bin P"),
        ("/style.css", "200 /style.css P"),
        ("/assets/app-4f2a.js", "200 /assets/app-4f2a.js I"),
        ("/assets/page", "200 /assets/page.html P"),
        ("/file", "200 /file.html P"),
        ("/both", "200 /both.html P"),
        ("/dir", "308 -> /dir/"),
        ("/next.js", "308 -> /next.js/"),
        ("/v22.x", "308 -> /v22.x/"),
        ("/users/jane@example.com", "308 -> /users/jane@example.com/"),
        ("/.well-known", "308 -> /.well-known/"),
        ("/Dir", "404"),
        ("/sub/dir", "404"),
    ],
)
def test_pages_have_clean_addresses(path: str, answer: str) -> None:
    paths = (
        *("/index.html", "/dir/index.html", "/file.html", "/both.html", "/both/index.html", "/bin", "/bin.html"),
        *("/named/index", "/named/index.html", "/style.css", "/assets/app-4f2a.js", "/assets/page.html"),
        *("/next.js/index.html", "/v22.x/index.html", "/users/jane@example.com/index.html", "/.well-known/index.html"),
    )
    assert ask(path, paths) == answer


def test_a_redirect_keeps_the_query_as_it_was_sent() -> None:
    for query in ("utm_source=x&a=%20b", "a[]=1&b={c}|d", "next=/a/?b=c", "%"):
        assert ask("/dir", ["/dir/index.html"], query=query) == f"308 -> /dir/?{query}"
    assert ask("/dir", ["/dir/index.html"], query='<"\r\nx: y ü') == "308 -> /dir/?%3C%22%0D%0Ax:%20y%20%C3%BC"


def test_a_name_is_encoded_where_it_is_sent() -> None:
    assert ask("/[a]?#%25 ü".replace("?", "%3F").replace("#", "%23"), ["/[a]?#% ü/index.html"]) == (
        "308 -> /%5Ba%5D%3F%23%25%20%C3%BC/"
    )


@pytest.mark.parametrize(
    ("paths", "redirects", "path", "answer"),
    [
        # Apache's habit: without the check, /about and /about.html would send each other round for ever.
        (["/about.html"], "/about /about.html 301", "/about.html", "200 /about.html P"),
        (["/about.html"], "/about /about.html 301", "/about", "301 -> /about.html"),
        (["/about.html"], "/about /about.html 301", "/about/", "404"),
        (["/d/index.html"], "/d/ /d 301", "/d", "404"),
        (["/d/index.html"], "/d/ /d 301", "/d/index.html", "308 -> /d/index"),
        (["/d/index.html"], "/d/ /d 301", "/d/index", "200 /d/index.html P"),
        (["/d/index.html", "/d.html"], "/d/ /d 301", "/d/index", "200 /d/index.html P"),
        # What another file stands for is not the same.
        (["/a.html", "/b.html"], "/a /b 200!", "/a.html", "200 /a.html P"),
        (["/a.html"], "/a /a.html 200!", "/a.html", "200 /a.html P"),
        (["/a.html"], "/a /a.html 200!", "/a", "200 /a.html P"),
        (["/docs/index.html"], "/* /docs 200!", "/docs/x", "200 /docs/index.html P"),
        (["/a.html"], "/a /404 404!", "/a.html", "200 /a.html P"),
        (["/a.html"], "/a /b 200", "/a.html", "308 -> /a"),
    ],
)
def test_no_redirect_of_ours_leads_to_a_rule_that_leads_elsewhere(
    paths: list[str], redirects: str, path: str, answer: str
) -> None:
    assert ask(path, paths, redirects) == answer


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/old", "301 -> /new?q=1"),
        ("/there", "302 -> /file?q=1"),
        ("/blog/a/b", "301 -> /a/b?q=1"),
        ("/blog/kept", "308 -> /kept-one?q=1"),
        ("/plain", "200 /plain.html P"),
        ("/plain2", "200 /file.html P"),
        ("/forced", "200 /file.html P"),
        ("/forced-away", "404 /404.html N"),
        ("/hidden", "404 /gone.html N"),
        ("/gone", "200 /gone.html P"),
        ("/gone2", "404 /gone.html N"),
    ],
)
def test_rules_before_files_but_a_plain_200_or_404_after_them(path: str, answer: str) -> None:
    paths = (
        *("/there.html", "/file.html", "/plain.html", "/forced.html", "/forced-away.html", "/hidden.html"),
        *("/gone.html", "/404.html"),
    )
    redirects = """
        /blog/* /:splat 301
        /blog/kept /kept-one 308
        /old /new 301
        /there /file
        /plain /file 200
        /plain2 /file 200
        /forced /file 200!
        /forced-away /nowhere 200!
        /hidden /gone 404!
        /gone /404 404
        /gone2 /gone.html 404
    """
    assert ask(path, paths, redirects, query="q=1") == answer


def test_a_forced_404_is_one_whatever_else_there_is() -> None:
    paths = ["/index.html", "/secret.html", "/secret.js"]
    for path in ("/secret", "/secret.js"):
        assert ask(path, paths, "/* /nowhere 404!", fallback="/index.html", elsewhere=nothing) == "404"
        assert ask(path, [*paths, "/404.html"], "/* /nowhere 404!", elsewhere=nothing) == "404 /404.html N"


def test_what_a_rule_puts_in_place_of_a_path_is_not_kept_for_ever() -> None:
    paths = ["/assets/app-4f2a.js"]
    assert ask("/app.js", paths, "/app.js /assets/app-4f2a.js 200!") == "200 /assets/app-4f2a.js P"
    assert ask("/assets/app-4f2a.js", paths, "/assets/* /:splat 200") == "200 /assets/app-4f2a.js I"


def test_a_rewrite_finds_a_page_by_any_of_its_addresses() -> None:
    for destination in ("/docs/index.html", "/docs/", "/docs", "/docs/index"):
        assert ask("/d", ["/docs/index.html"], f"/d {destination} 200") == "200 /docs/index.html P"


@pytest.mark.parametrize(
    "path",
    [
        *("/app.js", "/x/app-1.MJS", "/robots.txt", "/data.json", "/assets/blob.d2f", "/docs/_astro/x.y"),
        *("/.well-known/apple-app-site-association", "/_next/static/a/b.rsc"),
    ],
)
def test_no_page_stands_in_for_a_missing_asset(path: str) -> None:
    paths = ["/index.html", "/404.html"]
    assert ask(path, paths, "/* /index.html 200", fallback="/index.html") == "404 asset"
    assert ask(path, paths, "/* /404.html 404") == "404 asset"


@pytest.mark.parametrize(
    "path", ["/users/jane@example.com", "/v2.0", "/assets/42", "/assets/a.html", "/page.html", "/page.htm", "/.js", "/"]
)
def test_what_only_looks_like_an_asset_is_the_applications(path: str) -> None:
    assert ask(path, ["/app.html"], "/* /app.html 200", elsewhere=nothing) == "200 /app.html P"


def test_a_former_deployment_or_the_next_has_it() -> None:
    other = files("/assets/old-1a2b.js")

    def elsewhere(path: str) -> Serve | None:
        file = other.get(path)
        return Serve(200, file, "X", path) if file else None

    assert ask("/assets/old-1a2b.js", ["/index.html"], elsewhere=elsewhere) == "200 /assets/old-1a2b.js X"
    assert ask("//assets/old-1a2b.js", ["/index.html"], elsewhere=elsewhere) == "200 /assets/old-1a2b.js X"
    assert ask("/assets/old-3c4d.js", ["/index.html"], elsewhere=elsewhere) == "404 asset"
    assert ask("/assets/old-1a2b.js", ["/assets/old-1a2b.js"], elsewhere=nothing) == "200 /assets/old-1a2b.js I"


def test_a_rule_may_say_where_scripts_are() -> None:
    redirects = "/docs/* /v2/:splat 200"
    assert ask("/docs/app.js", ["/v2/app.js"], redirects, elsewhere=nothing) == "200 /v2/app.js P"
    assert ask("/docs/app.js", ["/v2/app.js.html"], redirects) == "404 asset"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/x", "404 /404.html N"),
        ("/x/", "404 /404.html N"),
        ("/docs/x", "404 /docs/404.html N"),
        ("/docs/x/y/", "404 /docs/404.html N"),
        ("/docs/", "404 /docs/404.html N"),
        ("/docs", "404 /404.html N"),
        ("/404", "200 /404.html P"),
        ("/404.html", "308 -> /404"),
    ],
)
def test_the_nearest_page_says_that_a_page_is_missing(path: str, answer: str) -> None:
    assert ask(path, ["/404.html", "/docs/404.html"]) == answer


def test_a_single_page_application_answers_what_is_no_file() -> None:
    assert ask("/deep/link", ["/index.html"], fallback="/index.html") == "200 /index.html P"
    assert ask("/deep//link", ["/index.html"], fallback="/index.html") == "308 -> /deep/link"
    assert ask("/deep/link", ["/index.html", "/200.html"], fallback="/200.html") == "200 /200.html P"
    assert ask("/deep/link", ["/index.html"]) == "404"
    assert ask("/deep/link", ["/index.html"], fallback="/200.html") == "404"


def test_a_topmost_404_page_leaves_an_application_its_links_but_one_below_is_nearer() -> None:
    paths = ["/index.html", "/404.html", "/docs/404.html"]
    assert ask("/deep/link", paths, fallback="/index.html") == "200 /index.html P"
    assert ask("/docs/link", paths, fallback="/index.html") == "404 /docs/404.html N"
    assert ask("/deep/link", paths, "/* /404.html 404", fallback="/index.html") == "404 /404.html N"


def test_what_is_missing_says_its_path() -> None:
    found = resolve("/caf%C3%A9//menu.json", "", files().get, Options("", (), (), "files", ""), lambda path: None)
    assert found == Missing("/café/menu.json", True)


def test_each_class_is_what_caches_are_told() -> None:
    assert CACHE == {
        "I": "public, max-age=31536000, immutable",
        "P": "public, max-age=0, must-revalidate, s-maxage=31536000",
        "N": "public, max-age=0, must-revalidate, s-maxage=60",
        "X": "no-store",
    }


def test_a_page_becomes_a_directory_and_back_without_a_loop() -> None:
    for old, new in (("/docs/index.html", "/docs.html"), ("/docs.html", "/docs/index.html")):
        for path in ("/docs", "/docs/", "/docs/index.html", "/docs.html"):
            address = path
            for paths in ([old], [new], [old]):  # the browser goes on from where it was sent
                for _ in range(2):
                    answer = ask(address, paths)
                    if answer == f"200 {paths[0]} P":
                        break
                    address = answer.removeprefix("308 -> ")
                assert answer == f"200 {paths[0]} P"
