"""ADBC and ConnectorX: drivers that connect to PostgreSQL by themselves and give Arrow.

They are planned on the platform's own read-only connection, then read on one of theirs. What they
give is cast to the planned types, exactly or not at all. What each is known or suspected to change
is declared, so that another engine reads such a table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from etl_platform.core.errors import EtlError, SourceUnavailable
from etl_platform.core.stopping import stoppable
from etl_platform.selection import Capabilities, EngineFault
from etl_platform.sources.database.opening import preflight, schema_of, started
from etl_platform.sources.database.statements import plan_read
from etl_platform.sources.database.text_columns import cast_text, refuse_unfit

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn

Batches = Generator["pa.RecordBatch", None, None]
_AS_IT_IS = ("int16", "int32", "int64", "float", "double", "bool", "binary")
# What drivers say when the connection ended under them: any other failure is their own.
_LOST = (
    "connection closed", "connection reset", "server closed", "communicating with the server",
    "terminat", "could not connect", "connection refused", "broken pipe", "canceling statement",
    "starting up", "shutting down", "lost connection",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArrowDriverEngine:
    """An engine around such a driver; what is text in the lake is asked for as text.

    Args:
        name: by which the engine is chosen and recorded.
        prior_rows_per_s: the speed to expect before anything was measured.
        changes: what it would do to a column's values, or None.
        batches: gives the driver's batches for a URL, a statement with its values quoted, and the
            rows that a batch should have at most, where the driver can be told.
    """

    name: str
    prior_rows_per_s: float
    changes: Callable[[TargetColumn], str | None]
    batches: Callable[[str, str, int], Batches]

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """What it can do with these columns."""
        return preflight(self.name, "postgresql", columns, self.changes, self.prior_rows_per_s)

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """See :func:`~.engines.extract`."""

        with database.session() as connection:
            plan = plan_read(connection, database.dialect, extraction)
            statement = database.dialect.standalone(connection, plan, _as_text)
        schema = schema_of(plan.columns)
        # Neither driver can be told to stop: another connection finds theirs by its name.
        application = f"etl-{uuid4().hex}"
        options = {
            **database.dialect.connection_options(database.pool),
            "application_name": application,
        }
        url = database.private_url(database.dialect.name, options)
        given = _stoppable(
            self.batches(url, statement, batch_rows), partial(database.stop_named, application)
        )
        batches = _conformed(self.name, database, given, plan.columns, extraction, batch_rows)
        return started(schema, batches)


def _stoppable(given: Batches, stop: Callable[[], None]) -> Batches:
    with stoppable(stop), closing(given):
        yield from given


def _adbc_changes(column: TargetColumn) -> str | None:
    import pyarrow as pa

    if pa.types.is_temporal(column.type):
        return "infinity and far years arrive as other moments"
    if pa.types.is_nested(column.type):
        return "arrays of several dimensions arrive flat"
    if column.declared and not (column.as_text or pa.types.is_decimal(column.type)):
        return f"declared as {column.type}: only the general engine checks that it fits"
    return None


def _adbc_batches(url: str, statement: str, batch_rows: int) -> Batches:
    from adbc_driver_postgresql import dbapi

    del batch_rows  # it makes batches of about 16 MB, which are cut afterwards
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        yield from cursor.fetch_record_batch()


def _connectorx_changes(column: TargetColumn) -> str | None:
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


def _connectorx_batches(url: str, statement: str, batch_rows: int) -> Batches:
    import connectorx

    yield from connectorx.read_sql(
        url, statement, return_type="arrow_stream", batch_size=batch_rows
    )


# libpq and the binary COPY format, decoded in C++.
ADBC = ArrowDriverEngine("adbc", 400_000, _adbc_changes, _adbc_batches)
# Fast on plain columns.
CONNECTORX = ArrowDriverEngine("connectorx", 450_000, _connectorx_changes, _connectorx_batches)


def _as_text(column: TargetColumn) -> bool:
    return str(column.type) not in _AS_IT_IS


def _conformed(
    engine: str,
    database: Database,
    given: Batches,
    columns: tuple[TargetColumn, ...],
    extraction: Extraction,
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    schema = schema_of(columns)
    row = 1
    with closing(given):
        while True:
            with _faults(engine, database, extraction.where):
                batch = next(given, None)
                if batch is None:
                    return
                arrays = [
                    _cast(array, column, extraction.where, row)
                    for array, column in zip(batch.columns, columns, strict=True)
                ]
            row += batch.num_rows
            conformed = pa.RecordBatch.from_arrays(arrays, schema=schema)
            for start in range(0, conformed.num_rows, batch_rows):
                yield conformed.slice(start, batch_rows)


def _cast(array: pa.Array[Any], column: TargetColumn, where: str, first_row: int) -> pa.Array[Any]:
    import pyarrow as pa

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if array.type == column.type:
        return array
    if not pa.types.is_string(array.type):
        return array.cast(column.type, safe=True)
    try:
        return cast_text(array, column.type)
    except pa.ArrowInvalid:
        refuse_unfit(array, column, where, first_row)
        raise


@contextmanager
def _faults(engine: str, database: Database, where: str) -> Generator[None]:
    try:
        yield
    except (EtlError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001  # a panic of Rust is no Exception
        what = f"reading {where}: {type(error).__name__}: {database.shown(error)}"
        if any(words in what.lower() for words in _LOST):
            lost = f"database {database.name!r} ({database.redacted}), {what}"
            raise SourceUnavailable(lost) from None
        raise EngineFault(engine, what) from None
