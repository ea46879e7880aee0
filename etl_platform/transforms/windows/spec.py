"""What a window over a stream computes, and by which rules of time."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Function = Literal["count", "sum", "min", "max", "avg", "distinct", "quantiles"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MICROSECOND = timedelta(microseconds=1)


class Aggregate(BaseModel):
    """One thing to know of each window and key.

    Attributes:
        name: the column of the results; quantiles get one column per rank, ``<name>_p95``.
        column: what is aggregated; only ``count`` may go without, and then counts rows.
        ranks: which quantiles, between 0 and 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    function: Function
    column: str | None = None
    ranks: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Aggregate:
        _check_name(self.name)
        if self.column is None and self.function != "count":
            raise ValueError(f"aggregate {self.name!r}: {self.function} needs a column")
        if bool(self.ranks) != (self.function == "quantiles"):
            raise ValueError(f"aggregate {self.name!r}: 'ranks' goes with quantiles, and only so")
        if any(not 0 <= rank <= 1 for rank in self.ranks):
            raise ValueError(f"aggregate {self.name!r}: ranks lie between 0 and 1: {self.ranks}")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns of the results."""
        if not self.ranks:
            return (self.name,)
        return tuple(f"{self.name}_p{rank * 100:g}".replace(".", "_") for rank in self.ranks)


class Deduplication(BaseModel):
    """A message is left out when an earlier one has the same key and an event time less than
    ``horizon`` away. Earlier is by batch, then stream partition, then position. Messages whose key
    has a null are never left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[str, ...] = Field(min_length=1)
    horizon: timedelta

    @property
    def horizon_us(self) -> int:
        return micros(self.horizon)


class WindowSpec(BaseModel):
    """Windows over event time. Bounds are half open and count from 1970-01-01 UTC.

    Attributes:
        size: how long a window is; the gap that ends a session: an event belongs to the session
            of the one before if it comes less than this after it.
        every: how far hopping windows lie apart.
        keys: columns that split each window; nulls are a key of their own.
        out_of_orderness: how far events may be behind the newest of their stream partition before
            the watermark passes them.
        idle_after: a stream partition without messages for so long, by the times at which batches
            were cut, no longer holds the watermark back; None: it always does.
        allowed_lateness: how long after the watermark a window still takes events.
        late: what comes later goes to the dead letters, or still updates the result.
        max_ahead: how far event times may be ahead of the cut of their batch; those further ahead
            do not move the watermark. None: every event does.
        ahead: what becomes of them: dead letters, or rows of their windows like any other.
        emit: results once they are final, or all that there is, marked.
        filter: an SQL condition on rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["tumbling", "hopping", "session"]
    size: timedelta
    every: timedelta | None = None
    event_time: str
    keys: tuple[str, ...] = ()
    aggregates: tuple[Aggregate, ...] = Field(min_length=1)
    out_of_orderness: timedelta = timedelta(0)
    idle_after: timedelta | None = None
    allowed_lateness: timedelta = timedelta(0)
    late: Literal["dead_letter", "update"] = "dead_letter"
    max_ahead: timedelta | None = None
    ahead: Literal["dead_letter", "take"] = "dead_letter"
    emit: Literal["watermark", "update"] = "watermark"
    filter: str | None = None
    deduplicate: Deduplication | None = None

    @field_validator("keys")
    @classmethod
    def _own_names(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            _check_name(key)
        return keys

    @model_validator(mode="after")
    def _possible(self) -> WindowSpec:
        if self.size <= timedelta(0):
            raise ValueError(f"window {self.name!r}: a size of {self.size} holds nothing")
        if (self.every is None) == (self.kind == "hopping"):
            raise ValueError(f"window {self.name!r}: 'every' goes with hopping, and only so")
        if self.every is not None and not timedelta(0) < self.every <= self.size:
            raise ValueError(f"window {self.name!r}: 'every' lies between 0 and the size")
        if min(self.out_of_orderness, self.allowed_lateness) < timedelta(0):
            raise ValueError(f"window {self.name!r}: a lateness cannot be negative")
        if self.max_ahead is not None and self.max_ahead < timedelta(0):
            raise ValueError(f"window {self.name!r}: max_ahead cannot be negative")
        if self.max_ahead is None and self.ahead == "take":
            raise ValueError(f"window {self.name!r}: 'ahead' goes with max_ahead")
        if self.deduplicate is not None:
            if self.deduplicate.horizon <= timedelta(0):
                raise ValueError(f"window {self.name!r}: the horizon must be longer than 0")
            if self.late == "update":
                raise ValueError(
                    f"window {self.name!r}: keys can only be forgotten when late events are "
                    "refused: deduplicate needs late: dead_letter"
                )
        names = [*self.keys, *(name for one in self.aggregates for name in one.outputs)]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"window {self.name!r}: columns that stand twice: {sorted(twice)}")
        return self

    @property
    def size_us(self) -> int:
        return micros(self.size)

    @property
    def every_us(self) -> int:
        """How far windows lie apart; the stretches of a session are as long as its gap."""
        return self.size_us if self.every is None else micros(self.every)

    @property
    def pane_us(self) -> int:
        """The longest stretches of time that every window consists of wholly.

        A session has none of its own: two events of one stretch that is as long as the gap are
        always in the same session, so such stretches serve it as well.
        """
        return math.gcd(self.size_us, self.every_us)

    @property
    def lateness_us(self) -> int:
        return micros(self.allowed_lateness)


def micros(span: timedelta) -> int:
    """A span in whole microseconds, exactly."""
    return span // _MICROSECOND


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name in ("window_start", "window_end", "final"):
        raise ValueError(
            f"{name!r} cannot be a column of the results: lower-case letters, digits and "
            "underscores, a letter first, not window_start, window_end or final"
        )
