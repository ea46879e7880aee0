"""What a database said about its tables when it was last asked: the state of the component."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName, to_identifier
from etl_platform.sources.database.tables import SourceTable


class SourceState(BaseModel):
    """Dialect and tables. Holds no address and no secret, so it may be committed or shipped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: str
    tables: tuple[SourceTable, ...]

    def write(self, path: Path) -> None:
        """Write as JSON in the tables' order: a refresh without changes changes nothing."""
        path.write_text(self.model_dump_json(indent=1))

    @classmethod
    def read(cls, path: Path) -> SourceState:
        """Read what :meth:`write` wrote.

        Raises:
            ConfigError: the file is of another kind or release.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ConfigError(
                f"{path} is not the state of a database source: {error}",
                fix="refresh it: dg utils refresh-defs-state",
            ) from error


def target_tables(tables: Iterable[SourceTable], schema: str) -> Mapping[TableName, SourceTable]:
    """Name the lake table of each source table.

    Names are folded to identifiers. Where two schemas of the source have a table of one name, both
    carry their schema's name in front.
    """
    found = tuple(tables)
    names = [to_identifier(table.name) for table in found]
    taken = Counter(names)
    targets: dict[TableName, SourceTable] = {}
    for name, table in zip(names, found, strict=True):
        chosen = name if taken[name] == 1 else to_identifier(f"{table.schema or ''}_{table.name}")
        target = TableName(schema, chosen)
        if target in targets:
            raise ConfigError(
                f"source tables {targets[target].full_name!r} and {table.full_name!r} "
                f"would both be {target}",
                fix="exclude one of them, or load it with a query",
            )
        targets[target] = table
    return targets
