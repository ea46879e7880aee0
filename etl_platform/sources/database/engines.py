"""Ways to read a database as Arrow. Each is one implementation of :class:`ExtractionEngine`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        """As :func:`extract`."""
        ...


def extract(
    database: Database, extraction: Extraction, batch_rows: int = BATCH_ROWS
) -> pa.RecordBatchReader:
    """Stream rows as Arrow, in memory bounded by the batch, not by the table.

    The statement starts and the first rows are fetched before this returns, so a missing table, a
    refused login or a wrong type is raised here. The reader holds a connection until it is read to
    its end, closed or garbage collected; it may be consumed in another thread.

    Args:
        database: where to read.
        extraction: what to read.
        batch_rows: most rows in a batch; wide rows make smaller batches.

    Raises:
        SourceUnavailable: a later try may succeed.
        UnsupportedType: a column has no lossless type and nothing is declared for it.
        PermanentError: a missing table or column, no permission, a value that disobeys its type.
    """
    return SqlAlchemyEngine().read(database, extraction, batch_rows)


def count_rows(database: Database, extraction: Extraction) -> int:
    """Count the rows that :func:`extract` would return now. Raises as :func:`extract`."""
    with database.session() as connection:
        plan = plan_read(connection, database.dialect, extraction)
        return int(connection.execute(count_statement(plan)).scalar_one())
