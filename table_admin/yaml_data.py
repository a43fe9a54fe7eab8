"""YAML as plain data: scalars are text, what is written twice is refused, and aliases cannot make it grow."""

from collections.abc import Iterator
from typing import Any

import yaml

from table_admin.errors import InvalidInput

Path = tuple[str | int, ...]
_MERGE = "tag:yaml.org,2002:merge"
_ALIASES = 100_000
"""So many values a document may have through aliases, besides what is written: a few lines could make billions."""


def plain_data(node: yaml.Node, name: str = "", lines: dict[Path, int] | None = None) -> Any:
    """Return plain data, scalars as text but for booleans.

    Args:
        node: what PyYAML composed.
        name: of the file, for messages; an item of a stream is told by its line already and has none.
        lines: gets the line of each path.

    Raises:
        InvalidInput: a name is written twice, or is no name, or the data is inside itself, too deep, or too large.
    """
    try:
        return _Reading(name, lines).value(node, ())
    except RecursionError as error:
        raise InvalidInput(f"{_at(name, node)}it is inside itself, or too deep.") from error


class _Reading:
    __slots__ = ("lines", "name", "seen", "visits")

    def __init__(self, name: str, lines: dict[Path, int] | None) -> None:
        self.name = name
        self.lines = lines
        self.seen: set[int] = set()
        self.visits = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._visit(node)
        if self.lines is not None:
            self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:bool":
            return node.value.lower() in ("true", "yes", "on")
        return None if node.tag == "tag:yaml.org,2002:null" else str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in self._pairs(node):
            if key in found:
                raise InvalidInput(f"{_at(self.name, value)}{key} is written twice.")
            if self.lines is not None:
                self.lines[*path, key] = value.start_mark.line + 1
            found[key] = self.value(value, (*path, key))
        return found

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
        """Yield names and values, with those of the mappings it merges (`<<`) that it does not write itself."""
        own: list[tuple[str, yaml.Node]] = []
        merged: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InvalidInput(f"{_at(self.name, key)}a name is expected, not a list or mapping.")
            if key.tag != _MERGE:
                own.append((str(key.value), value))
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                self._visit(source)
                if not isinstance(source, yaml.MappingNode):
                    raise InvalidInput(f"{_at(self.name, key)}<< merges mappings, and this is none.")
                for found, inherited in self._pairs(source):
                    merged.setdefault(found, inherited)
        yield from own
        written = {found for found, _ in own}
        yield from ((found, value) for found, value in merged.items() if found not in written)

    def _visit(self, node: yaml.Node) -> None:
        self.visits += 1
        self.seen.add(id(node))
        if self.visits > len(self.seen) + _ALIASES:
            raise InvalidInput(f"{_at(self.name, node)}its aliases make more of it than any table has; write it out.")


def _at(name: str, node: yaml.Node) -> str:
    return f"{name}:{node.start_mark.line + 1}: " if name else ""
