"""Whole processes: their CPU and their peak memory, as the operating system accounts for them."""

import os
import re
import shutil
import sys
import sysconfig
import tempfile

from tests.support import ROOT

# Of an environment that holds nothing but what the project needs: what other tools bring slows boto3's start.
SITE = sysconfig.get_path("purelib", vars={"base": str(ROOT / ".venv" / "plain")})
OURS = "import edge_handler.viewer_request"
BOTO3 = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"
POWERTOOLS = f"{BOTO3}; from aws_lambda_powertools import Logger; Logger(service='x')"
NODE = "const { DynamoDBClient } = require('@aws-sdk/client-dynamodb'); new DynamoDBClient({ region: 'us-east-1' })"


# What the kernel saw at most. Not wait4's: that begins with this process's own, from before the exec.
_STATUS = "/proc/self/status"


def python(script: str) -> list[str]:
    """Return a command without site-packages' own start-up hooks, which no Lambda function has."""
    before = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {SITE!r}]"
    return [sys.executable, "-S", "-E", "-c", f"{before}; {script}; print(open({_STATUS!r}).read())"]


def node(script: str) -> list[str] | None:
    """Return a command, None where there is no Node.js."""
    found = shutil.which("node")
    after = f"console.log(require('fs').readFileSync('{_STATUS}', 'utf8'))"
    return [found, "-e", f"{script}; {after}"] if found and (ROOT / "node_modules" / "@aws-sdk").exists() else None


def run(command: list[str], environ: dict[str, str] | None = None) -> tuple[float, float]:
    """Return CPU seconds and peak MB of one run. Raises RuntimeError where it fails."""
    with tempfile.TemporaryFile() as output:
        actions = [(os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)]
        process = os.posix_spawn(command[0], command, {**os.environ, **(environ or {})}, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    peak = re.search(r"VmHWM:\s+(\d+) kB", text)
    if status or not peak:
        raise RuntimeError(f"{command}: {text[-500:]}")
    return usage.ru_utime + usage.ru_stime, int(peak[1]) / 1024
