"""Unit tests as they are written in YAML, with the line of everything that can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import yaml

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName

Value: TypeAlias = "str | tuple[Value, ...] | Mapping[str, Value] | None"
"""A value as it stands in the file: text of any type, null, a list or a mapping."""

SUFFIX = ".test.yaml"
DEFAULT_NOW = datetime(2024, 1, 1, tzinfo=UTC)
"""The clock of tests that do not set one."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_TRUE = ("y", "yes", "true", "on")
_TEST_KEYS = ("name", "given", "expect", "now")
_EXPECT_KEYS = ("rows", "columns", "ordered", "error")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: columns that are not named are null in given rows, and not compared in expected."""

    values: Mapping[str, Value]
    line: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a model is to make of the given rows.

    Attributes:
        rows: in any order, unless ``ordered``.
        columns: all that are compared; empty: those that any of the rows names.
        error: a part of the message with which the model has to refuse the rows instead.
    """

    rows: tuple[Row, ...] = ()
    columns: tuple[str, ...] = ()
    ordered: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class UnitTest:
    """One test of one model. Inputs that ``given`` does not name are empty."""

    name: str
    path: Path
    line: int
    given: Mapping[TableName, tuple[Row, ...]]
    expect: Expectation
    now: datetime = DEFAULT_NOW
    lines: Mapping[str, int] = field(default_factory=dict[str, int])

    def spot(self, line: int | None = None) -> str:
        """``file:line`` for messages."""
        return f"{self.path}:{line or self.line}"


def read_tests(path: Path) -> tuple[UnitTest, ...]:
    """Read a file of tests: a list, or a mapping with the list under ``tests``.

    Values are kept as they are written and typed by the columns that they are for, so ``NO`` is
    the text NO in a text column and 0.10 is exact in a decimal one.

    Raises:
        ConfigError: the file is not what it should be, with file and line.
        UnknownName: there is no such key, with the nearest one.
    """
    text = path.read_text(encoding="utf-8")
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    if isinstance(node, yaml.MappingNode):
        node = _entries(node, ("tests",), "key", path)["tests"]
    tests = tuple(_test(one, path) for one in _items(node, path, "tests"))
    seen: dict[str, UnitTest] = {}
    for test in tests:
        if test.name in seen:
            raise ConfigError(f"{test.spot()}: a test {test.name!r} stands twice in the file")
        seen[test.name] = test
    return tests


def _test(node: yaml.Node, path: Path) -> UnitTest:
    found = _entries(node, _TEST_KEYS, "key of a test", path)
    line = _line(node)
    for needed in ("name", "expect"):
        if needed not in found:
            raise ConfigError(f"{path}:{line}: a test needs {needed!r}")
    given: dict[TableName, tuple[Row, ...]] = {}
    if "given" in found:
        for name, rows in _pairs(found["given"], path, "given"):
            try:
                given[TableName.parse(name.value)] = _rows(rows, path)
            except ConfigError as error:
                if str(path) in error.what:
                    raise
                raise ConfigError(f"{path}:{_line(name)}: {error.what}") from error
    return UnitTest(
        name=_text(found["name"], path, "name"),
        path=path,
        line=line,
        given=given,
        expect=_expectation(found["expect"], path),
        now=_moment(found["now"], path) if "now" in found else DEFAULT_NOW,
    )


def _expectation(node: yaml.Node, path: Path) -> Expectation:
    if isinstance(node, yaml.SequenceNode):
        return Expectation(_rows(node, path))
    found = _entries(node, _EXPECT_KEYS, "key of expect", path)
    if ("error" in found) == ("rows" in found):
        raise ConfigError(f"{path}:{_line(node)}: expect either rows or an error")
    if "error" in found:
        return Expectation(error=_text(found["error"], path, "error"))
    columns = _items(found["columns"], path, "columns") if "columns" in found else ()
    return Expectation(
        rows=_rows(found["rows"], path),
        columns=tuple(_text(one, path, "columns") for one in columns),
        ordered="ordered" in found and _value(found["ordered"]) == "true",
    )


def _rows(node: yaml.Node, path: Path) -> tuple[Row, ...]:
    rows: list[Row] = []
    for one in _items(node, path, "rows"):
        values = {name.value: _value(value) for name, value in _pairs(one, path, "a row")}
        rows.append(Row(values, _line(one)))
    return tuple(rows)


def _value(node: yaml.Node) -> Value:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _value(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return tuple(_value(one) for one in node.value)
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL and node.value.lower() in ("true", "false"):
        return node.value.lower()
    return str(node.value)


def _moment(node: yaml.Node, path: Path) -> datetime:
    text = _text(node, path, "now")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{path}:{_line(node)}: now is {text!r}", valid="a moment such as 2024-02-29T12:00:00Z"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _entries(
    node: yaml.Node, known: tuple[str, ...], kind: str, path: Path
) -> Mapping[str, yaml.Node]:
    found: dict[str, yaml.Node] = {}
    for key, value in _pairs(node, path, f"a {kind}"):
        if key.value not in known:
            raise UnknownName(kind, str(key.value), known, where=f"{path}:{_line(key)}")
        found[key.value] = value
    return found


def _pairs(node: yaml.Node, path: Path, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:{_line(node)}: {what} is no mapping of names to values")
    names: set[str] = set()
    for key, _ in node.value:
        if key.value in names:
            raise ConfigError(f"{path}:{_line(key)}: {key.value!r} stands twice in {what}")
        names.add(key.value)
    return node.value


def _items(node: yaml.Node | None, path: Path, what: str) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        line = 1 if node is None else _line(node)
        raise ConfigError(f"{path}:{line}: {what} is no list", valid="- ... for each, or []")
    return node.value


def _text(node: yaml.Node, path: Path, what: str) -> str:
    value = _value(node)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{path}:{_line(node)}: {what} is no text")
    return value


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1
