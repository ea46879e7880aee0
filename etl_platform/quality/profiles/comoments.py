"""Correlations of numeric columns from sums over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_COLUMNS = 24
_BLOCK = 256


class _Sums(NamedTuple):
    """Per pair of columns, over the rows in which both are present: rows, and sums of x, x², xy."""

    n: NDArray[np.float64]
    x: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]


class CoMoments(BaseModel):
    """Pairwise sums of up to 24 numeric columns over the rows in which both are finite.

    Every column is taken relative to a pivot near its values, so that the sums keep their digits.

    Attributes:
        sums: ``n``, ``x``, ``xx`` and ``xy`` as four matrices of doubles, row by row.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    columns: tuple[str, ...]
    pivots: tuple[float, ...]
    sums: bytes

    @classmethod
    def pack(cls, columns: tuple[str, ...], pivots: NDArray[np.float64], sums: _Sums) -> CoMoments:
        """Keep four matrices."""
        import numpy as np

        data = np.stack(list(sums)).astype("<f8").tobytes()
        return cls(columns=columns, pivots=tuple(pivots.tolist()), sums=data)

    def unpack(self) -> _Sums:
        """The four matrices."""
        import numpy as np

        size = len(self.columns)
        return _Sums(*np.frombuffer(self.sums, "<f8").reshape(4, size, size))

    def only(self, columns: tuple[str, ...]) -> CoMoments:
        """The sums of some of the columns."""
        import numpy as np

        places = [self.columns.index(name) for name in columns]
        sums = self.unpack()
        grid = np.ix_(places, places)
        chosen = _Sums(sums.n[grid], sums.x[grid], sums.xx[grid], sums.xy[grid])
        return self.pack(columns, np.asarray(self.pivots)[places], chosen)

    def merge(self, other: CoMoments) -> CoMoments:
        """Sums over the rows of both; columns that only one side has are left out."""
        import numpy as np

        shared = tuple(name for name in self.columns if name in other.columns)
        one, two = self.only(shared), other.only(shared)
        a, b = one.unpack(), two.unpack()
        with np.errstate(over="ignore", invalid="ignore"):
            # The other side's sums, moved to this side's pivots.
            away = (np.asarray(two.pivots) - np.asarray(one.pivots))[:, None]
            x = b.x + b.n * away
            xx = b.xx + 2 * away * b.x + b.n * away * away
            xy = b.xy + away * b.x.T + away.T * b.x + b.n * away * away.T
            merged = _Sums(a.n + b.n, a.x + x, a.xx + xx, a.xy + xy)
        return self.pack(shared, np.asarray(one.pivots), merged)

    def correlations(self) -> list[tuple[str, str, float, int]]:
        """Both columns, Pearson's r and the rows it is from; pairs without spread are left out."""
        import numpy as np

        sums = self.unpack()
        n = np.maximum(sums.n, 1)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            spread = sums.xx - sums.x * sums.x / n
            noise = sums.xx * 1e-13
            r = (sums.xy - sums.x * sums.x.T / n) / np.sqrt(spread * spread.T)
            usable = np.isfinite(r) & (spread > noise) & (spread.T > noise.T) & (sums.n > 2)
        found: list[tuple[str, str, float, int]] = []
        for i, left in enumerate(self.columns):
            for j in range(i + 1, len(self.columns)):
                if usable[i, j]:
                    value = min(1.0, max(-1.0, float(r[i, j])))
                    found.append((left, self.columns[j], value, int(sums.n[i, j])))
        return found


class CoMomentSums:
    """Adds batches of rows up; the first one settles the pivots."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._pivots: NDArray[np.float64] | None = None
        self._sums: _Sums | None = None

    def add(self, data: NDArray[np.float64]) -> None:
        """Take a row of ``data`` per column in; what is missing is NaN. Overwrites ``data``."""
        import numpy as np

        with np.errstate(over="ignore", invalid="ignore"):
            pivots = self._pivots
            if pivots is None:
                there = np.isfinite(data)
                rows = np.maximum(there.sum(axis=1), 1)
                pivots = np.nan_to_num(np.where(there, data, 0.0).sum(axis=1) / rows)
                self._pivots = pivots
            data -= pivots[:, None]
            mask: NDArray[np.float64] | None = None
            if not np.isfinite(data.sum()):
                there = np.isfinite(data)
                data, mask = np.where(there, data, 0.0), there.astype(np.float64)
            sums = _sums(data, mask)
            self._sums = sums if self._sums is None else _Sums(*map(np.add, self._sums, sums))

    def result(self) -> CoMoments | None:
        if self._sums is None or self._pivots is None:
            return None
        return CoMoments.pack(self._columns, self._pivots, self._sums)


def _sums(data: NDArray[np.float64], there: NDArray[np.float64] | None) -> _Sums:
    import numpy as np

    size = len(data)
    xy = _products(data, data)
    if there is None:
        x = np.repeat(data.sum(axis=1)[:, None], size, axis=1)
        xx = np.repeat(np.diag(xy)[:, None], size, axis=1)
        return _Sums(np.full((size, size), float(data.shape[1])), x, xx, xy)
    return _Sums(_products(there, there), _products(data, there), _products(data * data, there), xy)


def _products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of ``a`` times ``b`` for each pair of rows.

    In blocks so small that BLAS starts no threads, which cost more than the sums do, beside those
    of DuckDB.
    """
    import numpy as np

    even = a.shape[1] // _BLOCK * _BLOCK

    def blocks(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return rows[:, :even].reshape(len(rows), -1, _BLOCK).transpose(1, 0, 2)

    found = np.matmul(blocks(a), blocks(b).transpose(0, 2, 1)).sum(axis=0)
    return found + np.matmul(a[:, even:], b[:, even:].T)
