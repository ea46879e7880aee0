"""Messages as they are: one column of bytes or text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from etl_platform.sources.stream.formats.envelope import Envelope, Payloads, decoded
from etl_platform.sources.stream.formats.protocol import Decoded

if TYPE_CHECKING:
    import pyarrow as pa


class RawFormat(Envelope):
    """``format: raw``: nothing is read into the message."""

    format: Literal["raw"] = "raw"
    column: str = Field(default="value", description="The column that holds the message.")
    text: bool = Field(default=False, description="As text; what is not UTF-8 is rejected.")

    def decoder(self) -> RawDecoder:
        """What reads messages of this form."""
        return RawDecoder(self)


class RawDecoder:
    """Gives every message as its row."""

    def __init__(self, options: RawFormat) -> None:
        self._options = options

    def schema(self, position: pa.DataType) -> pa.Schema:
        """One column, then those of the message."""
        import pyarrow as pa

        kind = pa.string() if self._options.text else pa.binary()
        return self._options.row_schema(pa.schema([(self._options.column, kind)]), position)

    def decode(self, batch: pa.RecordBatch) -> Decoded:
        """Take a batch of messages as they are."""
        return decoded(batch, self._options, self._read)

    def _read(self, values: pa.Array[Any]) -> Payloads:
        import numpy as np
        import pyarrow as pa

        reasons: dict[int, str] = {}
        taken = np.arange(len(values))
        if self._options.text:
            values, reasons = as_text(values)
            taken = np.setdiff1d(taken, list(reasons), assume_unique=True)
            values = values if not reasons else values.take(taken)
        return Payloads(pa.table([values], names=[self._options.column]), taken, reasons)


def as_text(values: pa.Array[Any]) -> tuple[pa.Array[Any], dict[int, str]]:
    """Bytes as UTF-8 text; what is none is null and told."""
    import pyarrow as pa

    reasons: dict[int, str] = {}

    def part(start: int, some: pa.Array[Any]) -> list[pa.Array[Any]]:
        try:
            return [some.cast(pa.string())]
        except pa.ArrowInvalid:
            if len(some) == 1:
                reasons[start] = _not_text(some[0].as_py())
                return [pa.array([None], pa.string())]
        half = len(some) // 2
        return [*part(start, some[:half]), *part(start + half, some[half:])]

    return pa.concat_arrays(part(0, values)), reasons


def _not_text(value: bytes) -> str:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return f"byte 0x{value[error.start]:02x} at position {error.start} is not UTF-8"
    return "the message is not UTF-8"
