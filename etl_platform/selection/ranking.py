"""Which of the engines that may do the work should do it.

The rules, first match first:

1. Nothing is measured: the highest declared speed.
2. An engine that was not measured yet, and that may be faster than the best that was, is tried. Its
   declared speed is first scaled by how this machine and source treated the engines that were
   measured; declarations may be wrong by a factor of four in their ratio before the fastest engine
   is missed, and an engine declared slower than that is never tried on a large table for nothing.
3. Once in a while (a share of all choices) an engine that is within half of the best is measured
   again, so that a slow night does not rule for ever. The seed says which choices these are.
4. The fastest. Within a tenth of it: the one with least in flight, then least memory.

With k engines that qualify, rule 2 ends after k - 1 tries: four engines have converged in run five.
Work that takes less than a second is not worth a try. A fallback never tries: rule 4, or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

from etl_platform.selection.capabilities import Capabilities
from etl_platform.selection.decision import Basis, Candidate
from etl_platform.selection.evidence import Evidence
from etl_platform.selection.work import Work

DOUBT = 4.0
"""By which factor the ratio of two declared speeds may be wrong."""
EQUAL = 0.9
CLOSE = 0.5
WORTH_TRYING_S = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine to use, and why."""

    candidate: Candidate
    reason: str


def candidate(
    engine: Capabilities, evidence: Evidence | None, scale: float, in_flight: int
) -> Candidate:
    """Join what an engine declares with what was measured."""
    if evidence is None:
        return Candidate(
            engine.name,
            engine.prior_rows_per_s * scale,
            Basis.PRIOR,
            in_flight=in_flight,
            connections=engine.connections,
        )
    return Candidate(
        engine.name,
        evidence.rows_per_s,
        evidence.basis,
        evidence.runs,
        evidence.peak_bytes,
        in_flight,
        engine.connections,
    )


def prior_scale(pairs: Sequence[tuple[Capabilities, Evidence]]) -> float:
    """How much faster things go here than declared: the median over measured engines; else 1."""
    if not pairs:
        return 1.0
    return median(known.rows_per_s / engine.prior_rows_per_s for engine, known in pairs)


def ranked(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Fastest first; of one speed in the order of their names."""
    return tuple(sorted(candidates, key=lambda one: (-one.rows_per_s, one.engine)))


def pick(
    work: Work, best_first: Sequence[Candidate], chance: Random | None, recheck_share: float
) -> Choice:
    """Choose among candidates, of which there is at least one.

    Args:
        work: the work.
        best_first: as :func:`ranked` gives them.
        chance: decides about measuring again; None where nothing may be tried (a fallback).
        recheck_share: how many of all choices measure again, from 0 to 1.
    """
    if work.pinned is not None:
        return Choice(best_first[0], "pinned")
    if len(best_first) == 1:
        return Choice(best_first[0], "the only engine that may do this work")
    measured = [one for one in best_first if one.basis is not Basis.PRIOR]
    if not measured:
        chosen = _spread(best_first)
        return Choice(chosen, "nothing is measured yet: highest declared speed")
    best = measured[0]
    if chance is not None and _worth_trying(work, best):
        for one in best_first:
            if one.basis is Basis.PRIOR and one.rows_per_s * DOUBT >= best.rows_per_s:
                return Choice(
                    one, f"not measured yet, and may be faster than {best.engine} ({_speed(best)})"
                )
        close = [one for one in measured[1:] if one.rows_per_s >= best.rows_per_s * CLOSE]
        if close and chance.random() < recheck_share:
            again = chance.choice(close)
            return Choice(again, f"measured again, being close to {best.engine} ({_speed(best)})")
    chosen = _spread(measured)
    if chosen is best:
        return Choice(best, f"fastest {_speed(best)}")
    return Choice(
        chosen,
        f"as fast as {best.engine} within a tenth, "
        f"with {'less in flight' if chosen.in_flight < best.in_flight else 'less memory'}",
    )


def _spread(best_first: Sequence[Candidate]) -> Candidate:
    equal = [one for one in best_first if one.rows_per_s >= best_first[0].rows_per_s * EQUAL]
    # Unknown memory is no reason for or against anyone.
    comparable = all(one.peak_bytes is not None for one in equal)
    return min(equal, key=lambda one: (one.in_flight, one.peak_bytes or 0 if comparable else 0))


def _worth_trying(work: Work, best: Candidate) -> bool:
    return work.rows_estimated is None or (work.rows_estimated / best.rows_per_s >= WORTH_TRYING_S)


def _speed(one: Candidate) -> str:
    where = "this table" if one.basis is Basis.TABLE else "tables of this shape"
    runs = f"{one.runs} run{'' if one.runs == 1 else 's'}"
    return f"on {where}: {one.rows_per_s:,.0f} rows/s over {runs}"
