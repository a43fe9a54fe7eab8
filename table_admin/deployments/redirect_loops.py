"""Redirects that would send a browser in circles: they apply to files that are there, too, so nothing ends them."""

from edge_handler.website.listing import RedirectRule
from edge_handler.website.rules import Values, match, target
from table_admin.deployments.rule_lines import PLACEHOLDER, is_pattern, names_in


def loops(rules: list[tuple[int, RedirectRule]]) -> list[tuple[int, str]]:
    """Return the lines that lead back to themselves, and why: each placeholder stands for any text here."""
    chart = _Chart([rule for _, rule in rules])
    wrong = []
    for number, rule in rules:
        if chart.leads_back(rule):
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

    def leads_back(self, start: RedirectRule) -> bool:
        """Tell whether following redirects from a rule comes to the same rule again."""
        met: set[RedirectRule] = set()
        rule: RedirectRule | None = start
        values = {name: f"any~{name}" for name in names_in(start.source)}
        while rule is not None and _redirects(rule):
            if rule in met:
                return rule == start
            met.add(rule)
            rule, values = self._meets(target(rule.destination, values))
        return False

    def _meets(self, path: str) -> tuple[RedirectRule | None, Values]:
        """Return the rule for a path; a redirect to the path itself is none."""
        exact = self._exact.get(path)
        if exact and not (_redirects(exact) and target(exact.destination, {}) == path):
            return exact, {}
        for beginning, rule in self._patterns:
            values = match(rule.source, path) if path.startswith(beginning) else None
            if values is not None and not (_redirects(rule) and target(rule.destination, values) == path):
                return rule, values
        return None, {}


def _redirects(rule: RedirectRule) -> bool:
    return 300 <= rule.status < 400 and rule.destination.startswith("/")
