"""A DuckDB session that can read the files of some table versions, and nothing else."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl_platform.compute.duckdb_engine import make_visible
from etl_platform.core.duck import connect, literal
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from etl_platform.lakehouse.log import Snapshot


@contextmanager
def confined(
    snapshots: Mapping[TableName, Snapshot], settings: Settings | None = None
) -> Generator[duckdb.DuckDBPyConnection]:
    """Open a session in which the given snapshots are the only tables and the only files.

    The views are made first: DuckDB reads a Parquet footer to know their columns. Then file and
    network access is closed but for exactly these files, and the configuration is locked, so that
    no statement can open it again. A folder of the lake would be too much: DuckDB allows writing
    wherever it allows reading.
    """
    con = connect(settings)
    try:
        make_visible(con, {t: snapshot.relation_sql() for t, snapshot in snapshots.items()})
        paths = ", ".join(
            literal(file.uri) for snapshot in snapshots.values() for file in snapshot.files
        )
        con.execute("SET errors_as_json = true")
        con.execute(f"SET allowed_paths = [{paths}]")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()
