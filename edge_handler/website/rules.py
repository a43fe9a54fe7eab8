"""What `_redirects` and `_headers` say about a path: which rule matches it, and where that leads.

A pattern has one `*` at most, which takes anything, slashes too, and is called `:splat`; and `:name` in a segment, one
to a segment, which takes at least a character and no slash. Patterns and paths are compared decoded.
"""

from collections.abc import Callable, Iterable
from urllib.parse import quote, unquote, urljoin

from edge_handler.paths import collapse_slashes, composed
from edge_handler.website.listing import HeaderRule, RedirectRule

# What stands in a path and in a query as it is. A backslash does not: browsers take it for a slash.
PATH_SAFE = "/-_.~!$&'()*+,;=:@"
_QUERY_SAFE = PATH_SAFE + "%?[]{}|^`"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD = _LETTERS | frozenset("0123456789_")

Values = dict[str, str]
"""What a pattern's placeholders stand for in a path, decoded."""


def find_rule(path: str, rules: Iterable[RedirectRule]) -> tuple[RedirectRule, Values] | None:
    """Return the first rule that is exactly for `path`, else the first pattern that matches, and its values.

    A redirect from a path to itself is none: `/* /index.html 301` would never end.
    """
    patterns = []
    for rule in rules:
        if rule.source == path and not _leads_back(rule, {}, path):
            return rule, {}
        if "*" in rule.source or ":" in rule.source:
            patterns.append(rule)
    for rule in patterns:
        values = match(rule.source, path)
        if values is not None and not _leads_back(rule, values, path):
            return rule, values
    return None


def match(pattern: str, path: str) -> Values | None:
    """Return what the placeholders of `pattern` stand for in `path`; None where it does not match."""
    values: Values = {}
    before, splat, after = pattern.partition("*")
    if not splat:
        return values if _match_segments(pattern.split("/"), path.split("/"), values) else None
    *heads, head = before.split("/")
    tail, *tails = after.split("/")
    segments = path.split("/", len(heads))
    if len(segments) <= len(heads):
        return None
    segments, rest = segments[:-1], segments[-1]
    ends = rest.rsplit("/", len(tails))
    if len(ends) <= len(tails):
        return None
    middle, ends = ends[0], ends[1:]
    if len(middle) < len(head) + len(tail) or not (middle.startswith(head) and middle.endswith(tail)):
        return None
    if not (_match_segments(heads, segments, values) and _match_segments(tails, ends, values)):
        return None
    values["splat"] = middle[len(head) : len(middle) - len(tail)]
    return values


def location(destination: str, values: Values, query: str) -> str:
    """Return the Location of a redirect. The viewer's query goes along where the destination has none of its own.

    On the site it begins with exactly one slash, whatever the values are; and no value reaches another host's name.
    """
    origin, path, own, fragment = _split(destination)
    path = _fill(quote(path, safe=PATH_SAFE + "%"), values, lambda value: quote(value, safe=PATH_SAFE))
    if not origin:
        path = collapse_slashes("/" + path)
    if own:
        query = _fill(own, values, lambda value: quote(value, safe=""))
    elif query:
        query = "?" + query
    fragment = _fill(fragment, values, quote)
    return origin + path + quote(query, safe=_QUERY_SAFE) + quote(fragment, safe=_QUERY_SAFE + "#")


def target(destination: str, values: Values) -> str:
    """Return the path that a rule leads to on the site, decoded and in form C, as lists have it; else nothing."""
    origin, path, _own, _fragment = _split(destination)
    if origin:
        return ""
    return composed(collapse_slashes("/" + _fill(unquote(path), values, str)))


def asked_next(destination: str, values: Values) -> str:
    """Return the path that a browser asks for after a redirect: it takes out `.` and `..`, which a value may make."""
    path = target(destination, values)
    return unquote(urljoin("/", quote(path))) if "/." in path else path


def headers_for(path: str, rules: Iterable[HeaderRule]) -> list[tuple[str, str]]:
    """Return the headers that `_headers` has for a path, decoded as it was asked for: lower-case names, each once.

    All blocks that match apply in their order; equal names are joined, and what a block removes are those of the
    blocks before it.
    """
    found: dict[str, str] = {}
    for rule in rules:
        values = match(rule.pattern, path)
        if values is None:
            continue
        for name in rule.remove:
            found.pop(name.lower(), None)
        for name, template in rule.set:
            value = _fill(template, values, quote)
            before = found.get(name.lower())
            # What two blocks say alike is said once: no browser takes `*, *` for an allowed origin.
            found[name.lower()] = value if before in (None, value) else f"{before}, {value}"
    return list(found.items())


def _leads_back(rule: RedirectRule, values: Values, path: str) -> bool:
    return 300 <= rule.status < 400 and asked_next(rule.destination, values) == path


def _match_segments(patterns: list[str], segments: list[str], values: Values) -> bool:
    return len(patterns) == len(segments) and all(
        pattern == segment or _match_segment(pattern, segment, values)
        for pattern, segment in zip(patterns, segments, strict=True)
    )


def _match_segment(pattern: str, segment: str, values: Values) -> bool:
    before, name, after = _first_placeholder(pattern)
    end = len(segment) - len(after)
    if not name or end <= len(before) or not (segment.startswith(before) and segment.endswith(after)):
        return False
    values[name] = segment[len(before) : end]
    return True


def _first_placeholder(text: str) -> tuple[str, str, str]:
    """Return what is before the first `:name`, the name, and what is after it; without one the name is empty."""
    at = text.find(":")
    while at >= 0:
        end = at + 1
        if text[end : end + 1] in _LETTERS:
            while text[end : end + 1] in _WORD:
                end += 1
            return text[:at], text[at + 1 : end], text[end:]
        at = text.find(":", end)
    return text, "", ""


def _fill(template: str, values: Values, encode: Callable[[str], str]) -> str:
    """Return `template` with the values of its placeholders. A name that has no value stands for itself."""
    parts = []
    while template:
        before, name, template = _first_placeholder(template)
        parts.append(before)
        if name:
            parts.append(encode(values[name]) if name in values else f":{name}")
    return "".join(parts)


def _split(destination: str) -> tuple[str, str, str, str]:
    """Return another site's origin or nothing, the path, the query with its `?`, and the fragment with its `#`."""
    rest, hash_, fragment = destination.partition("#")
    path, mark, query = rest.partition("?")
    origin = ""
    if path.startswith(("https://", "http://")):
        scheme, _, rest = path.partition("://")
        host, _, path = rest.partition("/")
        origin, path = f"{scheme}://{host}", f"/{path}"
    return origin, path, mark + query, hash_ + fragment
