"""Personal data in what an audit shows: samples, reasons, reports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.quality.counts import plain
from etl_platform.quality.dtypes import name_of
from etl_platform.quality.facts import Facts
from etl_platform.quality.pii import PiiKind, classify, mask
from etl_platform.quality.values import JsonValue, json_safe

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_LOOKED_AT = 1_000


class Masks:
    """Which columns of a batch hold personal data; looked up when the first value is shown.

    The first 1,000 rows are looked at: nothing is read of a batch that meets its contract.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, facts: Facts) -> None:
        self._con = con
        self._facts = facts

    @cached_property
    def kinds(self) -> Mapping[str, PiiKind]:
        """The kind of personal data by column; other columns are left out."""
        schema = self._facts.staged.schema
        names = [f.name for f in schema if _may_be_personal(f.type)]
        if not names:
            return {}
        columns = ", ".join(map(quote, names))
        first = self._con.sql(
            f"SELECT {columns} FROM {self._facts.relation} LIMIT {_LOOKED_AT}"
        ).to_arrow_table()
        return kinds_of(first)

    def shown(self, column: str, value: object) -> JsonValue:
        """A value of a column as people may see it."""
        safe = json_safe(value)
        kind = self.kinds.get(column) if safe is not None else None
        return safe if kind is None else mask(safe, kind)


def kinds_of(rows: pa.Table) -> Mapping[str, PiiKind]:
    """The kinds of personal data in rows of which nothing else is known."""
    found: dict[str, PiiKind] = {}
    for field in rows.schema:
        if _may_be_personal(field.type):
            kind = classify(field.name, name_of(field.type), plain(rows.column(field.name)))
            if kind is not None:
                found[field.name] = kind
    return found


def _may_be_personal(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_string(kind) or t.is_large_string(kind) or t.is_integer(kind)
