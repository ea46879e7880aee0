"""Values of YAML as constants of a column's type: exactly, or not at all."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from sqlglot import exp

from etl_platform.core.duck import sealed
from etl_platform.core.errors import ConfigError
from etl_platform.transforms.expressions.types import data_type

Scalar: TypeAlias = "str | int | float | bool | None"
_INEXACT = ("FLOAT", "DOUBLE")


def constant(value: Scalar, kind: str, where: str) -> exp.Expr:
    """The value as a node of the given DuckDB type.

    Raises:
        ConfigError: the type has no such value, or only one that is close to it.
    """
    node = exp.cast(exp.convert(value), data_type(kind, where=where))
    reason = None if value is None else _refused(value, kind, node.sql(dialect="duckdb"))
    if reason is not None:
        raise ConfigError(
            f"{where}: {value!r} is no {kind}: {reason}",
            fix="give another value, or cast the column before",
        )
    return node


@lru_cache(maxsize=1024, typed=True)
def _refused(value: str | int | float | bool, kind: str, sql: str) -> str | None:
    import duckdb

    if isinstance(value, bool) != (kind == "BOOLEAN"):
        return "only BOOLEAN has true and false"
    try:
        with sealed() as con:
            found = con.execute(f"SELECT {sql}").fetchall()[0][0]
    except duckdb.Error:
        return "it does not fit"
    if isinstance(found, int | Decimal) and not isinstance(value, bool):
        if isinstance(value, str):
            return "a text is no number"
        if Decimal(str(value)) != found:
            return f"it would become {found}"
    if isinstance(value, str) and kind in _INEXACT:
        return "a text is no number"
    return None
