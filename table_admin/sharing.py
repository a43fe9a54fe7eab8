"""Whether an answer that is one viewer's may become another's: CloudFront replays cookies, and knows no Vary.

It stores a response's Set-Cookie with it, and tells objects apart by what the cache policy names, and by nothing else.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from table_admin.finding import Finding

_PRIVATE = frozenset(("private", "no-store", "no-cache"))
_DIGITS = 9
"""Of a lifetime: some thirty years. Python refuses to read thousands."""
_MEND_COOKIE = "Send Cache-Control: private or no-store with every Set-Cookie."
_MEND_VARY = "Send Cache-Control: private, or name the header in template.yaml's CachePolicy."


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What of a cache policy matters; names in lower case, TTLs in seconds."""

    key: frozenset[str]
    """The headers in the cache key."""
    min_ttl: int = 0
    default_ttl: int = 0


TEMPLATES = CachePolicy(frozenset(("x-route", "authorization", "accept-encoding")))
"""template.yaml's, whose TTLs are supposed where the deployment's cannot be read."""


def read_cache_policy(cloudfront: Any, identifier: str) -> CachePolicy:
    """Return a cache policy. Raises what botocore does."""
    config = cloudfront.get_cache_policy(Id=identifier)["CachePolicy"]["CachePolicyConfig"]
    selected = config["ParametersInCacheKeyAndForwardedToOrigin"]
    key = {name.lower() for name in selected["HeadersConfig"].get("Headers", {}).get("Items", ())}
    if selected["CookiesConfig"]["CookieBehavior"] != "none":
        key.add("cookie")
    if selected["EnableAcceptEncodingGzip"] or selected.get("EnableAcceptEncodingBrotli"):
        key.add("accept-encoding")
    return CachePolicy(frozenset(key), config["MinTTL"], config.get("DefaultTTL", 0))


def sharing(
    headers: Sequence[tuple[str, str]], policy: CachePolicy | None, problem: str, now: float
) -> Iterator[Finding]:
    """Yield what is wrong with an application's answer, or that nothing is.

    Args:
        headers: the answer's.
        policy: the distribution's, None where it cannot be read.
        problem: why it cannot.
        now: epoch seconds.
    """
    seconds = _seconds_kept(headers, policy or TEMPLATES, now)
    found = []
    if _values(headers, "set-cookie") and seconds is not None:
        found.append(_cookie(seconds))
    others = {name.lower() for name in _values(headers, "vary")} - (policy.key if policy else {"accept-encoding"})
    if others and seconds:
        found.append(_vary(", ".join(sorted(others)), seconds, policy, problem))
    yield from found or [Finding("sharing", "ok", "Viewers are shown nothing that is meant for another.")]


def _cookie(seconds: int) -> Finding:
    if seconds:
        text = f"It sets a cookie and is kept for {seconds} s: everybody who asks meanwhile gets the same cookie."
        return Finding("sharing", "wrong", text, _MEND_COOKIE)
    text = "It sets a cookie, and is kept to ask whether it is unmodified: who then gets it may get its cookie."
    return Finding("sharing", "unknown", text, _MEND_COOKIE)


def _vary(names: str, seconds: int, policy: CachePolicy | None, problem: str) -> Finding:
    text = f"It says Vary: {names}, and is kept for {seconds} s;"
    if policy is None:
        text = f"{text} whether that is in the cache key is unknown: {problem.rstrip('.')}."
        return Finding("sharing", "unknown", text, "Grant cloudfront:GetCachePolicy.")
    key = ", ".join(sorted(policy.key))
    return Finding("sharing", "wrong", f"{text} that is not in the cache key ({key}): all get one version.", _MEND_VARY)


def _seconds_kept(headers: Sequence[tuple[str, str]], policy: CachePolicy, now: float) -> int | None:
    """Return for how long the CDN may serve an answer; 0 to ask its origin whether it is unmodified, None for never."""
    if "*" in _values(headers, "vary"):
        return None
    control = {
        name.lower(): value.strip('"')
        for name, _, value in (directive.partition("=") for directive in _values(headers, "cache-control"))
    }
    if _PRIVATE & control.keys():
        return policy.min_ttl or None
    stated = control.get("s-maxage", control.get("max-age", ""))
    seconds = int(stated[:_DIGITS]) if stated.isdecimal() else policy.default_ttl
    if not stated and (expires := [value for name, value in headers if name.lower() == "expires"]):
        seconds = _until(expires[0], now)
    seconds = max(seconds, policy.min_ttl, 0)
    return seconds if seconds or _values(headers, "etag") or _values(headers, "last-modified") else None


def _until(date: str, now: float) -> int:
    try:
        return int(parsedate_to_datetime(date).timestamp() - now)
    except ValueError:
        return 0  # "0" and the like have expired


def _values(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    return [part.strip() for found, value in headers if found.lower() == name for part in value.split(",")]
