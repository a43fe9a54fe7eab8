"""Log lines in the shape of Powertools' Logger, so that one query reads the edge's and the admin's.

Not Powertools itself: it takes longer to import than this whole package.
"""

import json
import os
import time
from typing import Any

_SERVICE = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "edge-routing")


def log(level: str, message: str, **fields: Any) -> None:
    """Write one line. Never called on a cache hit."""
    now = time.time()
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    line = {"level": level, "message": message, "timestamp": timestamp, "service": _SERVICE, **fields}
    print(json.dumps(line, default=str), flush=True)


def count(metric: str, message: str, **fields: Any) -> None:
    """Write a line that CloudWatch counts, in the region where this runs (its embedded metric format)."""
    metrics = [{"Namespace": "edge-routing", "Dimensions": [["service"]], "Metrics": [{"Name": metric}]}]
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": metrics}
    log("ERROR", message, _aws=about, **{metric: 1}, **fields)


def log_exception(message: str, error: Exception, **fields: Any) -> None:
    """Write where an exception came from. Not the event: it holds cookies, credentials and the origin's secret."""
    import traceback  # noqa: PLC0415  # costs more than this module, and is needed when something is broken only

    where = traceback.format_tb(error.__traceback__)
    log("ERROR", message, error=f"{type(error).__name__}: {error}", traceback="".join(where), **fields)
