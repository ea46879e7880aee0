"""A stream taken batch by batch, as the sensor and the runs do together."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from etl_platform.sources.stream import Ranges, Stream, message_schema
from etl_platform.sources.stream.cutting import CutLimits, LastCut, Start, cut

LIMITS = CutLimits(counted=False)


def position_of(ranges: Ranges) -> dict[str, int]:
    return {one.partition: one.through for one in ranges}


def next_batch(
    stream: Stream, last: LastCut | None, start: Start = "earliest"
) -> tuple[Ranges, LastCut] | None:
    """Look, and cut once."""
    ends = stream.ends(20, position_of(last.ranges) if last else None)
    made = cut(ends, last, LIMITS, start=start)
    return None if made is None else (made.ranges, LastCut(made.ranges, made.incarnation))


def drain(
    stream: Stream, last: LastCut | None = None, between: Callable[[int], None] = lambda _: None
) -> tuple[list[Ranges], pa.Table, LastCut | None]:
    """Batches until nothing is left, and their messages in the order of the batches.

    ``between`` is called with the number of each batch after its cut and before it is read.
    """
    cuts: list[Ranges] = []
    batches: list[pa.RecordBatch] = []
    while (found := next_batch(stream, last)) is not None:
        ranges, last = found
        between(len(cuts))
        cuts.append(ranges)
        batches += stream.read(ranges)
        assert len(cuts) < 100
    return cuts, pa.Table.from_batches(batches, message_schema(pa.string())), last
