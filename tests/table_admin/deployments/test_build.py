"""A directory as a site: what is taken in, under which name, and what is refused."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unicodedata import normalize

import pytest

from edge_handler.website.listing import File, HeaderRule, Options, RedirectRule, whole
from table_admin.deployments.build import Build, build
from table_admin.deployments.files import MAX_FILE_BYTES
from table_admin.errors import InvalidInput

Files = Mapping[str, str | bytes]
CAFE = "caf\u00e9"


def write(directory: Path, files: Files) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


def site(directory: Path, files: Files, *, spa: bool = False) -> Build:
    return build(write(directory, {"index.html": "<p>first", "about.html": "<p>about", **files}), spa=spa)


def refused(directory: Path, *, spa: bool = False, force: bool = False) -> str:
    with pytest.raises(InvalidInput) as error:
        build(directory, spa=spa, force=force)
    return str(error.value)


def test_every_file_is_there_with_its_hash_type_and_size_and_in_the_list(tmp_path: Path) -> None:
    large, middle = os.urandom(3 * 1024 * 1024), os.urandom(200 * 1024)
    files: Files = {"assets/app-BQ2vzXnC.js": "1", "deep/er/index.html": "", "film.mp4": large, "a b\n.txt": "x"}
    built = site(tmp_path, {**files, "about.png": middle})
    assert {path: (file.content_type, file.size, file.immutable) for path, file in built.files.items()} == {
        "/index.html": ("text/html; charset=utf-8", 8, False),
        "/about.html": ("text/html; charset=utf-8", 8, False),
        "/assets/app-BQ2vzXnC.js": ("text/javascript; charset=utf-8", 1, True),
        "/deep/er/index.html": ("text/html; charset=utf-8", 0, False),
        "/film.mp4": ("video/mp4", len(large), False),
        "/about.png": ("image/png", len(middle), False),
        "/a b\n.txt": ("text/plain; charset=utf-8", 1, False),
    }
    listed = whole(built.listing.content, built.listing.id)
    for path, file in built.files.items():
        assert file.path.read_bytes() is not None
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
        assert listed.find(path) == File(file.sha256, file.content_type, file.immutable, file.size)
    assert listed.head.files == 7
    assert built.notes == ()


def test_the_same_directory_is_the_same_deployment(tmp_path: Path) -> None:
    one, other = site(tmp_path / "one", {"b": "1", "a": "2"}), site(tmp_path / "other", {"a": "2", "b": "1"})
    assert one.listing == other.listing
    assert site(tmp_path / "other", {"b": "2"}).listing.id != one.listing.id


def test_many_files_are_each_themselves(tmp_path: Path) -> None:
    built = site(tmp_path, {f"{number % 7}/{number}.txt": str(number) for number in range(700)})
    for number in range(700):
        assert built.files[f"/{number % 7}/{number}.txt"].sha256 == hashlib.sha256(str(number).encode()).hexdigest()


def test_text_that_is_no_utf_8_says_its_encoding_itself(tmp_path: Path) -> None:
    built = site(tmp_path, {"old.html": "<meta charset=latin1>é".encode("latin1"), "data.bin": b"\xff"})
    assert built.files["/old.html"].content_type == "text/html"
    assert built.files["/data.bin"].content_type == "application/octet-stream"


def test_names_are_composed(tmp_path: Path) -> None:
    built = site(tmp_path, {normalize("NFD", f"{CAFE}/menü.html"): ""})
    assert f"/{CAFE}/men\u00fc.html" in built.files


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("About.html", "about.html", "only by case"),
        ("A/x.js", "a/X.js", "only by case"),
        ("straße.html", "STRASSE.html", "only by case"),
        (CAFE, normalize("NFD", CAFE), "two forms of Unicode"),
        (CAFE.upper(), normalize("NFD", CAFE), "only by case"),
    ],
)
def test_names_that_a_machine_may_take_for_one_are_refused(tmp_path: Path, one: str, other: str, why: str) -> None:
    assert why in refused(write(tmp_path, {"index.html": "", one: "1", other: "2"}))


def test_directories_may_differ_by_case_alone_where_their_files_do_not(tmp_path: Path) -> None:
    assert {"/A/x", "/a/y"} <= set(site(tmp_path, {"A/x": "1", "a/y": "2"}).files)


def test_links_inside_the_directory_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "dist", {"v2/app.js": "2", "v2/deep/a.txt": "a"})
    (tmp_path / "dist" / "current").symlink_to("v2")
    (tmp_path / "dist" / "app.js").symlink_to(tmp_path / "dist" / "current" / "app.js")
    (tmp_path / "link").symlink_to("dist")
    built = site(tmp_path / "link", {})
    assert {"/current/app.js", "/current/deep/a.txt", "/app.js", "/v2/app.js"} <= set(built.files)
    assert built.files["/app.js"].size == 1


@pytest.mark.parametrize(
    ("name", "target", "why"),
    [
        ("out.txt", "../secret.txt", "out of the directory"),
        ("out", "..", "out of the directory"),
        ("near", "../dist-of-another", "out of the directory"),
        ("passwd", "/etc/passwd", "out of the directory"),
        ("gone", "nowhere", "leads nowhere"),
        ("self", "self", "leads nowhere"),
        ("docs/up", "../docs", "a loop"),
        ("docs/top", "..", "a loop"),
        ("config.txt", ".git/config", "which is left out"),
        ("git", ".git", "which is left out"),
        ("env.txt", "docs/.env.d/a", "which is left out"),
    ],
)
def test_links_that_cannot_be_followed_are_refused(tmp_path: Path, name: str, target: str, why: str) -> None:
    write(tmp_path, {"secret.txt": "", "dist-of-another/a": ""})
    dist = write(tmp_path / "dist", {"index.html": "", ".git/config": "", "docs/a.txt": ""})
    if target == "docs/.env.d/a":
        write(dist, {"docs/.envd/a": ""})
        target = "docs/.envd/a"
    (dist / name).symlink_to(target)
    said = refused(dist)
    assert said.startswith(f"{name} ")
    assert why in said


def test_names_with_a_dot_first_are_left_out_and_said(tmp_path: Path) -> None:
    names = [".DS_Store", ".git/config", "a/.htaccess", ".nojekyll", "a/.x", ".well-known/.hidden"]
    built = site(tmp_path, dict.fromkeys([*names, ".well-known/security.txt", "a/b.txt"], ""))
    assert set(built.files) == {"/index.html", "/about.html", "/.well-known/security.txt", "/a/b.txt"}
    assert built.notes == ("Left out, as their names begin with a dot: .DS_Store, .git, .nojekyll, 3 more.",)


@pytest.mark.parametrize("name", [".env", ".env.production", ".ENV", "a/b/.env", ".well-known/.env", ".env/a"])
def test_secrets_are_refused_and_not_only_left_out(tmp_path: Path, name: str) -> None:
    assert "holds secrets" in refused(write(tmp_path, {"index.html": "", name: "TOKEN=x"}), force=True)


def test_a_directory_without_any_file_is_no_site(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / ".git").mkdir()
    assert "has no file in it; has the build failed?" in refused(tmp_path, force=True)


def test_a_site_has_a_first_page_or_is_forced(tmp_path: Path) -> None:
    write(tmp_path, {"dist/en/index.html": "", "dist/index.html": "", "a.txt": ""})
    said = refused(tmp_path)
    assert "no index.html" in said
    assert "one in dist: deploy that directory?" in said
    assert "--force" in said
    assert set(build(tmp_path, force=True).files) == {"/dist/en/index.html", "/dist/index.html", "/a.txt"}


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"file": ""})
    (tmp_path / "loop").symlink_to("loop")
    assert "no directory" in refused(tmp_path / "file")
    assert "cannot be opened: no such file" in refused(tmp_path / "none")
    assert "cannot be opened" in refused(tmp_path / "loop")
    assert "cannot be opened" in refused(tmp_path / "a\0b")


@contextmanager
def nobody() -> Iterator[None]:
    """Be somebody whom permissions bind."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_cannot_be_read_is_named() -> None:
    with TemporaryDirectory() as directory:
        dist = write(Path(directory), {"index.html": "", "closed/a.txt": "", "locked.txt": "", "_redirects": ""})
        dist.chmod(0o755)
        (dist / "closed").chmod(0)
        with nobody():
            assert refused(dist) == "closed cannot be read: permission denied."
        (dist / "closed").chmod(0o755)
        (dist / "locked.txt").chmod(0)
        with nobody():
            assert refused(dist) == "locked.txt cannot be read: permission denied."
        (dist / "locked.txt").chmod(0o644)
        (dist / "_redirects").chmod(0)
        with nobody():
            assert refused(dist).endswith("_redirects cannot be read: permission denied.")


def test_a_name_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"index.html": "", os.fsdecode(b"caf\xe9.txt"): ""})
    said = refused(tmp_path)
    assert said.startswith("caf\\udce9.txt has a name that is not UTF-8")
    said.encode()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"index.html": ""})
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path) == "pipe is neither a file nor a directory."


def test_a_path_may_have_as_many_bytes_as_an_object_has(tmp_path: Path) -> None:
    longest = "/".join(["ä" * 100] * 5) + "/" + "a" * (1024 - 1006)
    assert max(len(path.encode()) for path in site(tmp_path, {longest: ""}).files) == 1024
    write(tmp_path, {longest + "b": ""})
    assert "more than 1,024 bytes" in refused(tmp_path)


def test_a_file_that_s3_does_not_take_at_once_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"index.html": ""})
    with (tmp_path / "film.mp4").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert refused(tmp_path).startswith("film.mp4 is larger than 5 GiB")


def test_a_name_that_no_request_can_have_is_refused(tmp_path: Path) -> None:
    assert "/a\\b" in site(tmp_path, {"a\\b": ""}).files
    write(tmp_path, {"a\\..\\b": ""})
    assert "cannot be asked for" in refused(tmp_path)


def test_all_that_is_wrong_is_said_up_to_ten(tmp_path: Path) -> None:
    write(tmp_path, {"index.html": ""} | {f"{number}/.env": "" for number in range(13)})
    assert len(refused(tmp_path).splitlines()) == 11
    assert "3 more files" in refused(tmp_path)


def test_rules_are_no_files_of_the_site(tmp_path: Path) -> None:
    built = site(
        tmp_path,
        {
            "_redirects": "\ufeff/old/* /:splat 301\n/app /about 200\n/* /404.html 404",
            "_headers": "/*\n  X-A: b\n/fonts/*\n  Access-Control-Allow-Origin: *\n  ! X-A",
            "404.html": "",
            "sub/_redirects": "anything",
        },
    )
    assert set(built.files) == {"/index.html", "/about.html", "/404.html", "/sub/_redirects"}
    assert built.options == Options(
        fallback="",
        redirects=(
            RedirectRule("/old/*", "/:splat", 301, False),
            RedirectRule("/app", "/about", 200, False),
            RedirectRule("/*", "/404.html", 404, False),
        ),
        headers=(
            HeaderRule("/*", (("x-a", "b"),), ()),
            HeaderRule("/fonts/*", (("access-control-allow-origin", "*"),), ("x-a",)),
        ),
        query="all",
        cors="*",
    )
    assert whole(built.listing.content, built.listing.id).options == built.options


@pytest.mark.parametrize("rule", ["/x /gone 200", "/x /gone/ 200!", "/* /gone.html 404", "/x /about/more 200"])
def test_a_rule_for_a_page_that_is_not_there_is_refused(tmp_path: Path, rule: str) -> None:
    write(tmp_path, {"index.html": "", "about.html": "", "docs/index.html": "", "_redirects": f"# x\n{rule}\n"})
    assert refused(tmp_path).startswith("_redirects, line 2: there is no file for /")


def test_a_page_is_found_under_any_of_its_addresses(tmp_path: Path) -> None:
    rules = "/a /about 200\n/b /docs 200\n/c /docs/ 200\n/d /about/ 200\n/e / 200\n/f /caf%C3%A9 200\n/g/:x /:x 200"
    assert len(site(tmp_path, {"docs/index.html": "", f"{CAFE}.html": "", "_redirects": rules}).options.redirects) == 7


@pytest.mark.parametrize(
    ("files", "spa", "fallback", "said"),
    [
        ({}, False, "/index.html", "the only page"),
        ({"app.js": "", "a/data.json": ""}, False, "/index.html", "the only page"),
        ({"200.html": ""}, False, "/200.html", "the only page"),
        ({"200.html": ""}, True, "/200.html", ""),
        ({"about.html": ""}, False, "", ""),
        ({"about.htm": ""}, False, "", ""),
        ({"404.html": "x"}, False, "", ""),
        ({"404.html": ""}, False, "", "404.html is the same"),
        ({"404.html": ""}, True, "/index.html", ""),
        ({"about.html": ""}, True, "/index.html", ""),
        ({"about.html": "", "200.html": ""}, False, "", "--spa makes it"),
        ({"about.html": "", "_redirects": "/* /index.html 200"}, False, "/index.html", ""),
        ({"about.html": "", "_redirects": "/* / 200"}, False, "/index.html", ""),
        ({"about.html": "", "200.html": "", "_redirects": "/* /200.html 200"}, False, "/200.html", ""),
        ({"_redirects": "/* /index.html 200"}, False, "/index.html", ""),
    ],
)
def test_a_single_page_application_is_known_as_one(
    tmp_path: Path, files: Files, spa: bool, fallback: str, said: str
) -> None:
    built = build(write(tmp_path, {"index.html": "", **files}), spa=spa)
    assert built.options.fallback == fallback
    assert built.options.redirects == ()
    assert all(said in note for note in built.notes)
    assert len(built.notes) == bool(said)


def test_a_page_that_takes_every_path_stays_a_rule_where_it_is_forced_or_another_page(tmp_path: Path) -> None:
    rules = site(tmp_path, {"_redirects": "/* /about.html 200"}).options
    assert (rules.fallback, len(rules.redirects), rules.query) == ("", 1, "pages")
    assert len(site(tmp_path, {"_redirects": "/* /index.html 200!"}).options.redirects) == 1


def test_a_fallback_needs_a_page(tmp_path: Path) -> None:
    assert "there is neither" in refused(write(tmp_path, {"about.html": ""}), spa=True, force=True)


@pytest.mark.parametrize(
    ("files", "query"),
    [
        ({"docs/index.html": "", "404.html": "", "200.html": "", "a/404.html": "", "app.js": ""}, "files"),
        ({"docs.html": ""}, "pages"),
        ({"docs/my-index.html": ""}, "pages"),
        ({"docs.htm": ""}, "files"),
        ({"_redirects": "/a /index.html 200\n/b /index.html 404\n/c /index.html 200!"}, "files"),
        ({"_redirects": "/a /b"}, "all"),
        ({"_redirects": "/* /index.html 200"}, "files"),
    ],
)
def test_a_query_matters_where_something_may_redirect(tmp_path: Path, files: Files, query: str) -> None:
    assert build(write(tmp_path, {"index.html": "", **files})).options.query == query


def test_a_name_that_had_other_bytes_is_asked_for_again(tmp_path: Path) -> None:
    same, other, new = (f"assets/{name}-BQ2vzXnC.js" for name in ("same", "other", "new"))
    before = site(tmp_path, {same: "1", other: "1"})
    former = whole(before.listing.content, before.listing.id)
    write(tmp_path, {other: "2", new: "3"})
    after = build(tmp_path, former=[former, former])
    assert [after.files[f"/{name}"].immutable for name in (same, other, new)] == [True, False, True]
    again = build(tmp_path, former=[whole(after.listing.content, after.listing.id)])
    assert again.listing == after.listing
    assert all(build(tmp_path).files[f"/{name}"].immutable for name in (same, other, new))


def test_more_headers_than_an_answer_has_room_for_are_refused(tmp_path: Path) -> None:
    many = "".join(f"/{number}/*\n  X-A: {'a' * 1000}\n" for number in range(9))
    assert len(site(tmp_path, {"1/a.html": "", "_headers": many}).options.headers) == 9
    write(tmp_path, {"_headers": many + "".join(f"/1/a\n  X-A: {letter * 1000}\n" for letter in "bcde")})
    assert refused(tmp_path).startswith("_headers, line 25: with it /1/a has more than 4,096 bytes")


def test_what_does_not_fit_into_a_list_is_refused(tmp_path: Path) -> None:
    rules = "".join(f"/{number}/{'a' * 60} /{'b' * 60}/{number}\n" for number in range(7000))
    write(tmp_path, {"index.html": "", "_redirects": rules})
    assert "the site's rules take" in refused(tmp_path)
