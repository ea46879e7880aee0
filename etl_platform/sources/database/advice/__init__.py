"""Index advice for source databases: candidates from a workload, verified by its own planner."""

from __future__ import annotations

from etl_platform.sources.database.advice.advising import advise
from etl_platform.sources.database.advice.model import (
    Advice,
    Gain,
    StatementCost,
    Suggestion,
)

__all__ = ["Advice", "Gain", "StatementCost", "Suggestion", "advise"]
