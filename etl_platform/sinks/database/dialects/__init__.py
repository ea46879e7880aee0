"""The kinds of databases that can be loaded; one line per kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError
from etl_platform.sinks.database.dialects.duckdb import DuckDbTarget
from etl_platform.sinks.database.dialects.mysql import MySqlTarget
from etl_platform.sinks.database.dialects.postgresql import PostgresTarget
from etl_platform.sinks.database.dialects.sqlite import SqliteTarget
from etl_platform.sources.database.dialects import kind_of

if TYPE_CHECKING:
    from etl_platform.sinks.database.dialects.base import TargetDialect

_DIALECTS: dict[str, TargetDialect] = {
    "duckdb": DuckDbTarget(),
    "mysql": MySqlTarget(),
    "postgresql": PostgresTarget(),
    "sqlite": SqliteTarget(),
}


def target_dialect(scheme: str) -> TargetDialect:
    """Find the dialect by a URL's scheme, whatever driver it names.

    Raises:
        ConfigError: there is none for this scheme.
    """
    kind = kind_of(scheme)
    found = _DIALECTS.get(kind)
    if found is None:
        raise ConfigError(
            f"tables cannot be loaded into a database of kind {kind!r}",
            valid=", ".join(sorted(_DIALECTS)),
        )
    return found
