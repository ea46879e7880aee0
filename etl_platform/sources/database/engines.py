"""Ways to read a database as Arrow. Each is one implementation of :class:`ExtractionEngine`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from etl_platform.core.errors import UnknownName
from etl_platform.selection import Capabilities, NoEngine, Rejection
from etl_platform.sources.database.arrow_drivers import ADBC, CONNECTORX
from etl_platform.sources.database.copy_engine import CopyEngine
from etl_platform.sources.database.duckdb_engine import DuckDbEngine
from etl_platform.sources.database.mysql_engine import MySqlEngine
from etl_platform.sources.database.page_ranges import most_connections
from etl_platform.sources.database.policy import TargetColumn, target_columns
from etl_platform.sources.database.sqlalchemy_engine import SqlAlchemyEngine
from etl_platform.sources.database.statements import count_statement, plan_read

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction

BATCH_ROWS = 65_536


class ExtractionEngine(Protocol):
    """A way to read: the same rows and types as every other, at another speed."""

    @property
    def name(self) -> str: ...

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        """What it can do with columns of these types, told without reading."""
        ...

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """As :func:`extract`; raises ``EngineFault`` for a failure that is the engine's own."""
        ...


ENGINES: tuple[ExtractionEngine, ...] = (
    CopyEngine(),
    CONNECTORX,
    ADBC,
    MySqlEngine(),
    DuckDbEngine(),
    SqlAlchemyEngine(),
)


def capabilities(database: Database, extraction: Extraction) -> tuple[Capabilities, ...]:
    """The fidelity preflight: what every engine could do with this read, told before reading.

    Engines for other kinds of databases are left out. A query is probed for its columns.

    Raises:
        UnsupportedType: a column has no lossless type, in any engine, and nothing is declared.
        SourceUnavailable, PermanentError: as :func:`extract`.
    """
    columns = read_columns(database, extraction)
    told = (told_by(engine, database, extraction, columns) for engine in ENGINES)
    return tuple(one for one in told if database.dialect.name in one.kinds)


def told_by(
    engine: ExtractionEngine,
    database: Database,
    extraction: Extraction,
    columns: tuple[TargetColumn, ...],
) -> Capabilities:
    """What one engine can do with this read, and how many connections it may hold meanwhile."""
    told = engine.capabilities(columns)
    if not told.parallel:
        return told
    return replace(told, connections=most_connections(database, extraction))


def read_columns(database: Database, extraction: Extraction) -> tuple[TargetColumn, ...]:
    """The columns that :func:`extract` would give; connects only when a query has to be probed.

    Raises: as :func:`capabilities`.
    """
    if extraction.table is not None:
        known = extraction.table.columns
        return target_columns(known, extraction.policy, extraction.types, extraction.where)
    with database.session() as connection:
        return plan_read(connection, database.dialect, extraction).columns


def extract(
    database: Database,
    extraction: Extraction,
    batch_rows: int = BATCH_ROWS,
    engine: str | None = None,
) -> pa.RecordBatchReader:
    """Stream rows as Arrow, in memory bounded by the batch, not by the table.

    The statement starts and the first rows are fetched before this returns, so a missing table, a
    refused login or a wrong type is raised here. The reader holds a connection until it is read to
    its end, closed or garbage collected; it may be consumed in another thread. An engine that is
    ``parallel`` may hold several, see ``Extraction.parallel``; the rows are those of one moment
    in any case.

    Args:
        database: where to read.
        extraction: what to read.
        batch_rows: most rows in a batch; wide rows make smaller batches.
        engine: the engine's name; None for the one with the highest declared speed among those that
            read every column without loss.

    Raises:
        SourceUnavailable: a later try may succeed.
        UnsupportedType: a column has no lossless type and nothing is declared for it.
        PermanentError: a missing table or column, no permission, a value that disobeys its type.
        NoEngine: the engine that was asked for would change a column, or reads other databases.
        EngineFault: the engine failed where another may succeed.
        UnknownName: there is no such engine.
    """
    known = {one.name: one for one in ENGINES}
    if engine is not None and engine not in known:
        raise UnknownName("engine", engine, known)
    told = capabilities(database, extraction)
    fit = {one.name: one for one in told if one.lossless and not one.degrades}
    chosen = engine or max(fit, key=lambda name: fit[name].prior_rows_per_s)
    if chosen not in fit:
        raise NoEngine(
            extraction.where,
            [_rejection(known[chosen].capabilities(read_columns(database, extraction)))],
            fix=f"use one of: {', '.join(sorted(fit))}",
        )
    return known[chosen].read(database, extraction, batch_rows)


def _rejection(told: Capabilities) -> Rejection:
    changed = "; ".join(f"{one.column}: {one.why}" for one in told.degrades)
    return Rejection(told.name, changed or f"it reads {', '.join(sorted(told.kinds))} only")


def count_rows(database: Database, extraction: Extraction) -> int:
    """Count the rows that :func:`extract` would return now. Raises as :func:`extract`."""
    with database.session() as connection:
        plan = plan_read(connection, database.dialect, extraction)
        return int(connection.execute(count_statement(plan)).scalar_one())
