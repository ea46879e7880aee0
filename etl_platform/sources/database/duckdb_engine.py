"""The fast engine for DuckDB: its own Arrow stream, on the connection that planned the read.

DuckDB computes with moments that the lake does not have (infinity, years before 1 or after 9999,
nanoseconds): the statement itself checks every one and ends with an error, upon which the general
engine names the row.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from etl_platform.selection import Capabilities, EngineFault
from etl_platform.sources.database.opening import preflight, schema_of, started
from etl_platform.sources.database.statements import plan_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from sqlalchemy import ColumnElement, Connection

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.statements import ReadPlan

ENGINE = "duckdb"
_SQL_TYPES = {
    "int8": "TINYINT",
    "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT", "float": "FLOAT",
    "double": "DOUBLE", "bool": "BOOLEAN", "binary": "BLOB", "string": "VARCHAR",
    "date32[day]": "DATE", "timestamp[us]": "TIMESTAMP",
    "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip


class DuckDbEngine:
    """Reads every type that has a place in the lake."""

    name = ENGINE

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """What it can do with these columns."""
        return preflight(self.name, "duckdb", columns, _cannot, 3_000_000)

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`.

        Raises:
            EngineFault: a value has no exact place in its column.
        """
        with ExitStack() as opening:
            connection = opening.enter_context(database.session())
            plan = plan_read(connection, database.dialect, extraction)
            schema = schema_of(plan.columns)
            with database.faults(f"reading {extraction.where}"):
                rows = _stream(connection, plan, batch_rows)
            opening.callback(rows.close)
            batches = _batches(opening.pop_all(), rows, schema, database, extraction.where)
        return started(schema, batches)


def _cannot(column: TargetColumn) -> str | None:
    import pyarrow as pa

    if column.declared and not column.as_text:
        return f"declared as {column.type}: only the general engine checks that it fits"
    if pa.types.is_list(column.type) and (
        pa.types.is_temporal(column.type.value_type) or pa.types.is_decimal(column.type.value_type)
    ):
        return "only the general engine checks that every item fits"
    return None


def _stream(connection: Connection, plan: ReadPlan, batch_rows: int) -> pa.RecordBatchReader:
    import duckdb

    columns = [_selected(plan.source.c[c.name], n, plan) for n, c in enumerate(plan.columns)]
    statement = plan.statement.with_only_columns(*columns, maintain_column_froms=False)
    compiled = statement.select_from(plan.source).compile(dialect=connection.dialect)
    given = compiled.construct_params()
    values = [given[name] for name in getattr(compiled, "positiontup", None) or ()]
    driver: Any = connection.connection.driver_connection
    try:
        return driver.duckdb.sql(compiled.string, params=values).to_arrow_reader(batch_rows)
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        raise EngineFault(ENGINE, f"reading: {error}") from None


def _selected(column: ColumnElement[Any], position: int, plan: ReadPlan) -> ColumnElement[Any]:
    """The column as the type that Arrow is to give, or an error of the statement."""
    import pyarrow as pa
    import sqlalchemy as sa

    from etl_platform.sources.database.dialects.duckdb_driver import DuckDbType

    target = plan.columns[position]
    wanted = sa.cast(column, DuckDbType(_sql_type(target.type)))
    if not pa.types.is_temporal(target.type):
        return wanted.label(f"c{position}")
    bounds = (("0001-01-01", "9999-12-31") if pa.types.is_date(target.type)
              else ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"))  # fmt: skip
    low, high = (
        sa.cast(sa.literal_column(f"'{bound}'"), DuckDbType(_sql_type(target.type)))
        for bound in bounds
    )
    unfit = sa.not_(wanted.between(low, high))
    if target.source_type == "TIMESTAMP_NS":
        unfit = sa.or_(unfit, sa.cast(wanted, DuckDbType("TIMESTAMP_NS")) != column)
    message = sa.func.error(
        sa.literal_column("'a value has no exact place in column '").concat(target.name)
    )
    return sa.case((unfit, message), else_=wanted).label(f"c{position}")


def _sql_type(kind: pa.DataType) -> str:
    import pyarrow as pa

    if isinstance(kind, pa.ListType):
        return f"{_sql_type(kind.value_type)}[]"
    if isinstance(kind, pa.Decimal128Type):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return _SQL_TYPES[str(kind)]


def _batches(
    opened: ExitStack,
    rows: pa.RecordBatchReader,
    schema: pa.Schema,
    database: Database,
    where: str,
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    with opened:
        while True:
            with database.faults(f"reading {where}"):
                try:
                    batch = rows.read_next_batch()
                except StopIteration:
                    return
                except (pa.ArrowException, OSError) as error:
                    raise EngineFault(ENGINE, f"reading {where}: {error}") from None
            arrays = [
                array if array.type == field.type else array.cast(field.type)
                for array, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
