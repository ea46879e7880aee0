"""Is what the target holds what the lake holds? Rows and hashes of every column, whole or by parts.

The target is read back through the platform's own source, and both sides are hashed by one DuckDB
statement over the lake's types: nothing rests on how a database adds or prints numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import quote
from etl_platform.core.errors import UnknownName
from etl_platform.core.sessions import session
from etl_platform.core.types import duckdb_type

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from etl_platform.sinks.database.columns import TargetTable
    from etl_platform.sinks.database.load import History
    from etl_platform.sinks.database.rows import Rows
    from etl_platform.sources.database import Database, SourceTable

_SHOWN = 20
_WHOLE_ROWS = "(rows)"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One part on both sides.

    ``differing`` are the columns whose values differ; ``(rows)`` where each column has the same
    values, but in other rows.
    """

    part: str | None
    lake_rows: int
    target_rows: int
    differing: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return self.lake_rows == self.target_rows and not self.differing


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How much was compared, and the parts that differ: all counted, the first 20 kept."""

    parts: int
    lake_rows: int
    target_rows: int
    differing_parts: int
    differences: tuple[Comparison, ...]

    @property
    def equal(self) -> bool:
        return self.differing_parts == 0


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a target belongs to the comparison.

    Args:
        by: column whose values are the parts that are compared; None compares the whole.
        key: only the target's rows whose key the lake has: an upsert never removes any.
        history: only the current versions.
    """

    by: str | None = None
    key: tuple[str, ...] = ()
    history: History | None = None


def reconcile(database: Database, table: TargetTable, rows: Rows, scope: Scope) -> Reconciliation:
    """Compare all rows.

    Raises:
        UnknownName: ``by`` or a column of the lake's rows is not in the target.
        SourceUnavailable: the target cannot be read now.
    """
    from etl_platform.sources.database import Extraction, extract

    if scope.by is not None and scope.by not in rows.schema.names:
        raise UnknownName("column", scope.by, rows.schema.names, where=rows.source)
    source, types = _as_source(table, rows, scope.history)
    json = frozenset(c.name for c in table.columns if c.wire is not None)
    with (
        session(rows.settings) as con,
        extract(database, Extraction(table=source, types=types)) as reader,
    ):
        con.register("etl_read", reader)
        con.execute(f"CREATE TEMP TABLE etl_target AS {_decoded(rows.schema, types, json, scope)}")
        con.execute(f"CREATE TEMP VIEW etl_lake AS SELECT * FROM {rows.relation}")
        lake = _digest(con, "etl_lake", rows.schema, scope.by)
        target = _digest(con, _in_scope(scope.key), rows.schema, scope.by)
    found = [
        _compare(part, rows.schema.names, lake.get(part), target.get(part))
        for part in sorted({*lake, *target}, key=lambda part: (part is not None, part or ""))
    ]
    different = [comparison for comparison in found if not comparison.equal]
    return Reconciliation(
        parts=len(found),
        lake_rows=sum(c.lake_rows for c in found),
        target_rows=sum(c.target_rows for c in found),
        differing_parts=len(different),
        differences=tuple(different[:_SHOWN]),
    )


def _as_source(
    table: TargetTable, rows: Rows, history: History | None
) -> tuple[SourceTable, dict[str, str]]:
    """The target as something to read, in types that the lake's come back from."""
    import pyarrow as pa

    from etl_platform.sources.database import SourceColumn, SourceTable, arrow_text

    types: dict[str, str] = {}
    columns: list[SourceColumn] = []
    for field in rows.schema:
        column = table.column(field.name)
        if column is None:
            raise UnknownName(
                "column", field.name, [c.name for c in table.columns], where=str(table.target)
            )
        wire = column.wire
        # JSON, or DuckDB's own text, which it reads back exactly.
        as_text = pa.types.is_nested(field.type) and (wire is None or pa.types.is_string(wire))
        types[field.name] = "string" if as_text else arrow_text.to_text(field.type)
        columns.append(
            SourceColumn(field.name, column.declared, None if column.cast else types[field.name])
        )
    if history is not None:
        types[history.valid_to] = "timestamp[us, UTC]"
        columns.append(SourceColumn(history.valid_to, "", types[history.valid_to]))
    return SourceTable(table.target.schema, table.target.name, tuple(columns)), types


def _decoded(schema: pa.Schema, types: dict[str, str], json: frozenset[str], scope: Scope) -> str:
    import pyarrow as pa

    def value(field: pa.Field[Any]) -> str:
        name, kind = quote(field.name), duckdb_type(field.type)
        nested = types[field.name] == "string" and pa.types.is_nested(field.type)
        if nested and field.name in json:
            return f"CAST(CAST({name} AS JSON) AS {kind}) AS {name}"
        return f"CAST({name} AS {kind}) AS {name}"

    current = f" WHERE {quote(scope.history.valid_to)} IS NULL" if scope.history else ""
    return f"SELECT {', '.join(value(field) for field in schema)} FROM etl_read{current}"


def _in_scope(key: tuple[str, ...]) -> str:
    if not key:
        return "etl_target"
    names = ", ".join(quote(name) for name in key)
    return f"(SELECT t.* FROM etl_target t SEMI JOIN etl_lake USING ({names}))"


def _digest(
    con: duckdb.DuckDBPyConnection, relation: str, schema: pa.Schema, by: str | None
) -> dict[str | None, tuple[int, ...]]:
    """Part -> rows, hash of the rows, hash of each column."""
    names = [quote(name) for name in schema.names]
    hashes = ", ".join(f"sum(hash({name})::HUGEINT)" for name in (", ".join(names), *names))
    part = f"CAST({quote(by)} AS VARCHAR)" if by is not None else "NULL"
    found = con.execute(f"SELECT {part}, count(*), {hashes} FROM {relation} GROUP BY 1").fetchall()
    return {name: tuple(values) for name, *values in found}


def _compare(
    part: str | None,
    names: list[str],
    lake: tuple[int, ...] | None,
    target: tuple[int, ...] | None,
) -> Comparison:
    if lake is None or target is None:
        return Comparison(part, lake[0] if lake else 0, target[0] if target else 0, ())
    differing = [name for name, a, b in zip(names, lake[2:], target[2:], strict=True) if a != b]
    if not differing and lake[1] != target[1]:
        differing = [_WHOLE_ROWS]
    return Comparison(part, lake[0], target[0], tuple(differing))
