"""Which days occur in a column of dates or times, and where days are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DAY_US = 86_400_000_000
_MOST_RUNS = 2_000
_MOST_SPAN = 1_000_000


class Days(BaseModel):
    """The days that occur, as runs of consecutive days since 1970-01-01, both ends included.

    ``complete`` is False when there were too many runs to keep: then nothing is said about gaps.
    """

    model_config = ConfigDict(frozen=True)

    runs: tuple[tuple[int, int], ...] = ()
    complete: bool = True

    @classmethod
    def of(cls, days: NDArray[np.int64]) -> Days:
        """Days since 1970-01-01, in any order, repeated as they come."""
        import numpy as np

        if not len(days):
            return cls()
        first = int(days.min())
        span = int(days.max()) - first + 1
        if span <= _MOST_SPAN:
            seen = np.zeros(span, np.bool_)
            seen[days - first] = True
            distinct = np.flatnonzero(seen) + first
        else:
            distinct = np.unique(days)
        breaks = np.flatnonzero(np.diff(distinct) > 1)
        starts = distinct[np.r_[0, breaks + 1]].tolist()
        ends = distinct[np.r_[breaks, len(distinct) - 1]].tolist()
        return _bounded(list(zip(starts, ends, strict=True)))

    def merge(self, other: Days) -> Days:
        if not (self.complete and other.complete):
            return Days(complete=False)
        joined: list[tuple[int, int]] = []
        for start, end in sorted(self.runs + other.runs):
            if joined and start <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return _bounded(joined)

    @property
    def present(self) -> int:
        """Number of days that occur."""
        return sum(end - start + 1 for start, end in self.runs)

    def gaps(self) -> list[tuple[int, int]]:
        """First and last missing day of every gap, in order."""
        return [(a[1] + 1, b[0] - 1) for a, b in zip(self.runs, self.runs[1:], strict=False)]


def _bounded(runs: list[tuple[int, int]]) -> Days:
    return Days(runs=tuple(runs)) if len(runs) <= _MOST_RUNS else Days(complete=False)
