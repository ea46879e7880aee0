"""Which batch each row of a partition came with: merged partitions hold rows of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from etl_platform.core.duck import literal
from etl_platform.metastore.records import StreamBatchRecord
from etl_platform.sources.stream.ranges import from_json

NUMBER = "_number"
_WIDTH = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cut_us(batch: StreamBatchRecord) -> int:
    """When a batch was cut, microseconds since 1970 UTC."""
    return (batch.cut_at - _EPOCH) // timedelta(microseconds=1)


def numbered_sql(rows: str, kinds: Mapping[str, str], batches: Sequence[StreamBatchRecord]) -> str:
    """The rows of some batches with the column ``_number``, as SQL for after FROM.

    Args:
        rows: SQL for after FROM, with ``_source_partition`` and ``_source_position``.
        batches: those that the rows are of; ranges say which, where there are several.
    """
    if len(batches) == 1:
        return f"(SELECT *, {batches[0].number}::BIGINT AS {NUMBER} FROM {rows})"
    text = kinds["_source_position"] == "VARCHAR"
    ranges = ", ".join(
        f"({batch.number}::BIGINT, {literal(one.partition)}, "
        f"{_position(-1 if one.after is None else one.after, text)}, "
        f"{_position(one.through, text)})"
        for batch in batches
        for one in from_json(batch.ranges)
        if not one.empty
    )
    position = f"lpad(_source_position, {_WIDTH}, '0')" if text else "_source_position"
    return (
        f"(SELECT r.*, b.{NUMBER} FROM {rows} AS r JOIN (VALUES {ranges}) "
        f"AS b({NUMBER}, _of, _beyond, _through) ON r._source_partition = b._of "
        f"AND {position} > b._beyond AND {position} <= b._through)"
    )


def _position(value: int, text: bool) -> str:
    if not text:
        return f"{value}::BIGINT"
    # Before the first digit, as no position is negative.
    return "''" if value < 0 else literal(str(value).zfill(_WIDTH))
