"""Redirects that would send a browser in circles: they apply to files that are there, too, so nothing ends them."""

from collections.abc import Iterator

from edge_handler.website.listing import RedirectRule
from edge_handler.website.rules import Values, asked_next, match, target
from table_admin.deployments.rule_lines import PLACEHOLDER, is_pattern, names_in

_HOPS = 20
"""So many redirects a browser follows."""
_TRIES = 50_000
"""So many paths are tried for all rules together, lest 500 patterns take long."""


def loops(rules: list[tuple[int, RedirectRule]]) -> list[tuple[int, str]]:
    """Return the lines that lead back to themselves, and why.

    Each placeholder stands for any text, and then for such text as makes another rule match what it leads to.
    """
    chart = _Chart([rule for _, rule in rules])
    wrong = []
    circles = {met for _, rule in rules for met in chart.circle(rule)}
    for number, rule in rules:
        if rule in circles or chart.leads_back(rule):
            what = "write 200 for a page that answers in its place" if "*" in rule.source else "remove one of them"
            wrong.append((number, f"{rule.source[:60]} would be sent in circles, also where a file is there; {what}."))
    return wrong


class _Chart:
    """Which rule a path meets first: exact ones, then patterns, in their order."""

    def __init__(self, rules: list[RedirectRule]) -> None:
        self._exact = {rule.source: rule for rule in rules}
        self._patterns = [
            (PLACEHOLDER.split(rule.source.partition("*")[0])[0], rule) for rule in rules if is_pattern(rule.source)
        ]
        self._tries = _TRIES

    def leads_back(self, start: RedirectRule) -> bool:
        """Tell whether following redirects from a rule comes to the same rule again."""
        met: set[RedirectRule] = set()
        rule: RedirectRule | None = start
        values = _any(start)
        while rule is not None and _redirects(rule):
            if rule in met:
                return rule == start
            met.add(rule)
            rule, values = self._meets(asked_next(rule.destination, values))
        return False

    def circle(self, start: RedirectRule) -> tuple[RedirectRule, ...]:
        """Return the rules by which some path that a pattern is for comes to a path twice."""
        if not (is_pattern(start.source) and _redirects(start)):
            return ()
        return next(filter(None, (self._followed(start, values) for values in self._values(start))), ())

    def _followed(self, start: RedirectRule, values: Values) -> tuple[RedirectRule, ...]:
        met: dict[str, RedirectRule] = {}
        rule: RedirectRule | None = start
        while rule is not None and _redirects(rule) and len(met) < _HOPS:
            path = asked_next(rule.destination, values)
            if path in met:
                return tuple(met.values())[[*met].index(path) :]
            rule, values = self._meets(path)
            if rule is not None:
                met[path] = rule
        return ()

    def _values(self, start: RedirectRule) -> Iterator[Values]:
        """Yield what a rule's placeholders may be so that another pattern is for what it leads to."""
        aim = target(start.destination, {}).replace(":splat", "*")
        fixed = PLACEHOLDER.split(aim.partition("*")[0])[0]
        texts = ["any", *_runs(aim)]
        for beginning, rule in self._patterns:
            if not _redirects(rule) or not (beginning.startswith(fixed) or fixed.startswith(beginning)):
                continue
            for text in texts:
                if self._tries <= 0:
                    return
                self._tries -= 1
                values = match(aim, text.join(_between(rule.source)))
                if values is not None:
                    yield _any(start) | values

    def _meets(self, path: str) -> tuple[RedirectRule | None, Values]:
        """Return the rule for a path; a redirect to the path itself is none."""
        exact = self._exact.get(path)
        if exact and not (_redirects(exact) and asked_next(exact.destination, {}) == path):
            return exact, {}
        for beginning, rule in self._patterns:
            values = match(rule.source, path) if path.startswith(beginning) else None
            if values is not None and not (_redirects(rule) and asked_next(rule.destination, values) == path):
                return rule, values
        return None, {}


def _redirects(rule: RedirectRule) -> bool:
    return 300 <= rule.status < 400 and rule.destination.startswith("/")


def _any(rule: RedirectRule) -> Values:
    return {name: f"any~{name}" for name in names_in(rule.source)}


def _runs(pattern: str) -> list[str]:
    """Return what stands between the placeholders of a pattern: segments, one and several in a row."""
    segments = [[segment for segment in part.split("/") if segment] for part in _between(pattern)]
    found = {"/".join(row[at:end]) for row in segments for at in range(len(row)) for end in range(at + 1, len(row) + 1)}
    return sorted(found)


def _between(pattern: str) -> list[str]:
    return PLACEHOLDER.sub("*", pattern).split("*")
