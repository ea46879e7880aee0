"""DuckDB sessions as the platform uses them: bounded, in UTC, without network access."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.settings import Settings, get_settings

if TYPE_CHECKING:
    import duckdb


def connect(settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB session within the settings' memory and thread limits.

    Time zone is UTC, in its cursors as well, so that TIMESTAMPTZ means the same everywhere.
    Extensions are never downloaded, and Python variables are not visible as tables.
    """
    import duckdb

    chosen = settings or get_settings()
    Path(chosen.temp_dir).mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(
        ":memory:",
        config={
            "threads": chosen.threads,
            "memory_limit": f"{chosen.memory_limit}B",
            "temp_directory": chosen.temp_dir,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        },
    )
    return _in_utc(con)


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
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
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
