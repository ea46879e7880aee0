"""Before anything is sent: can the target hold these rows exactly, and which of them not?

Everything is found in one pass of DuckDB over the lake's files. A value fits when it comes back the
same from the target's type: rounding, cutting and wrapping all show in that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import SchemaMismatch
from etl_platform.sinks.database.errors import GateViolation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from etl_platform.sinks.database.columns import TargetColumn, TargetTable
    from etl_platform.sinks.database.dialects.base import TargetDialect
    from etl_platform.sinks.database.load import Load
    from etl_platform.sinks.database.rows import Rows

_SHOWN_ROWS = 3
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that the target cannot hold: ``samples`` are the value with the row's key, as text."""

    column: str
    reason: str
    rows: int
    samples: tuple[str, ...]

    def __str__(self) -> str:
        shown = "; ".join(self.samples)
        return f"column {self.column!r}, {self.rows:,} rows: {self.reason}: {shown}"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Rows that fit. ``encoded`` is the relation in the form in which it is sent."""

    rows: int
    encoded: str
    columns: tuple[TargetColumn, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    column: str
    reason: str
    condition: str


def check(
    con: duckdb.DuckDBPyConnection,
    dialect: TargetDialect,
    rows: Rows,
    table: TargetTable,
    load: Load,
    *,
    unique_key: bool,
    supplied: frozenset[str] = frozenset(),
) -> Admitted:
    """Look at all rows.

    Args:
        unique_key: two rows may not share the key.
        supplied: columns that the load itself fills.

    Raises:
        SchemaMismatch: columns are missing on one side.
        GateViolation: rows do not fit, with the offending ones.
    """
    columns = _matched(rows, table, load, supplied)
    rules = [
        rule
        for field, column in zip(rows.schema, columns, strict=True)
        for rule in _rules(dialect, field, column, column.name in load.key)
    ]
    con.execute(f"CREATE OR REPLACE TEMP VIEW etl_rows AS SELECT * FROM {rows.relation}")
    counts = ", ".join(f"count(*) FILTER (WHERE {rule.condition})" for rule in rules)
    ((total, *broken),) = con.execute(
        f"SELECT count(*){', ' + counts if counts else ''} FROM etl_rows"
    ).fetchall()
    findings = [
        Finding(rule.column, rule.reason, count, _samples(con, rule, load.key))
        for rule, count in zip(rules, broken, strict=True)
        if count
    ]
    if unique_key:
        findings += _duplicates(con, load.key)
    if findings:
        raise GateViolation(str(load.target), tuple(findings))
    encoded = ", ".join(
        f"{dialect.encode(quote(field.name), field.type, column)} AS {quote(field.name)}"
        for field, column in zip(rows.schema, columns, strict=True)
    )
    return Admitted(total, f"SELECT {encoded} FROM {rows.relation}", columns)


def _matched(
    rows: Rows, table: TargetTable, load: Load, supplied: frozenset[str]
) -> tuple[TargetColumn, ...]:
    names = rows.schema.names
    known = [column.name for column in table.columns]
    problems = [
        f"the target has no column {name!r}" for name in names if table.column(name) is None
    ]
    problems += [f"the rows have no key column {name!r}" for name in load.key if name not in names]
    problems += [
        f"the target's column {column.name!r} allows no NULL, has no default, and no row fills it"
        for column in table.columns
        if column.name not in names
        and column.name not in supplied
        and not column.nullable
        and not column.has_default
    ]
    problems += [f"the load fills column {name!r}, which the target lacks"
                 for name in sorted(supplied - set(known))]  # fmt: skip
    if problems:
        raise SchemaMismatch(
            f"{rows.source} cannot be loaded into {load.target}: {'; '.join(problems)}",
            valid=f"columns of the target: {', '.join(known)}",
            fix="name what is to be loaded (columns:), or change the target",
        )
    return table.only(tuple(names))


def _rules(
    dialect: TargetDialect, field: pa.Field[pa.DataType], column: TargetColumn, in_key: bool
) -> list[_Rule]:
    sql = quote(field.name)
    found: list[_Rule] = []
    if in_key:
        found.append(_Rule(field.name, "the key allows no NULL", f"{sql} IS NULL"))
    elif not column.nullable:
        found.append(_Rule(field.name, "the target allows no NULL", f"{sql} IS NULL"))
    encoded = dialect.encode(sql, field.type, column)
    decoded = dialect.decode(encoded, field.type, column)
    if decoded is not None:
        found.append(
            _Rule(
                field.name,
                f"not exactly a {column.declared}",
                f"{sql} IS NOT NULL AND {decoded} IS DISTINCT FROM {sql}",
            )
        )
    if column.max_length is not None:
        found.append(
            _Rule(
                field.name,
                f"longer than the {column.max_length} characters of {column.declared}",
                f"length(CAST({encoded} AS VARCHAR)) > {column.max_length}",
            )
        )
    found += [
        _Rule(field.name, reason, condition)
        for reason, condition in dialect.refusals(sql, field.type, column)
    ]
    return found


def _samples(con: duckdb.DuckDBPyConnection, rule: _Rule, key: Sequence[str]) -> tuple[str, ...]:
    names = [rule.column, *(name for name in key if name != rule.column)]
    chosen = ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name in names)
    found = con.execute(
        f"SELECT {chosen} FROM etl_rows WHERE {rule.condition} LIMIT {_SHOWN_ROWS}"
    ).fetchall()
    return tuple(_shown(names, row) for row in found)


def _duplicates(con: duckdb.DuckDBPyConnection, key: Sequence[str]) -> list[Finding]:
    names = ", ".join(quote(name) for name in key)
    shown = ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name in key)
    found = con.execute(
        f"SELECT count(*) OVER (), sum(n) OVER (), {shown} FROM "
        f"(SELECT {names}, count(*) AS n FROM etl_rows GROUP BY ALL HAVING count(*) > 1) "
        f"LIMIT {_SHOWN_ROWS}"
    ).fetchall()
    if not found:
        return []
    samples = tuple(_shown(list(key), row[2:]) for row in found)
    reason = f"{found[0][0]:,} keys occur more than once"
    return [Finding(", ".join(key), reason, int(found[0][1]), samples)]


def _shown(names: Sequence[str], values: Sequence[str | None]) -> str:
    texts = ["NULL" if value is None else _short(value) for value in values]
    return ", ".join(f"{name}={text}" for name, text in zip(names, texts, strict=True))


def _short(text: str) -> str:
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return repr(cut)
