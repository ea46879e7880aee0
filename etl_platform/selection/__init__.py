"""Which engine should do a piece of work: what it can do, and how fast it was before."""

from etl_platform.selection.attempts import Attempt, attempts
from etl_platform.selection.capabilities import Capabilities, Degradation
from etl_platform.selection.decision import Basis, Candidate, Decision, Rejection
from etl_platform.selection.faults import EngineFault, NoEngine
from etl_platform.selection.selector import Selector
from etl_platform.selection.shape import shape_key
from etl_platform.selection.work import Measurement, Outcome, Work

__all__ = [
    "Attempt",
    "Basis",
    "Candidate",
    "Capabilities",
    "Decision",
    "Degradation",
    "EngineFault",
    "Measurement",
    "NoEngine",
    "Outcome",
    "Rejection",
    "Selector",
    "Work",
    "attempts",
    "shape_key",
]
