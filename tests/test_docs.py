"""The README is true: its commands and its Python run, against the local edge it describes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.local_edge.running import local_edge
from tests.support import ROOT

README = (ROOT / "README.md").read_text()


def test_the_commands_and_the_python_of_the_readme_run() -> None:
    commands = re.findall(r"^\$ (.+)$", README, re.MULTILINE)
    (script,) = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    assert len(commands) == 5
    with local_edge() as edge:
        environ = dict(os.environ)
        for assignment in shlex.split(commands[0].removeprefix("export ")):
            name, _, value = assignment.partition("=")
            environ[name] = value.replace("http://127.0.0.1:4566", edge.aws_endpoint)
        outputs = []
        for command in commands[1:]:
            program, *arguments = shlex.split(command)
            program = str(Path(sys.executable).parent / Path(program).name)
            done = subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}: {done.stderr}"
            outputs.append(done.stdout)
        assert "env-789.localhost" in outputs[0]
        assert outputs[1].startswith("updated env-123.localhost -> s3://acme-static-sites/env-456 (revision 2")
        assert "/env-456/docs/index.html" in outputs[2]
        assert "the other site" in outputs[3]
        done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
        assert done.stdout == "created 1\n", done.stderr


def test_every_make_target_of_the_docs_exists() -> None:
    targets = set(re.findall(r"make ([a-z]+)\b", re.sub(r"`[^`]*install[^`]*`", "", README))) - {"where"}
    makefile = (ROOT / "Makefile").read_text()
    for target in targets & {"run", "test", "build", "bench", "lint", "clean"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_sample_event_of_the_docs_exists() -> None:
    for name in re.findall(r"events/([a-z-]+\.json)", README):
        assert (ROOT / "events" / name).exists()
