"""Typed values that a project names once and its expressions use as ``$name``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias, cast

from sqlglot import exp

from etl_platform.core.duck import sealed
from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.planner.refusals import message
from etl_platform.transforms.expressions.types import data_type

Value: TypeAlias = "bool | int | float | str | date | datetime | Decimal | None"
_SCALARS = (bool, int, float, str, date, Decimal)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_LONGEST = 10_000
_LARGEST = 2**127
_PARTS = ("type", "value")


@dataclass(frozen=True, slots=True)
class Variable:
    """A value and its DuckDB type. It enters a statement as a literal of the tree, never as text.

    >>> Variable("least", 5).literal().sql("duckdb")
    '5'
    >>> Variable("since", "2024-01-31", "DATE").literal().sql("duckdb")
    "CAST('2024-01-31' AS DATE)"
    """

    name: str
    value: Value
    type: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.startswith("__"):
            raise ConfigError(
                f"variable {self.name!r} has no usable name",
                valid="lower-case letters, digits and _, not beginning with a digit or __",
            )

    @classmethod
    def parse(cls, name: str, written: object, *, where: str) -> Variable:
        """Read ``name: value`` or ``name: {type: DATE, value: 2024-01-31}`` as YAML gives it.

        Raises:
            UnknownName: there is no such type, or no such part of a variable.
            ConfigError: the value is none that a variable can have, or not of the type.
        """
        at = f"{where}: variable {name!r}"
        value, kind = written, None
        if isinstance(written, Mapping):
            parts = cast("Mapping[object, object]", written)
            for part in parts:
                if part not in _PARTS:
                    raise UnknownName("part of a variable", str(part), _PARTS, where=at)
            value, kind = parts.get("value"), parts.get("type")
            if "value" not in parts or not isinstance(kind, str):
                raise ConfigError(f"{at}: type and value belong together", valid="{type, value}")
        if value is not None and not isinstance(value, _SCALARS):
            raise ConfigError(
                f"{at} is a {type(value).__name__}",
                valid="a number, text, boolean, date, timestamp or null",
            )
        if isinstance(value, str) and len(value) > _LONGEST:
            raise ConfigError(f"{at} has {len(value):,} characters", valid=f"at most {_LONGEST:,}")
        if isinstance(value, str) and "\x00" in value:
            raise ConfigError(f"{at} contains the control character '\\x00'", valid="text")
        if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise ConfigError(f"{at} is too large a number", valid="at most 38 digits")
        if kind is not None:
            data_type(kind, where=at)
        try:
            made = cls(name, value, kind)
        except PermanentError as error:
            raise ConfigError(f"{where}: {error.what}", valid=error.valid) from None
        if kind is not None:
            made._check_value(at)
        return made

    def literal(self) -> exp.Expr:
        """The value as a node of a tree."""
        value = self.value
        if isinstance(value, datetime):
            kind = "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP"
            node: exp.Expr = _cast(exp.Literal.string(value.isoformat(" ")), kind)
        elif isinstance(value, date):
            node = _cast(exp.Literal.string(value.isoformat()), "DATE")
        elif isinstance(value, float | Decimal):
            kind = "DOUBLE" if isinstance(value, float) else "DECIMAL(38, 18)"
            node = _cast(exp.Literal.string(str(value)), kind)
        else:
            node = exp.convert(value)
        return node if self.type is None else _cast(node, self.type)

    def _check_value(self, at: str) -> None:
        import duckdb

        try:
            with sealed() as con:
                con.execute(f"SELECT {self.literal().sql(dialect='duckdb')}").fetchall()
        except duckdb.Error as error:
            raise ConfigError(
                f"{at}: {self.value!r} is not of the type {self.type}: {message(error)}"
            ) from None


def substitute(tree: exp.Expr, variables: Mapping[str, Variable], *, where: str) -> exp.Expr:
    """Put values in the place of ``$name``.

    Raises:
        UnknownName: there is no such variable, with the nearest.
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Parameter | exp.Placeholder):
            return node
        name = node.name
        if name not in variables:
            raise UnknownName("variable", name or node.sql("duckdb"), variables, where=where)
        return variables[name].literal()

    return tree.transform(replace)


def _cast(node: exp.Expr, kind: str) -> exp.Expr:
    return exp.cast(node, exp.DataType.build(kind, dialect="duckdb"))
