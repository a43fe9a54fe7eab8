"""What is carried of a row's rules: without what only people read, and each origin once, for many rules share one."""

from typing import Any

from edge_handler.errors import BrokenSnapshot


def pack_rules(rules: Any) -> Any:
    """Return what is carried of the `rules` attribute of a row; of one that is damaged, all of it."""
    origins: list[Any] = []
    packed = []
    try:
        for one in rules["L"]:
            rule = {name: value for name, value in one["M"].items() if name != "target"}
            origin = rule.pop("origin")
            if origin not in origins:
                origins.append(origin)
            pattern, generation = rule.pop("pattern")["S"], rule.pop("generation")["N"]
            packed.append([pattern, generation, origins.index(origin), rule])
    except (AttributeError, KeyError, TypeError):
        return rules
    return {"origins": origins, "rules": packed}


def unpack_rules(carried: Any) -> Any:
    """Return the attribute that `pack_rules` was given, less what is not carried.

    Raises:
        BrokenSnapshot: it made no such thing.
    """
    if type(carried) is dict and len(carried) == 1:
        return carried  # as DynamoDB has it, damaged
    try:
        origins = carried["origins"]
        rules = [
            {"M": {**rest, "pattern": {"S": pattern}, "generation": {"N": generation}, "origin": origins[number]}}
            for pattern, generation, number, rest in carried["rules"]
        ]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise BrokenSnapshot(f"what is carried of rules cannot be read: {error}"[:200]) from error
    return {"L": rules}
