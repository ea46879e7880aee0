"""A statement's aggregation written over a rollup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from etl_platform.core.duck import quote
from etl_platform.core.names import TableName
from etl_platform.planner.rollups.binding import bound
from etl_platform.planner.rollups.covering import ROLLUP_ALIAS, Cover, columns_at
from etl_platform.planner.rollups.expressions import shown, text
from etl_platform.planner.rollups.implication import implied
from etl_platform.planner.rollups.measures import Measures
from etl_platform.planner.rollups.reasons import NotUsable, Stage
from etl_platform.planner.rollups.shape import Shape

_QUOTE = '"'
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "DOUBLE", "UBIGINT")


@dataclass(frozen=True, slots=True)
class Kept:
    """A rollup as the matcher needs it: its columns have DuckDB types, in order."""

    table: TableName
    shape: Shape
    columns: Mapping[str, str]
    floats: bool


def rewritten(
    wanted: Shape,
    named: list[tuple[str, str]],
    kept: Kept,
    tables: Mapping[TableName, Mapping[str, str]],
    params: Mapping[str, object],
) -> str:
    """The statement over the rollup: the same rows, names and types.

    Args:
        wanted: the statement; all tables of the rollup are among its inner ones.
        named: names and types of its columns.
        kept: the rollup.
        tables: columns and types of the statement's tables.
        params: values of the parameters that the statement has.

    Raises:
        NotUsable: the rollup cannot answer, with the reason.
    """
    rollup = kept.shape
    for name, table in wanted.columns.items():
        if table in rollup.tables and name not in rollup.columns:
            raise NotUsable(f"{kept.table} does not keep {name.replace(_QUOTE, '')}", Stage.KEYS)
    for condition in rollup.where:
        if not implied(condition, wanted.where):
            raise NotUsable(f"{kept.table} only has rows with {shown(condition)}", Stage.ROWS)
    extra = {
        table: f"d{i}"
        for i, table in enumerate(
            [*sorted(wanted.tables - rollup.tables), *(join.table for join in wanted.outer)]
        )
    }
    cover = Cover(columns_at(rollup.keys, kept.columns), extra, kept.table)
    own = {text(condition) for condition in rollup.where}
    where = [cover.over(one) for one in wanted.where if text(one) not in own]
    groups = [cover.over(key) for key in wanted.groups]
    measures = Measures(
        wanted,
        rollup,
        columns_at(rollup.measures, kept.columns),
        cover,
        not extra and {text(g) for g in rollup.groups} <= {text(g) for g in wanted.groups},
        kept.floats,
        _Kinds(tables).kind_of,
    )
    values: list[exp.Expr] = []
    for output in wanted.outputs:
        assert output.value is not None
        values.append(measures.over(output.value))
    parts = [_from(kept, wanted, extra, cover)]
    if where:
        parts.append("WHERE " + " AND ".join(f"({text(one)})" for one in where))
    if groups:
        parts.append("GROUP BY " + ", ".join(text(key) for key in groups))
    if wanted.having is not None:
        parts.append(f"HAVING {text(measures.over(wanted.having))}")
    if wanted.order:
        parts.append("ORDER BY " + ", ".join(_term(t, wanted, measures) for t in wanted.order))
    if wanted.limit is not None:
        parts.append(f"LIMIT {text(wanted.limit)}")
    if wanted.offset is not None:
        parts.append(f"OFFSET {text(wanted.offset)}")
    select = "SELECT DISTINCT" if wanted.distinct else "SELECT"
    seen = {**{t: c for t, c in tables.items() if t in extra}, kept.table: kept.columns}
    plain = f"{select} {', '.join(text(v) for v in values)} {' '.join(parts)}"
    found = bound(plain, seen, params)
    outputs = ", ".join(
        f"{_fitting(value, kind, want)} AS {quote(name)}"
        for value, (_, kind), (name, want) in zip(values, found, named, strict=True)
    )
    sql = f"{select} {outputs} {' '.join(parts)}"
    if [kind for _, kind in bound(sql, seen, params)] != [kind for _, kind in named]:
        raise NotUsable(f"columns over {kept.table} have other types", Stage.TYPES)
    _check_keys(cover, kept, tables)
    return sql


def _check_keys(cover: Cover, kept: Kept, tables: Mapping[TableName, Mapping[str, str]]) -> None:
    """Refuse a rollup whose keys are kept as other types than they had: they may compare apart."""
    sources = ", ".join(f"{_sql(t)} AS {quote(t.sql)}" for t in sorted(kept.shape.tables))
    made = {table: tables[table] for table in kept.shape.tables}
    found = bound(f"SELECT {', '.join(cover.keys)} FROM {sources}", made)
    for column, (_, kind) in zip(cover.keys.values(), found, strict=True):
        if kept.columns[column.name] != kind:
            raise NotUsable(
                f"{kept.table}.{column.name} is kept as {kept.columns[column.name]}, not {kind}",
                Stage.TYPES,
            )


@dataclass(slots=True)
class _Kinds:
    """Types of expressions over the statement's tables, asked of DuckDB."""

    tables: Mapping[TableName, Mapping[str, str]]

    def kind_of(self, node: exp.Expr) -> str:
        named = sorted({c.table for c in node.find_all(exp.Column) if c.table})
        sources = ", ".join(f"{_sql(TableName.parse(n))} AS {quote(n)}" for n in named)
        sql = f"SELECT {text(node)}" + (f" FROM {sources}" if sources else "")
        if not sources:
            sql = f"SELECT {text(node)} FROM (SELECT 1)"
        tables = {TableName.parse(n): self.tables[TableName.parse(n)] for n in named}
        ((_, kind),) = bound(sql, tables)
        return kind


def _from(kept: Kept, wanted: Shape, extra: Mapping[TableName, str], cover: Cover) -> str:
    outer = {join.table for join in wanted.outer}
    items = [f"{_sql(kept.table)} AS {ROLLUP_ALIAS}"]
    items += [f"{_sql(t)} AS {extra[t]}" for t in extra if t not in outer]
    joins = [
        f"LEFT JOIN {_sql(join.table)} AS {extra[join.table]} ON "
        + (" AND ".join(f"({text(cover.over(one))})" for one in join.on) or "true")
        for join in wanted.outer
    ]
    return " ".join(["FROM", " CROSS JOIN ".join(items), *joins])


def _term(term: tuple[int | str | exp.Expr, exp.Ordered], wanted: Shape, measures: Measures) -> str:
    value, ordered = term
    if isinstance(value, exp.Expr):
        places = [i for i, o in enumerate(wanted.outputs, 1) if o.value == value]
        value = places[0] if places else text(measures.over(value))
    copy = ordered.copy()
    copy.set("this", exp.var(str(value)))
    return text(copy)


def _fitting(value: exp.Expr, kind: str, wanted: str) -> str:
    """The value in the type of the statement's column; only numbers are ever converted."""
    if kind == wanted:
        return text(value)
    if not all(one.startswith(_NUMBERS) and "[" not in one for one in (kind, wanted)):
        raise NotUsable(f"a column would be {kind} instead of {wanted}", Stage.TYPES)
    return f"CAST({text(value)} AS {wanted})"


def _sql(table: TableName) -> str:
    return f"{quote(table.schema)}.{quote(table.name)}"
