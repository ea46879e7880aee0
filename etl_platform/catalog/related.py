"""Columns that another one can be joined with: by meaning, type and the overlap of their values.

Overlap is estimated from the kept profiles alone: both columns have the smallest hashes of their
values (k minimum values); below the smaller of both ends every value of either is known, so the
share of one's hashes there that the other has is an unbiased estimate of its containment (Beyer et
al. 2007). No table is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.catalog.words import terms
from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from etl_platform.catalog.search import Reader
    from etl_platform.catalog.snapshot import Snapshot
    from etl_platform.lakehouse import Lake
    from etl_platform.quality.profiles.distinct import DistinctSketch
    from etl_platform.quality.profiles.sketch import ColumnSketch

_LEAST_HASHES = 10
"""Fewer hashes below the common end say nothing."""
_LEAST_SHARE = 0.05
_ALIKE = 0.55
_FEW_VALUES = 20


@dataclass(frozen=True, slots=True)
class Related:
    """A column that another one may be joined with.

    Attributes:
        name: ``schema.table.column``.
        score: 0 to 1.
        share: of the asked column's values, those that this one has; None where that is not known.
        back: of this column's values, those that the asked one has.
        meaning: nearness in meaning, from the catalogue, else the share of words in common.
        is_key: whether every value of this column is another one.
        why: all of it in words.
    """

    name: str
    dtype: str
    score: float
    share: float | None
    back: float | None
    meaning: float
    is_key: bool
    why: str


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    sketch: ColumnSketch
    values: DistinctSketch | None

    @property
    def is_key(self) -> bool:
        rows = self.sketch.rows - self.sketch.nulls
        return self.values is not None and 0 < rows <= self.values.estimate() * 1.02


def related(
    lake: Lake,
    asked: str,
    *,
    snapshot: Snapshot | None = None,
    reader: Reader | None = None,
    limit: int = 10,
) -> list[Related]:
    """The columns that fit best, best first, of other tables and of the same.

    Args:
        asked: ``schema.table.column``.
        snapshot: the catalogue, for nearness in meaning.
        reader: whose policies hold; of a table that he does not see whole no value is compared.

    Raises:
        UnknownName: there is no such table or column, or the reader may not know of it.
    """
    schema, _, rest = asked.partition(".")
    table, _, column = rest.partition(".")
    name = TableName(schema, table)
    known = [one for one in lake.names() if reader is None or reader.sees(one.sql)]
    if name not in known:
        raise UnknownName("table", name.sql, [one.sql for one in known])
    own = {one.sketch.name: one for one in _columns(lake, name, reader)}
    if column not in own:
        profiled = lake.profile(name)
        if profiled is None:
            raise UnknownName("profiled table", name.sql, [])
        raise UnknownName("column", column, own)
    mine = own[column]
    meanings = _Meanings(snapshot, mine.name)
    found = [
        _judged(mine, other, meanings.of(other.name))
        for each in known
        if not each.is_quarantine
        for other in (own.values() if each == name else _columns(lake, each, reader))
        if other.name != mine.name and other.sketch.family == mine.sketch.family
    ]
    fitting = [one for one in found if one is not None]
    return sorted(fitting, key=lambda one: (-one.score, one.name))[:limit]


def _columns(lake: Lake, table: TableName, reader: Reader | None) -> Iterator[_Column]:
    from etl_platform.quality.profiles.column import Column

    profile = lake.profile(table)
    if profile is None or profile.sketch is None:
        return
    whole = reader is None or reader.sees_whole(table.sql)
    for sketch in profile.sketch.columns:
        name = f"{table.sql}.{sketch.name}"
        if reader is None or reader.sees(name):
            yield _Column(name, sketch, Column.thaw(sketch).fold().distinct if whole else None)


def _judged(mine: _Column, other: _Column, meaning: float) -> Related | None:
    share = back = None
    if mine.values is not None and other.values is not None:
        share = overlap(mine.values, other.values)
        back = overlap(other.values, mine.values)
    if (share or 0) < _LEAST_SHARE and (share is not None or meaning < _ALIKE):
        return None
    few = mine.values is not None and len(mine.values.smallest) < _FEW_VALUES
    # Small numbers and yes or no are everywhere: then the meaning has to say more.
    weight = 0.3 if few or mine.sketch.family in ("integer", "boolean") else 0.65
    score = weight * (share or 0) + (0.9 - weight) * meaning + 0.1 * other.is_key
    told = [
        "values cannot be compared"
        if share is None or back is None
        else f"{share:.0%} of its values are there, {back:.0%} of theirs here",
        f"meaning {meaning:.2f}",
        f"both {mine.sketch.dtype}"
        if mine.sketch.dtype == other.sketch.dtype
        else f"{mine.sketch.dtype} and {other.sketch.dtype}",
    ]
    if other.is_key:
        told.append("each value once there")
    return Related(
        other.name,
        other.sketch.dtype,
        round(score, 3),
        share,
        back,
        round(meaning, 3),
        other.is_key,
        "; ".join(told),
    )


def overlap(one: DistinctSketch, other: DistinctSketch) -> float | None:
    """The share of one's distinct values that the other has; None where too little is known."""
    import numpy as np

    ours, theirs = _below(one, other), _below(other, one)
    exact = one.exact and other.exact
    if not len(ours) or (len(ours) < _LEAST_HASHES and not exact):
        return None
    return float(np.isin(ours, theirs, assume_unique=True).sum() / len(ours))


def _below(one: DistinctSketch, other: DistinctSketch) -> NDArray[np.uint64]:
    if other.exact:
        return one.smallest
    return one.smallest[one.smallest <= other.smallest[-1]]


class _Meanings:
    """Nearness of columns to one of them, by the catalogue or by the words of their names."""

    def __init__(self, snapshot: Snapshot | None, asked: str) -> None:
        self._words = set(terms(asked.rpartition(".")[2]))
        self._near: dict[str, float] = {}
        if snapshot is None:
            return
        rows: dict[str, list[int]] = {}
        for row, identity in enumerate(snapshot.ids):
            if identity.startswith("column:"):
                rows.setdefault(snapshot.document(row).name, []).append(row)
        mine = rows.pop(asked, [])
        if mine:
            for name, theirs in rows.items():
                near = snapshot.vectors[theirs] @ snapshot.vectors[mine].T
                self._near[name] = max(0.0, float(near.max()))

    def of(self, name: str) -> float:
        """0 to 1."""
        theirs = set(terms(name.rpartition(".")[2]))
        either = self._words | theirs
        common = len(self._words & theirs) / len(either) if either else 0.0
        return max(common, self._near.get(name, 0.0))
