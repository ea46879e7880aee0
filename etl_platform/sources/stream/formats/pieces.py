"""Parts of a batch that were read in different ways, put together in the order of the messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from etl_platform.sources.stream.formats.columns import Column
from etl_platform.sources.stream.formats.conversion import converted, written_schema
from etl_platform.sources.stream.formats.envelope import Payloads
from etl_platform.sources.stream.formats.texts import Checked

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Indices = np.ndarray[Any, np.dtype[np.int64]]


class Pieces:
    """Values as they were written, and reasons against those that cannot be used."""

    def __init__(self, convert: Callable[[Any, Column], Checked] = converted) -> None:
        self._convert = convert
        self.reasons: dict[int, str] = {}
        self._at: list[Indices] = []
        self._tables: list[pa.Table] = []

    def add(self, at: Indices, table: pa.Table) -> None:
        """Add values of some messages: the columns' ``conversion.written_type``, perhaps more."""
        self._at.append(at)
        self._tables.append(table)

    def payloads(
        self, columns: tuple[Column, ...], unknown: Mapping[str, int] | None = None
    ) -> Payloads:
        """Convert all columns; a message with a value that does not fit is rejected."""
        import numpy as np
        import pyarrow as pa

        tables = self._tables or [written_schema(columns).empty_table()]
        at = np.concatenate([np.empty(0, np.int64), *self._at])
        written = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
        if (at[1:] < at[:-1]).any():
            order = np.argsort(at)
            at, written = at[order], written.take(order)
        names = [column.name for column in columns]
        bad: dict[int, str] = {}
        done: list[Any] = []
        for column in columns:
            values: Any = written.column(column.name).combine_chunks()
            if isinstance(values, pa.ChunkedArray):
                values = pa.concat_arrays(values.chunks)
            result, wrong = self._convert(values, column)
            bad = wrong | bad
            done.append(result)
        table = pa.table(done, names=names)
        for name in written.column_names[len(columns) :]:
            table = table.append_column(name, written.column(name))
        if bad:
            rows = np.array(sorted(bad), np.int64)
            self.reasons |= {int(at[row]): bad[row] for row in rows.tolist()}
            kept = np.setdiff1d(np.arange(len(at)), rows, assume_unique=True)
            at, table = at[kept], table.take(kept)
        return Payloads(table, at, self.reasons, unknown or {})
