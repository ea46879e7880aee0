"""Column lineage over many hops, as data: nodes are tables in and around the lake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

Place: TypeAlias = tuple[str, str | None]
"""A node and one of its columns; None is the table as a whole, where columns are not known."""


class NodeKind(StrEnum):
    """Where a table is."""

    TABLE = "table"
    """In the lake."""
    SOURCE = "source"
    """In a database that the lake reads."""
    SINK = "sink"
    """In a database that the lake is loaded into."""


@dataclass(frozen=True, slots=True)
class Node:
    """A table, and its columns that belong to the graph, in the table's order.

    ``name`` is the SQL name of a table of the lake, otherwise the name of the database in the
    project, a colon and the table's own name; ``system`` is the kind of that database. ``version``
    is the table's newest. ``traced`` is False where nobody recorded where its columns come from.
    """

    name: str
    kind: NodeKind
    columns: tuple[str, ...]
    system: str | None = None
    version: int | None = None
    traced: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """Values of ``column`` of ``table`` are computed from ``from_column`` of ``from_table``.

    Both columns are None where a table reads another, and no column in the graph is known to come
    from it: because nobody recorded it, or because it decides only which rows there are.
    """

    from_table: str
    from_column: str | None
    table: str
    column: str | None

    @classmethod
    def between(cls, source: Place, made: Place) -> Edge:
        """From one place to another; what is not known of one end is not told of the other."""
        if source[1] is None or made[1] is None:
            return cls(source[0], None, made[0], None)
        return cls(*source, *made)


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """What was asked for, and everything up and down from it.

    ``column`` is None when the whole table was asked for. ``nodes`` stand in the order in which
    they are met: the table itself first, then upwards and downwards.
    """

    table: str
    column: str | None
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def node(self, name: str) -> Node:
        """The node of that name; raises ``KeyError`` when it is not part of the graph."""
        found = {node.name: node for node in self.nodes}
        return found[name]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one table: all its columns, and for each the columns that it comes from.

    ``sources`` is None where that was not recorded. ``inputs`` are the tables that it reads.
    """

    name: str
    kind: NodeKind
    columns: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    sources: Mapping[str, tuple[tuple[str, str], ...]] | None = None
    system: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Atlas:
    """Everything that is known of tables, by name, and the same read backwards."""

    tables: Mapping[str, Known]

    @cached_property
    def _users(self) -> Mapping[Place, Mapping[Place, None]]:
        users = defaultdict[Place, dict[Place, None]](dict)
        for known in self.tables.values():
            for table in known.inputs:
                users[table, None][known.name, None] = None
            for column, sources in (known.sources or {}).items():
                for source in sources:
                    users[source][known.name, column] = None
        return users

    def graph(
        self,
        table: str,
        column: str | None = None,
        *,
        up: bool = True,
        down: bool = True,
        depth: int | None = None,
    ) -> LineageGraph:
        """What a table or column comes from (``up``) and what is made of it (``down``).

        Args:
            depth: how many tables away from it; None is as far as it goes.
        """
        known = self.tables[table]
        start: list[Place] = [(table, column)]
        if column is None:
            start += [(table, name) for name in known.columns]
        edges = dict[Edge, None]()
        if up:
            edges |= dict.fromkeys(
                Edge.between(other, place)
                for place, other in self._walk(start, depth, self._sources)
            )
        if down:
            edges |= dict.fromkeys(
                Edge.between(place, other)
                for place, other in self._walk(start, depth, self._used_by)
            )
        drawn = _without_repeats(edges)
        return LineageGraph(table, column, tuple(self._nodes(start, drawn)), tuple(drawn))

    def _walk(
        self,
        start: Iterable[Place],
        depth: int | None,
        neighbours: Callable[[Place], Iterable[Place]],
    ) -> Iterator[tuple[Place, Place]]:
        waiting, seen, hops = list(start), set(start), 0
        while waiting and (depth is None or hops < depth):
            hops += 1
            reached: list[Place] = []
            for place in waiting:
                for other in neighbours(place):
                    yield place, other
                    if other not in seen:
                        seen.add(other)
                        reached.append(other)
            waiting = reached

    def _sources(self, place: Place) -> Iterable[Place]:
        name, column = place
        known = self.tables.get(name)
        if known is None:
            return ()
        if column is None or known.sources is None:
            return [(table, None) for table in known.inputs]
        return known.sources.get(column, ())

    def _used_by(self, place: Place) -> Iterable[Place]:
        name, column = place
        readers = self._users.get((name, None), {})
        if column is None:
            return readers
        # Where nothing is known of a reader's columns, this column may be in any of them.
        unknown = [reader for reader in readers if self.tables[reader[0]].sources is None]
        return (*self._users.get(place, ()), *unknown)

    def _nodes(self, start: Iterable[Place], edges: Iterable[Edge]) -> Iterator[Node]:
        met = dict[str, set[str]]()
        for name, column in (*start, *_ends(edges)):
            met.setdefault(name, set()).update(() if column is None else (column,))
        for name, columns in met.items():
            known = self.tables.get(name) or Known(name, NodeKind.TABLE, tuple(sorted(columns)))
            # A column that is gone by now stays in the lineage of what was made from it.
            gone = sorted(columns.difference(known.columns))
            yield Node(
                name,
                known.kind,
                (*(column for column in known.columns if column in columns), *gone),
                known.system,
                known.version,
                traced=known.sources is not None or known.kind is not NodeKind.TABLE,
            )


def _ends(edges: Iterable[Edge]) -> Iterator[Place]:
    for edge in edges:
        yield edge.from_table, edge.from_column
        yield edge.table, edge.column


def _without_repeats(edges: Iterable[Edge]) -> list[Edge]:
    """Without edges between tables of which edges between columns tell more."""
    found = list(edges)
    told = {(edge.from_table, edge.table) for edge in found if edge.column is not None}
    return [e for e in found if e.column is not None or (e.from_table, e.table) not in told]
