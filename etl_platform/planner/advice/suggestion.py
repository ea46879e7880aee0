"""What could be laid out or stored otherwise, and what that would save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from etl_platform.planner.draft import Params


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was asked: its text, parameters, how often it ran and mean seconds of a run."""

    sql: str
    runs: int = 1
    seconds: float = 0.0
    params: Params = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing that would make queries of the past cheaper.

    Attributes:
        what: in one line.
        queries: runs of the past on the table, or those that a rollup would have served.
        bytes_now, bytes_then: that these runs read of the table, and would read.
        seconds: that it would save them all, in proportion to the bytes.
        share: of the table's files that the runs would read on average; None for a rollup.
        how: how that is estimated.
        write: what to write, and where.
    """

    kind: Literal["partition", "sort", "rollup"]
    table: str
    what: str
    queries: int
    bytes_now: int
    bytes_then: int
    seconds: float
    share: float | None
    how: str
    write: str

    @property
    def saved_bytes(self) -> int:
        """Fewer bytes read by all runs together."""
        return self.bytes_now - self.bytes_then
