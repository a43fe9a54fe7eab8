"""What lets somebody in: signed tokens, in a link or in the session's cookie. One codec for the edge and its writer.

A token is good for one row's domain, and for one time of its being private: it is signed for the revision since which
that is so. A link's token is none of a session's: what is in a cookie opens nothing anew. One that asks the edge why it
answers as it does (`edge_handler.debug`) opens nothing at all: it is for a host, whatever answers for it.
"""

import hmac
import re
from binascii import b2a_base64
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

Use = Literal["link", "session", "debug"]
Kind = Literal["view", "bypass", "debug"]
COOKIE = "__Host-edge-access"
"""The prefix has browsers keep other hosts from setting it, siblings under one domain included."""
SIDE_COOKIE = "__Host-edge-side"
"""What a tester chose, and of which canary: `canary.12`, see `edge_handler.canary`. Likewise no origin's."""
# A table, not binascii's own: with it the text has one form, and `is_signed` compares texts.
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_TOKEN = re.compile(r"(view|bypass|debug)\.([1-9][0-9]{0,11})\.([0-9a-f]{8})\.([A-Za-z0-9_-]{43})")
_KEY_ID = re.compile(r"[0-9a-f]{8}")
SECRET_BYTES = 32


class Key(NamedTuple):
    """What tokens are signed with."""

    id: str
    """8 lower-case hexadecimal characters."""
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret: nothing that is logged may hold one."""
        return f"Key(id={self.id!r})"


class Token(NamedTuple):
    """See above."""

    kind: Kind
    """`view`: what is private; `bypass`: that too, and past maintenance; `debug`: nothing, see above."""
    expires_at: int
    key_id: str
    mac: str


def encode_token(use: Use, kind: Kind, domain: str, since: int, expires_at: int, key: Key) -> str:
    """Sign a token.

    Args:
        use: `link` for what people get, `session` for what is in a cookie, `debug` for what asks.
        kind: see `Token`; `debug` goes with the use of that name, and with no other.
        domain: the row's; a wildcard's token opens all its names. For `debug` the host's.
        since: `Policy.private` for `view`, `Maintenance.since` for `bypass`, 1 for `debug`.
        expires_at: epoch seconds.
        key: the newest.

    Raises:
        ValueError: nothing that `read_token` would read.
    """
    text = f"{kind}.{expires_at}.{key.id}.{_mac(use, kind, domain, since, expires_at, key)}"
    if (use == "debug") != (kind == "debug") or since < 1 or len(key.secret) != SECRET_BYTES or not read_token(text):
        raise ValueError(f"no token can be made of {use}, {kind}, {expires_at}, since {since} and {key}")
    return text


def read_token(text: str) -> Token | None:
    """Return what a text says, None where it is no token. Nothing of it is true before `is_signed` says so."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    kind, expires_at, key_id, mac = found.groups()
    return Token(kind, int(expires_at), key_id, mac)  # type: ignore[arg-type]  # the pattern's


def is_signed(token: Token, use: Use, domain: str, since: int, keys: Iterable[Key], now: float) -> bool:
    """Tell whether a token is good now for a domain and a time, signed with one of `keys`. See `encode_token`."""
    if now >= token.expires_at or since < 1:
        return False
    for key in keys:
        if key.id == token.key_id:
            mac = _mac(use, token.kind, domain, since, token.expires_at, key)
            return hmac.compare_digest(mac, token.mac)
    return False


def is_key_id(text: str) -> bool:
    """Tell whether a key may be called so."""
    return _KEY_ID.fullmatch(text) is not None


def _mac(use: Use, kind: Kind, domain: str, since: int, expires_at: int, key: Key) -> str:
    signed = hmac.digest(key.secret, f"{use}\n{kind}\n{domain}\n{since}\n{expires_at}".encode(), "sha256")
    return b2a_base64(signed, newline=False).translate(_URL_SAFE, b"=").decode()


def take_sessions(headers: dict[str, Any]) -> list[str]:
    """Take the session's cookie out of a request's headers, see `take_cookie`; return its values."""
    return take_cookie(headers, COOKIE)


def take_cookie(headers: dict[str, Any], cookie: str) -> list[str]:
    """Take a cookie out of a request's headers, however often it is there; return its values.

    Whatever else is there stays as it was written, and where nothing is taken nothing changes.
    """
    found: list[str] = []
    lines = headers.get("cookie")
    if not lines or not any(cookie in line["value"] for line in lines):
        return found
    kept_lines = []
    for line in lines:
        kept, taken = [], len(found)
        for pair in line["value"].split(";"):
            name, equals, value = pair.partition("=")
            if name.strip() == cookie:
                found.append(value.strip() if equals else "")
            else:
                kept.append(pair)
        if len(found) == taken:
            kept_lines.append(line)
        elif text := ";".join(kept).strip():
            kept_lines.append({**line, "value": text})
    if kept_lines:
        headers["cookie"] = kept_lines
    else:
        del headers["cookie"]
    return found


def set_cookie(name: str, value: str, seconds: int) -> str:
    """Return the value of `Set-Cookie` that gives a browser a cookie of the edge's own; for no seconds it takes it."""
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}"
