"""Where the partitions of a topic begin and end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

from etl_platform.sources.stream.kafka.client import Connection

if TYPE_CHECKING:
    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient

T = TypeVar("T")

_ASKED = "when asked for its ends"
# A call that failed does not say why; callbacks do, one after the other.
_REASONS_S = 0.1


@dataclass(frozen=True, slots=True)
class Watermarks:
    """Positions of a partition: ``low`` is the first that there is, ``high`` the first that there
    is not yet. Messages of a transaction that is still open lie at ``high`` and above."""

    low: int
    high: int
    newest_at: datetime | None


@dataclass(frozen=True, slots=True)
class TopicEnds:
    """All partitions, and the topic's id; empty where the broker gives none."""

    partitions: Mapping[int, Watermarks]
    incarnation: str


class Topic:
    """Answers questions about a topic; its clients stay connected until it is closed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._consumer: Consumer | None = None
        self._admin: AdminClient | None = None

    def ends(self, timeout_s: float) -> TopicEnds:
        """One request for the partitions, then one to each broker for first and for last positions,
        and one for the topic's id, at the same time.

        Raises:
            StreamUnavailable: no answer in time.
            PermanentError: there is no such topic, or it may not be described.
        """
        from confluent_kafka import IsolationLevel, TopicCollection, TopicPartition, Uuid
        from confluent_kafka.admin import (
            OffsetSpec,  # pyright: ignore[reportPrivateImportUsage] - documented as public
        )

        deadline = time.monotonic() + timeout_s
        name = self.connection.options.topic
        numbers, has_controller = self._partitions(timeout_s)
        left_s = max(deadline - time.monotonic(), 0.001)
        wanted = [TopicPartition(name, number) for number in numbers]
        admin = self._admin = self._admin or self.connection.admin()
        specs = cast("tuple[OffsetSpec, OffsetSpec]", (OffsetSpec.earliest(), OffsetSpec.latest()))
        low, high = (
            admin.list_offsets(
                dict.fromkeys(wanted, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=left_s,
            )
            for spec in specs
        )
        # The controller is asked for the id; a cluster without one never answers.
        described = (
            admin.describe_topics(TopicCollection([name]), request_timeout=left_s)[name]
            if has_controller
            else None
        )
        found: dict[int, Watermarks] = {}
        for one in wanted:
            first, last = self._result(low[one], deadline), self._result(high[one], deadline)
            if first.offset < 0 or last.offset < 0:
                raise self.connection.failure(None, f"for partition {one.partition}")
            found[one.partition] = Watermarks(first.offset, last.offset, _moment(last.timestamp))
        topic_id = self._result(described, deadline).topic_id if described else None
        self.connection.trouble = None
        known = topic_id is not None and str(topic_id) != str(Uuid(0, 0))
        return TopicEnds(found, str(topic_id) if known else "")

    def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._admin = None

    def _partitions(self, timeout_s: float) -> tuple[list[int], bool]:
        """The numbers of the partitions, and whether the cluster has a controller.

        A consumer asks: for any other client, brokers that make topics by themselves make one
        that is only mentioned.
        """
        from confluent_kafka import KafkaException

        name = self.connection.options.topic
        consumer = self._consumer = self._consumer or self.connection.consumer()
        try:
            cluster = consumer.list_topics(name, timeout=timeout_s)
        except KafkaException as error:
            consumer.consume(1, timeout=_REASONS_S)
            raise self.connection.failure(error.args[0], _ASKED) from None
        found = cluster.topics[name]
        if found.error is not None:
            raise self.connection.failure(found.error, _ASKED)
        return sorted(found.partitions), cluster.controller_id in cluster.brokers

    def _result(self, asked: Future[T], deadline: float) -> T:
        from confluent_kafka import KafkaException

        try:
            return asked.result(max(deadline - time.monotonic(), 0.001))
        except (KafkaException, Late) as error:
            if self._admin is not None:
                self._admin.poll(_REASONS_S)
            told = error.args[0] if isinstance(error, KafkaException) else None
            raise self.connection.failure(told, _ASKED) from None


def _moment(timestamp_ms: int) -> datetime | None:
    # Kafka's own broker gives no time (-1) with the end; some others do.
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC) if timestamp_ms > 0 else None
