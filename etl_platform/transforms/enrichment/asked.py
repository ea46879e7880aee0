"""What a step asks of whom, in a form that is a part of the table's logic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from etl_platform.core.secrets import redact
from etl_platform.lakehouse.origin import External
from etl_platform.lakehouse.receipt import Mode

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.transforms.segments import Segment

OPTION = "asked"
"""The option of a segment that holds what is asked."""


class Asked(BaseModel):
    """A question to someone outside of the lake.

    Attributes:
        database: secret reference or URL without password.
        table: there, with its schema.
        on: own column to the other's.
        columns: what is taken, with DuckDB types.
        expect: how many rows a key may have there.
        missing: what becomes of rows whose key is not there.
        refresh_s: seconds for which an answer is good; None asks in each run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: str
    table: str
    on: Mapping[str, str]
    columns: Mapping[str, str]
    expect: Literal["many_to_one", "many_to_many"]
    missing: Literal["null", "fail", "drop"]
    refresh_s: float | None

    @property
    def source(self) -> External:
        """Who is asked, without anything secret."""
        name = redact(self.database).rpartition("/")[2] or "database"
        return External(name.lower(), "database", self.table)


def asked_by(segment: Segment) -> Asked | None:
    """What a segment asks outside of the lake; None for other functions."""
    text = segment.options.get(OPTION)
    return Asked.model_validate_json(text) if isinstance(text, str) else None


def due(asked: Asked, current: Snapshot | None, now: datetime | None = None) -> str | None:
    """Why an answer has to be got anew though no table changed; None where the old one is good.

    Args:
        current: the newest version of the model's table, which holds the old answer.
        now: with a time zone; default: the clock's.
    """
    if current is None:
        return None
    who = f"{asked.source} is outside of the lake"
    if asked.refresh_s is None:
        return f"{who}: it is asked in each run"
    for commit in current.history():
        receipt = commit.receipt
        if receipt is None or receipt.committed_at is None or receipt.mode is Mode.COMPACT:
            continue
        age = (now or datetime.now(UTC)) - receipt.committed_at
        if age <= timedelta(seconds=asked.refresh_s):
            return None
        break
    return f"{who}: what it said is older than {asked.refresh_s:g} s"
