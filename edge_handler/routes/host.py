"""Host normalisation: every spelling of a host becomes the one the routing table is keyed by."""

import re
import socket

from edge_handler.errors import MalformedHost

# Underscores are not for host names (RFC 1123), but browsers send them and DNS serves them.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r":[0-9]{0,5}\Z")
# IDNA2003 (the standard library) and IDNA2008 (what browsers do) disagree about these four.
_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d")
MAX_LENGTH = 253


def normalise_host(raw: str) -> str:
    """Return `raw` in lower case, as A-labels, without port and trailing dot.

    An IPv6 literal keeps its brackets and is given in its shortest form.

    Raises:
        MalformedHost: `raw` cannot be the host of any URL.
    """
    if len(raw) > MAX_LENGTH + len(".:65535"):
        # Before anything is made of it: letters of other scripts take some work, and a header may hold 20 KB of them.
        raise MalformedHost(f"the host is {len(raw)} characters long, more than {MAX_LENGTH}")
    host = raw.lower()
    if host.startswith("["):
        return _normalise_ipv6(host)
    host = _PORT.sub("", host)
    if not host.isascii():
        host = _to_a_labels(host)
    host = host.removesuffix(".")
    if not host:
        raise MalformedHost("the host is empty")
    if len(host) > MAX_LENGTH:
        raise MalformedHost(f"the host is {len(host)} characters long, more than {MAX_LENGTH}")
    if not _HOST.fullmatch(host):
        raise MalformedHost("the host is not a name that DNS could hold")
    return host


def _normalise_ipv6(host: str) -> str:
    literal, bracket, port = host[1:].partition("]")
    if not bracket or (port and not _PORT.fullmatch(port)):
        raise MalformedHost("the host is an IPv6 address that is not closed")
    try:
        packed = socket.inet_pton(socket.AF_INET6, literal)
    except (OSError, ValueError) as error:
        raise MalformedHost("the host is not an IPv6 address") from error
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]"


def _to_a_labels(host: str) -> str:
    if not _DEVIATIONS.isdisjoint(host):
        raise MalformedHost("the host has a letter that must be sent as an A-label (xn--...)")
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise MalformedHost("the host is not an internationalised domain name") from error
