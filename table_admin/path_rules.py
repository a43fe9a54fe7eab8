"""Rules of a row as its writers handle them: compared, given their generations, and shown to people."""

from typing import Any
from urllib.parse import quote

from edge_handler.routes.path_rules import Rule
from edge_handler.routes.redirect import Answering
from edge_handler.routes.route import Route


def answering(route: Route) -> list[Answering]:
    """Return all that a route names: its own target's, its rules', its canary's, its standby's. As `targets_of`."""
    beside = [one.origin for one in (route.canary, route.standby) if one is not None]
    return [route.origin, *(rule.origin for rule in route.rules), *beside]


def renewed(rules: tuple[Rule, ...], before: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Return rules with the generations they had, 0 for the one of the write that is planned.

    Only what is another rule is: so a change of one does not empty the CDN of what the others serve.
    """
    known = {_seen(rule): rule.generation for rule in before}
    return tuple(rule._replace(generation=known.get(_seen(rule), 0)) for rule in rules)


def rules_before(before: Route | None, now: float) -> tuple[Rule, ...]:
    """Return the rules that viewers get something by now: none of a route that has expired."""
    live = before is not None and (before.expires_at is None or now < before.expires_at)
    return before.rules if live and before is not None else ()


def in_revision(rules: Any, revision: int) -> Any:
    """Return the `rules` attribute of a row as a revision has it: what is new in it is of its generation."""
    new, generation = {"N": "0"}, {"N": str(revision)}
    try:
        return {
            "L": [
                {"M": one["M"] | ({"generation": generation} if one["M"]["generation"] == new else {})}
                for one in rules["L"]
            ]
        }
    except (AttributeError, KeyError, TypeError):
        return rules  # of a broken row that is deleted


def canary_in_revision(canary: Any, revision: int) -> Any:
    """Return the `canary` attribute of a row as a revision has it, see `in_revision`."""
    new, since = {"N": "0"}, {"N": str(revision)}
    try:
        return {"M": canary["M"] | {name: since for name in ("since", "generation") if canary["M"][name] == new}}
    except (AttributeError, KeyError, TypeError):
        return canary


def rules_text(route: Route) -> dict[str, str]:
    """Return what is written for each of a route's patterns."""
    return {rule.pattern: rule.target for rule in route.rules}


def written_rules(route: Route) -> dict[str, str]:
    """Return a route's rules as people write them, and as they are read again: see `written_pattern`."""
    return {written_pattern(rule.pattern): rule.target for rule in route.rules}


def written_pattern(pattern: str) -> str:
    """Return a row's pattern as people write it: percent-encoded where it would be read as something else."""
    return "".join(
        quote(char) if char in "%=?#" or char.isspace() or not char.isprintable() else char for char in pattern
    )


def same_rules(one: tuple[Rule, ...], other: tuple[Rule, ...]) -> bool:
    """Tell whether viewers get the same by two rows' rules."""
    return [*map(_seen, one)] == [*map(_seen, other)]


def _seen(rule: Rule) -> Rule:
    return rule._replace(generation=0, target="")
