"""What was seen: something is wrong with a subject, or is right again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "run_failure",
    "check_failed",
    "check_blocked",
    "anomaly",
    "freshness",
    "sla",
    "stream_lag",
    "dead_letters",
    "slow_run",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Severity = Literal["warn", "error"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the least to the gravest."""


class Advice(BaseModel):
    """What a person needs who reads of an incident, and what routes are chosen by.

    ``downstream`` names the assets that read this one, ``next_step`` is a command or an action.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    group: str | None = None
    owners: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    downstream: tuple[str, ...] = ()
    link: str | None = None
    next_step: str | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """One observation.

    Attributes:
        kind: of the incident that it opens, keeps open or ends.
        at: when it was so; an observation that is older than what is known changes nothing.
        bad: whether something is wrong; else that which was wrong is right.
        asset: as ``schema/table``; None for a job.
        name: what else tells subjects of a kind apart: a check, a job.
        value: what a rule's threshold is compared with: seconds for ``stream_lag``, rows for
            ``dead_letters``, times the usual for ``slow_run``.
    """

    kind: Kind
    at: datetime
    bad: bool
    message: str
    severity: Severity = "error"
    asset: str | None = None
    partition: str | None = None
    name: str = ""
    run_id: str | None = None
    value: float | None = None
    advice: Advice = field(default_factory=Advice)

    @property
    def subject(self) -> str:
        """What an incident is about; at most one of it is open."""
        return "|".join((self.kind, self.asset or "", self.partition or "", self.name))
