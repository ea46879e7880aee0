"""What past work says about an engine's speed and memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from etl_platform.selection.decision import Basis
from etl_platform.selection.work import Outcome, Work

if TYPE_CHECKING:
    from etl_platform.metastore import DecisionLog, DecisionRecord

_NEWEST = 5
"""Speeds that count: enough for one slow night to be outvoted, few enough to follow a change."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An engine's measured speed: the median of its newest runs, and the most memory in them."""

    basis: Basis
    rows_per_s: float
    runs: int
    peak_bytes: int | None


def gather(log: DecisionLog, work: Work) -> Mapping[str, Evidence]:
    """Engine -> what was measured for this table, else for tables of its shape in this source.

    A table counts by its name and its shape: with other columns it is another piece of work.
    """
    at = (work.task, work.source)
    own = log.of_table(*at, work.table, work.size_class)
    own = [record for record in own if record.shape_key == work.shape_key]
    alike = log.of_shape(*at, work.shape_key, work.size_class)
    found = dict(_measured(alike, Basis.SHAPE))
    found.update(_measured(own, Basis.TABLE))
    return found


def _measured(records: Iterable[DecisionRecord], basis: Basis) -> Iterable[tuple[str, Evidence]]:
    """Records are newest first."""
    by_engine: dict[str, list[DecisionRecord]] = defaultdict(list)
    for record in records:
        newest = by_engine[record.engine]
        if record.outcome == Outcome.DONE and record.rows and len(newest) < _NEWEST:
            newest.append(record)
    for engine, newest in by_engine.items():
        if not newest:
            continue
        speeds = [(r.rows or 0) / max(r.seconds or 0.0, 1e-6) for r in newest]
        peaks = [r.peak_bytes for r in newest if r.peak_bytes is not None]
        yield (
            engine,
            Evidence(basis, median(speeds), len(speeds), max(peaks) if peaks else None),
        )
