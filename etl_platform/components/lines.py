"""Where in a YAML file something stands: Dagster hands over values without their lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml import Node

_NAMES = ("defs.yaml", "component.yaml")


class Lines:
    """The attributes of one component in its file; without a file, places are paths of options.

    Args:
        folder: of the component.
        told_by: options with the names below them, which tell it from others in the same file.
    """

    def __init__(self, folder: Path, **told_by: Collection[str]) -> None:
        self.path = folder
        self._root: Node | None = None
        for name in _NAMES:
            path = folder / name
            if not path.is_file():
                continue
            self.path = path
            for document in _documents(path):
                attributes = _below(document, "attributes")
                if all(
                    _keys(_below(attributes, option)) == set(names)
                    for option, names in told_by.items()
                ):
                    self._root = attributes

    def at(self, *path: str | int) -> str:
        """``file:line`` of the deepest part of a path of options that is there."""
        line, _ = self._find(path)
        if not line:
            return f"{self.path}: {'.'.join(str(part) for part in path)}"
        return f"{self.path}:{line}"

    def texts(self, *path: str | int) -> tuple[tuple[str, str], ...]:
        """Every text at or below a path, line by line, each with its ``file:line``."""
        _, node = self._find(path)
        found = () if node is None else _texts(node)
        return tuple((text, f"{self.path}:{line}") for text, line in found)

    def _find(self, path: tuple[str | int, ...]) -> tuple[int, Node | None]:
        node, line = self._root, 0
        for part in path:
            found = _entry(node, part)
            if found is None:
                break
            line, node = found
        return line, node


def _documents(path: Path) -> list[Node]:
    import yaml

    return [node for node in yaml.compose_all(path.read_text(encoding="utf-8")) if node]


def _below(node: Node | None, key: str) -> Node | None:
    found = _entry(node, key)
    return None if found is None else found[1]


def _entry(node: Node | None, part: str | int) -> tuple[int, Node] | None:
    """The line and the node of one key or position."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        inner = node.value[part]
        return inner.start_mark.line + 1, inner
    return None


def _texts(node: Node) -> Iterator[tuple[str, int]]:
    import yaml

    if isinstance(node, yaml.ScalarNode):
        line = node.start_mark.line + 1
        # The lines of a literal block come after its mark.
        block = node.style == "|"
        for number, text in enumerate(str(node.value).splitlines() if block else [node.value]):
            yield text, line + number + block
    elif isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _texts(inner)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _texts(key)
            yield from _texts(value)


def _keys(node: Node | None) -> set[str]:
    import yaml

    return (
        {str(key.value) for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
    )
