"""What a materialisation of a batch tells: how much came, how fast, and what still waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.publishing.budget import Entry
from etl_platform.publishing.checks import table_value
from etl_platform.sources.stream.ranges import from_json

if TYPE_CHECKING:
    from etl_platform.components.stream_source.intake import Intake
    from etl_platform.components.stream_source.messages_of import Messages
    from etl_platform.metastore import StreamBatchRecord, StreamLog

_SHOWN_PARTITIONS = 64


def batch_entries(
    intake: Intake, record: StreamBatchRecord, messages: Messages
) -> Mapping[str, Entry]:
    """Figures of one batch, once it was read."""
    value = dg.MetadataValue
    seconds = intake.seconds
    entries = {
        "stream": Entry(value.text(f"{messages.stream.info.kind}:{messages.stream.info.name}")),
        "messages": Entry(value.int(intake.messages)),
        "undecodable_messages": Entry(value.int(intake.letters.rejected)),
        "messages_bytes": Entry(value.int(intake.size_bytes)),
        "messages_per_second": Entry(value.float(round(intake.messages / max(seconds, 1e-9), 1))),
        "ranges": table_value(
            [
                {
                    "partition": one.partition,
                    "after": None if one.after is None else str(one.after),
                    "through": str(one.through),
                }
                for one in from_json(record.ranges)[:_SHOWN_PARTITIONS]
                if not one.empty
            ]
        ),
    }
    if intake.skipped:
        entries["tombstones"] = Entry(value.int(intake.skipped))
    if intake.unknown:
        shown = ", ".join(f"{name} ({count:,})" for name, count in intake.unknown.items())
        entries["fields_without_column"] = Entry(value.text(shown[:2000]))
    notes = [*([record.note] if record.note else []), *messages.lost]
    if notes:
        entries["note"] = Entry(value.text("\n".join(notes)))
    return entries


def lag_metadata(log: StreamLog, stream: str) -> Mapping[str, dg.MetadataValue]:
    """What was not published at the broker's last look, this batch excepted."""
    from etl_platform.monitoring.streams import stream_status

    status = stream_status(log, stream)
    if status is None:
        return {}
    value = dg.MetadataValue
    found: dict[str, dg.MetadataValue] = {"unfinished_batches": value.int(status.unfinished)}
    if status.lag_rows is not None:
        found["lag_rows"] = value.int(status.lag_rows)
    if status.lag_s is not None:
        found["lag_seconds"] = value.float(round(status.lag_s, 1))
    behind = [
        {"partition": one.partition, "rows": one.rows, "seconds": one.seconds}
        for one in status.partitions[:_SHOWN_PARTITIONS]
        if not one.level
    ]
    if behind:
        found["lag"] = table_value(behind).value
    return found
