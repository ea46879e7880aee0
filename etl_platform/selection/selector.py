"""Chooses an engine for a piece of work and remembers how it went."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from etl_platform.core.errors import TransientError, UnknownName
from etl_platform.selection import breaker, ranking
from etl_platform.selection.capabilities import Capabilities
from etl_platform.selection.decision import Decision, Rejection
from etl_platform.selection.evidence import gather
from etl_platform.selection.faults import NoEngine
from etl_platform.selection.records import to_record
from etl_platform.selection.requirements import Situation, reason_against
from etl_platform.selection.work import Measurement, Work

if TYPE_CHECKING:
    from etl_platform.metastore import Metastore

_log = logging.getLogger(__name__)
_LEASE = timedelta(hours=6)
"""Work that did not end by then was killed: it holds neither connections nor an engine."""


class Selector:
    """Chooses engines; safe to share between threads and processes, which learn from each other.

    Args:
        metastore: where decisions and measurements are kept.
        seed: with the same seed and the same past, choices are the same.
        recheck_share: how many of all choices measure a close second again, from 0 to 1.
        clock: the time in UTC.
    """

    def __init__(
        self,
        metastore: Metastore,
        *,
        seed: int = 0,
        recheck_share: float = 0.05,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._decisions = metastore.decisions
        self._seed = seed
        self._recheck_share = recheck_share
        self._clock = clock

    def choose(
        self,
        work: Work,
        offered: Sequence[Capabilities],
        failed: Mapping[str, str] | None = None,
    ) -> Decision:
        """Choose and record an engine.

        Args:
            work: what to do.
            offered: what each engine can do with this work.
            failed: engine -> its own fault, of those tried before in this run, in their order.

        Raises:
            NoEngine: none may do it; says why for each.
            UnknownName: the pinned engine is not among those offered.
            TransientError: the metastore does not answer.
        """
        names = [engine.name for engine in offered]
        if work.pinned is not None and work.pinned not in names:
            raise UnknownName("engine", work.pinned, names, where=work.table)
        failed = failed or {}
        now = self._clock()
        evidence = gather(self._decisions, work)
        going_on = self._decisions.in_flight(work.source, now - _LEASE)
        resting = breaker.open_reasons(self._decisions, work, names, now)
        situation = Situation(
            evidence, sum(record.connections for record in going_on), resting, failed
        )
        reasons = {engine.name: reason_against(work, engine, situation) for engine in offered}
        rejected = tuple(Rejection(name, told) for name, told in reasons.items() if told)
        able = [engine for engine in offered if not reasons[engine.name]]
        if not able:
            raise NoEngine(f"{work.table} ({work.kind})", rejected, fix=_fix(work))
        busy = Counter(record.engine for record in going_on)
        known = [(engine, evidence[engine.name]) for engine in able if engine.name in evidence]
        scale = ranking.prior_scale(known)
        best_first = ranking.ranked(
            [
                ranking.candidate(engine, evidence.get(engine.name), scale, busy[engine.name])
                for engine in able
            ]
        )
        choice = ranking.pick(
            work, best_first, None if failed else self._chance(work), self._recheck_share
        )
        decision = Decision(
            id=uuid.uuid4().hex,
            work=work,
            engine=choice.candidate.engine,
            reason=_with_fallback(choice.reason, failed),
            candidates=best_first,
            rejected=rejected,
            predicted_s=None
            if work.rows_estimated is None
            else work.rows_estimated / choice.candidate.rows_per_s,
            decided_at=now,
            attempt=len(failed) + 1,
            fell_back_from=list(failed)[-1] if failed else None,
        )
        self._decisions.add(to_record(decision))
        return decision

    def record(self, decision: Decision, measurement: Measurement) -> None:
        """Keep how it went. The work is done whatever happens here: a metastore that does not
        answer is logged, not raised."""
        try:
            self._decisions.finish(
                decision.id,
                measurement.outcome.value,
                rows=measurement.rows,
                seconds=measurement.seconds,
                peak_bytes=measurement.peak_bytes,
                error=measurement.error,
                finished_at=self._clock(),
            )
        except TransientError as error:
            _log.warning(
                "%s was done by %s, but the metastore did not take the measurement: %s",
                decision.work.table,
                decision.engine,
                error,
            )

    def _chance(self, work: Work) -> Random:
        """Differs from choice to choice and from table to table, and is the same every time."""
        made = self._decisions.count(work.table)
        return Random(f"{self._seed}/{work.task}/{work.source}/{work.table}/{made}")


def _with_fallback(reason: str, failed: Mapping[str, str]) -> str:
    if not failed:
        return reason
    engine, what = list(failed.items())[-1]
    return f"fallback, because {engine} failed by its own fault ({what}); {reason}"


def _fix(work: Work) -> str:
    if work.pinned is not None:
        return f"remove the pin engine: {work.pinned}, and another engine is chosen"
    return "declare types or a policy for the columns named, or read with a query that converts"
