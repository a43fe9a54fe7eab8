"""The addresses of a host's name, looked up within a deadline.

`getaddrinfo` takes none: where DNS is silent it waits for ten seconds and more. So a thread waits for it, one for each
name (and a few more where it never ends), and a viewer waits for the thread no longer than the deadline says.
"""

import _thread
import socket
import time

from edge_handler.aws.deadline import remaining

Address = tuple[int, tuple[object, ...]]
"""Family and socket address, as `socket.connect` takes it."""
MAX_ADDRESSES = 8
# getaddrinfo gives up after ten seconds or so, but for a name server that keeps a TCP connection open and says nothing.
_STUCK_SECONDS = 15.0
_MOST_STUCK = 4
# For all names together: each has a stack, and a function 128 MB.
_MOST_THREADS = 32
_running: list["_LookUp"] = []
# With addresses at hand, this share of the time is enough to ask for newer ones: connecting needs the rest.
_SHARE = 4


class _LookUp:
    """One call of getaddrinfo in a thread of its own."""

    __slots__ = ("addresses", "done", "error", "stuck_at")

    def __init__(self, host: bytes, port: int) -> None:
        self.stuck_at = time.monotonic() + _STUCK_SECONDS
        self.addresses: list[Address] = []
        self.error = "the name is still being looked up"
        # A lock that is held until there is an outcome: the cheapest thing there is to wait for with a time limit.
        self.done = _thread.allocate_lock()
        self.done.acquire()
        if len(_running) >= _MOST_THREADS:
            raise RuntimeError("too many names are being looked up")
        _running.append(self)
        try:
            _thread.start_new_thread(self._run, (host, port))
        except RuntimeError:
            _running.remove(self)
            raise

    def _run(self, host: bytes, port: int) -> None:
        try:
            self.addresses = _ask(host, port)
        except Exception as error:  # whatever it is, the waiting viewer must hear of it
            self.error = f"{type(error).__name__}: {error}"
        _running.remove(self)
        self.done.release()


class Name:
    """A host and port, and the addresses last known for it."""

    __slots__ = ("_addresses", "_good", "_host", "_look_up", "_numeric", "_port", "_stuck")

    def __init__(self, host: bytes, port: int) -> None:
        self._host = host
        self._port = port
        self._addresses: list[Address] = []
        self._good: Address | None = None
        self._look_up: _LookUp | None = None
        self._stuck: list[_LookUp] = []
        try:
            self._numeric = bool(socket.inet_aton(host.decode("latin-1")))
        except OSError:
            self._numeric = False

    def addresses(self, deadline: float) -> list[Address]:
        """Return at least one address: DNS's answer, or the last good ones where none comes in time.

        Raises:
            OSError: DNS knows none, or says nothing before the deadline, and none was known before.
        """
        if self._numeric:
            return _ask(self._host, self._port)
        look_up = self._begun_before()
        known = self._known()
        if look_up is None:
            try:
                look_up = self._look_up = _LookUp(self._host, self._port)
            except RuntimeError as error:  # no thread is to be had
                if known:
                    return known
                raise OSError(f"the name cannot be looked up: {error}") from error
            wait = remaining(deadline) / (_SHARE if known else 1)
        else:
            # It has kept somebody waiting before: only who has no addresses waits again.
            wait = 0.0 if known else remaining(deadline)
        if look_up.done.acquire(timeout=wait):
            self._look_up = None
            self._addresses = look_up.addresses or self._addresses
            known = self._known()
        if not known:
            raise OSError(f"no address of {self._host.decode('latin-1')}: {look_up.error}")
        return known

    def answered_at(self, address: Address) -> None:
        """Take note that a server answered there."""
        self._good = address

    def _begun_before(self) -> _LookUp | None:
        """Return the look-up that is still under way; one that is stuck is left to itself, a few at most.

        What one ended with before anybody asked again may be old: its addresses are known, but they are no answer.
        """
        look_up = self._look_up
        if look_up is None:
            return None
        if not look_up.done.locked():
            self._addresses = look_up.addresses or self._addresses
            return None
        if time.monotonic() >= look_up.stuck_at:
            self._stuck = [one for one in self._stuck if one.done.locked()]
            if len(self._stuck) < _MOST_STUCK:
                self._stuck.append(look_up)
                return None
        return look_up

    def _known(self) -> list[Address]:
        """Return DNS's last answer and, after it, the address that a server last answered at."""
        good = self._good
        return [*self._addresses] if good is None or good in self._addresses else [*self._addresses, good]


def _ask(host: bytes, port: int) -> list[Address]:
    # The host as bytes: as text it is encoded as IDNA, whose tables take milliseconds to import.
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found[:MAX_ADDRESSES]]
