"""A batch on its way from the broker to the gate: read, decoded, counted, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from etl_platform.sources.stream.messages import PARTITION, TIMESTAMP

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.components.stream_source.dead_letters import DeadLetters
    from etl_platform.sources.stream.formats.protocol import Decoder


@dataclass(slots=True)
class Intake:
    """What has come of a batch so far.

    Attributes:
        messages: that were read.
        rows: that were made of them.
        skipped: tombstones that the format passed over.
        size_bytes: of the messages, in Arrow.
        newest: by partition the broker's time of the last message.
        unknown: fields of messages that no column reads, with the number of messages.
    """

    decoder: Decoder
    letters: DeadLetters
    messages: int = 0
    rows: int = 0
    skipped: int = 0
    size_bytes: int = 0
    newest: dict[str, datetime] = field(default_factory=dict[str, datetime])
    unknown: dict[str, int] = field(default_factory=dict[str, int])
    _started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.perf_counter() - self._started

    def decoded(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of messages; those that cannot be read are spooled."""
        for batch in batches:
            found = self.decoder.decode(batch)
            self.letters.keep(batch, found.rejected)
            self.messages += batch.num_rows
            self.rows += found.rows.num_rows
            self.skipped += found.skipped
            self.size_bytes += batch.nbytes
            for name, count in found.unknown.items():
                self.unknown[name] = self.unknown.get(name, 0) + count
            self._note_times(batch)
            yield from found.rows.to_batches()

    def _note_times(self, batch: pa.RecordBatch) -> None:
        for name, newest in newest_by_partition(batch).items():
            self.newest[name] = max(newest, self.newest.get(name, newest))


def newest_by_partition(batch: pa.RecordBatch) -> Mapping[str, datetime]:
    """The broker's largest time of each partition in a batch of messages."""
    import pyarrow as pa

    table = pa.table({PARTITION: batch.column(PARTITION), TIMESTAMP: batch.column(TIMESTAMP)})
    grouped = table.group_by(PARTITION).aggregate([(TIMESTAMP, "max")])
    times: list[Any] = grouped.column(f"{TIMESTAMP}_max").to_pylist()
    names: list[Any] = grouped.column(PARTITION).to_pylist()
    return {name: at for name, at in zip(names, times, strict=True) if at is not None}
