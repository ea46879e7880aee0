"""What advice is made of: indexes that could be, plans with and without them, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, slots=True)
class TableId:
    """A table of the database; ``schema`` is None where there are none (SQLite)."""

    schema: str | None
    name: str

    @property
    def full_name(self) -> str:
        """For messages, never for SQL."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an index: a column, or an expression over columns of the table.

    ``sql`` is what stands in CREATE INDEX, quoted; ``column`` is None for an expression.
    """

    sql: str
    column: str | None


@dataclass(frozen=True, slots=True)
class Index:
    """An index that could be. ``include`` are columns that it carries so that it covers a query."""

    table: TableId
    keys: tuple[Key, ...]
    include: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class ExistingIndex:
    """An index, primary key or unique constraint; ``columns`` ends before the first expression.

    ``partial`` ones hold some rows only, or are no B-trees: they stand for no other index.
    """

    name: str
    columns: tuple[str, ...]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a statement reads. ``rows`` is the database's estimate, None when it has none.

    ``rows_written`` counts inserts, updates and deletes since the database's counters began; None
    where it keeps no such counters.
    """

    id: TableId
    columns: tuple[str, ...]
    indexes: tuple[ExistingIndex, ...]
    rows: int | None
    rows_written: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A SELECT of the workload; ``number`` counts from 1 in the order of the input."""

    number: int
    text: str
    tree: exp.Query


@dataclass(frozen=True, slots=True)
class Explained:
    """The database's plan of one statement.

    ``accesses`` says how each table is read, in the words of the database; ``cost`` is in the unit
    of the planner. ``wanted`` are indexes that only some of several plans use, where the planner is
    asked several times.
    """

    cost: float
    accesses: tuple[str, ...]
    used: frozenset[Index]
    wanted: frozenset[Index] = frozenset()


@dataclass(frozen=True, slots=True)
class Gain:
    """What an index changes for one statement: costs with the other suggestions in place."""

    statement: int
    cost_before: float
    cost_after: float
    accesses_before: tuple[str, ...]
    accesses_after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An index that the database's planner uses, and why it is worth its writes."""

    table: str
    create: str
    gains: tuple[Gain, ...]
    size_bytes: int | None
    write_cost: str


@dataclass(frozen=True, slots=True)
class StatementCost:
    """The whole statement before and after all suggestions."""

    statement: int
    sql: str
    cost_before: float
    cost_after: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What was found. ``verified_by`` says which planner looked, and at what.

    ``needs`` is None, or what has to be allowed before indexes can be verified; nothing is then
    suggested.
    """

    database: str
    verified_by: str
    cost_unit: str
    statements: tuple[StatementCost, ...]
    suggestions: tuple[Suggestion, ...]
    hints: tuple[str, ...]
    needs: str | None = None
