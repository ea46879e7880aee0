"""Avro records, one per message: plain, or behind the id of their schema in a registry."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from etl_platform.core.errors import ConfigError
from etl_platform.sources.stream.formats.avro.meaning import disagreement
from etl_platform.sources.stream.formats.avro.records import records, table
from etl_platform.sources.stream.formats.avro.registry import (
    RegistryOptions,
    SchemaRegistry,
    UnknownSchema,
)
from etl_platform.sources.stream.formats.avro.schema import (
    AvroSchema,
    arrow_schema,
    schema_of,
)
from etl_platform.sources.stream.formats.envelope import Envelope, Payloads, decoded
from etl_platform.sources.stream.formats.protocol import Decoded

if TYPE_CHECKING:
    import pyarrow as pa

_HEADER = 5
"""Confluent's wire format: a zero byte, then the schema's id, four bytes big-endian."""


class AvroFormat(Envelope):
    """``format: avro``: each message is one record in Avro's binary form.

    With ``registry`` the messages are in Confluent's wire format: each names the schema that it was
    written with, and is read as the schema given here by Avro's rules of schema resolution.
    """

    format: Literal["avro"] = "avro"
    avro_schema: dict[str, Any] | str | None = Field(
        default=None, alias="schema", description="The schema to read with, inline."
    )
    schema_file: str | None = Field(
        default=None, description="The schema to read with, in a file (.avsc)."
    )
    subject: str | None = Field(
        default=None, description="The schema to read with is this subject's in the registry."
    )
    version: int | None = Field(
        default=None, description="Which version of it: a replay reads the same as before."
    )
    registry: RegistryOptions | None = Field(
        default=None, description="The schema registry of the messages' wire format."
    )

    @model_validator(mode="after")
    def _one_schema(self) -> Self:
        given = (self.avro_schema, self.schema_file, self.subject)
        if sum(one is not None for one in given) != 1:
            raise ValueError("give one of schema, schema_file and subject (with its version)")
        if (self.subject is None) != (self.version is None):
            raise ValueError("subject and version belong together")
        if self.subject is not None and self.registry is None:
            raise ValueError("a subject is in a registry: say which under registry")
        return self

    def decoder(self) -> AvroDecoder:
        """What reads messages of this form."""
        return AvroDecoder(self)


class AvroDecoder:
    """Messages are grouped by the schema that they were written with."""

    def __init__(self, options: AvroFormat) -> None:
        self._options = options
        self._registry = None if options.registry is None else SchemaRegistry(options.registry)

    @cached_property
    def _reader(self) -> AvroSchema:
        options = self._options
        if options.subject is not None and self._registry is not None:
            return self._registry.version(options.subject, options.version or 0)
        if options.avro_schema is not None:
            return schema_of(options.avro_schema, "schema")
        try:
            text = Path(str(options.schema_file)).read_text()
        except OSError as error:
            raise ConfigError(f"schema_file: {options.schema_file!r}: {error}") from error
        return schema_of(text, f"schema_file {options.schema_file!r}")

    @cached_property
    def _columns(self) -> pa.Schema:
        return arrow_schema(self._reader)

    def schema(self, position: pa.DataType) -> pa.Schema:
        """The reader schema's fields as columns, then those of the message.

        Raises:
            ConfigError: the schema is none, or its file cannot be read.
            TransientError: the schema is a registry's, which does not answer.
        """
        return self._options.row_schema(self._columns, position)

    def decode(self, batch: pa.RecordBatch) -> Decoded:
        """Read a batch of messages.

        Raises:
            RegistryUnavailable: no message was judged; try again later.
        """
        return decoded(batch, self._options, self._read)

    def _read(self, values: pa.Array[Any]) -> Payloads:
        import numpy as np
        import pyarrow as pa

        held: list[Any] = values.to_pylist()
        reasons: dict[int, str] = {}
        parts = [self._columns.empty_table()]
        at: list[int] = []
        for number, indices in self._by_schema(held, reasons).items():
            writer = self._writer(number)
            why = writer if isinstance(writer, str) else disagreement(writer, self._reader)
            if isinstance(writer, str) or why is not None:
                reasons |= dict.fromkeys(indices, str(why))
                continue
            some = [held[index] for index in indices]
            start = 0 if self._registry is None else _HEADER
            found, wrong, good = records(some, start, writer, self._reader)
            part, unfit, good = table(found, good, self._columns)
            reasons |= {indices[row]: why for row, why in (wrong | unfit).items()}
            parts.append(part)
            at.extend(indices[row] for row in good)
        together, taken = pa.concat_tables(parts), np.array(at, np.int64)
        if len(parts) > 2:
            order = np.argsort(taken)
            together, taken = together.take(order), taken[order]
        return Payloads(together, taken, reasons)

    def _writer(self, number: int) -> AvroSchema | str:
        if self._registry is None:
            return self._reader
        try:
            return self._registry.by_id(number)
        except UnknownSchema as error:
            return error.what

    def _by_schema(self, held: list[bytes], reasons: dict[int, str]) -> dict[int, list[int]]:
        groups: dict[int, list[int]] = {}
        if self._registry is None:
            return {0: list(range(len(held)))} if held else {}
        for index, value in enumerate(held):
            if len(value) < _HEADER:
                reasons[index] = (
                    f"{len(value)} bytes are too few for a schema's id: a zero byte and four more"
                )
            elif value[0] != 0:
                reasons[index] = f"the first byte is 0x{value[0]:02x}, not 0x00 of the wire format"
            else:
                groups.setdefault(int.from_bytes(value[1:_HEADER]), []).append(index)
        return groups
