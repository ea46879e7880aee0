"""Extractions -> SQLAlchemy statements. No name and no value is ever formatted into SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.sources.database.policy import TargetColumn, target_columns
from etl_platform.sources.database.watermark import bound_value, less

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, FromClause, Select

    from etl_platform.sources.database.dialects.base import Dialect
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.tables import SourceColumn, SourceTable

_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """One statement and the columns that it returns, in order."""

    statement: Select[Any]
    columns: tuple[TargetColumn, ...]
    source: FromClause


def plan_read(connection: Connection, dialect: Dialect, extraction: Extraction) -> ReadPlan:
    """Decide what to select. A query is probed for its columns first, on the same snapshot.

    Raises:
        UnsupportedType: a column has no lossless type and nothing is declared for it.
        UnknownName: cursor, key, window or declared column does not exist.
        ConfigError: a bound does not fit its column.
        PermanentError: a query's columns share a name.
    """
    import sqlalchemy as sa

    source, known = _source(connection, dialect, extraction)
    _check_names(known, extraction)
    columns = target_columns(known, extraction.policy, extraction.types, extraction.where)
    expressions = [
        dialect.expression(source.c[column.name], column).label(_quoted(column.name))
        for column in columns
    ]
    statement = sa.select(*expressions).select_from(source)
    conditions = _conditions(
        dialect, extraction, source, {column.name: column for column in columns}
    )
    statement = statement.where(*conditions)
    if extraction.ordered and extraction.cursor is not None:
        statement = statement.order_by(source.c[extraction.cursor.column])
    return ReadPlan(statement, columns, source)


def count_statement(plan: ReadPlan) -> Select[Any]:
    """Count the rows that the plan's statement returns."""
    import sqlalchemy as sa

    unordered = plan.statement.order_by(None)
    rows = unordered.with_only_columns(sa.func.count(), maintain_column_froms=False)
    return rows.select_from(plan.source)


def from_table(table: SourceTable) -> FromClause:
    """The table with its columns as a FROM clause, always quoted.

    Its columns are written with the table's name before theirs: SQLite reads a quoted name alone
    that is no column (any more) as a text literal, and would give that text for every row.
    """
    import sqlalchemy as sa

    schema = _quoted(table.schema) if table.schema is not None else None
    columns = [sa.column(_quoted(c.name)) for c in table.columns]
    return sa.table(_quoted(table.name), *columns, schema=schema)


def _source(
    connection: Connection, dialect: Dialect, extraction: Extraction
) -> tuple[FromClause, tuple[SourceColumn, ...]]:
    import sqlalchemy as sa

    if extraction.table is not None:
        return from_table(extraction.table), extraction.table.columns
    # A line break ends a comment in the query's last line.
    body = (extraction.query or "").strip().rstrip(";") + "\n"
    names = set(_PARAMETER.findall(body))
    unused = sorted(set(extraction.params) - names)
    if unused:
        raise UnknownName("parameter", unused[0], names, where=extraction.where)
    text = sa.text(
        _PARAMETER.sub(lambda m: m[0] if m[1] in extraction.params else "\\" + m[0], body)
    )
    bound = text.bindparams(**extraction.params)
    known = dialect.probe(connection, bound.columns().subquery("extraction"), extraction.params)
    names_seen = [column.name for column in known]
    repeated = sorted({name for name in names_seen if names_seen.count(name) > 1})
    if repeated:
        raise PermanentError(
            f"{extraction.where}: several columns are named {repeated[0]!r}",
            fix="give each column a name of its own: SELECT a.id AS a_id, b.id AS b_id",
        )
    columns = [sa.column(_quoted(name)) for name in names_seen]
    return bound.columns(*columns).subquery("extraction"), known


def _check_names(known: tuple[SourceColumn, ...], extraction: Extraction) -> None:
    used = [*extraction.types]
    if extraction.cursor is not None:
        used += [extraction.cursor.column, *extraction.cursor.key]
    if extraction.window is not None:
        used.append(extraction.window.column)
    names = {column.name for column in known}
    for name in used:
        if name not in names:
            raise UnknownName("column", name, names, where=extraction.where)


def _conditions(
    dialect: Dialect,
    extraction: Extraction,
    source: FromClause,
    columns: dict[str, TargetColumn],
) -> list[ColumnElement[bool]]:
    import sqlalchemy as sa

    found: list[ColumnElement[bool]] = []
    cursor, window = extraction.cursor, extraction.window
    if cursor is not None and extraction.after is not None:
        target = columns[cursor.column]
        watermark = bound_value(extraction.after, target, extraction.where)
        low = less(watermark, cursor.lookback, target, extraction.where)
        if low is not None:
            column = source.c[target.name]
            newer = dialect.at_least(column, low, target)
            found.append(sa.or_(newer, column.is_(None)) if target.nullable else newer)
    if window is not None:
        target = columns[window.column]
        start = bound_value(window.start, target, extraction.where)
        end = bound_value(window.end, target, extraction.where)
        if not start < end:  # pyright: ignore[reportOperatorIssue]  # both are of the column's kind
            raise ConfigError(f"{extraction.where}: window {start} .. {end} is empty")
        column = source.c[target.name]
        found += [dialect.at_least(column, start, target), dialect.below(column, end, target)]
    return found


def _quoted(name: str) -> str:
    import sqlalchemy as sa

    return sa.quoted_name(name, quote=True)
