"""Frequent values of a column with too many distinct ones to count each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from etl_platform.quality.values import JsonValue

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

_BUCKET_BITS = 10
_SHARE = 0.01
_LEAST_ROWS = 2
_TRACKED = 256
_KEPT = 64


class FrequentValue(BaseModel):
    """A value that occurs in ``rows`` to ``rows + error`` rows; ``key`` is its hash."""

    model_config = ConfigDict(frozen=True)

    key: int
    value: JsonValue
    rows: int
    error: int = 0


class Frequent(BaseModel):
    """The most frequent values; any other value occurs in at most ``unlisted`` rows."""

    model_config = ConfigDict(frozen=True)

    values: tuple[FrequentValue, ...] = ()
    unlisted: int = 0

    def merge(self, other: Frequent) -> Frequent:
        """Rows are added; what only one side lists may have ``unlisted`` rows on the other."""
        mine = {v.key: v for v in self.values}
        theirs = {v.key: v for v in other.values}
        merged: list[FrequentValue] = []
        for key in mine | theirs:
            a, b = mine.get(key), theirs.get(key)
            shown = a or b
            assert shown is not None
            merged.append(
                FrequentValue(
                    key=key,
                    value=shown.value,
                    rows=(a.rows if a else 0) + (b.rows if b else 0),
                    error=(a.error if a else self.unlisted) + (b.error if b else other.unlisted),
                )
            )
        return cut(merged, self.unlisted + other.unlisted)


def cut(values: list[FrequentValue], unlisted: int, limit: int = _KEPT) -> Frequent:
    """Keep the most frequent values, and the bound honest about those that are dropped."""
    ordered = sorted(values, key=lambda v: (-v.rows, str(v.value)))
    dropped = max((v.rows + v.error for v in ordered[limit:]), default=0)
    return Frequent(values=tuple(ordered[:limit]), unlisted=max(unlisted, dropped))


@dataclass(slots=True)
class _Tracked:
    value: JsonValue
    rows: int
    error: int


@dataclass(slots=True)
class FrequentTracker:
    """Finds frequent values in batches of hashes, touching only rows that may have one.

    Every row is counted into one of 1,024 buckets by its hash. Only buckets with at least 1 % of a
    batch are looked into; a value with at least 1 % of the batch is tracked from then on. A value
    with 1 % of all rows has 1 % of some batch, so none is missed, and what it had before it was
    tracked is bounded by its bucket: counts are exact or carry their error (as in Space-Saving,
    Metwally et al. 2005, but the work is proportional to the frequent rows).
    """

    _buckets: NDArray[np.int64] | None = None
    _tracked: dict[int, _Tracked] = field(default_factory=dict[int, _Tracked])
    _untracked_at_most: int = 0

    def add(self, hashes: NDArray[np.uint64], value_at: Callable[[int], JsonValue]) -> None:
        """Take a batch in; ``value_at`` gives the value at a position of the batch."""
        import numpy as np

        if not len(hashes):
            return
        bucket = (hashes >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)
        here = np.bincount(bucket, minlength=1 << _BUCKET_BITS)
        before = self._buckets
        threshold = max(_LEAST_ROWS, int(np.ceil(len(hashes) * _SHARE)))
        opened = here >= threshold
        for key in self._tracked:
            opened[key >> (64 - _BUCKET_BITS)] = True
        if opened.any():
            self._count(hashes, bucket, opened, threshold, value_at)
        self._buckets = here if before is None else before + here
        self._untracked_at_most += threshold - 1
        if len(self._tracked) > _TRACKED:
            keep = sorted(self._tracked, key=lambda key: -self._tracked[key].rows)[: _TRACKED // 2]
            dropped = set(self._tracked) - set(keep)
            # A dropped value may have more rows than a never tracked one could.
            worst = max(self._tracked[k].rows + self._tracked[k].error for k in dropped)
            self._untracked_at_most = max(self._untracked_at_most, worst)
            self._tracked = {key: self._tracked[key] for key in keep}

    def _count(
        self,
        hashes: NDArray[np.uint64],
        bucket: NDArray[np.int64],
        opened: NDArray[np.bool_],
        threshold: int,
        value_at: Callable[[int], JsonValue],
    ) -> None:
        import numpy as np

        places = np.flatnonzero(opened[bucket])
        keys, first, rows = np.unique(hashes[places], return_index=True, return_counts=True)
        known = np.fromiter(self._tracked, np.uint64, len(self._tracked))
        wanted = (rows >= threshold) | np.isin(keys, known)
        for key, place, count in zip(
            keys[wanted].tolist(),
            places[first[wanted]].tolist(),
            rows[wanted].tolist(),
            strict=True,
        ):
            entry = self._tracked.get(key)
            if entry is None:
                entry = _Tracked(value_at(place), 0, self._earlier(key))
                self._tracked[key] = entry
            entry.rows += count

    def _earlier(self, key: int) -> int:
        """At most so many rows of a value came before it was tracked."""
        if self._buckets is None:
            return 0
        place = key >> (64 - _BUCKET_BITS)
        others = sum(t.rows for k, t in self._tracked.items() if k >> (64 - _BUCKET_BITS) == place)
        return max(0, min(int(self._buckets[place]) - others, self._untracked_at_most))

    def result(self) -> Frequent:
        if self._buckets is None:
            return Frequent()
        rest = self._buckets.copy()
        for key, entry in self._tracked.items():
            rest[key >> (64 - _BUCKET_BITS)] -= entry.rows
        unlisted = min(self._untracked_at_most, int(max(rest.max(), 0)))
        values = [
            FrequentValue(key=key, value=t.value, rows=t.rows, error=t.error)
            for key, t in self._tracked.items()
        ]
        return cut(values, unlisted)
