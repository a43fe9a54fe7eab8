"""Names and their addresses, where DNS and the network do what they sometimes do."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from edge_handler.aws import names
from edge_handler.aws.dial import dial
from edge_handler.aws.names import MAX_ADDRESSES, Name

HOST = b"dynamodb.test"
# Addresses of the loopback network: none where others of this machine listen, whatever the port.
Answer = list[str] | OSError


class Dns:
    """What getaddrinfo says, when it says it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer: Answer = ["127.77.0.1"]
        self.speaks = threading.Event()
        self.speaks.set()
        self.asked = 0
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)

    def getaddrinfo(self, host: Any, port: int, family: int = 0, kind: int = 0) -> list[Any]:
        if host != HOST:
            return self._real(host, port, family, kind)
        self.asked += 1
        assert self.speaks.wait(60)
        if isinstance(self.answer, OSError):
            raise self.answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.answer]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dns]:
    found = Dns(monkeypatch)
    yield found
    found.speaks.set()


def within(seconds: float) -> float:
    return time.monotonic() + seconds


def hosts(name: Name, seconds: float = 60) -> list[object]:
    return [address[0] for _, address in name.addresses(within(seconds))]


def wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)


def test_the_newest_answer_counts(dns: Dns) -> None:
    name = Name(HOST, 443)
    assert hosts(name) == ["127.77.0.1"]
    dns.answer = ["127.77.0.2", "127.77.0.3"]
    assert hosts(name) == ["127.77.0.2", "127.77.0.3"]


@pytest.mark.parametrize("answer", [socket.gaierror(socket.EAI_AGAIN, "SERVFAIL"), []], ids=["error", "nothing"])
def test_a_name_that_cannot_be_looked_up_keeps_its_last_addresses(dns: Dns, answer: Answer) -> None:
    name = Name(HOST, 443)
    hosts(name)
    dns.answer = answer
    assert hosts(name) == ["127.77.0.1"]
    with pytest.raises(OSError, match=r"no address of dynamodb\.test"):
        hosts(Name(HOST, 443))


def test_dns_that_is_silent_is_waited_for_by_one_thread_and_no_longer_than_the_deadline(dns: Dns) -> None:
    dns.speaks.clear()
    name = Name(HOST, 443)
    for _ in range(5):
        with pytest.raises(OSError, match="still being looked up"):
            hosts(name, 0.05)
    assert dns.asked == 1
    dns.speaks.set()
    assert hosts(name) == ["127.77.0.1"]


def test_what_a_look_up_ended_with_before_anybody_asked_again_is_no_answer(dns: Dns) -> None:
    """A first viewer leaves before DNS says that it fails; the next one comes when it is well."""
    for outcome in (socket.gaierror(socket.EAI_AGAIN, "SERVFAIL"), ["127.77.0.9"]):
        dns.answer = outcome
        dns.speaks.clear()
        name = Name(HOST, 443)
        with pytest.raises(OSError, match="still being looked up"):
            hosts(name, 0.02)
        under_way = name._look_up
        assert under_way is not None
        dns.speaks.set()
        with under_way.done:
            pass
        dns.answer = ["127.77.0.1"]
        assert hosts(name) == ["127.77.0.1"]


def test_looking_up_many_names_at_once_takes_a_bounded_number_of_threads(
    dns: Dns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_MOST_THREADS", 3)
    dns.speaks.clear()
    for _ in range(3):
        with pytest.raises(OSError, match="still being looked up"):
            hosts(Name(HOST, 443), 0.02)
    with pytest.raises(OSError, match="too many names"):
        hosts(Name(HOST, 443), 0.02)
    dns.speaks.set()
    wait_for(lambda: not names._running)
    assert hosts(Name(HOST, 443)) == ["127.77.0.1"]


def test_what_is_known_is_used_while_dns_is_silent_and_costs_one_wait(dns: Dns) -> None:
    name = Name(HOST, 443)
    hosts(name)
    dns.speaks.clear()
    assert hosts(name, 0.4) == ["127.77.0.1"]
    # With a deadline that leaves no time at all to wait for the thread.
    assert all(hosts(name, 1e6) == ["127.77.0.1"] for _ in range(3))
    assert dns.asked == 2
    dns.answer = ["127.77.0.2"]
    dns.speaks.set()
    wait_for(lambda: hosts(name) == ["127.77.0.2"])


def test_a_look_up_that_never_ends_is_begun_anew_a_few_times(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server can keep a TCP connection open for ever; when it is well again, an instance has to see it."""
    monkeypatch.setattr(names, "_STUCK_SECONDS", 0.0)
    dns.speaks.clear()
    name = Name(HOST, 443)
    for _ in range(20):
        with pytest.raises(OSError, match="still being looked up"):
            hosts(name, 0.02)
    wait_for(lambda: dns.asked == 1 + names._MOST_STUCK)
    dns.speaks.set()
    assert hosts(name) == ["127.77.0.1"]
    for _ in range(20):
        hosts(name)


def test_a_machine_without_a_thread_to_spare_is_no_worse_than_silence(
    dns: Dns, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Name(HOST, 443)
    hosts(name)

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", refuse)
    assert hosts(name) == ["127.77.0.1"]
    with pytest.raises(OSError, match="can't start new thread"):
        hosts(Name(HOST, 443))


def test_an_address_needs_no_look_up(dns: Dns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_thread.start_new_thread", None)
    assert hosts(Name(b"127.77.0.1", 443)) == ["127.77.0.1"]


def test_no_more_addresses_are_used_than_there_are_descriptors_for(dns: Dns) -> None:
    dns.answer = [f"127.77.0.{number}" for number in range(1, 100)]
    assert len(hosts(Name(HOST, 443))) == MAX_ADDRESSES


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """Return a port of 127.77.0.1 that is silent about who connects, as a dead host is."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.77.0.1", 0), backlog=0))
        while True:
            one = stack.enter_context(socket.socket())
            one.settimeout(0.2)
            try:
                one.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]


def test_silent_addresses_share_one_budget(dns: Dns, full_backlog: int) -> None:
    dns.answer = ["127.77.0.1"] * 8
    opened = len(descriptors())
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        dial(Name(HOST, full_backlog), within(0.5))
    assert time.monotonic() - started < 0.5 * 8
    assert len(descriptors()) == opened


def descriptors() -> list[str]:
    return os.listdir("/proc/self/fd")


def test_a_silent_address_delays_the_next_by_a_moment_only(dns: Dns, full_backlog: int) -> None:
    with socket.create_server(("127.77.0.2", full_backlog)):
        dns.answer = ["127.77.0.1", "127.77.0.2"]
        name = Name(HOST, full_backlog)
        with dial(name, within(10)) as found:
            assert found.getpeername()[0] == "127.77.0.2"


def test_an_address_that_refuses_is_followed_by_the_next_at_once(dns: Dns) -> None:
    with socket.create_server(("127.77.0.2", 0)) as listener:
        dns.answer = ["127.77.0.1", "127.77.0.2"]
        with dial(Name(HOST, listener.getsockname()[1]), within(1e6)) as found:
            assert found.getpeername()[0] == "127.77.0.2"


def test_an_address_to_which_there_is_no_way_is_followed_by_the_next(dns: Dns) -> None:
    """It fails before there is anything to wait for, and is not taken for a connection."""
    with socket.create_server(("127.77.0.2", 0)) as listener:
        dns.answer = ["255.255.255.255", "127.77.0.2"]
        with dial(Name(HOST, listener.getsockname()[1]), within(1e6)) as found:
            assert found.getpeername()[0] == "127.77.0.2"


def test_connecting_uses_no_address_up(dns: Dns) -> None:
    with socket.create_server(("127.77.0.2", 0)) as listener:
        dns.answer = ["127.77.0.2", "127.77.0.3"]
        name = Name(HOST, listener.getsockname()[1])
        dial(name, within(60)).close()
        dns.answer = socket.gaierror(socket.EAI_AGAIN, "SERVFAIL")
        dial(name, within(60)).close()
        assert hosts(name) == ["127.77.0.2", "127.77.0.3"]


def test_addresses_that_all_refuse_are_said_at_once(dns: Dns) -> None:
    with socket.create_server(("127.77.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        dial(Name(HOST, port), within(1e6))


def test_where_dns_names_dead_addresses_only_the_last_good_one_is_tried_too(dns: Dns) -> None:
    with socket.create_server(("127.77.0.2", 0)) as listener:
        name = Name(HOST, listener.getsockname()[1])
        dns.answer = ["127.77.0.2"]
        dial(name, within(60)).close()
        dns.answer = ["127.77.0.1"]
        with dial(name, within(60)) as found:
            assert found.getpeername()[0] == "127.77.0.2"
