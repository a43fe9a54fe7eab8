"""A spreadsheet's cell for what is no text: rules, networks, headers, maintenance, a canary. `none` takes all away."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from table_admin.errors import InvalidInput
from table_admin.policies import NONE

_LINE_END = re.compile(r"\r\n|\r|\n")
_COOKIE = "cookie="
_WEIGHT = re.compile("([0-9]+)%?")
_BETWEEN_NETWORKS = re.compile(r"[\s,;]+")


class Codec(NamedTuple):
    """How a field is written in a cell, and read from one that is not empty."""

    cell: Callable[[Any], str]
    value: Callable[[str], Any]
    """Raises InvalidInput."""


def _rules_cell(rules: Mapping[str, str]) -> str:
    """Return rules as a cell holds them: a pattern and its target on each line."""
    return "\n".join(f"{pattern} {target}" for pattern, target in rules.items()) or NONE


def _rules(cell: str) -> dict[str, str]:
    rules: dict[str, str] = {}
    for line in _lines(cell):
        pattern, *target = line.split(None, 1)
        if not target:
            raise InvalidInput(
                f"rules: {line[:80]!r} is no pattern and target; write both on a line, a space between, or none."
            )
        if pattern in rules:
            raise InvalidInput(f"rules: {pattern[:80]} is there twice.")
        rules[pattern] = target[0]
    return rules


def _networks_cell(networks: list[str]) -> str:
    return " ".join(networks) or NONE


def _networks(cell: str) -> list[str]:
    return [] if cell.lower() == NONE else [*filter(None, _BETWEEN_NETWORKS.split(cell))]


def _headers_cell(headers: Mapping[str, str]) -> str:
    """Return headers as a cell holds them, one on each line, as HTTP has them."""
    return "\n".join(f"{name}: {value}".rstrip() for name, value in headers.items()) or NONE


def _headers(cell: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in _lines(cell):
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidInput(f"headers: {line[:80]!r} is no header; write Name: value on each line, or none.")
        if name in headers:
            raise InvalidInput(f"headers: {name[:80]} is there twice.")
        headers[name] = value.strip()
    return headers


def _maintenance_cell(maintenance: Mapping[str, Any] | str) -> str:
    """Return maintenance as a cell holds it: how long to wait, then the message."""
    if isinstance(maintenance, str):
        return maintenance
    return f"{maintenance['retry_after']}s {maintenance.get('message', '')}".rstrip()


def _maintenance(cell: str) -> Any:
    if cell.lower() == NONE:
        return NONE
    wait, *message = cell.split(None, 1)
    return {"retry_after": wait, "message": message[0] if message else ""}


def _canary_cell(canary: Mapping[str, Any] | str) -> str:
    """Return a canary as a cell holds it: its weight, a cookie if it has one, then the target."""
    if isinstance(canary, str):
        return canary
    cookie = f"{_COOKIE}{canary['cookie']} " if canary["cookie"] else ""
    return f"{canary['weight']}% {cookie}{canary['target']}"


def _canary(cell: str) -> Any:
    """Return what a cell says: a weight alone changes that, with a target it is the whole canary."""
    if cell.lower() == NONE:
        return NONE
    weight, *rest = cell.split(None, 1)
    if not (found := _WEIGHT.fullmatch(weight)):
        raise InvalidInput(f"canary: {cell[:80]!r} is no canary; write 10% s3://bucket/prefix, or none.")
    if not rest:
        return {"weight": found[1]}
    target, cookie = rest[0], ""
    if target.startswith(_COOKIE):
        named, *others = target.split(None, 1)
        cookie, target = named.removeprefix(_COOKIE), others[0] if others else ""
    return {"target": target, "weight": found[1], "cookie": cookie}


def _lines(cell: str) -> list[str]:
    return [] if cell.lower() == NONE else [*filter(None, map(str.strip, _LINE_END.split(cell)))]


CODECS: Mapping[str, Codec] = {
    "rules": Codec(_rules_cell, _rules),
    "allow": Codec(_networks_cell, _networks),
    "headers": Codec(_headers_cell, _headers),
    "maintenance": Codec(_maintenance_cell, _maintenance),
    "canary": Codec(_canary_cell, _canary),
    "standby": Codec(str, lambda cell: NONE if cell.lower() == NONE else cell),
}
