"""Which table of the lake each table of a database becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName, to_identifier
from etl_platform.sources.database.tables import SourceTable


def target_tables(tables: Iterable[SourceTable], schema: str) -> Mapping[TableName, SourceTable]:
    """Name the lake table of each source table.

    Names are folded to identifiers. Where two schemas of the source have a table of one name, both
    carry their schema's name in front.

    Raises:
        ConfigError: two tables would be one.
    """
    targets: dict[TableName, SourceTable] = {}
    for target, table in named_targets(tables, schema):
        if target in targets:
            raise ConfigError(
                f"source tables {targets[target].full_name!r} and {table.full_name!r} "
                f"would both be {target}",
                fix="exclude one of them, or load it with a query",
            )
        targets[target] = table
    return targets


def named_targets(
    tables: Iterable[SourceTable], schema: str
) -> tuple[tuple[TableName, SourceTable], ...]:
    """The same in the tables' order, with those that would be one table."""
    found = tuple(tables)
    names = [to_identifier(table.name) for table in found]
    taken = Counter(names)
    return tuple(
        (
            TableName(
                schema,
                name if taken[name] == 1 else to_identifier(f"{table.schema or ''}_{table.name}"),
            ),
            table,
        )
        for name, table in zip(names, found, strict=True)
    )
