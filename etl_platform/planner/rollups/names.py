"""What names in a SELECT over lake tables mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.rollups.reasons import NotUsable
from etl_platform.planner.tables import cte_of, table_name


def column(table: TableName, name: str) -> exp.Column:
    """The normal form of a table's column."""
    return exp.column(
        exp.to_identifier(name.lower(), quoted=True), exp.to_identifier(table.sql, quoted=True)
    )


def table_of(node: exp.Column) -> TableName:
    """The table of a normal column."""
    return TableName.parse(node.table)


@dataclass(slots=True)
class Names:
    """What names mean: columns of the sources (by alias), aliases of the outputs."""

    sources: Mapping[str, tuple[TableName, Collection[str]]]
    aliases: Mapping[str, exp.Expr]

    def column(self, node: exp.Column) -> exp.Expr:
        """A column of one of the sources, in normal form.

        Raises:
            NotUsable: it is another one's, or could be that of several.
        """
        name, qualifier = node.name.lower(), node.table.lower()
        owners = [
            table
            for alias, (table, columns) in self.sources.items()
            if name in columns
            and (not qualifier or qualifier == alias)
            and (not node.db or node.db.lower() == table.schema)
        ]
        if len(owners) != 1 or node.catalog:
            raise NotUsable(f"{node.sql(dialect='duckdb')} is not a column of one of its tables")
        return column(owners[0], name)

    def column_or_alias(self, node: exp.Column) -> exp.Expr:
        """A column or what an output is, outside of the SELECT list.

        Raises:
            NotUsable: it could be either.
        """
        named = self.aliases.get(node.name.lower()) if not node.table else None
        if named is None:
            return self.column(node)
        try:
            found = self.column(node)
        except NotUsable:
            return named.copy()
        if found != named:
            raise NotUsable(f"{node.name} is a column and an alias")
        return found


def add_source(
    node: exp.Expr,
    sources: dict[str, tuple[TableName, Collection[str]]],
    columns_of: Callable[[TableName], Collection[str] | None],
) -> TableName:
    """Add one item of FROM to the sources, and tell its table.

    Raises:
        NotUsable: it is not a table of the lake, or stands there twice.
    """
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        raise NotUsable("it reads something that is not a table of the lake")
    table = None if cte_of(node) is not None else table_name(node)
    columns = None if table is None else columns_of(table)
    plain = (
        all(part in ("this", "db", "alias") or not value for part, value in node.args.items())
        and not node.alias_column_names
    )
    if table is None or columns is None or not plain:
        raise NotUsable(f"{node.alias_or_name} is not a plain table of the lake")
    alias = node.alias_or_name.lower()
    if alias in sources or any(table == other for other, _ in sources.values()):
        raise NotUsable(f"{table} is joined with itself")
    sources[alias] = (table, columns)
    return table
