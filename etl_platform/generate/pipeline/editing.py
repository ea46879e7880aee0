"""A YAML text changed so that it says something else, and nowhere else than it has to.

Lines that say the same stay byte for byte as people wrote them: comments, quotes, order, width.
A round trip through a document model would write them again in its own way, and moves comments
to the entry before them, with which they vanish when that entry goes. So the text is cut at the
places that the parser tells, and what comes out is read again and compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import yaml

from etl_platform.core.errors import ConfigError
from etl_platform.generate.pipeline.drift import identity
from etl_platform.generate.pipeline.yaml_text import At, Yaml, block, flow

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str, where: str) -> dict[str, Yaml]:
    """The values of a document.

    Raises:
        ConfigError: it is not one YAML mapping.
    """
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 # a safe loader, in C
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not one YAML document: {error}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"{where} is not a YAML mapping")
    return cast("dict[str, Yaml]", found)


def edited(
    text: str,
    wanted: Mapping[str, Yaml],
    notes: Mapping[At, Sequence[str]],
    generated: str,
    where: str,
) -> str:
    """The text with the values of ``wanted``.

    Args:
        text: one YAML mapping.
        notes: comments of entries that are new.
        generated: what was generated before: its comments go with the entries below them.
        where: the file's name, for messages.

    Raises:
        ConfigError: the text cannot be changed in place (aliases, comments within a value).
    """
    said = read_yaml(text, where)
    if said == wanted:
        return text
    if not said:
        return block(wanted, notes)
    whole = text if text.endswith("\n") else text + "\n"
    work = _Editing(whole, notes, generated)
    work.mapping(yaml.compose(whole, Loader=_Loader), said, wanted, ())
    made = work.made()
    if not _says(made, wanted):
        raise ConfigError(
            f"{where} cannot be changed in place",
            fix="write anchors, tags and multi-line flow values as plain blocks, or delete the "
            "file to have it generated anew",
        )
    return made


def _says(text: str, wanted: Mapping[str, Yaml]) -> bool:
    try:
        return _unordered(read_yaml(text, "")) == _unordered(wanted)
    except ConfigError:
        return False


def _unordered(value: Yaml) -> Yaml:
    """Rules of a contract are the same in any order; of every other list the order counts."""
    if isinstance(value, Mapping):
        return {key: _unordered(one) for key, one in value.items()}
    if isinstance(value, list):
        found = [_unordered(one) for one in value]
        rules = all(isinstance(one, Mapping) and "rule" in one for one in value)
        return sorted(found, key=identity) if rules else found
    return value


class _Editing:
    def __init__(self, text: str, notes: Mapping[At, Sequence[str]], generated: str) -> None:
        self._lines = text.splitlines(keepends=True)
        self._notes = notes
        self._generated = {line.strip() for line in generated.splitlines() if _comment(line)}
        # Start and end as (line, column), and what stands there instead.
        self._cuts: list[tuple[tuple[int, int], tuple[int, int], str]] = []

    def made(self) -> str:
        lines = [*self._lines]
        for (line, column), (end, end_column), text in sorted(
            self._cuts, key=lambda one: (one[0], one[1]), reverse=True
        ):
            rest = lines[end][end_column:] if end < len(lines) else ""
            head = lines[line][:column] if line < len(lines) else ""
            lines[line : end + 1] = [head + text + rest]
        return "".join(lines)

    def mapping(
        self, node: Any, said: Mapping[str, Yaml], wanted: Mapping[str, Yaml], at: At
    ) -> None:
        if node.flow_style or not said:
            self._replace(node, wanted)
            return
        entries = {key.value: (key, value) for key, value in node.value}
        indent = node.value[0][0].start_mark.column
        after = _last_line(node) + 1
        for key, (name, value) in entries.items():
            if key not in wanted:
                self._remove(name.start_mark.line, _last_line(value))
            elif said[key] != wanted[key]:
                self._value(name, value, said[key], wanted[key], (*at, key))
        for key in wanted:
            if key in entries:
                after = _last_line(entries[key][1]) + 1
            else:
                self._insert(after, block({key: wanted[key]}, self._notes, at, indent))

    def _value(self, name: Any, node: Any, said: Yaml, wanted: Yaml, at: At) -> None:
        if isinstance(said, Mapping) and isinstance(wanted, Mapping) and said:
            self.mapping(node, said, wanted, at)
        elif isinstance(said, list) and isinstance(wanted, list) and said and not node.flow_style:
            self._sequence(node, said, wanted, at)
        elif not isinstance(wanted, (Mapping, list)) or node.start_mark.line == _last_line(node):
            self._replace(node, wanted)
        else:
            first = name.start_mark
            text = block({name.value: wanted}, self._notes, at[:-1], first.column)
            self._cuts.append(((first.line, 0), (_last_line(node) + 1, 0), text))

    def _sequence(self, node: Any, said: list[Yaml], wanted: list[Yaml], at: At) -> None:
        goal = {identity(one): one for one in wanted}
        dash = node.start_mark.column
        for value, item in zip(said, node.value, strict=True):
            key = identity(value)
            if key not in goal:
                self._remove(item.start_mark.line, _last_line(item))
            elif (now := goal.pop(key)) != value:
                if isinstance(value, Mapping) and isinstance(now, Mapping):
                    self.mapping(item, value, now, at)
                else:
                    self._replace(item, now)
        new = "".join(f"{' ' * dash}- {flow(one)}\n" for one in goal.values())
        if len(goal) == len(wanted):  # none is left: the key needs a value
            self._cuts = [one for one in self._cuts if one[0][0] < node.start_mark.line]
            text = new or f"{' ' * dash}[]\n"
            self._cuts.append(((node.start_mark.line, 0), (_last_line(node) + 1, 0), text))
        elif new:
            self._insert(_last_line(node) + 1, new)

    def _replace(self, node: Any, wanted: Yaml) -> None:
        start, end = node.start_mark, node.end_mark
        text = flow(wanted)
        if node.start_mark.line != end.line and isinstance(node, yaml.ScalarNode):
            last = _last_line(node)
            end_at = (last, len(self._lines[last].rstrip("\n")))
        else:
            end_at = (end.line, end.column)
        if start.line == end_at[0] and start.column == end_at[1]:
            text = f" {text}"  # an empty value stands right behind its colon
        self._cuts.append(((start.line, start.column), end_at, text))

    def _insert(self, line: int, text: str) -> None:
        self._cuts.append(((line, 0), (line, 0), text))

    def _remove(self, first: int, last: int) -> None:
        while first > 0 and self._lines[first - 1].strip() in self._generated:
            first -= 1
        self._cuts.append(((first, 0), (last + 1, 0), ""))


def _last_line(node: Any) -> int:
    """The last line of a value; what follows it, comments and blank lines, is not part of it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and end.column == 0:
        return end.line - 1
    return end.line


def _comment(line: str) -> bool:
    return line.lstrip().startswith("#")
