"""What lint looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.advice.blocks import Block
from etl_platform.planner.advice.knowledge import TableKnowledge
from etl_platform.planner.parsing import line_and_column

Severity: TypeAlias = Literal["warning", "note"]
"""``warning``: the result is probably not what is meant. ``note``: more is done than is needed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a statement that is worth a second look.

    Attributes:
        code: name of the lint.
        line, column: where it stands, counted from 1; 0 where the parser does not tell.
        message: what is the matter.
        fix: what to write instead.
    """

    code: str
    severity: Severity
    line: int
    column: int
    message: str
    fix: str

    @property
    def place(self) -> str:
        """``line:column``, or an empty text."""
        return f"{self.line}:{self.column}" if self.line else ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement under lint.

    Attributes:
        written: as it was written, parsed.
        blocks: its SELECTs with every name resolved; none where only DuckDB can resolve them.
        tables: what is known of the tables that it names.
    """

    written: exp.Query
    blocks: tuple[Block, ...]
    tables: Mapping[TableName, TableKnowledge]

    def known(self, table: TableName | None) -> TableKnowledge | None:
        """What is known of a table; None also where a policy changes what is seen of it."""
        found = None if table is None else self.tables.get(table)
        return None if found is None or found.withheld else found


Lint: TypeAlias = Callable[[Statement], Iterable[Finding]]


def finding(
    code: str, severity: Severity, node: exp.Expr | None, message: str, fix: str
) -> Finding:
    """A finding at the place of a node, or of what stands around it."""
    places: list[tuple[int, int]] = []
    while node is not None and not places:
        places = [
            place for name in node.find_all(exp.Identifier) if (place := line_and_column(name))[0]
        ]
        node = node.parent
    line, column = min(places, default=(0, 0))
    return Finding(code, severity, line, column, message, fix)
