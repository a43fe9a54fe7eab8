"""Redirects that would send a browser in circles: they apply to files that are there, too, so nothing ends them."""

from unicodedata import normalize
from urllib.parse import unquote

from edge_handler.website.listing import RedirectRule
from table_admin.deployments.rule_lines import PLACEHOLDER, is_pattern, matcher

_SAMPLE = "any-7"


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
        self.exact: dict[str, RedirectRule] = {}
        self.patterns = []
        for rule in rules:
            if rule.status in (200, 404) and not rule.force:
                continue  # only for what nothing else answers
            if is_pattern(rule.source):
                self.patterns.append((matcher(rule.source), rule))
            else:
                self.exact.setdefault(_path(rule.source), rule)

    def leads_back(self, start: RedirectRule) -> bool:
        """Tell whether following redirects from a rule comes to the same rule again."""
        met: set[RedirectRule] = set()
        rule: RedirectRule | None = start
        names: dict[str, str] = {}
        while rule is not None and 300 <= rule.status < 400 and rule.destination.startswith("/"):
            if rule in met:
                return rule == start
            met.add(rule)
            parts = PLACEHOLDER.split(rule.destination)
            parts[1::2] = [names.get(name, _SAMPLE) for name in parts[1::2]]
            rule, names = self._meets(_path("".join(parts)))
        return False

    def _meets(self, path: str) -> tuple[RedirectRule | None, dict[str, str]]:
        if path in self.exact:
            return self.exact[path], {}
        for pattern, rule in self.patterns:
            found = pattern.fullmatch(path)
            if found:
                return rule, found.groupdict()
        return None, {}


def _path(text: str) -> str:
    return normalize("NFC", unquote(text.partition("#")[0].partition("?")[0]))
