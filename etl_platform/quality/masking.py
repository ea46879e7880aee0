"""Personal data in what an audit shows: samples, reasons, reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

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

    @cached_property
    def inside(self) -> Mapping[str, Mapping[str, PiiKind]]:
        """By nested column: the kinds of personal data in its leaves, by the leaf's name."""
        from pyarrow import types as t

        names = [f.name for f in self._facts.staged.schema if t.is_nested(f.type)]
        if not names:
            return {}
        columns = ", ".join(map(quote, names))
        first = self._con.sql(
            f"SELECT {columns} FROM {self._facts.relation} LIMIT {_LOOKED_AT}"
        ).to_arrow_table()
        return {name: kinds_inside(name, plain(first.column(name))) for name in names}

    def shown(self, column: str, value: object) -> JsonValue:
        """A value of a column as people may see it."""
        if isinstance(value, dict | list | tuple):
            return json_safe(masked_inside(column, value, self.inside.get(column, {})))
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


def kinds_inside(column: str, values: Sequence[object]) -> Mapping[str, PiiKind]:
    """The kinds of personal data in the leaves of nested values, by the leaf's name.

    Elements of a list are named as the list, entries of a map as its column.
    """
    leaves: dict[str, list[object]] = {}
    for value in values:
        for name, leaf in _leaves(column, value):
            leaves.setdefault(name, []).append(leaf)
    found: dict[str, PiiKind] = {}
    for name, known in leaves.items():
        dtype = "int64" if all(isinstance(leaf, int) for leaf in known) else "string"
        kind = classify(name, dtype, known)
        if kind is not None:
            found[name] = kind
    return found


def masked_inside(name: str, value: object, kinds: Mapping[str, PiiKind]) -> object:
    """A nested value with the leaves masked that hold personal data."""
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return {key: masked_inside(str(key), part, kinds) for key, part in entries.items()}
    if isinstance(value, list | tuple):
        parts = cast("Sequence[object]", value)
        return [masked_inside(name, part, kinds) for part in parts]
    safe = json_safe(value)
    return mask(safe, kinds[name]) if name in kinds and safe is not None else value


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, part in cast("dict[object, object]", value).items():
            yield from _leaves(str(key), part)
    elif isinstance(value, list | tuple):
        for part in cast("Sequence[object]", value):
            yield from _leaves(name, part)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield name, value


def _may_be_personal(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_string(kind) or t.is_large_string(kind) or t.is_integer(kind)
