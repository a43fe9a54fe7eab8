"""A server that does as a fault says, and otherwise answers as the real one behind it."""

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.faults.tables import Answer, Request, Upstream

_POLL_SECONDS = 0.005
_RESET = struct.pack("ii", 1, 0)


class Gone(Exception):
    """The connection has no more to say."""


@dataclass(slots=True)
class Wire:
    """One connection, as a fault handles it. Every method raises Gone or OSError once it is over."""

    socket: socket.socket
    stopped: threading.Event
    ssl_context: ssl.SSLContext | None

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def pause(self, seconds: float) -> None:
        """Do nothing for a while."""
        if self.stopped.wait(seconds):
            raise Gone

    def hold(self) -> None:
        """Do nothing any more, and keep the connection."""
        self.pause(30)
        raise Gone

    def finish(self) -> None:
        """Close it, as a server does that is done."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        raise Gone

    def reset(self) -> None:
        """Close it with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.close()
        raise Gone

    def read(self, seconds: float) -> bytes | None:
        """Return what came, None where nothing does in time."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        if not pending and not select.select([self.socket], [], [], seconds)[0]:
            return None
        try:
            data = self.socket.recv(65_536)
        except ssl.SSLWantReadError:
            return None
        if not data:
            raise Gone
        return data


@dataclass(slots=True)
class Exchange:
    """One request, and the ways to answer it."""

    wire: Wire
    request: Request
    upstream: Upstream
    number: int
    """Of the requests since the fault began, from 0."""

    @property
    def right(self) -> Answer:
        """What the real server says."""
        return self.upstream.ask(self.request)

    def send(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send bytes, with a pause between the parts."""
        for number, part in enumerate(parts):
            if number and pause:
                self.wire.pause(pause)
            self.wire.send(part)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a server behaves while a fault lasts. What is None is as it should be."""

    accept: Callable[[Wire], None] | None = None
    """To a new connection, before TLS."""
    answer: Callable[[Exchange], None] | None = None
    idle: Callable[[Wire], None] | None = None
    """To a connection that is kept, when the fault begins."""
    certificate: str = "good"
    listening: str = "yes"
    """Or `no` (the port is closed), or `full`: nothing takes connections from a queue without room."""

    @property
    def at_connect(self) -> bool:
        """Whether only new connections meet it, so that kept ones have to end."""
        return self.accept is not None or self.certificate != "good" or self.listening != "yes"


WELL = Manners()


class FaultServer:
    """One replica of the table, or S3."""

    def __init__(self, upstream: Upstream, contexts: dict[str, ssl.SSLContext] | None, host: str = "127.0.0.1") -> None:
        self.connects = 0
        self.reads = 0
        self.served: Counter[str] = Counter()
        """How often each host was answered for as it should be."""
        self.manners = WELL
        self._upstream = upstream
        self._contexts = contexts
        self._since = 0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._fillers: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._open()

    def begin(self, manners: Manners) -> None:
        """Be faulty from now on."""
        self._since = self.reads
        self.manners = manners
        if manners.listening != "yes":
            self._shut()
        if manners.listening == "no":
            # Bound, so that nobody else gets the port, but not listening: who connects is refused.
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(self.address)
        if manners.listening == "full":
            self._listener = socket.create_server(self.address, backlog=0)
            self._fillers = fill_queue(self.address)
        if manners.idle:
            # Each connection's own thread sees it within a poll.
            self._stopped.wait(0.05)

    def end(self) -> None:
        """Be well again."""
        manners, self.manners = self.manners, WELL
        if manners.listening != "yes":
            for filler in self._fillers:
                filler.close()
            self._listener.close()
            self._listener = socket.create_server(self.address)
            self._open()

    def close(self) -> None:
        """Stop, with all connections."""
        self._stopped.set()
        self._shut()
        for filler in self._fillers:
            filler.close()

    def _open(self) -> None:
        self._shutting = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _shut(self) -> None:
        # In this order: another socket could get the number of one that is closed while it is waited for.
        self._shutting.set()
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        self._listener.settimeout(_POLL_SECONDS)
        while not self._shutting.is_set():
            try:
                found, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            found.setblocking(True)
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connects += 1
            threading.Thread(target=self._serve, args=(found,), daemon=True).start()

    def _serve(self, found: socket.socket) -> None:
        manners = self.manners
        contexts = self._contexts
        wire = Wire(found, self._stopped, contexts[manners.certificate] if contexts else None)
        try:
            if manners.accept:
                manners.accept(wire)
            if wire.ssl_context:
                found.settimeout(5)
                wire.socket = wire.ssl_context.wrap_socket(found, server_side=True)
            self._converse(wire, manners)
        except (OSError, Gone, ValueError):
            pass
        finally:
            wire.socket.close()

    def _converse(self, wire: Wire, begun: Manners) -> None:
        idled = begun
        data = b""
        while not self._stopped.is_set():
            manners = self.manners
            if manners.idle and manners is not idled:
                idled = manners
                manners.idle(wire)
            more = wire.read(_POLL_SECONDS)
            if more is None:
                continue
            data += more
            request = _parse(data)
            if request is None:
                continue
            data = b""
            manners = self.manners
            with self._lock:
                number = self.reads - self._since
                self.reads += 1
            if manners.at_connect and manners is not begun:
                wire.finish()
            exchange = Exchange(wire, request, self._upstream, number)
            if manners.answer:
                manners.answer(exchange)
                continue
            wire.send(exchange.right.raw())
            with self._lock:
                self.served.update(request.domains)


def _parse(data: bytes) -> Request | None:
    """Return a request that has come whole."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    line, *fields = head.decode("latin-1").split("\r\n")
    lengths = [int(field.split(":")[1]) for field in fields if field.lower().startswith("content-length:")]
    if len(body) < sum(lengths):
        return None
    method, path, _ = line.split(" ")
    actions = [field.split(": ")[1] for field in fields if field.lower().startswith("x-amz-target:")]
    return Request(method, path, body, *actions)


def fill_queue(address: tuple[str, int]) -> list[socket.socket]:
    """Connect until nobody is let in any more: what comes then waits for an answer to its SYN."""
    fillers = []
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(address)
        fillers.append(filler)
        if not select.select([], [filler], [], 0.05)[1]:
            break
    return fillers


@contextlib.contextmanager
def dead_address(address: tuple[str, int]) -> Iterator[None]:
    """Let nobody answer at an address: who connects waits."""
    with socket.create_server(address, backlog=0):
        fillers = fill_queue(address)
        try:
            yield
        finally:
            for filler in fillers:
                filler.close()
