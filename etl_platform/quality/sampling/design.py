"""What was drawn, and how: all that an interval has to know about a sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_platform.quality.sampling.spec import Strategy

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_platform.quality.sampling.model import Estimate


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows drawn one by one, without replacement: Bernoulli (given its size) or a fixed number."""


@dataclass(frozen=True, slots=True)
class Strata:
    """Rows drawn one by one within strata.

    Attributes:
        sizes: rows of the table in each stratum, by the number that ``Sample.units`` gives.
    """

    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Whole groups of rows, drawn at random: pages, row groups, ranges of keys, series.

    Attributes:
        drawn: how many of them hold rows; ``Sample.units`` numbers them from 0.
        share: part of all groups that was drawn.
        kind: what they are called.
    """

    drawn: int
    share: float
    kind: str


@dataclass(frozen=True, slots=True)
class Design:
    """How a sample was drawn.

    Attributes:
        rows: of the whole table, counted or estimated.
        population: the same as a number, for the finite population correction; None: unknown and
            taken as much larger than the sample.
        probability: with which each row came into the sample, where that is the same for all.
        words: what was done, and where, for people.
    """

    strategy: Strategy
    seed: int
    rows: Estimate
    population: float | None
    probability: float | None
    words: str
    units: Rows | Strata | Clusters = field(default_factory=Rows)


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows and the design by which they were drawn.

    Attributes:
        table: its name, for people.
        data: the rows.
        unit: stratum or cluster of each row, int64, numbered from 0; zeros for single rows.
    """

    table: str
    data: pa.Table
    design: Design
    unit: NDArray[np.int64]
