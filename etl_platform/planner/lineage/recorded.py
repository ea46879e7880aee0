"""The lineage that the tables of a lake carry themselves, read from their newest commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError, UnknownName, nearest
from etl_platform.core.names import DEFAULT_SCHEMA
from etl_platform.planner.lineage.graph import Atlas, Known, LineageGraph, NodeKind

if TYPE_CHECKING:
    from etl_platform.lakehouse import External, Lake, Origin
    from etl_platform.lakehouse.destinations import Destination
    from etl_platform.lakehouse.log import Snapshot


def recorded_lineage(
    lake: Lake, name: str, *, up: bool = True, down: bool = True, depth: int | None = None
) -> LineageGraph:
    """The graph around a table or column, see :meth:`Platform.lineage`.

    Raises:
        PermanentError: nothing was ever published under that name.
        UnknownName: the table has no such column.
    """
    atlas = read_atlas(lake)
    table, column = _named(atlas, name)
    return atlas.graph(table, column, up=up, down=down, depth=depth)


def read_atlas(lake: Lake) -> Atlas:
    """What every table of the lake tells about its origin; no data are read.

    One look into each table's log: milliseconds per table.
    """
    from etl_platform.lakehouse.destinations import destinations_of

    names = lake.names()
    found = [_known(lake.snapshot(table)) for table in names]
    tables = {known.name: known for known, _ in found}
    for sink in _loaded((t.sql, one) for t in names for one in destinations_of(lake.root, t)):
        tables[sink.name] = sink
    for outside in _outside(origin for _, origin in found if origin is not None):
        # What was loaded into a database may be read from there again.
        tables.setdefault(outside.name, outside)
    return Atlas(tables)


def _known(snapshot: Snapshot) -> tuple[Known, Origin | None]:
    from etl_platform.lakehouse import Origin

    origin = Origin.of(snapshot.annotations())
    columns = tuple(snapshot.schema.names)
    version = snapshot.version
    name = snapshot.table.sql
    if origin is None:
        return Known(name, NodeKind.TABLE, columns, version=version), None
    if origin.source is not None:
        outside = str(origin.source)
        read = {column: ((outside, column),) for column in origin.source_columns}
        sources = {column: read.get(column, ()) for column in columns} if read else None
        return Known(name, NodeKind.TABLE, columns, (outside,), sources, version=version), origin
    sources = None
    if origin.columns is not None:
        sources = {
            column: tuple((table.sql, source) for table, source in origin.columns.get(column, ()))
            for column in columns
        }
    inputs = (*(table.sql for table in origin.inputs), *map(str, origin.outside))
    return Known(name, NodeKind.TABLE, columns, inputs, sources, version=version), origin


def _outside(origins: Iterable[Origin]) -> Iterator[Known]:
    """Each table of a database once, with the columns that any table of the lake reads."""
    columns: dict[External, dict[str, None]] = {}
    for origin in origins:
        if origin.source is not None:
            columns.setdefault(origin.source, {}).update(dict.fromkeys(origin.source_columns))
        for source in origin.outside:
            columns.setdefault(source, {})
    for source, names in columns.items():
        yield Known(str(source), NodeKind.SOURCE, tuple(names), (), {}, source.kind)


def _loaded(destinations: Iterable[tuple[str, Destination]]) -> Iterator[Known]:
    """Each table of a target once, with all tables of the lake that were loaded into it."""
    loads: dict[External, list[tuple[str, Destination]]] = {}
    for table, destination in destinations:
        loads.setdefault(destination.target, []).append((table, destination))
    for target, found in loads.items():
        sources: dict[str, tuple[tuple[str, str], ...]] = {}
        for table, destination in found:
            for there, here in destination.columns.items():
                sources[there] = (*sources.get(there, ()), (table, here))
        inputs = tuple(table for table, _ in found)
        yield Known(str(target), NodeKind.SINK, tuple(sources), inputs, sources, target.kind)


def _named(atlas: Atlas, text: str) -> tuple[str, str | None]:
    """The table and column that a text names; the longest name of a table wins."""
    wanted = text.strip()
    for name in (wanted, wanted.replace("/", "."), f"{DEFAULT_SCHEMA}.{wanted}"):
        if name in atlas.tables:
            return name, None
        table, dot, column = name, ".", ""
        while dot:
            table, dot, rest = table.rpartition(".")
            column = f"{rest}.{column}" if column else rest
            if table in atlas.tables:
                return table, _column(atlas.tables[table], column)
    guess = nearest(wanted.rpartition(".")[0] if wanted.count(".") > 1 else wanted, atlas.tables)
    raise PermanentError(
        f"no lineage is recorded of {text!r}: the lake has no such table",
        valid=", ".join(sorted(atlas.tables)[:20]) or "there is no table yet",
        fix=(f"did you mean {guess!r}? " if guess else "")
        + "a table's lineage is recorded when it is materialised",
    )


def _column(known: Known, name: str) -> str:
    folded = {column.lower(): column for column in known.columns}
    if name.lower() not in folded:
        raise UnknownName("column", name, known.columns, where=known.name)
    return folded[name.lower()]
