"""Names of branches as people and their tools give them."""

import random
from collections.abc import Iterator

_SHAPES = [
    "dependabot/npm_and_yarn/lodash-4.17.{}",
    "dependabot/github_actions/actions/checkout-{}",
    "renovate/pin-dependencies-{}",
    "release/2026.{}",
    "release-{}.x",
    "hotfix/v1.2.{}",
    "users/jo@example.com/try-{}",
    "#{}-fix",
    "fix--double__separators.{}",
    "-{}-",
    "revert-{}-feature/login",
    "bugfix/Größe-ändern-{}",
    "功能/登录-{}",
    "исправление/вход-{}",
    "emoji/🚀-{}",
    "HOTFIX{}",
    "URGENT_{}",
    "{}",
    "00{}",
    "feature/" + "a-very-long-description-" * 7 + "that-differs-at-its-end-{}",
    "{}-" + "x" * 196,
]
# One label for all of a line, and what production and a person's own row are called.
_ALIKE = [
    *("feature/ABC_{}", "feature/abc-{}", "Feature/Abc.{}", "feature-abc-{}"),
    *("Café/{}", "cafe/{}"),
]
_TAKEN = ["www", "WWW", "docs", "Docs", "w.w.w"]


def branch_names(chance: random.Random, count: int) -> Iterator[str]:
    """Yield so many, each once."""
    alike = [shape.format(number) for number in range(count // 30) for shape in _ALIKE]
    plain = [chance.choice(_SHAPES).format(number) for number in range(count - len(alike) - len(_TAKEN))]
    found = [*_TAKEN, *alike, *plain]
    chance.shuffle(found)
    assert len(set(found)) == count
    yield from found
