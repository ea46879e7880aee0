"""A rollup in the making, and the text of its SQL model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.advice.knowledge import TableKnowledge
from etl_platform.planner.advice.workload import Use

_FLOATS = ("FLOAT", "DOUBLE")


@dataclass(slots=True)
class Model:
    """What is joined, the keys of its groups, and what is kept of them.

    Keys and measures are normal expressions by their texts; ``rows`` is how many groups there are
    expected to be.
    """

    tables: frozenset[TableName]
    joins: Mapping[str, exp.Expr]
    keys: dict[str, exp.Expr]
    measures: dict[str, exp.Expr]
    rows: float
    uses: list[Use] = field(default_factory=list["Use"])


def model_sql(model: Model, known: Mapping[TableName, TableKnowledge]) -> str:
    """The file of the model: header and SELECT."""
    names: dict[str, str] = {}
    outputs = [
        f"    {_written(part)} AS {_unused(short_name(part), names)}"
        for part in (*model.keys.values(), *model.measures.values())
    ]
    tables = sorted(model.tables)
    joins = "".join(f",\n    {table.sql} AS {_alias(table)}" for table in tables[1:])
    where = "\nWHERE " + "\n  AND ".join(map(_written, model.joins.values())) if joins else ""
    header = "rollup: {floats: approximate}" if _adds_floats(model, known) else "rollup: true"
    by = "\nGROUP BY " + ", ".join(str(i) for i in range(1, len(model.keys) + 1))
    lines = ",\n".join(outputs)
    return (
        f"/*\n{header}\n*/\nSELECT\n{lines}\nFROM {tables[0].sql} AS {_alias(tables[0])}"
        f"{joins}{where}{by}\n"
    )


def _adds_floats(model: Model, known: Mapping[TableName, TableKnowledge]) -> bool:
    return any(
        known[TableName.parse(column.table)]
        .columns.get(column.name.lower(), "")
        .startswith(_FLOATS)
        for measure in model.measures.values()
        if isinstance(measure, exp.Sum)
        for column in measure.find_all(exp.Column)
    )


def _written(node: exp.Expr) -> str:
    copy = exp.paren(node.copy())
    for column in list(copy.find_all(exp.Column)):
        table = TableName.parse(column.table)
        column.replace(exp.column(exp.to_identifier(column.name), _alias(table)))
    return copy.this.sql(dialect="duckdb", normalize_functions="lower")


def _alias(table: TableName) -> str:
    return f"{table.schema}_{table.name}"


def short_name(node: exp.Expr) -> str:
    """A column name for a key or measure."""
    if isinstance(node, exp.Count) and node.find(exp.Column) is None:
        return "row_count"
    plain = node.copy()
    for column in list(plain.find_all(exp.Column)):
        if column is plain:
            return column.name
        column.replace(exp.column(column.name))
    words = re.sub(r"[^a-z0-9]+", "_", plain.sql(dialect="duckdb").lower()).strip("_")
    return words if len(words) <= 40 and words[:1].isalpha() else f"key_{len(words)}"


def _unused(name: str, taken: dict[str, str]) -> str:
    while name in taken:
        name += "_"
    taken[name] = name
    return name
