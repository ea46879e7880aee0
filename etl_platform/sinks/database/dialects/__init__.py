"""The kinds of databases that can be loaded; one line per kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError
from etl_platform.sinks.database.dialects.postgresql import PostgresTarget
from etl_platform.sinks.database.dialects.sqlite import SqliteTarget

if TYPE_CHECKING:
    from etl_platform.sinks.database.dialects.base import TargetDialect

_DIALECTS: dict[str, TargetDialect] = {
    "postgresql": PostgresTarget(),
    "sqlite": SqliteTarget(),
}
_ALIASES = {"postgres": "postgresql", "sqlite3": "sqlite"}


def target_dialect(scheme: str) -> TargetDialect:
    """Find the dialect by a URL's scheme, whatever driver it names.

    Raises:
        ConfigError: there is none for this scheme.
    """
    backend = scheme.partition("+")[0].lower()
    found = _DIALECTS.get(_ALIASES.get(backend, backend))
    if found is None:
        raise ConfigError(
            f"tables cannot be loaded into a database of kind {backend!r}",
            valid=", ".join(sorted({*_DIALECTS, *_ALIASES})),
        )
    return found
