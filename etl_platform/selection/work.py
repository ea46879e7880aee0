"""A piece of work that several engines could do, and how it went."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_SIZE_LIMITS = ((10_000, "small"), (1_000_000, "medium"))


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work.

    Args:
        kind: what it works on, matched with the engines' ``kinds``: ``"postgresql"``.
        table: the table in the lake, whose past runs tell most: ``"shop.orders"``.
        shape_key: what makes tables alike, see :func:`~.shape.shape_key`.
        rows_estimated: how many rows; None when nobody knows.
        needs_streaming: whether an engine that holds everything in memory is out of the question.
        pinned: the one engine to use; it has no fallback.
        task: ``"extract"``, ``"load"`` or ``"compute"``: speeds of one say nothing about another.
        source: the name of what is worked on: speeds and connections are counted per source.
        connection_budget: how many connections the source grants to all work together.
        memory_limit_bytes: engines that took more for this table before are out.
        run_id: the run that asks, for the records.
    """

    kind: str
    table: str
    shape_key: str
    rows_estimated: int | None = None
    needs_streaming: bool = False
    pinned: str | None = None
    task: str = "extract"
    source: str = ""
    connection_budget: int | None = None
    memory_limit_bytes: int | None = None
    run_id: str | None = None

    @property
    def size_class(self) -> str:
        """``small``, ``medium``, ``large`` or ``unknown``.

        A speed seen on a hundred changed rows is the cost of connecting: it says nothing about six
        million. The class follows the estimate, not the outcome, so that the next run with the same
        estimate finds what this one measured.
        """
        if self.rows_estimated is None:
            return "unknown"
        for limit, name in _SIZE_LIMITS:
            if self.rows_estimated < limit:
                return name
        return "large"


class Outcome(StrEnum):
    """How a piece of work ended."""

    DONE = "done"
    ENGINE_FAULT = "engine_fault"
    FAILED = "failed"
    """By no fault of the engine: the source, the lake, or somebody who stopped it."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What an engine did.

    Args:
        rows: rows worked on, also when it failed later.
        seconds: from the start until the last row was taken.
        peak_bytes: how far the process's memory grew meanwhile; None when it cannot be told.
        error: None when it succeeded, else what happened, without secrets.
        engine_fault: whether the error was the engine's own.
    """

    rows: int
    seconds: float
    peak_bytes: int | None = None
    error: str | None = None
    engine_fault: bool = False

    @property
    def outcome(self) -> Outcome:
        if self.error is None:
            return Outcome.DONE
        return Outcome.ENGINE_FAULT if self.engine_fault else Outcome.FAILED
