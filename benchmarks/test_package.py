"""How large what is deployed is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from benchmarks.conftest import Figures
from tests.support import ROOT

LIMIT = 160 * 1024


def test_the_package(figures: Figures, tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for what, runtime in (("source", "none"), ("bytecode", version)):
        folder = tmp_path / what
        environ = {**os.environ, "ARTIFACTS_DIR": str(folder), "PYTHON": sys.executable, "RUNTIME": runtime}
        subprocess.run(
            ["make", "-s", "-C", str(ROOT / "edge_handler"), "build-ViewerRequestFunction"],
            env={**environ, "COMPILER": sys.executable},
            check=True,
            capture_output=True,
        )
        archive = folder.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for file in folder.rglob("*"):
                out.write(file, file.relative_to(folder))
        size = archive.stat().st_size
        figures.add(f"package as {what}, zipped / 160 KiB", size / 1024, 160, "KiB", size / LIMIT, size / LIMIT, 1.0)
