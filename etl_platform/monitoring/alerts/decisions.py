"""Decisions: what observations do to incidents. Pure: the same input gives the same output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from etl_platform.metastore.alert_records import IncidentRecord
from etl_platform.monitoring.alerts.signals import SEVERITIES, Signal


@dataclass(frozen=True, slots=True)
class Change:
    """What people have to know: an incident opened, got graver, or ended."""

    incident: IncidentRecord
    what: Literal["opened", "worse", "recovered"]


def decide(
    alerts: str, newest: Mapping[str, IncidentRecord], signals: Sequence[Signal]
) -> tuple[list[IncidentRecord], list[Change]]:
    """Fold observations into incidents.

    Trouble that is seen again keeps its incident open and is not told again, unless it got
    graver. What is older than the newest thing known of its subject changes nothing, so that
    observations may come twice and in any order across calls.

    Args:
        newest: the newest incident of each subject.
        signals: judged by rules, oldest first.

    Returns:
        every incident that is new or changed, and what of that has to be told, in order.
    """
    now: dict[str, IncidentRecord] = dict(newest)
    touched: dict[str, IncidentRecord] = {}
    changes: list[Change] = []
    for signal in signals:
        last = now.get(signal.subject)
        if last is not None and signal.at <= (last.recovered_at or last.seen_at):
            continue
        is_open = last is not None and last.recovered_at is None
        if signal.bad and not is_open:
            after = _opened(alerts, signal)
            changes.append(Change(after, "opened"))
        elif signal.bad and last is not None:
            after = _still_open(last, signal)
            if _graver(after.severity, last.severity):
                changes.append(Change(after, "worse"))
        elif last is not None and is_open:
            after = last.model_copy(update={"recovered_at": signal.at, "recovery": signal.message})
            changes.append(Change(after, "recovered"))
        else:
            continue
        now[signal.subject] = after
        touched[after.id] = after
    return list(touched.values()), changes


def _opened(alerts: str, signal: Signal) -> IncidentRecord:
    # Deciding the same again after a crash gives the same incident.
    name = f"{alerts}|{signal.subject}|{signal.at.timestamp():.6f}"
    return IncidentRecord(
        id=uuid5(NAMESPACE_URL, name).hex[:12],
        alerts=alerts,
        subject=signal.subject,
        kind=signal.kind,
        severity=signal.severity,
        asset=signal.asset,
        partition=signal.partition,
        run_id=signal.run_id,
        message=signal.message,
        advice=signal.advice.model_dump_json(),
        opened_at=signal.at,
        seen_at=signal.at,
    )


def _still_open(last: IncidentRecord, signal: Signal) -> IncidentRecord:
    return last.model_copy(
        update={
            "seen_at": signal.at,
            "times": last.times + 1,
            "message": signal.message,
            "run_id": signal.run_id or last.run_id,
            "advice": signal.advice.model_dump_json(),
            # Who was told that it was grave is told that it is over.
            "severity": signal.severity
            if _graver(signal.severity, last.severity)
            else last.severity,
        }
    )


def _graver(new: str, old: str) -> bool:
    order: list[str] = [*SEVERITIES]
    return order.index(new) > order.index(old)
