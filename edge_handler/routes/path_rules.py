"""Rules of a row by path: one host, several targets.

A pattern is a path, or a path with `/*` at its end for all that is under it, and for itself: `/api/*` is for `/api`
too, as a prefix of a Kubernetes Ingress is, and not for `/apis`. The longest that matches wins, and a path before a
prefix: so their order means nothing, and what a rule adds takes only what it names from the others.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from edge_handler.errors import BrokenRow, MalformedPath
from edge_handler.paths import comparable_path, composed
from edge_handler.routes.attributes import Item, boolean, integer, string
from edge_handler.routes.origin import DeploymentOrigin, decode_origin, encode_origin
from edge_handler.routes.redirect import Answering, Redirect, decode_redirect, encode_redirect, location

MAX_RULES = 200
MAX_PATTERN = 255
"""Characters, percent-encoded."""
WILDCARD = "/*"
_PATTERN = re.compile(r"(?:/[^/*\\\x00-\x1f\x7f]+)+(?:/\*|/)?")
# Of a request on its way to the origin, in characters.
_MAX_URI = 8_191
# What a path may hold that is not percent-encoded.
_SAFE = "/-_.~!$&'()*+,;=:@"
_DOTS = re.compile(r"/\.\.?(?:/|;|\Z)")


class Rule(NamedTuple):
    """What answers for some paths of a domain."""

    pattern: str
    """Decoded, in Unicode's form C; see above."""
    origin: Answering
    generation: int
    """The revision at which what viewers get by this rule last changed; part of the cache key of what it matches."""
    strip_prefix: bool = False
    """Whether the origin is asked without what is before `/*`."""
    target: str = ""
    """What the person wrote; the edge is not told."""

    @property
    def prefix(self) -> str:
        """What is taken off a path, percent-encoded; empty where nothing is."""
        return quote_path(self.pattern.removesuffix(WILDCARD)) if self.strip_prefix else ""


class RuleTable:
    """The rules of one row, to be looked up in: what that costs does not grow with their number."""

    __slots__ = ("_depth", "_paths", "_prefixes", "rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self._paths = {rule.pattern: number for number, rule in enumerate(rules) if not rule.pattern.endswith(WILDCARD)}
        self._prefixes = {
            rule.pattern.removesuffix(WILDCARD): number
            for number, rule in enumerate(rules)
            if rule.pattern.endswith(WILDCARD)
        }
        self._depth = max((prefix.count("/") for prefix in self._prefixes), default=0)

    def find(self, path: str) -> int:
        """Return the number of the rule for a path, as `comparable_path` returns it; -1 where there is none."""
        found = self._paths.get(path)
        if found is not None:
            return found
        if not self._depth:
            return -1
        prefixes = self._prefixes
        # Its first segments, as many as a prefix has: a path may have thousands.
        prefix = "/".join(path.split("/", self._depth + 1)[: self._depth + 1])
        while prefix:
            found = prefixes.get(prefix)
            if found is not None:
                return found
            prefix = prefix[: prefix.rfind("/")]
        return -1


def is_pattern(text: str) -> bool:
    """Tell whether this is a pattern as `Rule` has it. `/*` is none: the row's own target is for that."""
    return text == "/" or (
        _PATTERN.fullmatch(text) is not None
        and _DOTS.search(text) is None
        and composed(text) == text
        and len(quote_path(text)) <= MAX_PATTERN
    )


def quote_path(path: str) -> str:
    """Return a decoded path percent-encoded, as a stamp and a header can hold it."""
    from urllib.parse import quote  # noqa: PLC0415  # what has no rules starts without it

    return quote(path, safe="/-_.~")


def without_prefix(uri: str, prefix: str) -> str:
    """Return a request's path without a rule's prefix, both percent-encoded: empty, or with one slash first.

    However the viewer wrote it: where that is not as the rule has it, the path goes on in the form it was compared in.

    Raises:
        MalformedPath: it is none, or would be longer than CloudFront takes.
    """
    if uri == prefix or uri.startswith(prefix + "/"):
        rest = uri[len(prefix) :]
    else:
        from urllib.parse import quote, unquote  # noqa: PLC0415  # see `quote_path`

        rest = quote(comparable_path(uri)[len(unquote(prefix)) :], safe=_SAFE)
        if len(rest) >= _MAX_URI:
            raise MalformedPath("the path is too long")
    return "/" + rest.lstrip("/") if rest else ""


def redirected(redirect: Redirect, rule: Rule | None, uri: str, query: str) -> str:
    """Return where a request is sent to; `rule` is the one that says so, None where it is the row's own target.

    A path leads to one place; all that is under a prefix, or on a host, keeps its path. Raises MalformedPath.
    """
    if rule is None:
        return location(redirect, uri, query)
    if not rule.pattern.endswith(WILDCARD):
        return location(redirect, "", query)
    return location(redirect, without_prefix(uri, rule.prefix) if rule.strip_prefix else uri, query)


def decode_rules(item: Item) -> tuple[Rule, ...]:
    """Read the `rules` attribute of a row, without targets. Raises BrokenRow, KeyError and TypeError."""
    rules = tuple(_decode_rule(one["M"]) for one in item["rules"]["L"])
    patterns = {rule.pattern for rule in rules}
    if not rules or len(rules) > MAX_RULES or len(patterns) != len(rules) or not all(map(is_pattern, patterns)):
        raise BrokenRow("the row's rules cannot be read")
    return rules


def rule_targets(item: Item) -> list[str]:
    """Return what people wrote as the targets of a row's rules, in their order. Raises as `decode_rules` does."""
    return [string(one["M"], "target") for one in item["rules"]["L"]]


def encode_rules(rules: Iterable[Rule]) -> dict[str, Any]:
    """Write the `rules` attribute."""
    return {"L": [{"M": _encode_rule(rule)} for rule in rules]}


def decode_answering(item: Item) -> Answering:
    """Read an `origin` attribute, a redirect's too. Raises BrokenRow."""
    return decode_redirect(item) if item["kind"] == {"S": "redirect"} else decode_origin(item)


def encode_answering(origin: Answering) -> dict[str, Any]:
    """Write it."""
    return encode_redirect(origin) if isinstance(origin, Redirect) else encode_origin(origin)


def _decode_rule(item: Item) -> Rule:
    pattern, strip = string(item, "pattern"), "strip_prefix" in item and boolean(item, "strip_prefix")
    origin = decode_answering(item["origin"]["M"])
    if isinstance(origin, DeploymentOrigin) or (strip and not pattern.endswith(WILDCARD)):
        raise BrokenRow(f"the rule for {pattern[:80]!r} cannot be followed")
    return Rule(pattern, origin, integer(item, "generation", 1), strip)


def _encode_rule(rule: Rule) -> dict[str, Any]:
    item: dict[str, Any] = {
        "pattern": {"S": rule.pattern},
        "target": {"S": rule.target},
        "origin": {"M": encode_answering(rule.origin)},
        "generation": {"N": str(rule.generation)},
    }
    return item | ({"strip_prefix": {"BOOL": True}} if rule.strip_prefix else {})
