"""Contract and profile of staged files: what may be published, what is kept aside, and why."""

from __future__ import annotations

from etl_platform.quality.audit import audit
from etl_platform.quality.contract import Contract
from etl_platform.quality.outcome import Audit, ContractViolation, Outcome
from etl_platform.quality.profile import ColumnProfile, Profile
from etl_platform.quality.rules import RULES, Rule

__all__ = [
    "RULES",
    "Audit",
    "ColumnProfile",
    "Contract",
    "ContractViolation",
    "Outcome",
    "Profile",
    "Rule",
    "audit",
]
