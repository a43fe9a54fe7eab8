"""Sites as real generators build them: small sources, and beside each, in built/, what its generator made of them.

`python -m tests.sites.building` (`make sites`) writes every built/ anew.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from tests.support import ROOT, need

SITES = Path(__file__).parent
TOOLS = ROOT / ".venv" / "sites" / "bin"
NODE_TOOLS = SITES / "node_modules" / ".bin"
# A day for what generators date, and no time zone of this machine's.
ENVIRON = {"SOURCE_DATE_EPOCH": "1772323200", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
_HASH = re.compile(r"-[\w-]{8}(?=\.\w+$)")


@dataclass(frozen=True, slots=True)
class Build:
    """How a generator is run in `site`'s folder; `{}` in its command is where it writes."""

    site: str
    tool: Path
    arguments: str
    folder: str = "built"
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def vendored(self) -> Path:
        """Return the folder with what was built once."""
        return SITES / self.site / self.folder

    def run(self, output: Path) -> None:
        """Build into a folder, which need not be there."""
        # Eleventy takes what begins with a slash for a path in the site's folder.
        where = os.path.relpath(output, SITES / self.site)
        command = [str(self.tool), *(part.format(where) for part in self.arguments.split())]
        environ = {**os.environ, **ENVIRON, **self.environ}
        subprocess.run(command, cwd=SITES / self.site, env=environ, check=True, stdout=subprocess.DEVNULL)


BUILDS = {
    "docs": Build("docs", TOOLS / "mkdocs", "build --quiet --strict --site-dir {}"),
    "blog": Build("blog", TOOLS / "pelican", "--quiet --settings pelicanconf.py --output {}"),
    "clean": Build("clean", NODE_TOOLS / "eleventy", "--quiet --output={}"),
    "app": Build("app", NODE_TOOLS / "vite", "build --logLevel warn --emptyOutDir --outDir {}"),
    "app-next": Build(
        "app",
        NODE_TOOLS / "vite",
        "build --logLevel warn --emptyOutDir --outDir {}",
        folder="built-next",
        environ={"RELEASE": "2"},
    ),
}
# With one of mkdocs's own themes, which is too large to keep here.
THEMED = Build("docs", TOOLS / "mkdocs", "build --quiet --strict --config-file themed.yml --site-dir {}")


def need_tool(build: Build) -> None:
    """Skip a test whose generator is not installed."""
    need(build.tool.exists(), f"{build.tool.name}, in an environment of its own (make test installs it)")


class Outline(HTMLParser):
    """What matters of a page: its words, and what it links and loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [_HASH.sub("-HASH", value or "") for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def outline(built: Path) -> dict[str, tuple[list[str], list[str]] | None]:
    """Return what matters of a build by file, names without hashes: a compiler's next release may change those."""
    found: dict[str, tuple[list[str], list[str]] | None] = {}
    for file in sorted(path for path in built.rglob("*") if path.is_file()):
        name = _HASH.sub("-HASH", file.relative_to(built).as_posix())
        page = Outline(file.read_text()) if file.suffix == ".html" else None
        found[name] = (page.links, page.words) if page else None
    return found


def main() -> None:
    """Write every built/ anew."""
    for build in BUILDS.values():
        if not build.tool.exists():
            sys.exit(f"{build.tool.name} is not installed: make test installs it")
        shutil.rmtree(build.vendored, ignore_errors=True)
        build.run(build.vendored)


if __name__ == "__main__":
    main()
