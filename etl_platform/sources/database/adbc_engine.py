"""PostgreSQL through ADBC: libpq and the binary COPY format, decoded in C++."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.selection import Capabilities, Degradation
from etl_platform.sources.database.arrow_drivers import read_with

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.arrow_drivers import Batches
    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn

_AS_IT_IS = ("int16", "int32", "int64", "float", "double", "bool", "binary")


class AdbcEngine:
    """Numerics and whatever is text in the lake are asked for as text, which is exact."""

    name = "adbc"

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """What it can do with these columns."""
        degrades = tuple(
            Degradation(column.name, why) for column in columns if (why := _changes(column))
        )
        return Capabilities(
            name=self.name,
            kinds=frozenset({"postgresql"}),
            lossless=bool(columns) and not degrades,
            streaming=True,
            degrades=degrades,
            prior_rows_per_s=400_000,
        )

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`; the driver fetches about 16 MB at a time."""
        return read_with(self.name, database, extraction, batch_rows, _as_text, _batches)


def _changes(column: TargetColumn) -> str | None:
    import pyarrow as pa

    if pa.types.is_temporal(column.type):
        return "infinity and far years arrive as other moments"
    if pa.types.is_nested(column.type):
        return "arrays of several dimensions arrive flat"
    if column.declared and not (column.as_text or pa.types.is_decimal(column.type)):
        return f"declared as {column.type}: only the general engine checks that it fits"
    return None


def _as_text(column: TargetColumn) -> bool:
    return str(column.type) not in _AS_IT_IS


def _batches(url: str, statement: str) -> Batches:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        yield from cursor.fetch_record_batch()
