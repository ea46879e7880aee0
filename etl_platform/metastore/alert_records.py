"""What the metastore keeps of alerts: incidents, and the notices that tell of them."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from etl_platform.metastore.records import Record, now

NoticeState = Literal["waiting", "sent", "kept", "given_up"]
"""``kept``: the channel has no address here, so the notice is read with ``etl alerts`` alone."""


class IncidentRecord(Record):
    """Something that is wrong, or was until ``recovered_at``.

    ``subject`` says what of (kind, asset, partition, check); of one subject at most one incident
    is open. ``advice`` is JSON, see :class:`etl_platform.monitoring.alerts.signals.Advice`.
    ``times`` counts how often the trouble was seen, last at ``seen_at``. ``recovery`` says what
    ended it.
    """

    id: str
    alerts: str
    subject: str
    kind: str
    severity: str
    asset: str | None = None
    partition: str | None = None
    run_id: str | None = None
    message: str
    advice: str = "{}"
    opened_at: AwareDatetime
    seen_at: AwareDatetime
    times: int = 1
    recovered_at: AwareDatetime | None = None
    recovery: str | None = None


class NoticeRecord(Record):
    """A message of the outbox to one channel.

    ``items`` is a JSON list, see :mod:`etl_platform.monitoring.alerts.notices`. Nobody sends it
    before ``due_at``; until then more items may join it. Whoever sends it holds it until
    ``claimed_until``: after that a sender is taken for dead.
    """

    id: str
    alerts: str
    channel: str
    items: str
    state: NoticeState = "waiting"
    created_at: AwareDatetime = Field(default_factory=now)
    due_at: AwareDatetime
    attempts: int = 0
    claimed_until: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None
    error: str | None = None


class AlertCursorRecord(Record):
    """How far the rules have looked (JSON of whoever looks), and how often they decided."""

    alerts: str
    cursor: str = ""
    version: int = 0
    decided_at: AwareDatetime = Field(default_factory=now)
