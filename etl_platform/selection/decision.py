"""A decision with everything that led to it: what is recorded, shown and explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from etl_platform.selection.work import Work


class Basis(StrEnum):
    """Where an expected speed comes from, best first."""

    TABLE = "table"
    SHAPE = "shape"
    PRIOR = "prior"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may do the work.

    Args:
        engine: its name.
        rows_per_s: the speed to expect.
        basis: from past runs on this table, on tables of this shape, or from its declaration.
        runs: how many past runs the speed comes from.
        peak_bytes: the memory that it took at most in those runs; None when unknown.
        in_flight: pieces of work of this source that it is doing now.
        connections: how many it would hold.
    """

    engine: str
    rows_per_s: float
    basis: Basis
    runs: int = 0
    peak_bytes: int | None = None
    in_flight: int = 0
    connections: int = 1


@dataclass(frozen=True, slots=True)
class Rejection:
    """An engine that may not do the work, and why."""

    engine: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Which engine does a piece of work.

    ``attempt`` counts from 1; ``fell_back_from`` names the engine that failed just before by its
    own fault. ``predicted_s`` is None where the number of rows is unknown.
    """

    id: str
    work: Work
    engine: str
    reason: str
    candidates: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    predicted_s: float | None
    decided_at: datetime
    attempt: int = 1
    fell_back_from: str | None = None

    @property
    def chosen(self) -> Candidate:
        """The candidate that was chosen."""
        return next(one for one in self.candidates if one.engine == self.engine)
