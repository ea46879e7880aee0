"""How many distinct values there are, from the smallest of their hashes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

KEPT = 2_048
DISTINCT_ERROR = 3.29 / math.sqrt(KEPT - 2)
"""An estimate is right within this share of itself with 99.9 % confidence: 3.29 standard errors."""

_PENDING = 2 * KEPT
_SLOTS = 4 * KEPT


@dataclass(slots=True)
class DistinctSketch:
    """The 2,048 smallest distinct hashes seen (k minimum values, Bar-Yossef et al. 2002).

    Up to that many distinct values the number is exact. Merging keeps the smallest of all,
    which is what the sketch of all rows would have kept: the order of merging never matters.

    Attributes:
        smallest: sorted, at most 2,048.
    """

    smallest: NDArray[np.uint64]
    _waiting: list[NDArray[np.uint64]] = field(default_factory=list["NDArray[np.uint64]"])
    _rows_waiting: int = 0
    _seen: NDArray[np.uint64] | None = None

    @classmethod
    def empty(cls) -> DistinctSketch:
        import numpy as np

        return cls(np.empty(0, np.uint64))

    @classmethod
    def from_bytes(cls, data: bytes) -> DistinctSketch:
        import numpy as np

        return cls(np.frombuffer(data, "<u8").astype(np.uint64))

    def to_bytes(self) -> bytes:
        return self.smallest.astype("<u8").tobytes()

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Take further rows' hashes in; :meth:`settle` makes them count."""
        if len(self.smallest) == KEPT:
            hashes = hashes[hashes < self.smallest[-1]]
        if self._seen is not None:
            # Of few thousand values, most rows repeat a kept one: they need not be sorted.
            hashes = hashes[self._seen[_slots(hashes)] != hashes]
        self._waiting.append(hashes)
        self._rows_waiting += len(hashes)
        if self._rows_waiting > _PENDING:
            self.settle()

    def settle(self) -> DistinctSketch:
        """Sort in what is waiting."""
        import numpy as np

        if self._waiting:
            self.smallest = np.unique(np.concatenate([self.smallest, *self._waiting]))[:KEPT]
            self._waiting, self._rows_waiting = [], 0
            if len(self.smallest):
                self._seen = np.full(_SLOTS, self.smallest[0])
                self._seen[_slots(self.smallest)] = self.smallest
        return self

    @classmethod
    def merge(cls, sketches: Iterable[DistinctSketch]) -> DistinctSketch:
        """The sketch of all their values."""
        import numpy as np

        return cls(np.unique(np.concatenate([s.smallest for s in sketches]))[:KEPT])

    @property
    def exact(self) -> bool:
        return len(self.smallest) < KEPT

    def estimate(self) -> int:
        """The number of distinct values; unbiased when not exact."""
        if self.exact:
            return len(self.smallest)
        return round((KEPT - 1) / (int(self.smallest[-1]) / 2.0**64))


def _slots(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    import numpy as np

    return (hashes & np.uint64(_SLOTS - 1)).view(np.int64)
