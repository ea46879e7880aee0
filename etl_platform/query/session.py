"""A DuckDB session that can read the files of some table versions, and nothing else."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl_platform.compute.duckdb_engine import make_visible
from etl_platform.core.duck import limit, literal, quote, unlimited
from etl_platform.core.settings import Settings, get_settings
from etl_platform.planner.plan import TableInput
from etl_platform.planner.tables import Schema
from etl_platform.query.masks import KEY_VARIABLE
from etl_platform.query.roles import mask_key

if TYPE_CHECKING:
    import duckdb


@contextmanager
def confined(
    inputs: Sequence[TableInput],
    settings: Settings | None = None,
    *,
    opened: duckdb.DuckDBPyConnection | None = None,
    spill_bytes: int | None = None,
    profiled: bool = False,
) -> Generator[duckdb.DuckDBPyConnection]:
    """Open a session in which the given inputs are the only tables and the only files.

    The views are made first: DuckDB reads a Parquet footer to know their columns. Then file and
    network access is closed but for exactly these files, and the configuration is locked, so that
    no statement can open it again. A folder of the lake would be too much: DuckDB allows writing
    wherever it allows reading.

    Args:
        settings: memory, threads and spill folder; default from the environment.
        opened: a fresh session of :func:`etl_platform.core.duck.unlimited` to use, and close.
        spill_bytes: the most that the session may write into its spill folder.
        profiled: DuckDB measures each statement; see ``get_profiling_information``.

    Raises:
        QueryRefused: a policy masks by hash, and there is no key for it.
    """
    chosen = settings or get_settings()
    con = opened or unlimited(chosen.threads)
    try:
        limit(con, chosen, spill_bytes)
        # A footer that was read for a view is known when the query is bound, and when it runs.
        con.execute("SET parquet_metadata_cache = true")
        if any(KEY_VARIABLE in (table.view_sql or "") for table in inputs):
            con.execute(f"SET VARIABLE {KEY_VARIABLE} = {literal(mask_key(chosen.mask_key))}")
        make_visible(con, {table.table: table.visible_sql for table in inputs})
        paths = ", ".join(literal(uri) for table in inputs for uri in table.uris)
        con.execute("SET errors_as_json = true")
        if profiled:
            con.execute("SET enable_profiling = 'no_output'")
        con.execute(f"SET allowed_paths = [{paths}]")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()


def visible_columns(con: duckdb.DuckDBPyConnection, inputs: Sequence[TableInput]) -> Schema:
    """The columns of each input as the session's statements see them; types are left empty."""
    return {
        t.table: dict.fromkeys(
            con.table(f"{quote(t.table.schema)}.{quote(t.table.name)}").columns, ""
        )
        for t in inputs
    }
