"""What holds where a command does not say it: environment variables, and a file found upwards from the folder.

The file is table-admin.toml, or pyproject.toml with a table [tool.table-admin].
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from table_admin.errors import InvalidInput
from table_admin.inputs import parse_duration, parse_host

FILE = "table-admin.toml"
_PYPROJECT = "pyproject.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds, and where it comes from: an option, a variable, a file or the default."""

    value: str
    source: str


@dataclass(frozen=True, slots=True)
class _Known:
    variable: str
    default: str = ""
    check: Callable[[str], object] | None = None
    """What a file's value must pass; None for what no file says."""


def _name(text: str) -> None:
    if not _NAME.fullmatch(text):
        raise InvalidInput(f"{text[:40]!r} is not a name: letters, digits, dot, dash, underscore.")


def check_edge(text: str) -> None:
    """Raise InvalidInput where it does not say where any domain's site is."""
    if not re.fullmatch(r"https?://[^\s{}]*\{domain\}[^\s{}]*", text):
        raise InvalidInput(f"{text[:60]!r} does not say where sites are; write for example http://{{domain}}:8081/.")


_KNOWN = {
    "stack": _Known("TABLE_ADMIN_STACK", "edge-routing", _name),
    "base": _Known("TABLE_ADMIN_BASE", "", parse_host),
    "bucket": _Known("TABLE_ADMIN_BUCKET", "", _name),
    "expires_in": _Known("TABLE_ADMIN_EXPIRES_IN", "", parse_duration),
    "edge": _Known("TABLE_ADMIN_EDGE", "", check_edge),
    "region": _Known("AWS_DEFAULT_REGION", "", _name),
    "profile": _Known("AWS_PROFILE"),
    "endpoint_url": _Known("AWS_ENDPOINT_URL"),
    "actor": _Known("TABLE_ADMIN_ACTOR"),
}
VARIABLES = {name: known.variable for name, known in _KNOWN.items()}
KEYS = tuple(name for name, known in _KNOWN.items() if known.check is not None)
"""What a file may say."""


def settings(
    options: Mapping[str, str], environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> dict[str, Setting]:
    """Return what holds, by name: an option wins over a variable, a variable over the file.

    Args:
        options: what the command was given.
        environ: the process's by default.
        folder: where the search for a file begins; the working directory by default.

    Raises:
        InvalidInput: a variable is set and empty, or the file is wrong; with the file and the key.
    """
    environ = os.environ if environ is None else environ
    path, said = load(folder)
    found = {}
    for name, known in _KNOWN.items():
        if name in options:
            found[name] = Setting(options[name], f"--{name.replace('_', '-')}")
        elif known.variable in environ:
            found[name] = Setting(_not_empty(known.variable, environ[known.variable]), known.variable)
        elif name in said:
            found[name] = Setting(said[name], str(path))
        else:
            found[name] = Setting(known.default, DEFAULT)
    return found


def load(folder: Path | None = None) -> tuple[Path | None, dict[str, str]]:
    """Return the nearest file, and what it says. Raises InvalidInput with the file and the key."""
    try:
        start = (folder or Path.cwd()).resolve()
    except OSError:  # the working directory was removed
        return None, {}
    for place in (start, *start.parents):
        for name in (FILE, _PYPROJECT):
            path = place / name
            table = _table(path)
            if table is not None:
                return path, {key: _checked(path, key, value) for key, value in table.items()}
    return None, {}


def _table(path: Path) -> Any:
    try:
        if not path.is_file():
            return None
        text = path.read_bytes()
    except OSError as error:
        if path.name == _PYPROJECT:
            return None
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    if path.name == _PYPROJECT and b"table-admin" not in text:
        return None  # another's, right or wrong
    try:
        found: Any = tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8: {error.reason} at byte {error.start}. Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}.") from error
    if path.name == _PYPROJECT:
        tool = found.get("tool", {})
        found = tool.get("table-admin") if isinstance(tool, dict) else None
    if not isinstance(found, dict | None):
        raise InvalidInput(f"{path}: tool.table-admin: a table is expected, with {', '.join(KEYS)}.")
    return found


def _checked(path: Path, key: str, value: Any) -> str:
    known = _KNOWN.get(key)
    if known is None or known.check is None:
        raise InvalidInput(f"{path}: {key}: there is no such key; known are {', '.join(KEYS)}.")
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{path}: {key}: text in quotes is expected, and not empty.")
    try:
        known.check(value)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {key}: {error}") from error
    return value


def _not_empty(variable: str, value: str) -> str:
    if not value.strip():
        raise InvalidInput(f"{variable} is set and empty; give it a value, or unset it.")
    return value
