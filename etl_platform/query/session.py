"""A DuckDB session that can read the files of some table versions, and nothing else."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl_platform.compute.duckdb_engine import make_visible
from etl_platform.core.duck import connect, literal
from etl_platform.core.settings import Settings
from etl_platform.planner.plan import TableInput

if TYPE_CHECKING:
    import duckdb


@contextmanager
def confined(
    inputs: Sequence[TableInput], settings: Settings | None = None
) -> Generator[duckdb.DuckDBPyConnection]:
    """Open a session in which the given inputs are the only tables and the only files.

    The views are made first: DuckDB reads a Parquet footer to know their columns. Then file and
    network access is closed but for exactly these files, and the configuration is locked, so that
    no statement can open it again. A folder of the lake would be too much: DuckDB allows writing
    wherever it allows reading.
    """
    con = connect(settings)
    try:
        make_visible(con, {table.table: table.visible_sql for table in inputs})
        paths = ", ".join(literal(uri) for table in inputs for uri in table.uris)
        con.execute("SET errors_as_json = true")
        con.execute(f"SET allowed_paths = [{paths}]")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()
