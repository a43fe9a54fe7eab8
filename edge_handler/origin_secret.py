"""The secret by which an origin knows what came through here: told to those that the deployment lists."""

from functools import lru_cache

HEADER = "x-origin-verify"
DOMAINS_HEADER = "x-origin-verify-domains"
"""The list, separated by commas: names, and `*.name` for all names under one."""


def is_listed(domain_name: str, domains: str) -> bool:
    """Tell whether an origin (lower case) is among the listed `domains`."""
    names, endings = _parsed(domains)
    return domain_name in names or domain_name.endswith(endings)


@lru_cache(1)  # the same with every request; but an instance outlives a change of the distribution's headers
def _parsed(domains: str) -> tuple[frozenset[str], tuple[str, ...]]:
    listed = [name.strip().lower() for name in domains.split(",")]
    return frozenset(listed), tuple(name[1:] for name in listed if name.startswith("*."))
