"""What the rows of a version were made from: kept in its commit, so that it travels with the table.

An annotation of the Delta log like a watermark: a revert brings back the origin of its version, and
a merge of small files keeps it. It tells of the newest batch; a batch that brings none removes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from etl_platform.core.names import TableName

ORIGIN = "etl:origin"
"""The annotation's key."""
STATE = "etl:state"
"""Annotation of a model's table: what its next run compares the world with."""
OF_BATCH = frozenset({ORIGIN, STATE})
"""Annotations that say nothing of rows which another batch brings."""


@dataclass(frozen=True, slots=True)
class External:
    """A table or query outside the lake, by names alone: no address, nothing secret.

    ``system`` is the name that the project gives the database, ``kind`` its kind (``postgresql``),
    ``name`` the table's own full name.
    """

    system: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.system}:{self.name}"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a batch was made from.

    Attributes:
        inputs: the tables of the lake that were read, and the version of each.
        columns: for each column the columns of ``inputs`` that its values are computed from; None
            where that is not known.
        sql: the SELECT, where it was one.
        source: where the rows were read outside the lake; ``source_columns`` are the columns that
            were read there, which have the same names here.
        rollup: that the table may answer other aggregations than ``sql`` itself, and whether sums
            of floats may be added up in another order for that; None when it was not declared.
        outside: tables outside the lake that were asked for some of the columns.
        view: that no rows are kept: who reads the name reads what ``sql`` gives.
    """

    inputs: Mapping[TableName, int] = field(default_factory=dict[TableName, int])
    columns: Mapping[str, Sequence[tuple[TableName, str]]] | None = None
    sql: str | None = None
    source: External | None = None
    source_columns: tuple[str, ...] = ()
    rollup: Literal["exact", "approximate"] | None = None
    outside: tuple[External, ...] = ()
    view: bool = False

    def annotation(self) -> dict[str, str]:
        """The form kept in the Delta commit."""
        body: dict[str, object] = {
            "inputs": {table.sql: version for table, version in self.inputs.items()}
        }
        if self.columns is not None:
            body["columns"] = {name: _grouped(refs) for name, refs in self.columns.items()}
        if self.sql is not None:
            body["sql"] = self.sql
        if self.source is not None:
            body["source"] = [self.source.system, self.source.kind, self.source.name]
            body["source_columns"] = self.source_columns
        if self.rollup is not None:
            body["rollup"] = self.rollup
        if self.outside:
            body["outside"] = [[one.system, one.kind, one.name] for one in self.outside]
        if self.view:
            body["view"] = True
        return {ORIGIN: json.dumps(body)}

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> Origin | None:
        """The origin among a version's annotations; None when none was recorded."""
        text = annotations.get(ORIGIN)
        if text is None:
            return None
        body: dict[str, Any] = json.loads(text)
        columns: dict[str, dict[str, list[str]]] | None = body.get("columns")
        source: list[str] | None = body.get("source")
        return cls(
            {TableName.parse(table): version for table, version in body["inputs"].items()},
            None if columns is None else {name: _flat(refs) for name, refs in columns.items()},
            body.get("sql"),
            None if source is None else External(*source),
            tuple(body.get("source_columns", ())),
            body.get("rollup"),
            tuple(External(*one) for one in body.get("outside", ())),
            body.get("view", False),
        )


def _grouped(refs: Sequence[tuple[TableName, str]]) -> dict[str, list[str]]:
    """The columns by table: a table's name is not repeated for each of them."""
    found: dict[str, list[str]] = {}
    for table, column in refs:
        found.setdefault(table.sql, []).append(column)
    return found


def _flat(grouped: Mapping[str, list[str]]) -> tuple[tuple[TableName, str], ...]:
    return tuple(
        (TableName.parse(table), column) for table, columns in grouped.items() for column in columns
    )
