"""How a rule will be judged: the plan of an audit is one of these steps per rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

ROWS_OF_VALUE = "__rows_of_value"
"""In a :class:`PerValue` predicate, the column that holds how many rows have the value."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Decided by what the writer already measured; no data is read.

    ``witnesses`` are the values that decided (smallest and largest): pandera confirms them.
    """

    failed_rows: int = 0
    failed: bool = False
    reason: str = ""
    witnesses: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class PerValue:
    """The SQL predicate is judged on a column's distinct values, weighted by their counts."""

    column: str
    predicate: str


@dataclass(frozen=True, slots=True)
class PerRow:
    """The SQL predicate, true for a bad row, is counted in the one scan of the staged files."""

    predicate: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question of its own, over more than one row: SQL that gives the number of bad rows."""

    sql: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The rule weighs aggregates, which are computed in the one scan of the staged files."""

    aggregates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """The rule weighs how many different values a counted column has, and in how many rows."""

    column: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The rule weighs the one row of a question of its own, which no common scan can answer."""

    sql: str


@dataclass(frozen=True, slots=True)
class ByFunction:
    """A Python function that is given the rows as a lazy frame and returns the bad ones."""


@dataclass(frozen=True, slots=True)
class ByPandera:
    """A Python check without SQL form: pandera runs it over the columns it needs."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BySchema:
    """A rule about the table's form: pandera validates a frame without rows."""


@dataclass(frozen=True, slots=True)
class NotRun:
    """The rule cannot be judged now; never shown as passed."""

    reason: str


Step: TypeAlias = (
    Settled
    | PerValue
    | PerRow
    | Query
    | Measured
    | Asked
    | Counted
    | ByFunction
    | ByPandera
    | BySchema
    | NotRun
)
