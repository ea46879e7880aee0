"""Reading the staged files: the two queries of a plan, and what they found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.quality.plan import AuditPlan

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Every distinct non-null value of a column and the number of rows that have it."""

    values: pa.Array
    rows: pa.Array

    @property
    def present(self) -> int:
        """Number of rows with a value."""
        import pyarrow.compute as pc

        return pc.sum(self.rows).as_py() or 0

    def most_frequent(self, limit: int) -> list[tuple[Any, int]]:
        """The most frequent values, equally frequent ones in order of value."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = pa.table({"value": self.values, "rows": self.rows})
        if len(table) > limit:
            # Only candidates are sorted by value: a table of 250,000 values need not be.
            least = pc.select_k_unstable(table, limit, [("rows", "descending")])[-1].as_py()
            table = table.filter(pc.greater_equal(table["rows"], table["rows"][least]))
        keys = [("rows", "descending"), ("value", "ascending")]
        table = table.take(pc.sort_indices(table, sort_keys=keys)[:limit])
        return list(zip(plain(table["value"]), table["rows"].to_pylist(), strict=True))

    def bounds(self) -> tuple[Any, Any]:
        """Smallest and largest value, NaN left out."""
        import pyarrow.compute as pc

        values = self._numbers()
        if not len(values):
            return None, None
        found = pc.min_max(values)
        return plain([found["min"]])[0], plain([found["max"]])[0]

    def mean(self) -> float | None:
        """Mean over all rows, NaN left out; None when nothing is left."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows, values = self.rows, self.values
        if pa.types.is_floating(values.type):
            numbers = pc.invert(pc.is_nan(values))
            rows, values = rows.filter(numbers), values.filter(numbers)
        if not len(values):
            return None
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.int8())
        total = math.fsum(
            value * count
            for value, count in zip(
                values.cast(pa.float64()).to_pylist(), rows.to_pylist(), strict=True
            )
        ) if not _has_infinity(values) else math.nan
        return total / pc.sum(rows).as_py()

    def _numbers(self) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_floating(self.values.type):
            return self.values.filter(pc.invert(pc.is_nan(self.values)))
        return self.values


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was read: counts by column, measures by ``(column, measure)``."""

    counts: Mapping[str, ValueCounts]
    measures: Mapping[tuple[str, str], Any]


def scan(con: duckdb.DuckDBPyConnection, plan: AuditPlan) -> Scanned:
    """Run the queries of a plan; each column is read at most once."""
    counts: dict[str, ValueCounts] = {}
    if plan.count_sql:
        table = con.sql(plan.count_sql).to_arrow_table()
        counts = {name: _counts(table.column(i)) for i, name in enumerate(plan.counted)}
    measures: dict[tuple[str, str], Any] = {}
    if plan.measure_sql:
        table = con.sql(plan.measure_sql).to_arrow_table()
        for i, key in enumerate(plan.measures):
            measures[key] = plain(table.column(i))[0]
    return Scanned(counts, measures)


def _counts(histogram: pa.ChunkedArray) -> ValueCounts:
    import pyarrow as pa

    chunk = histogram.chunk(0)
    if not chunk[0].is_valid:  # nothing but nulls
        return ValueCounts(pa.array([], chunk.type.key_type), pa.array([], pa.int64()))
    return ValueCounts(chunk.keys, chunk.items.cast(pa.int64()))


def plain(values: Any) -> list[Any]:
    """Python values; those that Python cannot hold (years beyond 9999) as text."""
    found: list[Any] = []
    for value in values:
        try:
            found.append(value.as_py())
        except (ValueError, OverflowError):
            found.append(str(value.cast("string")))
    return found


def _has_infinity(values: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pa.types.is_floating(values.type) and bool(pc.any(pc.is_inf(values)).as_py())
