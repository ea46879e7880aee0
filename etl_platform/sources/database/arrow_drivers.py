"""What ADBC and ConnectorX share: drivers that connect by themselves and give Arrow.

They are planned on the platform's own read-only connection, then read on one of theirs. What they
give is cast to the planned types, exactly or not at all. What each is known or suspected to change
is declared, so that another engine reads such a table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, cast

from etl_platform.core.errors import EtlError, SourceUnavailable
from etl_platform.selection import EngineFault
from etl_platform.sources.database.statements import plan_read
from etl_platform.sources.database.text_columns import cast_text, refuse_unfit

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.policy import TargetColumn

Batches = Generator["pa.RecordBatch", None, None]
# What drivers say when the connection ended under them: any other failure is their own.
_LOST = (
    "connection closed", "connection reset", "server closed", "communicating with the server",
    "terminat", "could not connect", "connection refused", "broken pipe", "canceling statement",
    "starting up", "shutting down", "lost connection",
)  # fmt: skip


def read_with(
    engine: str,
    database: Database,
    extraction: Extraction,
    batch_rows: int,
    as_text: Callable[[TargetColumn], bool],
    open_batches: Callable[[str, str], Batches],
) -> pa.RecordBatchReader:
    """Plan, let the driver read, and cast what it gives.

    Args:
        engine: its name.
        batch_rows: most rows in a batch, however many the driver gives at once.
        as_text: which columns to select as the server's text.
        open_batches: gives the driver's batches for a URL and a statement with its values quoted.
    """
    import pyarrow as pa

    with database.session() as connection:
        plan = plan_read(connection, database.dialect, extraction)
        statement = database.dialect.standalone(connection, plan, as_text)
    schema = pa.schema([pa.field(c.name, c.type, c.nullable) for c in plan.columns])
    url = database.private_url(
        database.dialect.name, database.dialect.connection_options(database.pool)
    )
    given = open_batches(url, statement)
    batches = _conformed(engine, database, given, plan.columns, extraction, batch_rows)
    first = next(batches, None)
    return pa.RecordBatchReader.from_batches(schema, _from(first, batches))


def _conformed(
    engine: str,
    database: Database,
    given: Batches,
    columns: tuple[TargetColumn, ...],
    extraction: Extraction,
    batch_rows: int,
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    schema = pa.schema([pa.field(c.name, c.type, c.nullable) for c in columns])
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


def _from(first: pa.RecordBatch | None, rest: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
        first = None
        yield from cast("Iterator[pa.RecordBatch]", rest)
