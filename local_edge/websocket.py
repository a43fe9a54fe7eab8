"""WebSocket: functions run on the request that opens one; when the origin agrees, bytes pass and nobody looks at them.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-working-with.websockets.html
"""

import asyncio
from typing import Any

from aiohttp import ClientResponse, web

from local_edge.origin import UPGRADE, end_to_end_headers

# "Quotas on WebSocket connections": without a byte from the origin for so long, the connection is closed.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
IDLE_SECONDS = 600
_CHUNK_BYTES = 65_536


class _Inbox:
    """What aiohttp hands the bytes to that follow an upgrade; a full one stops the sender."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.reader = asyncio.StreamReader()
        self.reader.set_transport(transport)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self.reader.feed_eof()


class Upgraded(web.StreamResponse):
    """An origin's 101, and then whatever the two have to say."""

    def __init__(self, origin: ClientResponse) -> None:
        headers = end_to_end_headers(origin)
        headers.update(UPGRADE)
        super().__init__(status=origin.status, reason=origin.reason, headers=headers)
        self._origin = origin

    async def relay(self, viewer: web.BaseRequest) -> None:
        """Pass bytes both ways until one side ends; call it when the response is prepared."""
        connection = self._origin.connection
        if connection is None or connection.protocol is None or connection.transport is None:
            return
        if viewer.transport is None:
            self._origin.close()
            return
        inboxes = _Inbox(connection.transport), _Inbox(viewer.transport)
        connection.protocol.read_timeout = None
        connection.protocol.set_parser(inboxes[0], self._origin.content)
        viewer.protocol.set_parser(inboxes[1])  # type: ignore[arg-type]  # it needs no more of it
        pumps = [
            asyncio.create_task(_pump(inboxes[0].reader, viewer.transport, viewer.protocol, IDLE_SECONDS)),
            asyncio.create_task(_pump(inboxes[1].reader, connection.transport, connection.protocol, None)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._origin.close()
            if viewer.transport is not None:
                viewer.transport.close()


async def _pump(
    reader: asyncio.StreamReader, transport: asyncio.Transport, protocol: Any, idle_seconds: float | None
) -> None:
    writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
    while True:
        async with asyncio.timeout(idle_seconds):
            chunk = await reader.read(_CHUNK_BYTES)
        if not chunk:
            return
        writer.write(chunk)
        await writer.drain()
