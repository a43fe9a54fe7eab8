"""Wildcards: a row `*.tenant.example.com` answers for all names under tenant.example.com that have none of their own.

Deeper names too, unlike in a certificate, where a `*` is one label. Of the rows for a host the most specific counts,
whatever it says: one that is broken or has expired is not made good for by another.
"""

FEWEST_LABELS, MOST_LABELS = 2, 8
"""After the `*`: so few that a whole top-level domain is none, so many that a host has only a few candidates."""


def is_wildcard(domain: str) -> bool:
    """Tell whether a row's domain is a wildcard."""
    return domain.startswith("*.")


def candidates(host: str) -> tuple[str, ...]:
    """Return the domains of the rows that may answer for a normalised host, the most specific first."""
    if host.startswith("["):
        return (host,)
    labels = host.split(".")
    deepest = max(1, len(labels) - MOST_LABELS)
    wildcards = ("*." + ".".join(labels[at:]) for at in range(deepest, len(labels) - FEWEST_LABELS + 1))
    return (host, *wildcards)


def is_under(host: str, wildcard: str) -> bool:
    """Tell whether a wildcard may answer for a host."""
    return host.endswith(wildcard[1:]) and len(host) >= len(wildcard)
