"""Lineage as a tree of text, the form for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from etl_platform.core.names import QUARANTINE_SUFFIX
from etl_platform.planner.lineage.graph import Edge, LineageGraph, Node, NodeKind

_NAMES_IN_A_LINE = 6


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of the tree with what hangs below it; ``notes`` stand between the two."""

    text: str
    notes: tuple[str, ...] = ()
    below: tuple[Branch, ...] = ()


def branches(graph: LineageGraph, *, up: bool) -> tuple[Branch, ...]:
    """What the table or column comes from (``up``), or what is made of it.

    A table that hangs in several places is followed in the first.
    """
    reading = _Reading(graph, up=up)
    if graph.column is not None and graph.node(graph.table).traced:
        return tuple(reading.columns(graph.table, graph.column, set()))
    return tuple(reading.tables(graph.table, {graph.table}))


def nothing(graph: LineageGraph, *, up: bool) -> str | None:
    """Why there are no :func:`branches`; None where that goes without saying."""
    node = graph.node(graph.table)
    if node.kind is (NodeKind.SOURCE if up else NodeKind.SINK):
        return None
    if not up:
        return "goes into nothing that was published"
    if node.name.endswith(QUARANTINE_SUFFIX):
        kept_from = node.name.removesuffix(QUARANTINE_SUFFIX)
        return f"holds the rows that the contract of {kept_from} kept out: see there"
    if not node.traced:
        return "its origin was not recorded: it is not made by a SQL model or read from a database"
    what = "column" if graph.column else "table"
    return f"comes from no {what}: a constant, a count of rows, or the clock"


def heading(node: Node) -> str:
    """The table's name, with its version or the kind of its database."""
    if node.kind is NodeKind.TABLE:
        return node.name if node.version is None else f"{node.name}  version {node.version}"
    return f"{node.name}  {node.system or node.kind}"


class _Reading:
    """The edges of a graph, seen in one direction."""

    def __init__(self, graph: LineageGraph, *, up: bool) -> None:
        self._up = up
        self._nodes = {node.name: node for node in graph.nodes}
        self._next = defaultdict[str, dict[str, list[Edge]]](dict)
        for edge in graph.edges:
            near, far = (edge.table, edge.from_table) if up else (edge.from_table, edge.table)
            self._next[near].setdefault(far, []).append(edge)

    def columns(self, table: str, column: str, seen: set[tuple[str, str]]) -> Iterator[Branch]:
        for far, edges in self._next[table].items():
            for edge in edges:
                near_column, far_column = edge.column, edge.from_column
                if not self._up:
                    near_column, far_column = far_column, near_column
                if near_column is None or far_column is None:
                    notes = ("which columns is not recorded",)
                    yield Branch(heading(self._nodes[far]), notes)
                elif near_column == column:
                    yield self._column(far, far_column, seen)

    def _column(self, table: str, column: str, seen: set[tuple[str, str]]) -> Branch:
        node = self._nodes[table]
        text = f"{table}.{column}"
        if node.kind is not NodeKind.TABLE:
            text += f"  {node.system or node.kind}"
        if (table, column) in seen:
            return Branch(text, ("see above",) if self._next[table] else ())
        seen.add((table, column))
        return Branch(text, (), tuple(self.columns(table, column, seen)))

    def tables(self, table: str, seen: set[str]) -> Iterator[Branch]:
        for far, edges in self._next[table].items():
            notes = tuple(self._notes(edges))
            if far in seen:
                again = ("see above",) if self._next[far] else ()
                yield Branch(heading(self._nodes[far]), (*notes, *again))
                continue
            seen.add(far)
            yield Branch(heading(self._nodes[far]), notes, tuple(self.tables(far, seen)))

    def _notes(self, edges: list[Edge]) -> Iterator[str]:
        named = [edge for edge in edges if edge.column is not None]
        if not named:
            traced = self._nodes[edges[0].table].traced
            yield "no column here comes from it" if traced else "which columns is not recorded"
            return
        together = defaultdict[str | None, list[Edge]](list)
        for edge in named:
            together[edge.column].append(edge)
        same = [
            column
            for column, found in together.items()
            if len(found) == 1 and found[0].from_column == column
        ]
        for start in range(0, len(same), _NAMES_IN_A_LINE):
            yield ", ".join(str(name) for name in same[start : start + _NAMES_IN_A_LINE])
        for column, found in together.items():
            if column not in same:
                yield f"{column} ← {', '.join(str(edge.from_column) for edge in found)}"
