"""A column's statistics while they are worked with: built, merged, kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from etl_platform.quality.counts import ValueCounts
from etl_platform.quality.pii import PiiKind, mask
from etl_platform.quality.profiles.distinct import DistinctSketch
from etl_platform.quality.profiles.fields import merge_fields
from etl_platform.quality.profiles.frequent import Frequent, FrequentValue, cut
from etl_platform.quality.profiles.hashing import as_numbers, hashes
from etl_platform.quality.profiles.quantiles import Counted, QuantileSketch, Ranked
from etl_platform.quality.profiles.sketch import ColumnSketch
from etl_platform.quality.values import json_safe

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_COUNTED = 4_096
_MOST_COUNTED_BYTES = 36 * 1024
_FREQUENT = 64


@dataclass(frozen=True, slots=True)
class Column:
    """The kept fields of a column, and its sketches as objects.

    Attributes:
        fields: everything but ``counts``, ``distinct`` and ``quantiles``, which stand here.
        counts: every value with its rows; then ``distinct`` and ``quantiles`` are not needed.
    """

    fields: ColumnSketch
    counts: ValueCounts | None = None
    distinct: DistinctSketch | None = None
    quantiles: QuantileSketch | None = None

    @classmethod
    def thaw(cls, sketch: ColumnSketch) -> Column:
        return cls(
            sketch,
            None if sketch.counts is None else _read_counts(sketch.counts),
            None if sketch.distinct is None else DistinctSketch.from_bytes(sketch.distinct),
            None if sketch.quantiles is None else QuantileSketch.from_bytes(sketch.quantiles),
        )

    def freeze(self) -> ColumnSketch:
        """The column in bounded size; many or personal values become sketches."""
        column = self
        counts: bytes | None = None
        if self.counts is not None:
            if len(self.counts.values) <= _MOST_COUNTED and self.fields.pii is None:
                counts = _write_counts(self.counts)
            if counts is None or len(counts) > _MOST_COUNTED_BYTES:
                column, counts = self.fold(), None
        return column.fields.model_copy(
            update={
                "counts": counts,
                "distinct": column.distinct.to_bytes() if column.distinct else None,
                "quantiles": column.quantiles.to_bytes() if column.quantiles else None,
            }
        )

    def fold(self) -> Column:
        """The same column as sketches, without the counts of single values."""
        if self.counts is None:
            return self
        distinct = DistinctSketch.empty()
        values: pa.Array[Any] = self.counts.values.to_arrow(compat_level=_lake_types())
        keys = hashes(values)
        distinct.add(keys)
        distinct.settle()
        quantiles = None
        if self.fields.family.is_ordered and self.fields.pii is None:
            quantiles = QuantileSketch()
            quantiles.add_counted(self.counted())
        fields = self.fields
        if fields.frequent is None:
            fields = fields.model_copy(update={"frequent": _frequent(self.counts, keys.tolist())})
        return Column(fields, None, distinct, quantiles)

    def counted(self) -> Counted:
        """The finite numbers with their rows."""
        import numpy as np

        assert self.counts is not None
        values = as_numbers(self.counts.values.to_arrow(compat_level=_lake_types()))
        rows = self.counts.rows.to_numpy()
        finite = np.isfinite(values)
        return Counted.of(values[finite], rows[finite])

    def ranked(self) -> Ranked | None:
        """What quantiles and histogram are asked of; None when there is no number."""
        if not self.fields.family.is_ordered or self.fields.pii is not None:
            return None
        found = self.quantiles if self.counts is None else self.counted()
        return found if found is not None and found.n else None

    @classmethod
    def merge(cls, sketches: Sequence[ColumnSketch]) -> Column:
        """The column over the rows of all; counts stay counts when every part has them."""
        counts = [sketch.counts for sketch in sketches if sketch.counts is not None]
        if len(counts) == len(sketches):
            merged = cls(reduce(merge_fields, sketches), _add(counts))
            many = merged.counts is not None and len(merged.counts.values) > _MOST_COUNTED
            return merged.fold() if many else merged
        folded = [cls.thaw(sketch).fold() for sketch in sketches]
        fields = reduce(merge_fields, (column.fields for column in folded))
        distinct = [c.distinct for c in folded if c.distinct is not None]
        # A side without any number has no quantiles, and takes none away.
        quantiles = [c.quantiles for c in folded if c.quantiles is not None]
        return cls(
            fields,
            None,
            DistinctSketch.merge(distinct) if distinct else None,
            QuantileSketch.merge(quantiles) if quantiles and fields.pii is None else None,
        )

    def masked(self, kind: str) -> Column:
        """Without values of personal data: hashes, lengths and shapes are left."""
        folded = self.fold()
        frequent = folded.fields.frequent
        if frequent is not None:
            shown = tuple(
                v.model_copy(update={"value": mask(v.value, PiiKind(kind))})
                for v in frequent.values
            )
            frequent = frequent.model_copy(update={"values": shown})
        fields = folded.fields.model_copy(
            update={"pii": kind, "low": None, "high": None, "moments": None, "frequent": frequent}
        )
        return replace(folded, fields=fields, quantiles=None)


def _lake_types() -> Any:
    import polars as pl

    return pl.CompatLevel.oldest()


def _frequent(counts: ValueCounts, keys: list[int]) -> Frequent:
    """The most frequent values with exact numbers of rows."""
    import polars as pl

    if not keys:
        return Frequent()
    table = pl.DataFrame(
        {"value": counts.values, "rows": counts.rows, "key": pl.Series(keys, dtype=pl.UInt64)}
    )
    top = table.sort("rows", descending=True).head(_FREQUENT + 1)
    values = [
        FrequentValue(key=key, value=json_safe(value), rows=rows)
        for value, rows, key in top.iter_rows()
    ]
    return cut(values, 0)


def _write_counts(counts: ValueCounts) -> bytes:
    import pyarrow as pa

    table = pa.table({"value": counts.values.to_arrow(), "rows": counts.rows.to_arrow()})
    sink = pa.BufferOutputStream()
    # LZ4, because a context of Zstandard takes longer to make than a few kilobytes to decompress.
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _read_counts(data: bytes) -> ValueCounts:
    import polars as pl

    table = pl.DataFrame(_read_table(data))
    return ValueCounts(table["value"], table["rows"])


def _read_table(data: bytes) -> pa.Table:
    import pyarrow as pa

    # Handing a few kilobytes to other threads costs more than reading them.
    with pa.ipc.open_stream(data, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
        return reader.read_all()


def _add(counts: Sequence[bytes]) -> ValueCounts:
    import polars as pl
    import pyarrow as pa

    # Permissive: in the course of time a column's integers and decimals may have become wider.
    parts = pa.concat_tables(map(_read_table, counts), promote_options="permissive")
    table = pl.DataFrame(parts).group_by("value").agg(pl.sum("rows"))
    return ValueCounts(table["value"], table["rows"])
