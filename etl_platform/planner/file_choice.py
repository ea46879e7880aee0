"""Which files may hold rows that matter: conditions on bounds, decided by DuckDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING

from etl_platform.core.duck import sealed
from etl_platform.core.names import TableName
from etl_platform.lakehouse.bounds import file_bounds
from etl_platform.planner.conditions import Bounds, columns_of, parameters_of
from etl_platform.planner.references import Link, Reference

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from etl_platform.lakehouse.log import Snapshot


class FileChoice:
    """The bounds of some tables' files, to be asked about; closed after use.

    Args:
        snapshots: the tables.
        references: every place that names them.
        params: values of the parameters that conditions mention, by name.
    """

    def __init__(
        self,
        snapshots: Mapping[TableName, Snapshot],
        references: Mapping[TableName, Sequence[Reference]],
        params: Mapping[str, object],
    ) -> None:
        self._con = _session().cursor()
        self._params = params
        self._names: dict[TableName, str] = {}
        self._files: dict[TableName, int] = {}
        self._keys: list[str] = []
        self._columns: dict[TableName, dict[str, int]] = {}
        for i, (table, wanted) in enumerate(_columns(references).items()):
            self._names[table] = f"bounds_{i}"
            self._files[table] = len(snapshots[table].files)
            self._columns[table] = {column: place for place, column in enumerate(sorted(wanted))}
            self._con.register(
                self._names[table], file_bounds(snapshots[table], self._columns[table])
            )

    def __enter__(self) -> FileChoice:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in (*self._names.values(), *self._keys):
            self._con.unregister(name)
        self._con.close()

    def may_matter(
        self, reference: Reference, among: Collection[int] | None = None, extra: Sequence[str] = ()
    ) -> frozenset[int]:
        """Places of the files that may hold rows for a reference.

        Args:
            among: only these files; None for all.
            extra: further SQL conditions on the bounds.

        Raises:
            duckdb.Error: a condition cannot be evaluated; neither can it be in the query.
        """
        table = reference.table
        if not reference.conditions and not extra:
            return frozenset(range(self._files[table]) if among is None else among)
        parts = [c.may(lambda name: self.bounds(table, name)) for c in reference.conditions]
        parts += extra
        if among is not None:
            parts.append(_one_of(among))
        where = " AND ".join(parts) or "true"
        names = {name for c in reference.conditions for name in parameters_of(c)}
        rows = self._con.execute(
            f"SELECT file FROM {self._names[table]} WHERE {where}",
            {name: self._params[name] for name in names},
        ).fetchall()
        return frozenset(int(row[0]) for row in rows)

    def within(self, link: Link, table: TableName, among: Collection[int]) -> str:
        """The condition on a table's bounds that a link to some files of another one makes.

        Always true when a bound of one of these files is not known, or there are no files.
        """
        mine, theirs = (
            self.bounds(table, link.column),
            self.bounds(link.other.table, link.other_column),
        )
        known = (
            f"(({theirs.low} IS NOT NULL AND {theirs.high} IS NOT NULL) OR {theirs.nulls} >= rows)"
        )
        low, high = (
            f"(SELECT CASE WHEN bool_and({known}) THEN {call} END "
            f"FROM {self._names[link.other.table]} WHERE {_one_of(among)})"
            for call in (f"min({theirs.low})", f"max({theirs.high})")
        )
        outside = f"{mine.high} < {low} OR {mine.low} > {high} OR {mine.nulls} >= rows"
        return f"(({outside}) IS NOT TRUE)"

    def holding(self, table: TableName, column: str, keys: pa.Table) -> str:
        """The condition on a table's bounds that one of some keys lies between them."""
        name, mine = f"keys_{len(self._keys)}", self.bounds(table, column)
        self._con.register(name, keys)
        self._keys.append(name)
        held = f"EXISTS (SELECT 1 FROM {name} WHERE key >= {mine.low} AND key <= {mine.high})"
        unknown = f"{mine.low} IS NULL OR {mine.high} IS NULL"
        return f"(({unknown} OR {held}) AND ({mine.nulls} >= rows) IS NOT TRUE)"

    def bounds(self, table: TableName, column: str) -> Bounds:
        """Where the bounds of a column stand."""
        place = self._columns[table][column]
        return Bounds(f"lo_{place}", f"hi_{place}", f"nulls_{place}")


def _one_of(files: Collection[int]) -> str:
    return f"file IN ({', '.join(map(str, sorted(files)))})" if files else "false"


def _columns(references: Mapping[TableName, Sequence[Reference]]) -> dict[TableName, set[str]]:
    wanted: dict[TableName, set[str]] = {}
    for table, found in references.items():
        for reference in found:
            names = wanted.setdefault(table, set())
            for condition in reference.conditions:
                names |= columns_of(condition)
            for link in reference.links:
                names.add(link.column)
                wanted.setdefault(link.other.table, set()).add(link.other_column)
    return wanted


@cache
def _session() -> duckdb.DuckDBPyConnection:
    """A session without files or network; each use takes a cursor, so threads can share it."""
    return sealed()
