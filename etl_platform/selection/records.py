"""Decisions as the metastore keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict

from etl_platform.metastore import DecisionRecord
from etl_platform.selection.decision import Decision


def to_record(decision: Decision) -> DecisionRecord:
    """The record of a decision whose work begins."""
    work = decision.work
    return DecisionRecord(
        decision_id=decision.id,
        task=work.task,
        source=work.source,
        kind=work.kind,
        table=work.table,
        shape_key=work.shape_key,
        size_class=work.size_class,
        engine=decision.engine,
        reason=decision.reason,
        candidates=json.dumps([asdict(one) for one in decision.candidates]),
        rejected=json.dumps([asdict(one) for one in decision.rejected]),
        attempt=decision.attempt,
        fell_back_from=decision.fell_back_from,
        connections=decision.chosen.connections,
        rows_estimated=work.rows_estimated,
        predicted_s=decision.predicted_s,
        run_id=work.run_id,
        decided_at=decision.decided_at,
    )
