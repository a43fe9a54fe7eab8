"""The edge functions, invoked as Lambda@Edge invokes them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from local_edge.contract import check_result

Function = Callable[[dict[str, Any], object], dict[str, Any]]


class FunctionFailed(Exception):
    """An edge function raised, or returned what is no JSON."""


class Functions:
    """The functions of a distribution's behavior."""

    def __init__(self, functions: dict[str, Function]) -> None:
        """`functions` by event type."""
        self._functions = functions
        # A Lambda sandbox handles one request at a time; so does the one that is played here.
        self._sandboxes = {event_type: asyncio.Lock() for event_type in functions}

    async def invoke(
        self, event_type: str, request_id: str, request: dict[str, Any], response: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return a function's result, where there is no function the request itself, or the `response` to it.

        Raises:
            FunctionFailed: the function has no result.
            ContractViolation: CloudFront would refuse the result.
        """
        function = self._functions.get(event_type)
        if function is None:
            return request if response is None else response
        config = {
            "distributionDomainName": "d111111abcdef8.cloudfront.net",
            "distributionId": "EDFDVBD6EXAMPLE",
            "eventType": event_type,
            "requestId": request_id,
        }
        subject = request if response is None else response
        before = {**subject, "headers": dict(subject["headers"])}
        event = {"Records": [{"cf": {"config": config, "request": request}}]}
        if response is not None:
            event["Records"][0]["cf"]["response"] = response
        # As Lambda does: what comes and goes is JSON, and no object of the function's own.
        given = json.loads(json.dumps(event))
        try:
            # Nothing stops a function because its viewer leaves: until it ends, its sandbox is taken.
            text = await asyncio.shield(self._run(event_type, function, given))
        except Exception as error:
            raise FunctionFailed(f"{type(error).__name__}: {error}") from error
        result: dict[str, Any] = json.loads(text)
        check_result(event_type, before, result)
        return result

    async def _run(self, event_type: str, function: Function, given: dict[str, Any]) -> str:
        async with self._sandboxes[event_type]:
            return json.dumps(await asyncio.to_thread(function, given, None))
