"""What Cloudflare's static assets do with `auto-trailing-slash`, from the cases that it publishes, and what we do.

Behaviours of packages/workers-shared/asset-worker in cloudflare/workers-sdk..
It sends 307 and no cache lifetime; we send 308 that is asked about again each time.
"""

import pytest

from tests.edge_handler.website.sites import ask

HOME = ("/index.html",)
BOTH = ("/both.html", "/both/index.html")
PAGE = ("/file.html",)
FOLDER = ("/folder/index.html",)
SLASH = ("/bin%2F", "/bin/index.html")
BARE = ("/file-bin", "/file-bin.html")
ODD = ("/[boop].html",)
ODD_BOTH = ("/[boop].html", "/[boop]/index.html")
ODD_TWICE = ("/%5Bboop%5D.html", "/[boop].html")
ACCENT = ("/beep/[bòop].html",)
QUESTION = ("/beep?boop.html",)

# Tree, path, where it ends (nothing: 404), file.
SAME = [
    (HOME, "/", "/", "/index.html"),
    (HOME, "/index", "/", "/index.html"),
    (HOME, "/index.html", "/", "/index.html"),
    (BOTH, "/both", "/both", "/both.html"),
    (BOTH, "/both.html", "/both", "/both.html"),
    (BOTH, "/both/", "/both/", "/both/index.html"),
    (BOTH, "/both/index.html", "/both/", "/both/index.html"),
    (BOTH, "/both/index", "/both/", "/both/index.html"),
    (PAGE, "/file", "/file", "/file.html"),
    (PAGE, "/file.html", "/file", "/file.html"),
    (PAGE, "/file/", "/file", "/file.html"),
    (PAGE, "/file/index", "/file", "/file.html"),
    (PAGE, "/file/index.html", "/file", "/file.html"),
    (FOLDER, "/folder", "/folder/", "/folder/index.html"),
    (FOLDER, "/folder.html", "/folder/", "/folder/index.html"),
    (FOLDER, "/folder/", "/folder/", "/folder/index.html"),
    (FOLDER, "/folder/index", "/folder/", "/folder/index.html"),
    (FOLDER, "/folder/index.html", "/folder/", "/folder/index.html"),
    (SLASH, "/bin", "/bin/", "/bin/index.html"),
    (SLASH, "/bin.html", "/bin/", "/bin/index.html"),
    (SLASH, "/bin%2F", "/bin/", "/bin/index.html"),
    (SLASH, "/bin%252F", "/bin%252F", "/bin%2F"),
    (SLASH, "/bin/", "/bin/", "/bin/index.html"),
    (SLASH, "/bin/index", "/bin/", "/bin/index.html"),
    (SLASH, "/bin/index.html", "/bin/", "/bin/index.html"),
    (BARE, "/file-bin", "/file-bin", "/file-bin"),
    (BARE, "/file-bin.html", "/file-bin.html", "/file-bin.html"),
    (BARE, "/file-bin/", "", ""),
    (BARE, "/file-bin/index", "", ""),
    (BARE, "/file-bin/index.html", "", ""),
    (ODD, "/%5Bboop%5D", "/%5Bboop%5D", "/[boop].html"),
    (ODD, "/%5Bboop%5D.html", "/%5Bboop%5D", "/[boop].html"),
    (ODD, "/[boop].html", "/%5Bboop%5D", "/[boop].html"),
    (ODD, "/%5Bboop%5D/", "/%5Bboop%5D", "/[boop].html"),
    (ODD, "/[boop]/", "/%5Bboop%5D", "/[boop].html"),
    (ODD_BOTH, "/%5Bboop%5D", "/%5Bboop%5D", "/[boop].html"),
    (ODD_BOTH, "/[boop].html", "/%5Bboop%5D", "/[boop].html"),
    (ODD_BOTH, "/%5Bboop%5D.html", "/%5Bboop%5D", "/[boop].html"),
    (ODD_BOTH, "/%5Bboop%5D/", "/%5Bboop%5D/", "/[boop]/index.html"),
    (ODD_BOTH, "/[boop]/index.html", "/%5Bboop%5D/", "/[boop]/index.html"),
    (ODD_BOTH, "/%5Bboop%5D/index.html", "/%5Bboop%5D/", "/[boop]/index.html"),
    (ODD_TWICE, "/[boop].html", "/%5Bboop%5D", "/[boop].html"),
    (ODD_TWICE, "/%5Bboop%5D", "/%5Bboop%5D", "/[boop].html"),
    (ODD_TWICE, "/%5Bboop%5D.html", "/%5Bboop%5D", "/[boop].html"),
    (ODD_TWICE, "/%255Bboop%255D", "/%255Bboop%255D", "/%5Bboop%5D.html"),
    (ODD_TWICE, "/%255Bboop%255D.html", "/%255Bboop%255D", "/%5Bboop%5D.html"),
    (QUESTION, "/beep", "", ""),
    (QUESTION, "/beep%3Fboop", "/beep%3Fboop", "/beep?boop.html"),
    (QUESTION, "/beep%3Fboop/", "/beep%3Fboop", "/beep?boop.html"),
]
# Cloudflare sends whoever does not encode brackets and the like to the encoded address. To a browser the two are one
# place, relative links lead to the same from both: that costs a round trip and gains nothing.
SERVED_AT_ONCE = [
    (ODD, "/[boop]", "/[boop].html"),
    (ODD_BOTH, "/[boop]", "/[boop].html"),
    (ODD_BOTH, "/[boop]/", "/[boop]/index.html"),
    (ODD_TWICE, "/[boop]", "/[boop].html"),
    (ACCENT, "/beep/[b%C3%B2op]", "/beep/[bòop].html"),
]


@pytest.mark.parametrize(("paths", "path", "ends", "file"), SAME)
def test_a_path_ends_where_cloudflare_would_send_it(paths: tuple[str, ...], path: str, ends: str, file: str) -> None:
    answer = ask(path, paths)
    if not ends:
        assert answer == "404"
    elif ends == path:
        assert answer == f"200 {file} P"
    else:
        assert answer == f"308 -> {ends}"
        assert ask(ends, paths) == f"200 {file} P"


@pytest.mark.parametrize(("paths", "path", "file"), SERVED_AT_ONCE)
def test_nobody_is_sent_round_for_the_spelling_of_a_character(paths: tuple[str, ...], path: str, file: str) -> None:
    assert ask(path, paths) == f"200 {file} P"
