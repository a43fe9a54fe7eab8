"""Rules as people write them: a pattern, and what answers for it, in text that is the same in every place.

`/api/*` and `https://api.example.net`; before the target may stand `strip:`, for an origin that is asked without the
pattern's prefix, and `keep-host:`, for an ingress that routes by the viewer's host.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from edge_handler.paths import composed
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.path_rules import MAX_PATTERN, MAX_RULES, WILDCARD, Rule, is_pattern
from edge_handler.routes.route import Route
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.path_rules import written_pattern
from table_admin.targets import TargetResolver, full_target

STRIP, KEEP_HOST = "strip:", "keep-host:"


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """What is written for a pattern."""

    target: str
    strip_prefix: bool = False
    keep_host: bool = False

    def __str__(self) -> str:
        return STRIP * self.strip_prefix + KEEP_HOST * self.keep_host + self.target


def parse_pattern(text: str) -> str:
    """Return a pattern in the form that rows have. Raises InvalidInput."""
    try:
        text.encode()  # halves of characters are none
        pattern = composed(unquote(text, errors="strict"))
    except UnicodeError as error:
        raise InvalidInput(f"The pattern {text[:80]!r} is not UTF-8.") from error
    if pattern == WILDCARD:
        raise InvalidInput(f"{text} is all of a domain: that is what its own target is for.")
    if {"?", "#"} & {*text}:
        raise InvalidInput(
            f"{text[:80]!r} is not a pattern: it has a query or a fragment; write ? and # as %3F and %23."
        )
    if not is_pattern(pattern):
        raise InvalidInput(
            f"{text[:80]!r} is not a pattern; write a path, or a path with /* at its end: /about, /api/*. At most "
            f"{MAX_PATTERN} characters, percent-encoded."
        )
    return pattern


def parse_rule_target(text: str, bucket: str = "") -> RuleTarget:
    """Return what is written for a pattern; /prefix is one of `bucket`. Raises InvalidInput."""
    rest, found = text.strip(), set()
    while name := next((one for one in (STRIP, KEEP_HOST) if rest.startswith(one)), ""):
        if name in found:
            raise InvalidInput(f"{text[:80]!r} says {name} twice.")
        found.add(name)
        rest = rest.removeprefix(name).lstrip()
    if not rest:
        raise InvalidInput(f"{text[:80]!r} has no target.")
    return RuleTarget(full_target(rest, bucket), STRIP in found, KEEP_HOST in found)


def parse_rules(rules: Mapping[str, str | None], bucket: str = "") -> dict[str, str | None]:
    """Return rules by pattern in the form that rows have; None stands for one that shall go. Raises InvalidInput."""
    found: dict[str, str | None] = {}
    for written, text in rules.items():
        pattern = parse_pattern(written)
        if pattern in found:
            raise InvalidInput(f"{pattern} is there twice.")
        try:
            found[pattern] = None if text is None else str(parse_rule_target(text, bucket))
        except InvalidInput as error:
            raise _about(pattern, error) from error
    return found


def planned_rules(
    before: tuple[Rule, ...], wanted: Mapping[str, str | None] | None, resolver: TargetResolver, *, whole: bool = False
) -> tuple[Rule, ...]:
    """Return the rules of a row, by pattern, resolved.

    Args:
        before: those it has. One that is not named stays as it is, as what it resolved to does.
        wanted: see `parse_rules`; None for no change.
        resolver: of targets.
        whole: what is not named goes.

    Raises:
        InvalidInput, TargetRefused: a rule cannot be; with its pattern.
    """
    if wanted is None:
        return before
    rules = {} if whole else {rule.pattern: rule for rule in before}
    for pattern, text in wanted.items():
        if text is None:
            rules.pop(pattern, None)
        else:
            rules[pattern] = _resolved(pattern, parse_rule_target(text), resolver)
    if len(rules) > MAX_RULES:
        raise InvalidInput(f"{len(rules)} rules; a domain has {MAX_RULES} at most.")
    return tuple(rules[pattern] for pattern in sorted(rules))


def targets_of(route: Route) -> list[str]:
    """Return all targets that a route names, without what stands before them: its own, its rules', and what is beside.

    In the order of `path_rules.answering`.
    """
    beside = [one.target for one in (route.canary, route.standby) if one is not None]
    return [bare_target(target) for target in (route.target, *(rule.target for rule in route.rules), *beside)]


def bare_target(text: str) -> str:
    """Return what is written for a pattern without what stands before its target; also of a row written by hand."""
    while text.startswith((STRIP, KEEP_HOST)):
        text = text.removeprefix(STRIP).removeprefix(KEEP_HOST)
    return text


def _resolved(pattern: str, wanted: RuleTarget, resolver: TargetResolver) -> Rule:
    try:
        origin = resolver.resolve(wanted.target, keep_host=wanted.keep_host)
        if isinstance(origin, DeploymentOrigin):
            raise InvalidInput(
                "a deployment is a domain's own target; a rule takes a prefix, a load balancer, a URL or a redirect."
            )
        if wanted.strip_prefix and not pattern.endswith(WILDCARD):
            raise InvalidInput(f"{STRIP} goes with a pattern that ends with /*.")
    except TableAdminError as error:
        raise _about(pattern, error) from error
    return Rule(pattern, origin, 0, wanted.strip_prefix, str(wanted))


def _about(pattern: str, error: TableAdminError) -> TableAdminError:
    found = type(error)(f"The rule for {written_pattern(pattern)}: {error}")
    found.pattern = pattern
    return found
