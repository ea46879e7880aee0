"""PostgreSQL and MySQL through ConnectorX, streamed."""

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


class ConnectorXEngine:
    """Fast on plain columns; what is text in the lake is asked for as text."""

    name = "connectorx"

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
            prior_rows_per_s=450_000,
        )

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`."""

        def batches(url: str, statement: str) -> Batches:
            import connectorx

            yield from connectorx.read_sql(
                url, statement, return_type="arrow_stream", batch_size=batch_rows
            )

        return read_with(self.name, database, extraction, batch_rows, _as_text, batches)


def _changes(column: TargetColumn) -> str | None:
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        return "numerics are rounded to 10 decimals or refused, and NaN fails"
    if pa.types.is_temporal(column.type):
        return "infinity and years outside 1 to 9999 make it panic or change"
    if pa.types.is_nested(column.type):
        return "arrays of several dimensions are refused"
    if column.declared and not column.as_text:
        return f"declared as {column.type}: only the general engine checks that it fits"
    return None


def _as_text(column: TargetColumn) -> bool:
    return str(column.type) not in _AS_IT_IS
