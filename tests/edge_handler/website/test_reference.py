"""Resolution against a reference that is slow and says the specification once more, in lists of what is tried."""

import re
from collections.abc import Collection, Iterator
from urllib.parse import quote, unquote

from hypothesis import event, given, settings
from hypothesis import strategies as st

from edge_handler.website.listing import RedirectRule
from edge_handler.website.resolution import Serve
from tests.edge_handler.website.sites import ask, files

ASSET = re.compile(r"[^/]\.js$|/assets/(.*/)?(?![^/]*\.html?$)[^/]*\.[^/]*$")
ELSEWHERE = files("/assets/old.js", "/b/app.js")


def elsewhere(path: str) -> Serve | None:
    return Serve(200, ELSEWHERE[path], "X", path) if path in ELSEWHERE else None


class Reference:
    def __init__(self, paths: Collection[str], rules: list[RedirectRule], fallback: str) -> None:
        self.files = set(paths) - {"/_redirects", "/_headers"}
        self.rules = rules
        self.fallback = fallback

    def answer(self, path: str, query: str) -> str:
        sent = f"?{query}" if query else ""
        one_slash = re.sub("/+", "/", path)
        answer = next(self.answers(one_slash, sent))
        straightened = answer.startswith("200 ") and not answer.endswith("X") and path != one_slash
        return f"308 -> {quote(one_slash)}{sent}" if straightened else answer

    def answers(self, path: str, sent: str) -> Iterator[str]:
        """Yield what is said in the order of the steps; the first counts."""
        rule, leads_to = self.rule(path) or (RedirectRule("", "", 0, False), "/no/rule")
        if rule.status in range(300, 400):
            yield f"{rule.status} -> {quote(leads_to, safe='/:')}{sent}"
        page = next((name for name in self.names(leads_to) if name in self.files), "")
        remembered = f"404 {page} N" if rule.status == 404 else served(page, path)
        if rule.force:
            yield from [remembered] if page else []
            yield from self.pages_upwards(path, "") if rule.status == 404 else self.beyond(leads_to)
        else:
            yield from self.located(path, sent)
            yield from (
                [remembered] if page and rule.status == 200 and ASSET.search(path) and ".html" not in page else []
            )
            yield from self.beyond(path)
            yield from [remembered] if page else []
        yield from self.pages_upwards(path, self.fallback)
        yield "404"

    def beyond(self, path: str) -> Iterator[str]:
        if ASSET.search(path):
            yield f"200 {path} X" if path in ELSEWHERE else "404 asset"

    def located(self, path: str, sent: str) -> Iterator[str]:
        for name, address in self.tries(path):
            if name in self.files and address == path:
                yield served(name, path)
            if name in self.files and address != path and self.settles(address, name):
                yield f"308 -> {quote(address)}{sent}"

    def settles(self, address: str, name: str) -> bool:
        """Tell whether whoever goes to `address` gets the file `name` without being sent on."""
        found = self.rule(address)
        if found and (found[0].force or found[0].status in range(300, 400)):
            return False
        return next(self.located(address, ""), "").startswith(f"200 {name} ")

    def tries(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield file and address, in order."""
        if path.endswith("/"):
            yield path + "index.html", path
            if path != "/":
                yield path[:-1] + ".html", path[:-1]
            return
        directory = path.rpartition("/")[0]
        if path.endswith("/index"):
            yield path, path
        if path.endswith(("/index", "/index.html")):
            yield f"{directory}/index.html", f"{directory}/"
            if directory and f"{directory}/index.html" not in self.files:
                yield f"{directory}.html", directory
        if path.endswith(".html"):
            yield path, path.removesuffix(".html")
            yield path, path
            yield path.removesuffix(".html") + "/index.html", path.removesuffix(".html") + "/"
        yield path, path
        yield path + ".html", path
        yield path + "/index.html", path + "/"

    def names(self, path: str) -> list[str]:
        if path.endswith("/"):
            return [path + "index.html", path[:-1] + ".html"]
        return [path, path + ".html", path + "/index.html"]

    def rule(self, path: str) -> tuple[RedirectRule, str] | None:
        patterns = [rule for rule in self.rules if "*" in rule.source or ":" in rule.source]
        for rule in [rule for rule in self.rules if rule.source == path] + patterns:
            pattern = re.escape(rule.source).replace(r"\*", "(?P<splat>.*)").replace(":x", "(?P<x>[^/]+)")
            if found := re.fullmatch(pattern, path):
                leads_to = rule.destination
                for name, value in found.groupdict().items():
                    leads_to = leads_to.replace(f":{name}", value)
                leads_to = re.sub("/+", "/", leads_to)
                if leads_to != path or rule.status not in range(300, 400):
                    return rule, leads_to
        return None

    def pages_upwards(self, path: str, fallback: str) -> Iterator[str]:
        *above, _last = path.split("/")
        for depth in range(len(above), 0, -1):
            if depth == 1 and fallback in self.files:
                yield f"200 {fallback} P"
            page = "/".join(above[:depth]) + "/404.html"
            if page in self.files:
                yield f"404 {page} N"
        if not fallback:
            yield "404"


def served(name: str, path: str) -> str:
    return f"200 {name} {'I' if name == path and path.startswith('/assets/') else 'P'}"


# Few names, so that those that are drawn have something to do with each other.
FOLDERS = ["", "", "/a", "/a", "/b", "/index", "/assets", "/assets", "/x y"]
LEAVES = [
    "index.html",
    "index",
    "a.html",
    "a",
    "b.html",
    "b",
    "404.html",
    "a.js",
    "app.js",
    "index.html.html",
    "a.js.html",
]
FILES = st.sampled_from(
    ["/_redirects", "/200.html", "/assets.html", "/a.js/index.html"]
    + [f"{folder}/{leaf}" for folder in FOLDERS for leaf in LEAVES]
)
ENDS = ["", "", "/", ".html", "/index", "/index.html", "a", "/a.js"]
CUTS = ["", "", ".html", "index.html", "/index.html", ".js"]


@st.composite
def addresses(draw: st.DrawFn, paths: st.SearchStrategy[str] = FILES) -> str:
    """Draw a path that has something to do with a file: less of it, or more."""
    path = draw(paths).removesuffix(draw(st.sampled_from(CUTS))) + draw(st.sampled_from(ENDS))
    return re.sub("/+", "/", "/" + path)


@st.composite
def sites(draw: st.DrawFn) -> tuple[list[str], list[RedirectRule], str]:
    tree = draw(st.lists(FILES, min_size=1, max_size=10))
    known = addresses(st.sampled_from(tree) | FILES)
    patterns = st.sampled_from(["/*", "/a/*", "/b/*", "/:x", "/a/:x", "/*/a", "/*.html", "/:x/*", "/assets/*"])
    filled = st.sampled_from(["/:splat", "/b/:splat", "/a/:x", "/:x/", "/:x.html", "/assets/:splat", "/a/:splat/"])
    statuses = st.sampled_from([200, 200, 404, 301, 308])
    exact = st.builds(RedirectRule, known, known | st.sampled_from(tree), statuses, st.booleans())
    pattern = st.builds(RedirectRule, patterns, filled | st.sampled_from(tree), statuses, st.booleans())
    rules = draw(st.just([]) | st.lists(exact | pattern, min_size=1, max_size=3))
    return tree, rules, draw(st.sampled_from(["", "", "/index.html", "/200.html"]))


def encoded(rules: list[RedirectRule]) -> list[RedirectRule]:
    return [rule._replace(destination=quote(rule.destination, safe="/:")) for rule in rules]


def spelled(path: str, data: st.DataObject) -> str:
    """Return a path as some browser might send it."""
    return "".join(f"%{ord(one):02x}" if one == " " or data.draw(st.integers(0, 9)) == 0 else one for one in path)


@given(sites(), st.data())
@settings(max_examples=500)
def test_every_path_of_every_site_gets_what_the_reference_says(
    site: tuple[list[str], list[RedirectRule], str], data: st.DataObject
) -> None:
    tree, rules, fallback = site
    path = data.draw(addresses(st.sampled_from(tree)) | st.sampled_from([*tree, *ELSEWHERE, "/a/x", "/b/x"]), "path")
    path = path.replace("/", data.draw(st.sampled_from(["/", "/", "/", "//"])))
    query = data.draw(st.sampled_from(["", "q=1"]))
    wanted = Reference(tree, rules, fallback).answer(path, query)
    asked = quote(path)
    found = ask(asked, tree, encoded(rules), query=query, fallback=fallback, elsewhere=elsewhere)
    event(re.sub(r" /\S*", "", wanted))
    assert found == wanted


@given(sites(), st.data())
def test_whoever_follows_a_redirect_of_ours_is_there(
    site: tuple[list[str], list[RedirectRule], str], data: st.DataObject
) -> None:
    tree, rules, fallback = site
    path = data.draw(addresses(st.sampled_from(tree)), "path")
    path = spelled(path.replace("/", data.draw(st.sampled_from(["/", "//"]))), data)
    known = [rule._replace(status=307) if rule.status == 308 else rule for rule in rules]
    found = ask(path, tree, encoded(known), fallback=fallback)
    if found.startswith("308 -> "):
        sent = found.removeprefix("308 -> ")
        assert unquote(sent) != unquote(path) or "%2f" in path
        assert ask(sent, tree, encoded(known), fallback=fallback).startswith("200 ")


@given(st.lists(FILES, max_size=8, unique=True), st.data())
def test_every_file_is_found_by_its_name(tree: list[str], data: st.DataObject) -> None:
    for path in set(tree) - {"/_redirects"}:
        found = ask(spelled(path, data), tree)
        if found.startswith("308 -> "):
            found = ask(found.removeprefix("308 -> "), tree)
        assert found.rpartition(" ")[0] == f"200 {path}"
