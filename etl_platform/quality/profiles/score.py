"""The quality score: 0 to 100, from parts that a reader can check.

============  ======  ==========================================================================
part          weight  share of
============  ======  ==========================================================================
completeness  0.30    cells that are not null
validity      0.40    rows that keep a rule, over all rules that ran; a rule of severity ``warn``
                      counts half of one of severity ``error``
uniqueness    0.15    rows that keep a rule on unique keys
consistency   0.15    texts looked at that are tidy (no blanks around them, no placeholder such as
                      ``n/a``), and floating-point numbers that are finite
============  ======  ==========================================================================

The score is the weighted mean of the parts that could be judged: without rules there is no
validity, and the other weights are scaled up. Rules on keys count for uniqueness only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from etl_platform.quality.profile import Score, ScorePart
from etl_platform.quality.profiles.sketch import Family

if TYPE_CHECKING:
    from etl_platform.quality.outcome import Outcome
    from etl_platform.quality.profiles.sketch import ColumnSketch

_WEIGHTS = {"completeness": 0.30, "validity": 0.40, "uniqueness": 0.15, "consistency": 0.15}
_WARN_WEIGHT = 0.5
KEY_KINDS = ("unique",)

PartName = Literal["completeness", "validity", "uniqueness", "consistency"]


def column_parts(rows: int, nulls: int, columns: Iterable[ColumnSketch]) -> list[ScorePart]:
    """Completeness and consistency.

    Args:
        nulls: over all columns; ``rows`` likewise counts cells.
    """
    of = met = 0
    for column in columns:
        if column.family is Family.FLOAT:
            of += column.present
            met += column.present - column.nan - column.infinite
        elif column.looked_at:
            of += column.looked_at
            met += column.looked_at - column.untidy
    return [_part("completeness", rows - nulls, rows), _part("consistency", met, of)]


def rule_parts(outcomes: Sequence[Outcome]) -> list[ScorePart]:
    """Validity and uniqueness, from the rules that ran."""
    sums = {"validity": (0.0, 0.0), "uniqueness": (0.0, 0.0)}
    for outcome in outcomes:
        if outcome.status == "not_run":
            continue
        rule = outcome.rule
        name = "uniqueness" if rule.kind in KEY_KINDS else "validity"
        weight = _WARN_WEIGHT if rule.severity == "warn" else 1.0
        # A rule on the whole table blames no row, or all.
        rows = outcome.checked_rows or 1
        failed = outcome.failed_rows or (rows if outcome.status == "failed" else 0)
        met, of = sums[name]
        sums[name] = (met + weight * max(rows - failed, 0), of + weight * rows)
    return [_part("validity", *sums["validity"]), _part("uniqueness", *sums["uniqueness"])]


def score(parts: Iterable[ScorePart]) -> Score | None:
    """The score of parts, those of the same name added up; None when nothing can be judged."""
    sums: dict[PartName, tuple[float, float]] = {}
    for part in parts:
        met, of = sums.get(part.name, (0.0, 0.0))
        sums[part.name] = (met + part.met, of + part.of)
    judged = [_part(name, met, of) for name, (met, of) in sums.items() if of]
    judged.sort(key=lambda part: list(_WEIGHTS).index(part.name))
    whole = sum(part.weight for part in judged)
    if not whole:
        return None
    total = sum(part.weight * part.score for part in judged) / whole
    return Score(total=round(total, 2), parts=tuple(judged))


def _part(name: PartName, met: float, of: float) -> ScorePart:
    return ScorePart(name=name, weight=_WEIGHTS[name], met=met, of=of)
