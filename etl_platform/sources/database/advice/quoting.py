"""Names and expressions as one kind of database writes them in CREATE INDEX."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from etl_platform.sources.database.advice.model import Index, Key, TableId
from etl_platform.sources.database.advice.statements import sqlglot_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect as SqlAlchemyDialect

_LONGEST_NAME = 60  # PostgreSQL keeps 63 bytes, MariaDB 64 characters


@dataclass(frozen=True)
class Quoting:
    """Quotes for ``kind`` (postgresql, mysql, sqlite) what SQLAlchemy's dialect says needs it."""

    kind: str
    dialect: SqlAlchemyDialect

    def name(self, name: str) -> str:
        """An identifier, quoted where it has to be."""
        # Not SQLAlchemy's own text: drivers with %s parameters get every % doubled.
        if self.dialect.identifier_preparer.quote(name) == name:
            return name
        mark = "`" if self.kind == "mysql" else '"'
        return mark + name.replace(mark, mark * 2) + mark

    def table(self, table: TableId) -> str:
        return f"{self.name(table.schema)}.{self.name(table.name)}" if table.schema else self.name(
            table.name
        )  # fmt: skip

    def key(self, column: str) -> Key:
        return Key(self.name(column), column)

    def expression(self, tree: exp.Expr) -> Key | None:
        """A key over an expression without its tables' names; None where there is no such index."""
        if self.kind == "mysql":
            return None
        return Key(f"({self.bare(tree)})", None)

    def bare(self, tree: exp.Expr) -> str:
        """An expression over columns of one table, without the table's name."""
        copy = tree.copy()
        for column in copy.find_all(exp.Column):
            for part in ("table", "db", "catalog"):
                column.set(part, None)
        return copy.sql(dialect=sqlglot_dialect(self.kind))

    def index_name(self, index: Index) -> str:
        """``table_column_column_idx``, cut with a checksum where it is too long; not quoted."""
        parts = [key.column or "expr" for key in (*index.keys, *index.include)]
        name = "_".join([index.table.name, *parts, "idx"])
        expressions = "".join(key.sql for key in index.keys if key.column is None)
        if len(name.encode()) <= _LONGEST_NAME and not expressions:
            return name
        mark = hashlib.sha256((name + expressions).encode()).hexdigest()[:8]
        return name.encode()[: _LONGEST_NAME - 9].decode(errors="ignore") + "_" + mark

    def create(self, index: Index, name: str, *, concurrently: bool = False) -> str:
        """CREATE INDEX. Only PostgreSQL has INCLUDE; elsewhere those columns end the key."""
        keys = [key.sql for key in index.keys]
        extra = [key.sql for key in index.include]
        include = ""
        if self.kind == "postgresql" and extra:
            include = f" INCLUDE ({', '.join(extra)})"
        else:
            keys += extra
        how = "INDEX CONCURRENTLY" if concurrently else "INDEX"
        at = self.name(index.table.name) if self.kind == "sqlite" else self.table(index.table)
        return f"CREATE {how} {self.name(name)} ON {at} ({', '.join(keys)}){include}"
