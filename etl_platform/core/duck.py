"""DuckDB sessions as the platform uses them: bounded, in UTC, without network access."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.settings import Settings, get_settings
from etl_platform.core.stopping import watch

if TYPE_CHECKING:
    import duckdb


_CLOSED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    # Threads that read ahead from a network, eight for each engine; what is read here is local.
    "async_threads": 0,
}


def connect(settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB session within the settings' memory and thread limits.

    Time zone is UTC, in its cursors as well, so that TIMESTAMPTZ means the same everywhere.
    Extensions are never downloaded, and Python variables are not visible as tables.
    """
    chosen = settings or get_settings()
    con = unlimited(chosen.threads)
    limit(con, chosen)
    return con


def unlimited(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """Open what :func:`connect` opens before its limits are known; :func:`limit` sets them."""
    import duckdb

    con = _in_utc(duckdb.connect(":memory:", config={"threads": threads, **_CLOSED}))
    watch(con)
    return con


def limit(
    con: duckdb.DuckDBPyConnection, settings: Settings, spill_bytes: int | None = None
) -> None:
    """Set memory, threads and spill folder of a session that has not run anything yet.

    Args:
        spill_bytes: the most that it may write into the folder; None is DuckDB's default, 90 % of
            the disk's free space.
    """
    Path(settings.temp_dir).mkdir(parents=True, exist_ok=True)
    con.execute(f"SET threads = {settings.threads}")
    con.execute(f"SET memory_limit = '{settings.memory_limit}B'")
    con.execute(f"SET temp_directory = {literal(settings.temp_dir)}")
    if spill_bytes is not None:
        con.execute(f"SET max_temp_directory_size = '{spill_bytes}B'")


def sealed() -> duckdb.DuckDBPyConnection:
    """Open an in-memory session of one thread that reaches no file, network or extension.

    For parsing, binding and deciding over values that are given. Threads share it by cursors. Its
    time zone is UTC, in cursors as well.
    """
    import duckdb

    con = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "enable_external_access": "false",
            **_CLOSED,
        },
    )
    return _in_utc(con)


def _in_utc(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    # A setting of the session alone is that of no cursor: those would follow the machine's zone.
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    return con


def quote(identifier: str) -> str:
    """Quote an identifier for DuckDB."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text literal for DuckDB."""
    return "'" + text.replace("'", "''") + "'"


def read_parquet(uris: Sequence[str], options: str = "") -> str:
    """SQL that reads exactly these files: no globs, no columns inferred from paths.

    ``options`` are further arguments of ``read_parquet``, each followed by a comma.
    """
    files = ", ".join(literal(_no_glob(uri)) for uri in uris)
    return f"read_parquet([{files}], {options}hive_partitioning = false)"


def _no_glob(uri: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in uri)
