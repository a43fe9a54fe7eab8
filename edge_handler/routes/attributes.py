"""DynamoDB's JSON: one attribute read, and what is an item at all."""

import re
from collections.abc import Mapping
from typing import Any

from edge_handler.errors import BrokenRow

# One attribute value as DynamoDB's JSON has it, e.g. {"S": "env-123"}.
Item = Mapping[str, Mapping[str, Any]]
# Of a number of DynamoDB's.
MAX_DIGITS = 38


def boolean(item: Item, name: str) -> bool:
    """Return an attribute. Raises BrokenRow and KeyError, as the others do."""
    value = item[name]["BOOL"]
    if not isinstance(value, bool):
        raise BrokenRow(f"attribute {name} is not a boolean")
    return value


def string(item: Item, name: str) -> str:
    """Return an attribute, see `boolean`."""
    value = item[name]["S"]
    if not isinstance(value, str):
        raise BrokenRow(f"attribute {name} is not a string")
    return value


def integer(item: Item, name: str, least: int) -> int:
    """Return an attribute, see `boolean`."""
    # str(): DynamoDB's JSON carries numbers as strings; int() of a float would silently cut it.
    digits = str(item[name]["N"])
    # int() takes more than DynamoDB writes: signs, spaces, underscores, any script's digits, any number of them.
    if not (digits.isdigit() and digits.isascii() and len(digits) <= MAX_DIGITS):
        raise BrokenRow(f"attribute {name} is {digits[:40]!r}")
    value = int(digits)
    if value < least:
        raise BrokenRow(f"attribute {name} is {value}, less than {least}")
    return value


# Binary as JSON has it, and as boto3 hands it over.
_CONTENTS: dict[Any, type | tuple[type, ...]] = {
    "S": str,
    "N": str,
    "B": (str, bytes),
    "BOOL": bool,
    "NULL": bool,
    "M": dict,
    "L": list,
}
_CONTENTS |= {"SS": list, "NS": list, "BS": list}
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def is_item(item: Any) -> bool:
    """Tell whether this is an item as DynamoDB's JSON has it, whatever its attributes say."""
    return type(item) is dict and all(map(_is_value, item.values()))


def _is_value(value: Any) -> bool:
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, found),) = value.items()
    content: Any = found
    if not isinstance(found, _CONTENTS.get(kind, ())):
        return False
    if kind == "M":
        return is_item(content)
    if kind == "L":
        return all(_is_value(one) for one in content)
    return kind != "N" or _NUMBER.fullmatch(str(content)) is not None
