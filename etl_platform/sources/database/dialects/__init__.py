"""The kinds of databases that can be read; one line per kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError
from etl_platform.sources.database.dialects.duckdb import DuckDbDialect
from etl_platform.sources.database.dialects.mysql import MySqlDialect
from etl_platform.sources.database.dialects.postgresql import PostgresDialect
from etl_platform.sources.database.dialects.sqlite import SqliteDialect

if TYPE_CHECKING:
    from etl_platform.sources.database.dialects.base import Dialect

_DIALECTS: dict[str, Dialect] = {
    "duckdb": DuckDbDialect(),
    "mysql": MySqlDialect(),
    "postgresql": PostgresDialect(),
    "sqlite": SqliteDialect(),
}
_ALIASES = {"mariadb": "mysql", "postgres": "postgresql", "sqlite3": "sqlite"}


def kind_of(scheme: str) -> str:
    """The kind of database that a URL's scheme means, whatever driver it names."""
    backend = scheme.partition("+")[0].lower()
    return _ALIASES.get(backend, backend)


def known_kinds() -> frozenset[str]:
    """The names of all dialects."""
    return frozenset(_DIALECTS)


def dialect_of(scheme: str) -> Dialect:
    """Find the dialect by a URL's scheme, whatever driver it names.

    Raises:
        ConfigError: there is none for this scheme.
    """
    kind = kind_of(scheme)
    found = _DIALECTS.get(kind)
    if found is None:
        raise ConfigError(
            f"databases of kind {kind!r} cannot be read", valid=", ".join(sorted(_DIALECTS))
        )
    return found
