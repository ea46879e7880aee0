"""JSON objects, one per message, into declared columns."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from etl_platform.core.duck import sealed
from etl_platform.sources.stream.formats.columns import ColumnDeclaration, columns_of
from etl_platform.sources.stream.formats.conversion import written_schema
from etl_platform.sources.stream.formats.envelope import Envelope, Payloads, decoded
from etl_platform.sources.stream.formats.json import parsing, rest, screen, single
from etl_platform.sources.stream.formats.pieces import Pieces
from etl_platform.sources.stream.formats.protocol import Decoded

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

    Indices = np.ndarray[Any, np.dtype[np.int64]]

_MOST_UNKNOWN = 100
_SLICE = 16_384
"""Messages that are parsed together: what one that is refused makes slower."""


class JsonFormat(Envelope):
    """``format: json``: each message is one object (RFC 8259)."""

    format: Literal["json"] = "json"
    columns: dict[str, ColumnDeclaration] = Field(
        description="Columns and their types. Fields that are not named here are left out, "
        "fields that a message lacks are null.",
        examples=[{"id": {"type": "int64", "required": True}, "amount": "decimal(10, 2)"}],
    )
    rest: bool = Field(
        default=False,
        description="Keep top-level fields that no column reads as a JSON text in _rest.",
    )

    def decoder(self) -> JsonDecoder:
        """What reads messages of this form."""
        return JsonDecoder(self)


class JsonDecoder:
    """Sound messages of a batch are parsed together; only the others are looked at one by one."""

    def __init__(self, options: JsonFormat) -> None:
        self._options = options
        self._columns = columns_of(options.columns)
        self._known = frozenset(column.path[0] for column in self._columns)

    def schema(self, position: pa.DataType) -> pa.Schema:
        """The declared columns, ``_rest`` if asked for, then those of the message."""
        import pyarrow as pa

        fields = [pa.field(column.name, column.type) for column in self._columns]
        if self._options.rest:
            fields.append(pa.field(rest.REST, pa.string()))
        return self._options.row_schema(pa.schema(fields), position)

    def decode(self, batch: pa.RecordBatch) -> Decoded:
        """Read a batch; ``unknown`` holds the 100 most common names."""
        with self._session.cursor() as con:
            return decoded(batch, self._options, lambda values: self._read(con, values))

    def _read(self, con: duckdb.DuckDBPyConnection, values: pa.Array[Any]) -> Payloads:
        import numpy as np

        pieces, unknown = Pieces(), Counter[str]()
        sound = screen.sound(con, values, rest=self._options.rest)
        at = np.flatnonzero(sound.to_numpy(zero_copy_only=False))
        some = values if len(at) == len(values) else values.filter(sound)
        start = self._as_declared(some, at, pieces)
        repeated = False
        if start < len(at):
            for keys, count in screen.key_lists(con, some):
                unknown.update(dict.fromkeys(set(keys) - self._known, count))
                repeated |= len(set(keys)) < len(keys)
        refused = [
            self._together(con, some[start:end], at[start:end], pieces, repeated=repeated)
            for start, end in ((n, n + _SLICE) for n in range(start, len(at), _SLICE))
        ]
        self._alone(values, np.concatenate([at[:0], *refused]), pieces)
        unsound = np.setdiff1d(np.arange(len(values)), at, assume_unique=True)
        unknown.update(self._alone(values, unsound, pieces))
        return pieces.payloads(self._columns, dict(unknown.most_common(_MOST_UNKNOWN)))

    def _as_declared(self, values: pa.Array[Any], at: Indices, pieces: Pieces) -> int:
        """Parse sound values up to the first slice that holds more, or other, than is declared.

        As long as there is none, no name has to be looked for that no column reads.
        """
        start = 0
        while start < len(at) and not self._options.rest:
            some = values[start : start + _SLICE]
            parts, left = parsing.parsed(some, self._columns, halve=False, unknown="error")
            if left:
                break
            pieces.add(at[start : start + _SLICE], parts[-1])
            start += len(some)
        return start

    def _together(
        self,
        con: duckdb.DuckDBPyConnection,
        values: pa.Array[Any],
        at: Indices,
        pieces: Pieces,
        *,
        repeated: bool,
    ) -> Indices:
        """Parse sound values; which of them have to be looked at alone."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        refused = [at[:0]]
        parts, left = parsing.parsed(values, self._columns, halve=False)
        if left:
            doubt = screen.doubtful(con, values, self._columns, repeated=repeated)
            refused.append(at[doubt.to_numpy(zero_copy_only=False)])
            certain = pc.invert(doubt)
            at, values = at[certain.to_numpy(zero_copy_only=False)], values.filter(certain)
            parts, left = parsing.parsed(values, self._columns, halve=True)
            refused.append(at[left])
            kept = np.setdiff1d(np.arange(len(values)), left, assume_unique=True)
            at, values = at[kept], values.take(kept)
        table = pa.concat_tables(parts)
        if self._options.rest:
            others = rest.of_sound(con, values, self._known)
            table = table.append_column(rest.REST, others)
        pieces.add(at, table)
        return np.concatenate(refused)

    def _alone(self, values: pa.Array[Any], at: Indices, pieces: Pieces) -> Counter[str]:
        """Read messages one by one; the unknown fields that they hold."""
        import numpy as np
        import pyarrow as pa

        unknown: Counter[str] = Counter()
        found: list[dict[str, Any]] = []
        good: list[int] = []
        doubtful: list[Any] = values.take(at).to_pylist()
        for index, value in zip(at.tolist(), doubtful, strict=True):
            try:
                message = single.parse(value)
                unknown.update({name for name, _ in message} - self._known)
                row = single.written(message, self._columns)
                if self._options.rest:
                    row[rest.REST] = rest.of_one(message, self._known)
            except single.Unusable as error:
                pieces.reasons[index] = str(error)
            else:
                found.append(row)
                good.append(index)
        if found:
            schema = written_schema(self._columns)
            if self._options.rest:
                schema = schema.append(pa.field(rest.REST, pa.string()))
            pieces.add(np.array(good, np.int64), pa.Table.from_pylist(found, schema))
        return unknown

    @cached_property
    def _session(self) -> duckdb.DuckDBPyConnection:
        return sealed()
