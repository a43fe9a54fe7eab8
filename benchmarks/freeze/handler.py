"""A Lambda function that asks, is frozen, and tells at its next invocation whether the answer was there.

With the edge's own `Inquiry`, on a connection that is open already, as the poll of the feed is sent.
docs/performance.md has the commands.
"""

import hashlib
import json
import os
import time
import uuid
from typing import Any, NamedTuple

from edge_handler.aws.inquiry import Inquiry
from edge_handler.aws.sigv4 import Signer, load_credentials

SANDBOX = uuid.uuid4().hex[:8]
KILOBYTES = (2, 10, 40)
ANSWER_SECONDS = 3.0
_CONTENT = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"}


class Question(NamedTuple):
    """One that was sent."""

    inquiry: Inquiry
    kilobytes: int
    time_of_day: float
    monotonic: float


_open: list[Question] = []


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send with `{"send": "REGION"}`, and return without reading; tell what had arrived with `{}`."""
    if "send" in event:
        for question in _open:
            question.inquiry.close()
        _open[:] = [_asked(event["send"], kilobytes) for kilobytes in KILOBYTES]
        return {"sandbox": SANDBOX, "sent": len(_open)}
    questions, _open[:] = [*_open], []
    return {"sandbox": SANDBOX, "answers": [_collected(question) for question in questions]}


def _asked(region: str, kilobytes: int) -> Question:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", f"https://dynamodb.{region}.amazonaws.com")
    inquiry, deadline = Inquiry(endpoint), time.monotonic() + ANSWER_SECONDS
    _send(inquiry, region, kilobytes, deadline)
    status, content = inquiry.wait(deadline)
    if status != 200 or len(content) < kilobytes * 1_000:
        raise RuntimeError(f"status {status}: {content[:200]!r}")
    _send(inquiry, region, kilobytes, deadline)
    return Question(inquiry, kilobytes, time.time(), time.monotonic())


def _send(inquiry: Inquiry, region: str, kilobytes: int, deadline: float) -> None:
    body = json.dumps({"TableName": os.environ["FREEZE_TABLE"], "Key": {"id": {"S": str(kilobytes)}}}).encode()
    headers = {**_CONTENT, "host": inquiry.authority}
    signer = Signer("dynamodb", region, load_credentials())
    signed = signer.sign("POST", "/", headers, hashlib.sha256(body).hexdigest())
    inquiry.send("POST", "/", signed, body, deadline)


def _collected(question: Question) -> dict[str, Any]:
    inquiry, started = question.inquiry, time.monotonic()
    told: dict[str, Any] = {
        "kilobytes": question.kilobytes,
        "seconds": time.time() - question.time_of_day,
        "monotonic_seconds": started - question.monotonic,
        "was_there": False,
        "error": "",
    }
    try:
        found = inquiry.collect()
        told["was_there"] = found is not None
        status, content = found if found is not None else inquiry.wait(started + ANSWER_SECONDS)
        told |= {"status": status, "bytes": len(content)}
    except OSError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    told["waited_seconds"] = time.monotonic() - started
    inquiry.close()
    return told
