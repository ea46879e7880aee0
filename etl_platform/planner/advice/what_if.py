"""The files that a table would have if it were partitioned or sorted, asked as real ones are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, sealed
from etl_platform.planner.advice.values import number, of_profile
from etl_platform.planner.conditions import Bounds, Condition, parameters_of

if TYPE_CHECKING:
    from etl_platform.quality.profile import ColumnProfile

_MOST = 1_000
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_ORDERED = (*_WHOLE, "DECIMAL", "DOUBLE", "FLOAT", "DATE", "TIMESTAMP")
_BY_VALUE = (*_WHOLE, "VARCHAR", "DATE", "BOOLEAN")
_OTHER = "\U0010fffd"
_BOUNDS = Bounds("lo", "hi", "nulls", "rows")


@dataclass(frozen=True, slots=True)
class File:
    """One file that there would be: texts of its smallest and largest value, nulls, rows."""

    low: str | None
    high: str | None
    nulls: float
    rows: float


def partitions(column: ColumnProfile, kind: str, rows: int) -> list[File]:
    """A file for each value of a column; none for types and counts that make no partitions.

    Values that the profile does not list are spread evenly between the smallest and the largest.
    """
    distinct = column.distinct or 0
    if kind not in _BY_VALUE or not 2 <= distinct <= _MOST or column.pii is not None:
        return []
    files = [File(_text(value), _text(value), 0, count) for value, count in column.top]
    missing = distinct - len(files)
    if missing > 0:
        each = max(rows - column.nulls - sum(file.rows for file in files), 0) / missing
        if kind == "VARCHAR":
            files += [File(_OTHER, _OTHER, 0, each)] * missing
        else:
            total = (rows - column.nulls) / distinct
            points = _points(column, rows, kind, [i / (distinct - 1) for i in range(distinct)])
            files = [File(point, point, 0, total) for point in points]
    if column.nulls:
        files.append(File(None, None, column.nulls, column.nulls))
    return files


def sorted_files(column: ColumnProfile, kind: str, rows: int, count: int) -> list[File]:
    """So many files of equal size in the order of a column; none where its order is not known."""
    if not kind.startswith(_ORDERED) or count < 2 or column.nulls * 2 > rows:
        return []
    edges = _points(column, rows, kind, [i / count for i in range(count + 1)], by_rows=True)
    return [File(low, high, 0, rows / count) for low, high in pairwise(edges)]


class WhatIf:
    """Asks DuckDB, with the conditions that choose files in queries; closed after use."""

    def __init__(self) -> None:
        self._con = sealed()
        self._con.execute("SET TimeZone = 'UTC'")

    def close(self) -> None:
        """Free the session."""
        self._con.close()

    def share(
        self,
        files: Sequence[File],
        kind: str,
        conditions: Sequence[Condition],
        bound: Mapping[str, object],
    ) -> float:
        """The share of rows that is in files which may hold a row that fulfils all conditions."""
        if not conditions:
            return 1.0
        where = " AND ".join(condition.may(lambda _: _BOUNDS) for condition in conditions)
        names = {name for condition in conditions for name in parameters_of(condition)}
        values = ", ".join(
            f"({_sql(file.low, kind)}, {_sql(file.high, kind)}, {file.nulls}, {file.rows})"
            for file in files
        )
        row = self._con.execute(
            f"SELECT coalesce(sum(rows) FILTER (WHERE {where}), 0) / sum(rows) "
            f"FROM (VALUES {values}) t(lo, hi, nulls, rows)",
            {name: bound[name] for name in names},
        ).fetchall()
        return float(row[0][0])


def _points(
    column: ColumnProfile, rows: int, kind: str, shares: Sequence[float], *, by_rows: bool = False
) -> list[str]:
    """Values at shares of the rows, or of the distance from the smallest to the largest."""
    curve = [
        (share, point)
        for share, value in of_profile(column, rows).curve
        if (point := number(value)) is not None
    ]
    if not curve:
        return []
    if not by_rows:
        curve = [(0.0, curve[0][1]), (1.0, curve[-1][1])]
    return [_written(_at(curve, share), kind) for share in shares]


def _at(curve: Sequence[tuple[float, float]], share: float) -> float:
    before = curve[0]
    for after in curve:
        if after[0] >= share:
            width = after[0] - before[0]
            part = (share - before[0]) / width if width else 1.0
            return before[1] + (after[1] - before[1]) * part
        before = after
    return curve[-1][1]


def _written(point: float, kind: str) -> str:
    if kind == "DATE":
        return datetime.fromtimestamp(point, UTC).date().isoformat()
    if kind.startswith("TIMESTAMP"):
        return datetime.fromtimestamp(point, UTC).isoformat(sep=" ")
    return str(round(point)) if kind in _WHOLE else repr(point)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sql(value: str | None, kind: str) -> str:
    return "NULL" if value is None else f"CAST({literal(value)} AS {kind})"
