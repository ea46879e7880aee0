"""What every format does: raw messages in, typed rows and rejected messages out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

REASON = "reason"


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a batch: ``rows.num_rows + rejected.num_rows + skipped`` messages came in.

    Attributes:
        rows: one row per message that could be read, in the order of the messages, as
            :meth:`Decoder.schema` says.
        rejected: the messages that could not, with all columns of a message and ``reason``
            (string), which names the field and the value, shortened.
        skipped: tombstones (messages whose value is null) that the format was told to pass over.
        unknown: fields that messages hold and no column is declared for, with the number of
            messages that hold them.
    """

    rows: pa.Table
    rejected: pa.Table
    skipped: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict[str, int])


class Decoder(Protocol):
    """One format, bound to its options. May be shared by threads."""

    def schema(self, position: pa.DataType) -> pa.Schema:
        """The columns of the rows: the payload's, then the chosen ones of the message.

        Args:
            position: the Arrow type of a position in this stream.
        """
        ...

    def decode(self, batch: pa.RecordBatch) -> Decoded:
        """Read a batch of messages; the result does not depend on how messages are batched.

        Args:
            batch: as ``messages.message_schema`` says.

        Raises:
            TransientError: something that the format needs (a schema registry) does not answer;
                no message was judged.
        """
        ...
