"""What the message itself adds to a row, and how rows and rejected messages are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from etl_platform.sources.stream.formats.protocol import REASON, Decoded
from etl_platform.sources.stream.messages import (
    HEADERS,
    KEY,
    PARTITION,
    POSITION,
    TIMESTAMP,
    VALUE,
    message_schema,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Indices = np.ndarray[Any, np.dtype[np.int64]]

_SHOWN = 60


class Envelope(BaseModel):
    """Columns of the message beside those of its payload."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: bool = Field(
        default=True,
        description="Add _source_partition, _source_position and _source_timestamp.",
    )
    key: bool = Field(default=False, description="Add _key, the message's key as bytes.")
    headers: bool = Field(default=False, description="Add _headers, a list of name and value.")
    tombstones: Literal["reject", "row", "skip"] = Field(
        default="reject",
        description="A message without a value: reject it as a dead letter, make it a row whose "
        "payload is null (with key: true it tells what was deleted), or skip and count it.",
    )

    def names(self) -> Mapping[str, str]:
        """The chosen columns, by the message's column that they come from."""
        chosen: dict[str, str] = {}
        if self.source:
            for name in (PARTITION, POSITION, TIMESTAMP):
                chosen[name] = f"_source_{name}"
        if self.key:
            chosen[KEY] = "_key"
        if self.headers:
            chosen[HEADERS] = "_headers"
        return chosen

    def row_schema(self, payload: pa.Schema, position: pa.DataType) -> pa.Schema:
        """The payload's columns, then the chosen ones of the message; all of them nullable."""
        import pyarrow as pa

        source = message_schema(position)
        own = [pa.field(new, source.field(old).type) for old, new in self.names().items()]
        return pa.schema([*payload, *own])


@dataclass(frozen=True, slots=True)
class Payloads:
    """What a format made of some values.

    Attributes:
        columns: the payload of the values ``taken``, in their order.
        taken: which of the values those are, ascending (int64).
        reasons: why the others were rejected, by their index.
        unknown: how many values hold a field that no column is declared for, by its name.
    """

    columns: pa.Table
    taken: Indices
    reasons: Mapping[int, str]
    unknown: Mapping[str, int] = field(default_factory=dict[str, int])


def decoded(
    batch: pa.RecordBatch, envelope: Envelope, read: Callable[[pa.Array[Any]], Payloads]
) -> Decoded:
    """Read a batch's values and put payload and message columns side by side.

    Args:
        read: what the format does with values, none of which is null.
    """
    import numpy as np

    values = batch.column(VALUE)
    present = None
    if values.null_count:
        present = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
        values = values.take(present)
    payloads = read(values)
    payload, taken, reasons = payloads.columns, payloads.taken, payloads.reasons
    if present is not None:
        taken = present[taken]
        reasons = {int(present[row]): why for row, why in reasons.items()}
        empty = np.setdiff1d(np.arange(batch.num_rows), present)
        if envelope.tombstones == "reject":
            reasons |= dict.fromkeys(empty.tolist(), "a tombstone: the message has no value")
        elif envelope.tombstones == "row":
            payload, taken = _with_nulls(payload, taken, empty)
    rows = _beside(payload, batch if len(taken) == batch.num_rows else batch.take(taken), envelope)
    rejected = _rejected(batch, reasons)
    skipped = batch.num_rows - rows.num_rows - rejected.num_rows
    return Decoded(rows, rejected, skipped, payloads.unknown)


def _beside(payload: pa.Table, batch: pa.RecordBatch, envelope: Envelope) -> pa.Table:
    for name, new in envelope.names().items():
        payload = payload.append_column(new, batch.column(name))
    return payload


def _with_nulls(payload: pa.Table, taken: Indices, empty: Indices) -> tuple[pa.Table, Indices]:
    import numpy as np
    import pyarrow as pa

    nothing = [dict[str, object]()] * len(empty)
    nulls = pa.Table.from_pylist(nothing, payload.schema)
    together = np.concatenate([taken, empty])
    order = np.argsort(together)
    return pa.concat_tables([payload, nulls]).take(order), together[order]


def _rejected(batch: pa.RecordBatch, reasons: Mapping[int, str]) -> pa.Table:
    import pyarrow as pa

    order = sorted(reasons)
    rejected = pa.Table.from_batches([batch.take(pa.array(order, pa.int64()))])
    told = pa.array([reasons[one] for one in order], pa.string())
    return rejected.append_column(pa.field(REASON, pa.string(), nullable=False), told)


def shortened(value: object) -> str:
    """A value as a reason shows it: on one line, at most 60 characters of it."""
    text = value if isinstance(value, str) else repr(value)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
    return shown if shown.isprintable() else repr(shown)[1:-1]
