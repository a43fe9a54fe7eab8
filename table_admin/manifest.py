"""A declarative file: the routes somebody keeps, in YAML. Whatever is wrong with it is said with its line."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from table_admin.changes import Put, default_environment
from table_admin.errors import InvalidInput
from table_admin.inputs import parse_domain, parse_time
from table_admin.policies import FIELDS, ONLY_HEADERS, parse_policy, said_of
from table_admin.rule_targets import parse_pattern, parse_rules
from table_admin.second_targets import parse_canary, parse_standby
from table_admin.targets import full_target
from table_admin.yaml_data import Path as _Path
from table_admin.yaml_data import plain_data

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parent / "routes.schema.json"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NEVER = "never"
"""What `expires_at` is of a permanent route."""
_TYPES = {
    "yaml": {
        "object": "a mapping",
        "array": "a list",
        "string": "text",
        "boolean": "true or false",
        "integer": "a number",
    },
    "json": {
        "object": "an object",
        "array": "an array",
        "string": "text",
        "boolean": "true or false",
        "integer": "a number",
    },
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a declarative file says; `lines` by domain, and `part_lines` by domain and part, for messages.

    A part is a rule's pattern, `canary` or `standby`: no pattern is without a slash.
    """

    path: str
    owner: str
    routes: dict[str, Put]
    lines: dict[str, int]
    part_lines: dict[tuple[str, str], int]

    def at(self, domain: str, part: str = "") -> str:
        """Return where a domain, or a part of what is said of it, is written, as editors understand it."""
        return f"{self.path}:{self.part_lines.get((domain, part), self.lines[domain])}"


def load_manifest(path: str, text: str, bucket: str = "") -> Manifest:
    """Read a declarative file; a target /prefix is one of `bucket`.

    Raises:
        InvalidInput: it is none, in one line that begins with the file and the line.
    """
    try:
        node = yaml.compose(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise InvalidInput(f"{where}: not YAML: {getattr(error, 'problem', None) or error}.") from error
    if node is None:
        raise InvalidInput(f"{path}: the file is empty; it needs owner and routes.")
    lines: dict[_Path, int] = {}
    document = plain_data(node, path, lines)
    _check(document, lines, path)
    routes: dict[str, Put] = {}
    line_of: dict[str, int] = {}
    part_line_of: dict[tuple[str, str], int] = {}
    for written, body in document["routes"].items():
        line = lines["routes", written]
        try:
            said = body if isinstance(body, dict) else {"target": body}
            rules = said.get("rules", {})
            for pattern in rules:
                line = lines["routes", written, "rules", pattern]
                parse_rules({pattern: rules[pattern]}, bucket)
            for name, one, at in _policy_parts(said):
                line = lines["routes", written, *at]
                parse_policy(said_of({name: one}))
            for check, at in _second_target_parts(said, bucket):
                line = lines["routes", written, *at]
                check()
            line = lines["routes", written]
            put = _whole(route_put(written, said, document["owner"], bucket))
        except InvalidInput as error:
            raise InvalidInput(f"{path}:{line}: {error}") from error
        part_line_of |= {
            (put.domain, parse_pattern(pattern)): lines["routes", written, "rules", pattern] for pattern in rules
        }
        part_line_of |= {(put.domain, at[0]): lines["routes", written, *at] for _, at in _second_target_parts(said)}
        if put.domain in routes:
            raise InvalidInput(f"{path}:{line}: {put.domain} is in line {line_of[put.domain]} already.")
        routes[put.domain], line_of[put.domain] = put, line
    return Manifest(path, document["owner"], routes, line_of, part_line_of)


def route_put(domain: str, body: dict[str, Any], owner: str | None = None, bucket: str = "") -> Put:
    """Return what a checked description of a route asks for, None where it says nothing. Raises InvalidInput."""
    for name in ("environment", "expires_at"):
        if body.get(name) == "":
            raise InvalidInput(f"{name} is empty; leave it out, or say what it is.")
    until, target = body.get("expires_at"), full_target(body["target"], bucket)
    permanent = until is not None and until.lower() == NEVER
    return Put(
        parse_domain(domain),
        target,
        environment=body.get("environment"),
        service=body.get("service"),
        owner=owner,
        expires_at=None if until is None or permanent else _expiry(until),
        permanent=permanent,
        keep_host=body.get("keep_host") if target.startswith("https://") else None,
        note=body.get("note"),
        managed=body.get("managed"),
        source=body.get("source"),
        rules=parse_rules(body["rules"], bucket) if "rules" in body else None,
        only_rules="rules" in body,
        # As of rules, what is said of headers is all of them.
        policy=parse_policy(said_of({**body, ONLY_HEADERS: "headers" in body})) or None,
        canary=parse_canary(body.get("canary"), bucket),
        standby=parse_standby(body.get("standby"), bucket),
    )


def _expiry(text: str) -> int:
    try:
        return parse_time(text)
    except InvalidInput as error:
        raise InvalidInput(
            f"expires_at: {text[:40]!r} is not a time; write 2026-12-01, 2026-12-01T08:00Z, or {NEVER}."
        ) from error


def _policy_parts(said: dict[str, Any]) -> Iterator[tuple[str, Any, tuple[str | int, ...]]]:
    """Yield what is said of who gets an answer and what goes with it, one by one, and where it is written."""
    for name in FIELDS:
        value = said.get(name)
        if name == "allow":
            yield from ((name, [one], (name, at)) for at, one in enumerate(value or ()))
        elif name == "headers":
            yield from ((name, {header: text}, (name, header)) for header, text in (value or {}).items())
        if name in said:
            yield name, value, (name,)


def _second_target_parts(
    said: dict[str, Any], bucket: str = ""
) -> Iterator[tuple[Callable[[], object], tuple[str, ...]]]:
    """Yield what checks each thing that is said of a canary and a standby, and where it is written; targets last."""
    canary, standby = said.get("canary"), said.get("standby")
    if canary is not None:
        yield lambda: parse_canary(canary if isinstance(canary, str) else {}), ("canary",)
    if isinstance(canary, dict):
        for name in ("weight", "cookie", "target"):
            if name in canary:
                yield lambda name=name: parse_canary({name: canary[name]}, bucket), ("canary", name)  # type: ignore[misc]
    if standby is not None:
        yield lambda: parse_standby(standby, bucket), ("standby",)


def _whole(put: Put) -> Put:
    """Return what a file asks for that says it all: what it does not say is the default, not what the row has."""
    return replace(
        put,
        environment=put.environment or default_environment(put.domain),
        service=put.service or "",
        permanent=put.expires_at is None,
        keep_host=bool(put.keep_host) if put.target.startswith("https://") else None,
        note=put.note or "",
        rules=put.rules or {},
        only_rules=True,
        policy=put.policy or {},
        only_policy=True,
        declared=True,
    )


@cache
def validator(definition: str | None = None) -> "Draft202012Validator":
    """Return what checks a whole file, or one of the schema's definitions."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # slow to import, and most verbs read no such file

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    if definition is not None:
        schema = {"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]}
    return Draft202012Validator(schema)


def complaint(error: Any, form: str = "yaml") -> str:
    """Return what is wrong, of an error of jsonschema's, with the field and in words of the file's format.

    Of an `anyOf` it is what the nearest branch says.
    """
    error = _deepest(error)
    field = ".".join(map(str, error.absolute_path)) or "the file"
    if error.validator == "type":
        names, kinds = _TYPES["yaml" if form == "yaml" else "json"], error.validator_value
        wanted = " or ".join(names.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))
        return f"{field} must be {wanted}, not {_shown(error.instance, form)}"
    if error.validator == "required":
        name = next(name for name in error.validator_value if name not in error.instance)
        return f"{name} is missing"
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        wrong = next(name for name in error.instance if name not in known)
        return f"{wrong[:80]!r} is none of {', '.join(known)}"
    if error.validator == "enum":
        choices = ", ".join(one if isinstance(one, str) else json.dumps(one) for one in error.validator_value)
        return f"{field} is one of {choices}, not {_shown(error.instance, form)}"
    if error.validator == "minLength":
        return f"{field} is empty"
    return f"{field}: {error.message}"[:300]


def _shown(value: Any, form: str) -> str:
    types = _TYPES["yaml" if form == "yaml" else "json"]
    if value is None:
        return "empty (null)" if form == "yaml" else "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return types["object" if isinstance(value, dict) else "array"]
    return f"text: {value[:40]!r}" if isinstance(value, str) else f"the number {value}"[:40]


def _check(document: Any, lines: dict[_Path, int], path: str) -> None:
    if not isinstance(document, dict):
        what = "a list of routes, as export writes it, is for import" if isinstance(document, list) else "this is text"
        raise InvalidInput(f"{path}:1: a file for plan and apply has owner and routes; {what}.")
    form = "json" if path.lower().endswith(".json") else "yaml"
    errors = sorted(validator().iter_errors(document), key=lambda error: lines[_known(error.absolute_path, lines)])
    if errors:
        where = _known(_deepest(errors[0]).absolute_path, lines)
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidInput(f"{path}:{lines[where]}: {complaint(errors[0], form)}.{more}")


def _deepest(error: Any) -> Any:
    while error.context:
        error = max(error.context, key=lambda found: (len(found.absolute_path), found.validator != "type"))
    return error


def _known(path: Any, lines: dict[_Path, int]) -> _Path:
    found = tuple(path)
    while found not in lines:
        found = found[:-1]
    return found
