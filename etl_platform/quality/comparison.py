"""What changed between two profiles: of two versions of a table, or of two tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from etl_platform.quality.distribution import Distance, distance
from etl_platform.quality.profile import ColumnProfile, Profile

Verdict: TypeAlias = Literal["same", "changed", "drifted", "retyped", "added", "removed"]
"""``changed`` is worth a look, ``drifted`` is another population, the others speak of columns."""

VERDICTS: tuple[Verdict, ...] = ("removed", "retyped", "added", "drifted", "changed", "same")

KS_MODERATE, KS_LARGE = 0.1, 0.2
"""Share of rows that moved; below that even a sure difference is no news in a large table."""
_NULLS_MODERATE, _NULLS_LARGE = 0.01, 0.1
_SURE = 3.29
"""Standard errors that chance passes once in 1,000 times."""
_DISTINCT_MODERATE = 0.2
_ALIKE = 2
_ALL_DIFFERENT = 0.95

_Finding: TypeAlias = tuple[Verdict, str]


class ColumnChange(BaseModel):
    """One column in two profiles.

    Attributes:
        before, after: None where the column is not there.
        psi: population stability index; None where it has no meaning.
        ks: Kolmogorov-Smirnov distance, of columns whose values stand on an axis.
        basis: what psi and ks were computed from.
        reasons: what led to the verdict, in words.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    before: ColumnProfile | None = None
    after: ColumnProfile | None = None
    psi: float | None = None
    ks: float | None = None
    basis: Literal["quantiles", "values", "histogram"] | None = None


class Comparison(BaseModel):
    """Two profiles, column by column in the order of the later one; removed columns come last."""

    model_config = ConfigDict(frozen=True)

    rows_before: int
    rows_after: int
    score_before: float | None
    score_after: float | None
    columns: tuple[ColumnChange, ...]

    @property
    def verdict(self) -> Verdict:
        """The gravest one of the columns."""
        return _gravest(column.verdict for column in self.columns)


def compare(before: Profile, after: Profile) -> Comparison:
    """Compare two profiles; reads no data.

    A column is ``drifted`` with a PSI of 0.25 or a KS distance of 0.2 (if that is beyond chance at
    0.1 %), a null share that moved by a tenth, or values that repeat where each row had its own;
    ``changed`` with a PSI of 0.1, a KS distance of 0.1, a null share that moved by a hundredth
    (each beyond chance), or a number of distinct values that grew neither with the rows nor stayed.
    Days and moments move with time, keys with every row: their distributions are not judged.
    """
    old = {column.name: column for column in before.columns}
    changes = [
        ColumnChange(name=column.name, verdict="added", after=column)
        if column.name not in old
        else _change(before, after, old[column.name], column)
        for column in after.columns
    ]
    known = {column.name for column in after.columns}
    changes += [
        ColumnChange(name=name, verdict="removed", before=column)
        for name, column in old.items()
        if name not in known
    ]
    return Comparison(
        rows_before=before.rows,
        rows_after=after.rows,
        score_before=before.score.total if before.score else None,
        score_after=after.score.total if after.score else None,
        columns=tuple(changes),
    )


def _change(before: Profile, after: Profile, a: ColumnProfile, b: ColumnProfile) -> ColumnChange:
    if _kind(a) != _kind(b):
        reason = f"type was {a.dtype}, is {b.dtype}"
        return ColumnChange(name=b.name, verdict="retyped", reasons=(reason,), before=a, after=b)
    own_values = _own_values(a, before.rows) and _own_values(b, after.rows)
    moved = Distance() if own_values or a.time or b.time else distance(before, after, b.name)
    found = [*_nulls(a, b, before.rows, after.rows), *_values(before, after, a, b)]
    if not own_values:
        found += [*_distinct(a, b, before.rows, after.rows), *_drift(moved)]
    if a.pii != b.pii and before.rows and after.rows:
        found.append(("changed", f"personal data: was {a.pii or 'none'}, is {b.pii or 'none'}"))
    return ColumnChange(
        name=b.name,
        verdict=_gravest(verdict for verdict, _ in found),
        reasons=tuple(reason for _, reason in found),
        before=a,
        after=b,
        psi=moved.psi,
        ks=moved.ks,
        basis=moved.basis,
    )


def _gravest(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    for verdict in VERDICTS:
        if verdict in found:
            return verdict
    return "same"


def _kind(column: ColumnProfile) -> str:
    """The type without its width: a wider one holds the same values."""
    return column.dtype.rstrip("0123456789").partition("(")[0]


def _own_values(column: ColumnProfile, rows: int) -> bool:
    """Like a key. That measured numbers differ from each other says nothing."""
    present = rows - column.nulls
    if column.distinct is None or present < 2 or _kind(column) in ("float", "decimal"):
        return False
    least = _ALL_DIFFERENT * (1 - column.distinct_error)
    return column.distinct >= least * present


def _nulls(a: ColumnProfile, b: ColumnProfile, rows: int, rows_now: int) -> Iterator[_Finding]:
    if not rows or not rows_now:
        return
    was, now = a.nulls / rows, b.nulls / rows_now
    pooled = (a.nulls + b.nulls) / (rows + rows_now)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / rows_now))
    if abs(now - was) < _NULLS_MODERATE or abs(now - was) <= _SURE * error:
        return
    verdict: Verdict = "drifted" if abs(now - was) >= _NULLS_LARGE else "changed"
    yield verdict, f"nulls went from {was:.1%} to {now:.1%}"


def _values(
    before: Profile, after: Profile, a: ColumnProfile, b: ColumnProfile
) -> Iterator[_Finding]:
    was_key = any(key.columns == (a.name,) for key in before.keys)
    repeats = any(rows > 1 for _, rows in b.top) or not _own_values(b, after.rows)
    if was_key and repeats and after.rows - b.nulls > 1:
        yield "drifted", "values repeat, each row had one of its own"
    if (a.nan or a.infinite or 0) == 0 and (b.nan or b.infinite or 0) > 0:
        yield "changed", f"{(b.nan or 0) + (b.infinite or 0):,} rows are not finite"


def _distinct(a: ColumnProfile, b: ColumnProfile, rows: int, rows_now: int) -> Iterator[_Finding]:
    present, present_now = rows - a.nulls, rows_now - b.nulls
    if not a.distinct or not b.distinct:
        return
    # Of far fewer rows there are fewer values, however they are distributed.
    if max(present, present_now) > _ALIKE * min(present, present_now):
        return
    allowed = _DISTINCT_MODERATE + a.distinct_error + b.distinct_error
    absolute = abs(b.distinct / a.distinct - 1)
    per_row = abs((b.distinct / present_now) / (a.distinct / present) - 1)
    if min(absolute, per_row) > allowed:
        yield "changed", f"distinct values went from {a.distinct:,} to {b.distinct:,}"


def _drift(moved: Distance) -> Iterator[_Finding]:
    from etl_platform.quality.anomalies.drift import PSI_LARGE, PSI_MODERATE

    if moved.psi is not None and moved.psi >= PSI_MODERATE:
        verdict: Verdict = "drifted" if moved.psi >= PSI_LARGE else "changed"
        yield verdict, f"values are distributed differently: PSI {moved.psi:.2f}"
    if moved.ks is not None and moved.ks >= KS_MODERATE and moved.ks > moved.ks_by_chance:
        verdict = "drifted" if moved.ks >= KS_LARGE else "changed"
        yield verdict, f"{moved.ks:.0%} of the rows moved along the axis (KS)"
