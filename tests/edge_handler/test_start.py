"""What viewer-request does before the first request, where Lambda starts it and where nobody does."""

import os
import socket
import subprocess
import sys

from edge_handler.routes.memory import MAX_ROUTES
from tests.support import NOBODY, ROOT

THRESHOLDS = "import gc, edge_handler.viewer_request; print(*gc.get_threshold())"


def start(endpoint: str, **environ: str) -> list[int]:
    """Import the function in a process of its own; return the thresholds of its garbage collector."""
    whole = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_RUNTIME_API"}
    whole |= {"AWS_ENDPOINT_URL": endpoint, **environ}
    done = subprocess.run(
        [sys.executable, "-c", THRESHOLDS], env=whole, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [int(number) for number in done.stdout.split()]


def test_lambda_gets_a_function_that_is_connected_and_looks_for_garbage_in_what_is_new_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as table:
        table.settimeout(0)
        endpoint = f"http://127.0.0.1:{table.getsockname()[1]}"
        usual = start(endpoint)
        assert not accepted(table)
        young, middle, _ = start(endpoint, AWS_LAMBDA_RUNTIME_API="127.0.0.1:9")
        assert accepted(table)
    assert young == usual[0]
    assert middle > MAX_ROUTES > usual[1]


def test_a_table_that_does_not_answer_keeps_nobody_from_starting() -> None:
    assert start(NOBODY, AWS_LAMBDA_RUNTIME_API="127.0.0.1:9")


def accepted(table: socket.socket) -> bool:
    """Tell whether somebody has connected."""
    try:
        table.accept()[0].close()
    except BlockingIOError:
        return False
    return True
