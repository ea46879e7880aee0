"""Requests to a data stream: four calls, each repeated for as long as that can help."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict, cast

from etl_platform.core.errors import EtlError
from etl_platform.sources.stream.kinesis.connecting import connect
from etl_platform.sources.stream.kinesis.failures import EXPIRED, INVALID, code, failure, passes
from etl_platform.sources.stream.kinesis.options import KinesisOptions
from etl_platform.sources.stream.protocol import StreamUnavailable

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class IteratorExpired(Exception):
    """An iterator is older than 5 minutes: another one has to be asked for."""


class PositionRefused(Exception):
    """The service does not take a position for one of this shard."""


class RawRecord(TypedDict):
    """A message as botocore gives it."""

    SequenceNumber: str
    ApproximateArrivalTimestamp: datetime
    Data: bytes
    PartitionKey: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one read gave.

    Attributes:
        records: in the order of their positions.
        next: the iterator that goes on; None when a closed shard is read to its end.
        level: nothing lies behind these records now.
        answered_at: the service's clock.
    """

    records: list[RawRecord]
    next: str | None
    level: bool
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """Where an iterator begins, in the service's words."""

    kind: str
    position: int | None = None
    moment: datetime | None = None


FROM_BEGINNING = Start("TRIM_HORIZON")


@dataclass(frozen=True, slots=True)
class Summary:
    """A stream at large; its ARN is the same after it was made again, the time is not."""

    made_at: datetime
    retention_s: float
    status: str

    @property
    def incarnation(self) -> str:
        """What tells it from another stream of the same name."""
        return self.made_at.isoformat()


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard; parents may be gone already."""

    name: str
    parents: tuple[str, ...]
    closed: bool


class Service:
    """A client of one stream. May be used from several threads.

    botocore repeats nothing by itself: how long to go on is said with each call.
    """

    def __init__(self, options: KinesisOptions, answer_timeout_s: float) -> None:
        self.options = options
        self._client = connect(options, answer_timeout_s)

    @property
    def address(self) -> str:
        """Where requests go."""
        return str(self._client.meta.endpoint_url)

    def summary(self, deadline: float) -> Summary:
        """One request; deadlines are of ``time.monotonic()``."""
        found = self._ask("describe_stream_summary", deadline, self.options.place)
        body = found["StreamDescriptionSummary"]
        return Summary(
            body["StreamCreationTimestamp"].astimezone(UTC),
            float(body["RetentionPeriodHours"]) * 3600,
            str(body["StreamStatus"]),
        )

    def shards(self, deadline: float) -> dict[str, Shard]:
        """One request per 1,000 shards."""
        found: dict[str, Shard] = {}
        given: dict[str, object] = dict(self.options.place)
        while True:
            answer = self._ask("list_shards", deadline, given)
            for one in answer["Shards"]:
                parents = (one.get("ParentShardId"), one.get("AdjacentParentShardId"))
                name = str(one["ShardId"])
                closed = one["SequenceNumberRange"].get("EndingSequenceNumber") is not None
                found[name] = Shard(name, tuple(str(p) for p in parents if p), closed)
            token = answer.get("NextToken")
            if not token:
                return found
            # A token stands for the stream; naming both is refused.
            given = {"NextToken": token}

    def iterator(self, shard: str, start: Start, deadline: float) -> str:
        """A place to read from, good for 5 minutes.

        Raises:
            PositionRefused: the position is none of this shard.
        """
        given: dict[str, object] = {**self.options.place, "ShardId": shard}
        given["ShardIteratorType"] = start.kind
        if start.position is not None:
            given["StartingSequenceNumber"] = str(start.position)
        if start.moment is not None:
            given["Timestamp"] = start.moment
        return str(self._ask("get_shard_iterator", deadline, given)["ShardIterator"])

    def page(self, iterator: str, limit: int, deadline: float) -> Page:
        """At most ``limit`` (up to 10,000) messages and 10 MB.

        Raises:
            IteratorExpired: it was kept for too long.
        """
        given: dict[str, object] = {"ShardIterator": iterator, "Limit": limit}
        if "StreamARN" in self.options.place:
            given |= self.options.place
        found = self._ask("get_records", deadline, given)
        date = found["ResponseMetadata"]["HTTPHeaders"].get("date")
        return Page(
            cast("list[RawRecord]", found["Records"]),
            found.get("NextShardIterator"),
            not found.get("MillisBehindLatest"),
            parsedate_to_datetime(date) if date else datetime.now(UTC),
        )

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _ask(self, call: str, deadline: float, given: Mapping[str, object]) -> dict[str, Any]:
        """Repeat what can pass, with growing pauses that differ from thread to thread.

        Raises:
            StreamUnavailable: not before the deadline.
            PermanentError: it cannot succeed.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        method: Callable[..., dict[str, Any]] = getattr(self._client, call)
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return method(**given)
            except (ClientError, BotoCoreError) as error:
                name = code(error)
                if name == EXPIRED:
                    raise IteratorExpired from None
                if name == INVALID and "StartingSequenceNumber" in given:
                    raise PositionRefused from None
                wait_s = pause_s * random.uniform(0.5, 1.0)
                if not passes(error) or time.monotonic() + wait_s > deadline:
                    raise self._failure(error, call) from None
            time.sleep(wait_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _failure(self, error: Any, call: str) -> EtlError:
        return failure(error, f"stream {self.options.name!r} at {self.address}", f"to {call}")

    def out_of_time(self, doing: str) -> StreamUnavailable:
        """What to raise when answers came, but not the one that was waited for."""
        return StreamUnavailable(
            f"stream {self.options.name!r} at {self.address}: time was up {doing}",
            fix="allow more time, or look whether other consumers use up the shards' reads",
        )
