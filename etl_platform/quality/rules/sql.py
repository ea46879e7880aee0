"""sql: a query that returns the bad rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.quality.expressions import ExpressionError
from etl_platform.quality.facts import Facts
from etl_platform.quality.queries import BadRowsQuery, parse_query
from etl_platform.quality.rules.base import Rule, printable
from etl_platform.quality.steps import NotRun, Query, Step
from etl_platform.quality.values import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping


class SqlRule(Rule):
    """A SELECT over the batch and other tables of the lake returns no row; each is a bad one.

    ``{table}`` and the table's own name stand for the staged rows, ``schema.table`` for another
    table of the lake; while that does not exist the rule cannot run. Its results need not be rows
    of the table, so they cannot be quarantined.
    """

    rule: Literal["sql"] = "sql"
    can_quarantine = False
    can_be_conditional = False

    sql: str = Field(description="SELECT of the bad rows, FROM {table} and other tables.")

    @field_validator("sql")
    @classmethod
    def _selects(cls, text: str) -> str:
        try:
            parse_query(text)
        except ExpressionError as error:
            raise PydanticCustomError(
                "query",
                "'{text}' is not a query of bad rows: {why}",
                {"text": printable(text), "why": str(error)},
            ) from error
        return text.strip()

    @property
    def query(self) -> BadRowsQuery:
        """The query, read and confined."""
        return parse_query(self.sql)

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    @property
    def references(self) -> tuple[TableName, ...]:
        return tuple(dict.fromkeys(table for table in self.query.tables.values() if table))

    def demand(self) -> str:
        return f"no row is returned by {shortened(' '.join(self.sql.split()), 120)}"

    def plan(self, facts: Facts) -> Step:
        missing = [t for t, relation in self._relations(facts).items() if relation is None]
        if missing:
            return NotRun(f"table {missing[0]} does not exist yet; materialise it first")
        return Query(f"SELECT count(*) FROM ({self._bound(facts)})")

    def bad_rows_sql(self, facts: Facts) -> str | None:
        relations = self._relations(facts)
        by_name = {
            name: relations[table] if table is not None else facts.relation
            for name, table in self.query.tables.items()
        }
        known = {name: relation for name, relation in by_name.items() if relation is not None}
        return self.query.over(known) if len(known) == len(by_name) else None

    def _relations(self, facts: Facts) -> Mapping[TableName, str | None]:
        own = facts.staged.table
        return {t: facts.relation if t == own else facts.relation_of(t) for t in self.references}

    def _bound(self, facts: Facts) -> str:
        import duckdb

        sql = self.bad_rows_sql(facts)
        assert sql is not None, "every table exists"
        try:
            facts.columns_of(f"({sql})")
        except duckdb.Error as error:
            raise ConfigError(
                f"contract of {facts.staged.table}, rule {self.name}: {str(error).splitlines()[0]}",
                fix="check the names and types of the columns that the query reads",
            ) from error
        return sql
