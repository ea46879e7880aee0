"""Notices: the changes that one message tells, and its text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from etl_platform.metastore.alert_records import IncidentRecord
from etl_platform.monitoring.alerts.signals import Advice

_SHOWN = 25
_MARK = {"opened": "OPEN", "worse": "WORSE", "recovered": "RECOVERED"}
KIND_WORDS = {
    "run_failure": "run failed",
    "check_failed": "check failed",
    "check_blocked": "data refused",
    "anomaly": "anomaly",
    "freshness": "too old",
    "sla": "late",
    "stream_lag": "stream lags",
    "dead_letters": "dead letters",
    "slow_run": "slow run",
}


class Item(BaseModel):
    """One change, with the incident as it was then."""

    model_config = ConfigDict(frozen=True)

    what: Literal["opened", "worse", "recovered"]
    incident: IncidentRecord


_ITEMS = TypeAdapter(tuple[Item, ...])


def to_json(items: Sequence[Item]) -> str:
    """Items as the outbox keeps them."""
    return _ITEMS.dump_json(tuple(items)).decode()


def from_json(text: str) -> tuple[Item, ...]:
    """Items of the outbox."""
    return _ITEMS.validate_json(text)


def subject_of(items: Sequence[Item], notice_id: str) -> str:
    """One line; the notice's id at its end is the same however often it is sent."""
    if len(items) == 1:
        [item] = items
        told = f"{_MARK[item.what]} {item.incident.severity}: {_headline(item.incident)}"
    else:
        counted = Counter(_MARK[item.what] for item in items)
        counts = ", ".join(f"{count} {mark}" for mark, count in counted.items())
        told = f"{counts}: {_headline(items[0].incident)}, ..."
    return f"[etl] {told} ({notice_id})"


def text_of(items: Sequence[Item], notice_id: str) -> str:
    """The body: for each change what, where, why, who is affected and what to do."""
    parts = ["\n".join(_lines(item)) for item in items[:_SHOWN]]
    if len(items) > _SHOWN:
        parts.append(f"and {len(items) - _SHOWN} more: etl alerts")
    parts.append(f"notice {notice_id}; the same id is the same notice, sent again")
    return "\n\n".join(parts)


def _headline(incident: IncidentRecord) -> str:
    where = incident.asset or incident.subject.rpartition("|")[2]
    part = f" [{incident.partition}]" if incident.partition else ""
    return f"{KIND_WORDS.get(incident.kind, incident.kind)}: {where}{part}"


def _lines(item: Item) -> list[str]:
    incident = item.incident
    advice = Advice.model_validate_json(incident.advice)
    ended = item.what == "recovered"
    said = [
        ("", f"{_MARK[item.what]} {incident.severity}: {_headline(incident)}"),
        ("message", incident.recovery if ended else incident.message),
        ("was", incident.message if ended else None),
        ("since", f"{incident.opened_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("until", f"{incident.recovered_at:%Y-%m-%d %H:%M:%S} UTC" if ended else None),
        ("asset", incident.asset),
        ("partition", incident.partition),
        ("run", incident.run_id),
        ("owners", ", ".join(advice.owners)),
        ("downstream", None if ended else ", ".join(advice.downstream)),
        ("link", advice.link),
        ("next step", None if ended else advice.next_step),
        ("incident", incident.id),
    ]
    return [f"{label}: {text}" if label else str(text) for label, text in said if text]
