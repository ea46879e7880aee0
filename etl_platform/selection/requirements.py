"""The hard filter: what an engine must be able to do to be considered at all.

One rule, one function, one place in :data:`RULES`. A rule gives the reason against an engine, or
None. Rules of what an engine *can* do bind a pinned engine too; those of what is *wise* do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from etl_platform.selection.capabilities import Capabilities
from etl_platform.selection.evidence import Evidence
from etl_platform.selection.work import Work


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds at the moment of a choice.

    Args:
        evidence: by engine.
        connections_in_use: of the source, by work that goes on.
        resting: engine -> why its circuit is open.
        failed: engine -> what it failed with in this run.
    """

    evidence: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence])
    connections_in_use: int = 0
    resting: Mapping[str, str] = field(default_factory=dict[str, str])
    failed: Mapping[str, str] = field(default_factory=dict[str, str])


Rule: TypeAlias = Callable[[Work, Capabilities, Situation], "str | None"]


def works_on_the_kind(work: Work, engine: Capabilities, _: Situation) -> str | None:
    """The engine knows this kind of source."""
    if work.kind in engine.kinds:
        return None
    return f"works on {', '.join(sorted(engine.kinds)) or 'nothing'}, not on {work.kind}"


def keeps_every_value(work: Work, engine: Capabilities, _: Situation) -> str | None:
    """Every column arrives as it is. An engine that cannot tell is not given the benefit."""
    del work
    if engine.degrades:
        told = "; ".join(f"{one.column!r}: {one.why}" for one in engine.degrades)
        return f"would degrade {told}"
    if engine.lossless is None:
        return "cannot tell whether it would keep every value"
    return None if engine.lossless else "does not keep every value"


def streams_if_needed(work: Work, engine: Capabilities, _: Situation) -> str | None:
    """Memory stays bounded where that is asked for."""
    if engine.streaming or not work.needs_streaming:
        return None
    return "holds all rows in memory, and this work needs streaming"


def has_not_failed_in_this_run(work: Work, engine: Capabilities, now: Situation) -> str | None:
    """An engine gets one attempt per run."""
    del work
    what = now.failed.get(engine.name)
    return None if what is None else f"failed in this run: {what}"


def fits_the_connections(work: Work, engine: Capabilities, now: Situation) -> str | None:
    """The source's budget of connections holds. One connection is always granted: how many runs
    share a source is the business of whoever starts runs."""
    if work.connection_budget is None or engine.connections == 1:
        return None
    free = max(1, work.connection_budget - now.connections_in_use)
    if engine.connections <= free:
        return None
    return f"needs {engine.connections} connections, {free} of {work.connection_budget} are free"


def fits_the_memory(work: Work, engine: Capabilities, now: Situation) -> str | None:
    """What it took before fits into what there is."""
    known = now.evidence.get(engine.name)
    if work.memory_limit_bytes is None or known is None or known.peak_bytes is None:
        return None
    if known.peak_bytes <= work.memory_limit_bytes:
        return None
    took, limit = known.peak_bytes / 1e6, work.memory_limit_bytes / 1e6
    return f"took {took:,.0f} MB before, the limit is {limit:,.0f} MB"


def is_not_resting(work: Work, engine: Capabilities, now: Situation) -> str | None:
    """Its circuit is closed."""
    del work
    return now.resting.get(engine.name)


ABLE: tuple[Rule, ...] = (
    works_on_the_kind,
    keeps_every_value,
    streams_if_needed,
    has_not_failed_in_this_run,
)
WISE: tuple[Rule, ...] = (fits_the_connections, fits_the_memory, is_not_resting)
RULES: tuple[Rule, ...] = ABLE + WISE


def reason_against(work: Work, engine: Capabilities, now: Situation) -> str | None:
    """The first rule's reason against an engine; None when it may do the work."""
    if work.pinned is not None and work.pinned != engine.name:
        return f"{work.pinned} is pinned"
    for rule in ABLE if work.pinned is not None else RULES:
        if reason := rule(work, engine, now):
            return reason
    return None
