"""Which keys of a model's rows may have changed, and the model computed for these alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from etl_platform.core.duck import literal, quote, read_parquet
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.replacing import Keys
from etl_platform.transforms.incremental.changed import Change
from etl_platform.transforms.incremental.reach import Reach

if TYPE_CHECKING:
    import duckdb

_COMPARABLE = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
    | {"VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "UUID"}
)
"""Types of which two values are equal exactly when they are the same."""


@dataclass(frozen=True, slots=True)
class Choice:
    """By which columns of the model the rows of one changed reference are followed."""

    reach: Reach
    columns: tuple[str, ...]


def choose(
    reach: Reach, types: Mapping[str, str], partition_by: Sequence[str], key: Sequence[str]
) -> Choice | None:
    """The columns to follow a reference by: partitions, the key, or all that are carried.

    None when none is carried whose values compare exactly.
    """
    carried = {
        name: kind
        for name, kind in types.items()
        if name.lower() in reach.columns and _comparable(kind)
    }
    for wanted in (partition_by, key):
        if wanted and all(name in carried for name in wanted):
            return Choice(reach, tuple(wanted))
    return Choice(reach, tuple(carried)) if carried else None


def _comparable(kind: str) -> bool:
    return kind in _COMPARABLE or kind.startswith("DECIMAL")


@dataclass(frozen=True)
class Affected:
    """Sets of keys, kept as files while the run lasts; ``count`` is their number together."""

    sets: tuple[Keys, ...]
    count: int

    def of_model(self, sql: str) -> str:
        """The SELECT of a model's rows that have one of the keys, of a whole model's SELECT."""
        conditions = " OR ".join(
            f"EXISTS (FROM {read_parquet([keys.uri])} AS key WHERE {keys.matches('rows', 'key')})"
            for keys in self.sets
        )
        if len(self.sets) == 1:
            (keys,) = self.sets
            return (
                f"SELECT rows.* FROM (\n{sql}\n) AS rows SEMI JOIN {read_parquet([keys.uri])} "
                f"AS key ON {keys.matches('rows', 'key')}"
            )
        return f"SELECT rows.* FROM (\n{sql}\n) AS rows WHERE {conditions}"

    def of_input(self, relation: str, reaches: Sequence[Reach], types: Mapping[str, str]) -> str:
        """The rows of an input on which rows with one of the keys can depend."""
        conditions: list[str] = []
        for reach in reaches:
            for keys in self.sets:
                if not all(column.lower() in reach.columns for column in keys.columns):
                    return relation
                conditions.append(_matches(keys, reach, types))
        if len(conditions) == 1:
            return (
                f"(SELECT rows.* FROM {relation} AS rows SEMI JOIN "
                f"{read_parquet([self.sets[0].uri])} AS key ON {conditions[0]})"
            )
        found = " OR ".join(
            f"EXISTS (FROM {read_parquet([keys.uri])} AS key WHERE {condition})"
            for keys, condition in zip(self.sets * len(reaches), conditions, strict=True)
        )
        return f"(SELECT rows.* FROM {relation} AS rows WHERE {found})"

    def discard(self) -> None:
        """Remove the files."""
        for keys in self.sets:
            Path(keys.uri).unlink(missing_ok=True)


def _matches(keys: Keys, reach: Reach, types: Mapping[str, str]) -> str:
    equals = "IS NOT DISTINCT FROM" if keys.nulls else "="
    return " AND ".join(
        f"{_value(reach.columns[c.lower()], types[c], 'rows')} {equals} key.{quote(c)}"
        for c in keys.columns
    )


def _value(expression: exp.Expr, kind: str, alias: str) -> str:
    copy = expression.copy()
    for column in copy.find_all(exp.Column):
        column.set("table", exp.to_identifier(alias))
    # DuckDB leaves a cast to the type that a column has out, and skips by its bounds.
    text = f"CAST({copy.sql(dialect='duckdb')} AS {kind})"
    # Rows for which a value cannot be computed are such that the model leaves out before.
    return text if isinstance(copy, exp.Column) else f"TRY({text})"


def affected_keys(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    changes: Mapping[TableName, Change],
    choices: Sequence[Choice],
    types: Mapping[str, str],
    read: Mapping[str, tuple[str, ...]],
) -> Affected:
    """Read the keys of the rows that differ, of every changed reference.

    Args:
        types: the model's columns with DuckDB types.
        read: by input the columns that the model looks at; others may differ as they like.
    """
    parts: dict[tuple[str, ...], list[str]] = {}
    for choice in choices:
        table = choice.reach.table
        values = ", ".join(
            f"{_value(choice.reach.columns[c.lower()], types[c], 'rows')} AS {quote(c)}"
            for c in choice.columns
        )
        rows = changes[table].rows_sql(read[table.sql])
        parts.setdefault(choice.columns, []).append(f"SELECT {values} FROM {rows} AS rows")
    sets: list[Keys] = []
    count = 0
    Path(settings.temp_dir).mkdir(parents=True, exist_ok=True)
    for columns, selects in parts.items():
        file = Path(settings.temp_dir) / f"keys-{uuid.uuid4().hex}.parquet"
        found = " UNION ALL ".join(selects)
        written = con.execute(
            f"COPY (SELECT DISTINCT * FROM ({found})) TO {literal(str(file))} (FORMAT parquet)"
        ).fetchall()[0][0]
        nulls = " OR ".join(f"{quote(c)} IS NULL" for c in columns)
        has_null = con.execute(
            f"SELECT EXISTS (FROM {read_parquet([str(file)])} WHERE {nulls})"
        ).fetchall()[0][0]
        if written:
            sets.append(Keys(columns, str(file), bool(has_null)))
        else:
            file.unlink()
        count += written
    return Affected(tuple(sets), count)
