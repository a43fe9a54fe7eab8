"""The reserved paths: a link, or a name and a password, for a session.

They alone take a request's Authorization; what an application is sent on its own paths is the application's.
"""

import hmac
from binascii import a2b_base64
from math import ceil

from edge_handler.access.attempts import Attempts
from edge_handler.access.going_on import going_on
from edge_handler.access.keys import AccessTable, Password, hash_password
from edge_handler.access.pages import (
    LINK,
    LINK_REFUSED,
    NO_PAGE,
    PASSWORD,
    PASSWORD_ASKED,
    TOO_MANY,
    UNKNOWN,
    checking,
    page,
)
from edge_handler.access.session import COOKIE, Key, Kind, encode_token, is_signed, read_token, set_cookie
from edge_handler.answers import NOINDEX, Request, Result, header, no_content, redirect
from edge_handler.log import log
from edge_handler.routes.policy import Policy

PASSWORD_SECONDS = 12 * 3_600
"""How long a session lasts that a password began; one that a link began lasts as long as the link."""
_CHALLENGE = 'Basic realm="Private preview", charset="UTF-8"'


class SignIn:
    """What is answered under RESERVED."""

    def __init__(self, access: AccessTable, attempts: Attempts) -> None:
        self._access = access
        self._attempts = attempts

    def answer(
        self, domain: str, policy: Policy, request: Request, request_id: str, now: float, deadline: float
    ) -> Result:
        """Return the answer; `deadline` is that of a read. Raises TableUnreachable."""
        uri = request["uri"]
        if uri == LINK:
            return self._link(domain, policy, request, request_id, now, deadline)
        if uri == PASSWORD:
            return self._password(domain, policy, request, request_id, now, deadline)
        return page(NO_PAGE, "there is nothing at this address", request, request_id)

    def _link(
        self, domain: str, policy: Policy, request: Request, request_id: str, now: float, deadline: float
    ) -> Result:
        scheme, _, text = header(request, "authorization").partition(" ")
        if scheme.lower() != "bearer":
            # A browser that has signed in by password says so here, too.
            return checking(request, request_id)
        token = read_token(text.strip())
        if token is not None and now < token.expires_at:
            since = since_of(policy, token.kind)
            keys = self._access.keys(token.key_id, deadline)
            if is_signed(token, "link", domain, since, keys, now):
                return no_content(_session(token.kind, domain, since, token.expires_at, keys[0], now))
        challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
        return page(LINK_REFUSED, "it has expired, or is of another time", request, request_id, challenge)

    def _password(
        self, domain: str, policy: Policy, request: Request, request_id: str, now: float, deadline: float
    ) -> Result:
        to = {"location": going_on(request["querystring"]) or "/"}
        if not policy.private:
            return redirect(303, {**to, **_HEADERS})  # nothing asks for one
        said = _credentials(header(request, "authorization"))
        reason = "this preview is private"
        if said is not None:
            if wait := self._attempts.wait(domain):
                return _too_many(wait, request, request_id)
            found, keys = self._access.password(domain, deadline)
            is_set = found is not None and found.since == policy.private
            if is_set and (wait := self._attempts.wait_for_all()):
                return _too_many(wait, request, request_id)
            if found is not None and is_set and _is_right(found, *said):
                if not keys:
                    log("ERROR", "no session begins without a signing key", domain=domain)
                    return page(UNKNOWN, "sessions cannot be signed", request, request_id, {"retry-after": "10"})
                expires_at = int(now) + PASSWORD_SECONDS
                return redirect(303, {**to, **_session("view", domain, policy.private, expires_at, keys[0], now)})
            reason = "that was not the name and the password of this preview"
        return page(PASSWORD_ASKED, reason, request, request_id, {"www-authenticate": _CHALLENGE})


def _too_many(wait: float, request: Request, request_id: str) -> Result:
    seconds = ceil(wait)
    retry_after = {"retry-after": str(seconds)}
    return page(TOO_MANY, f"the next one is in {seconds} seconds", request, request_id, retry_after)


_HEADERS = {"cache-control": "no-store", **NOINDEX}


def since_of(policy: Policy, kind: Kind) -> int:
    """Return what a token of a kind is signed for, 0 where none of it is of use."""
    if kind == "view":
        return policy.private
    return policy.maintenance.since if kind == "bypass" and policy.maintenance is not None else 0


def _session(kind: Kind, domain: str, since: int, expires_at: int, key: Key, now: float) -> dict[str, str]:
    token = encode_token("session", kind, domain, since, expires_at, key)
    return {**_HEADERS, "set-cookie": set_cookie(COOKIE, token, ceil(expires_at - now))}


def _credentials(authorization: str) -> tuple[str, str] | None:
    """Return name and password of a header, None where it has none."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = a2b_base64(text.strip()).decode().partition(":")
    except ValueError:
        return None
    return (name, password) if colon else None


def _is_right(found: Password, name: str, password: str) -> bool:
    # Both are compared, whatever the first says: who waits learns nothing.
    is_name = hmac.compare_digest(found.name.encode(), name.encode())
    return hmac.compare_digest(found.hash, hash_password(password, found.salt)) and is_name
