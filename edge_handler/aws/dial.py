"""Connecting to a host within a deadline, whichever of its addresses takes the connection."""

import errno
import os
import select
import socket
import time

from edge_handler.aws.deadline import remaining
from edge_handler.aws.names import Address, Name


def dial(name: Name, deadline: float) -> socket.socket:
    """Return a connection to the first address of `name` that takes one.

    The time is one for all addresses: a silent one delays the next by a moment, and goes on being waited for (as
    RFC 8305 has it).

    Raises:
        OSError: no address takes a connection before the deadline.
    """
    addresses = name.addresses(deadline)
    # In half of the time all have been tried.
    head_start = remaining(deadline) / 2 / len(addresses)
    waiting: dict[int, tuple[socket.socket, Address]] = {}
    poll = select.poll()
    error: OSError | None = None
    next_at = 0.0
    try:
        while addresses or waiting:
            if addresses and (not waiting or time.monotonic() >= next_at):
                address = addresses.pop(0)
                try:
                    found = _start(address)
                except OSError as failed:  # no IPv6 here, say
                    error = failed
                    continue
                waiting[found.fileno()] = found, address
                poll.register(found, select.POLLOUT)
                next_at = time.monotonic() + head_start
            wait = remaining(deadline)
            if addresses:
                wait = min(wait, max(0.0, next_at - time.monotonic()))
            for descriptor, _ in poll.poll(wait * 1000):
                poll.unregister(descriptor)
                found, address = waiting.pop(descriptor)
                code = found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    name.answered_at(address)
                    return found
                found.close()
                error, next_at = OSError(code, os.strerror(code)), 0.0
        raise error or OSError("no address takes a connection")
    finally:
        error = None  # or it would hold on to this frame, and this frame to it
        for found, _ in waiting.values():
            found.close()


def _start(address: Address) -> socket.socket:
    """Return a socket that is connecting."""
    family, where = address
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setblocking(False)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = found.connect_ex(where)
        if code not in (0, errno.EINPROGRESS):  # no way there: nothing will come of waiting
            raise OSError(code, os.strerror(code))
    except BaseException:
        found.close()
        raise
    return found
