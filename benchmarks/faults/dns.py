"""A name server that fails, and a namespace in which the edge has no other.

Each worker has a mount namespace of its own, and so a resolv.conf and a server of its own.
"""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

_CLONE_NEWNS = 0x00020000
_A = 1
_NXDOMAIN, _SERVFAIL = 3, 2
_POLL_SECONDS = 0.05
GOOD_ADDRESS = "127.0.0.1"
DEAD_ADDRESSES = tuple(f"127.0.1.{number}" for number in range(1, 9))


@dataclass(frozen=True, slots=True)
class Lookup:
    """How the server answers for a name; `rcode`, or addresses."""

    addresses: tuple[str, ...] = (GOOD_ADDRESS,)
    rcode: int = 0
    late: float = 0.0
    silent: bool = False
    truncated: bool = False
    """It says so, and over TCP says nothing."""

    @property
    def outlasts(self) -> float:
        """How long the system's resolver goes on waiting for what was lost, twice for five seconds."""
        return 10.0 if self.silent or self.truncated or self.late else 0.0


WELL = Lookup()
LOOKUPS = {
    "DNS: silent": Lookup(silent=True),
    "DNS: SERVFAIL": Lookup(rcode=_SERVFAIL),
    "DNS: NXDOMAIN": Lookup(rcode=_NXDOMAIN),
    "DNS: no address": Lookup(addresses=()),
    "DNS: eight addresses where nobody answers": Lookup(addresses=DEAD_ADDRESSES),
    "DNS: one such address, then the good one": Lookup(addresses=("127.0.1.1", GOOD_ADDRESS)),
    "DNS: the answer after 3 s": Lookup(late=3.0),
    "DNS: truncated, and silence over TCP": Lookup(truncated=True),
}


class NameServer:
    """Answers A queries of `*.table.test`, each name as it is told."""

    def __init__(self, address: str) -> None:
        self.lookups: dict[str, Lookup] = {}
        """Those that fail."""
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, 53))
        self._tcp = socket.create_server((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, client = self._udp.recvfrom(4096)
            threading.Thread(target=self._answer, args=(query, client), daemon=True).start()

    def _serve_tcp(self) -> None:
        held: list[socket.socket] = []
        self._tcp.settimeout(_POLL_SECONDS)
        while True:
            with contextlib.suppress(TimeoutError):
                held.append(self._tcp.accept()[0])
            if not self.lookups:
                # The system's resolver sets itself no time here: it waits until a server that is well again hangs up.
                while held:
                    held.pop().close()

    def _answer(self, query: bytes, client: tuple[str, int]) -> None:
        name, kind, question = _question(query)
        lookup = self.lookups.get(name, WELL)
        if lookup.silent:
            return
        time.sleep(lookup.late)
        addresses = lookup.addresses if kind == _A and not lookup.truncated else ()
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", _A, 1, 0, 4) + socket.inet_aton(address) for address in addresses
        )
        flags = 0x8180 | lookup.rcode | (0x0200 if lookup.truncated else 0)
        head = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
        self._udp.sendto(head + question + records, client)


def _question(query: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack("!H", query[at + 1 : at + 3])
    return ".".join(labels).lower(), kind, query[12 : at + 5]


def own_name_server() -> NameServer:
    """Give this process a name server that nobody else has. Raises OSError where it is not in a namespace."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    address = f"127.53.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(f"nameserver {address}\n")
        file.flush()
        subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    return NameServer(address)


def namespace_command(command: list[str]) -> list[str] | None:
    """Return what runs a command in a network of its own, None where this machine does not let us."""
    for enter in (["unshare", "-n", "-m"], ["unshare", "-r", "-n", "-m"]):
        with contextlib.suppress(OSError):
            probe = [*enter, "sh", "-c", "ip link set lo up && mount --bind /etc/resolv.conf /etc/resolv.conf"]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return [*enter, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]
    return None
