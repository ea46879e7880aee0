"""SELECTs that a contract may hold: over the batch and other tables of the lake, no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.quality.allowed_sql import QUERY_NODES
from etl_platform.quality.expressions import ExpressionError, parsed, refuse_unlisted

if TYPE_CHECKING:
    from sqlglot import exp

BATCH = "{table}"
"""Stands for the staged rows in the text of a query."""

_PLACEHOLDER = "__etl_platform_batch"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class BadRowsQuery:
    """A confined SELECT.

    Attributes:
        text: DuckDB SQL in which every table is a quoted name of its own.
        tables: by that quoted name: the lake table, None for the staged batch.
    """

    text: str
    tables: Mapping[str, TableName | None]

    def over(self, relations: Mapping[str, str]) -> str:
        """The SQL with FROM-able SQL in the place of each quoted name."""
        text = self.text
        for name, relation in relations.items():
            text = text.replace(name, relation)
        return text


@lru_cache(maxsize=1024)
def parse_query(text: str) -> BadRowsQuery:
    """Read one SELECT over ``{table}`` and lake tables written as ``schema.table``.

    >>> parse_query("SELECT * FROM {table} o JOIN shop.items i USING (id) WHERE i.n > o.n").tables
    {'"__etl_platform_0"': None, '"__etl_platform_1"': TableName('shop', 'items')}

    Raises:
        ExpressionError: not one SELECT; a file, function or unknown name in FROM; a construct or
            function that is not listed; longer or deeper than a condition may be.
    """
    from sqlglot import exp

    tree = parsed(text.replace(BATCH, _PLACEHOLDER))
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise ExpressionError(f"{tree.key.upper()} is no SELECT")
    refuse_unlisted(tree, lambda name: name in QUERY_NODES, lambda _: "")
    defined = {cte.alias for cte in tree.find_all(exp.CTE)}
    for name in defined:
        # A name with a dot or a slash would be a file where the CTE is out of reach.
        if not _NAME.fullmatch(name):
            raise ExpressionError(f"WITH {name!r}: a plain name is needed")
    tables: dict[str, TableName | None] = {}
    for node in list(tree.find_all(exp.Table)):
        if not node.db and node.name in defined:
            continue
        quoted = f"__etl_platform_{len(tables)}"
        tables[quote(quoted)] = _table(node)
        alias = node.alias or (node.name if node.db else "batch")
        node.replace(
            exp.Table(
                this=exp.to_identifier(quoted, quoted=True),
                alias=node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(alias)),
            )
        )
    if None not in tables.values() and not any(tables.values()):
        raise ExpressionError(f"no table is read: select the bad rows FROM {BATCH}")
    sql = tree.sql("duckdb", identify=True, comments=False)
    return BadRowsQuery(sql, tables)


def _table(node: exp.Table) -> TableName | None:
    from sqlglot import exp

    extra = [
        key for key, value in node.args.items() if value and key not in ("this", "db", "alias")
    ]
    if extra or not isinstance(node.this, exp.Identifier):
        raise ExpressionError(f"{node.sql('duckdb')} is not a table: name one as schema.table")
    if not node.db:
        if node.name == _PLACEHOLDER:
            return None
        raise ExpressionError(
            f"table {node.name!r}: write {BATCH} for the batch, or schema.table for another table"
        )
    try:
        return TableName.parse(f"{node.db}.{node.name}")
    except ConfigError as error:
        raise ExpressionError(error.what) from error
