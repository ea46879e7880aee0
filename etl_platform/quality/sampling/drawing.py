"""Which of N numbered rows to take: pure arithmetic, the same wherever the rows are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etl_platform.core.errors import ConfigError
from etl_platform.quality.sampling.design import Clusters, Rows, Strata
from etl_platform.quality.sampling.spec import Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from etl_platform.quality.sampling.spec import SampleSpec

    Whole = NDArray[np.int64]

STARTS = 60
"""Series of a systematic sample: one series alone tells nothing of its own error."""
LEAST_OF_STRATUM = 30
MOST_STRATA = 200
BLOCK_ROWS = 100


@dataclass(frozen=True, slots=True)
class Drawing:
    """Rows to take.

    Attributes:
        positions: ascending, from 0.
        unit: stratum or cluster of each.
        probability: of each row, where it is the same for all.
    """

    positions: Whole
    unit: Whole
    units: Rows | Strata | Clusters
    probability: float | None
    words: str


def draw(
    spec: SampleSpec,
    rows: int,
    blocks: Sequence[int] | None = None,
    strata: Whole | None = None,
) -> Drawing:
    """Draw from rows 0 to ``rows - 1``.

    Args:
        blocks: rows of each neighbourhood, in order; None: 100 rows each.
        strata: number of the stratum of each row, from 0; for ``stratified``.
    """
    rng = np.random.default_rng(spec.seed)
    if rows == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return Drawing(nothing, nothing, Rows(), 1.0, "the table is empty")
    match spec.strategy:
        case Strategy.RANDOM:
            share = spec.share_of(rows)
            count = int(rng.binomial(rows, share))
            positions = np.sort(rng.choice(rows, count, replace=False))
            return _rows(positions, share, f"each row with probability {share:.4g}")
        case Strategy.RESERVOIR:
            count = spec.rows_of(rows)
            positions = np.sort(rng.choice(rows, count, replace=False))
            return _rows(positions, count / rows, f"exactly {count:,} rows")
        case Strategy.SYSTEMATIC:
            period, starts = series(spec, rows)
            positions = np.sort((np.arange(0, rows, period)[:, None] + starts).ravel())
            positions = positions[positions < rows]
            return Drawing(
                positions,
                np.searchsorted(starts, positions % period).astype(np.int64),
                Clusters(len(starts), len(starts) / period, "series"),
                len(starts) / period,
                f"every {period:,}th row from {len(starts)} random starts",
            )
        case Strategy.BLOCKS:
            return _blocks(spec, rows, blocks)
        case Strategy.STRATIFIED:
            return _stratified(spec, rows, strata)


def series(spec: SampleSpec, rows: float) -> tuple[int, Whole]:
    """Period and starts (ascending) of a systematic sample.

    Several random starts make each series a cluster, so that the variance between them is an
    unbiased estimate whatever the order of the rows: Gautschi (1957), "Some remarks on systematic
    sampling", Ann. Math. Statist. 28: 385-394.
    """
    period = max(STARTS, round(STARTS / spec.share_of(rows)))
    starts = np.random.default_rng(spec.seed).choice(period, STARTS, replace=False)
    return period, np.sort(starts).astype(np.int64)


def allocation(spec: SampleSpec, sizes: Sequence[int]) -> list[float]:
    """The probability of a row in each stratum: alike, but at least 30 expected rows of each.

    Raises:
        ConfigError: too many strata.
    """
    if len(sizes) > MOST_STRATA:
        raise ConfigError(
            f"column {spec.by!r} has {len(sizes):,} values",
            valid=f"at most {MOST_STRATA} strata",
            fix="stratify by a column with fewer values, or take another strategy",
        )
    share = spec.share_of(sum(sizes))
    # What would leave a stratum to chance is taken whole.
    return [
        1.0 if size <= LEAST_OF_STRATUM * 2 else max(share, LEAST_OF_STRATUM / size)
        for size in sizes
    ]


def _rows(positions: Whole, probability: float, words: str) -> Drawing:
    return Drawing(positions, np.zeros(len(positions), np.int64), Rows(), probability, words)


def _blocks(spec: SampleSpec, rows: int, given: Sequence[int] | None) -> Drawing:
    rng = np.random.default_rng(spec.seed)
    whole, rest = divmod(rows, BLOCK_ROWS)
    sizes = np.asarray(given if given is not None else [BLOCK_ROWS] * whole + [rest][: rest > 0])
    count = max(1, round(len(sizes) * spec.share_of(rows)))
    chosen = np.sort(rng.choice(len(sizes), count, replace=False))
    ends = np.cumsum(sizes)
    parts = [np.arange(int(ends[i] - sizes[i]), int(ends[i])) for i in chosen]
    return Drawing(
        np.concatenate(parts).astype(np.int64),
        np.repeat(np.arange(count), sizes[chosen]).astype(np.int64),
        Clusters(count, count / len(sizes), "blocks"),
        count / len(sizes),
        f"{count:,} of {len(sizes):,} blocks of neighbouring rows",
    )


def _stratified(spec: SampleSpec, rows: int, strata: Whole | None) -> Drawing:
    if strata is None:
        raise ConfigError("a stratified sample needs the strata of all rows")
    sizes = np.bincount(strata).tolist()
    probabilities = np.asarray(allocation(spec, sizes))
    taken = np.random.default_rng(spec.seed).random(rows) < probabilities[strata]
    positions = np.flatnonzero(taken)
    words = f"{len(sizes)} strata by {spec.by!r}, rows at random in each"
    return Drawing(positions, strata[positions], Strata(tuple(sizes)), None, words)
