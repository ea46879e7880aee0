"""Everything a table can be made of becomes one stream that DuckDB can read.

Accepted: Arrow tables, readers and anything else that speaks the Arrow stream protocol, Polars
frames and lazy frames, pandas frames, and DuckDB relations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from etl_platform.core.errors import ConfigError, EtlError, SchemaMismatch
from etl_platform.core.types import lake_schema

if TYPE_CHECKING:
    import pyarrow as pa


@runtime_checkable
class ArrowStream(Protocol):
    """Anything that exports an Arrow stream (PyCapsule interface)."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


@dataclass
class Tap:
    """An Arrow stream that remembers the error which ended it.

    An engine that reads the stream through the C interface reports only the text of what went
    wrong; the error itself, with its type (may it be retried?), is kept here.
    """

    reader: pa.RecordBatchReader
    error: BaseException | None = field(default=None, init=False)

    def open(self) -> pa.RecordBatchReader:
        """The guarded stream, in types that DuckDB reads without loss."""
        import pyarrow as pa

        target = _readable(self.reader.schema)
        return pa.RecordBatchReader.from_batches(target, self._batches(target))

    def _batches(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        same = target.equals(self.reader.schema)
        try:
            for batch in self.reader:
                yield batch if same else batch.cast(target, safe=True)
        except pa.ArrowInvalid as error:
            self.error = SchemaMismatch(
                f"a value does not fit the lake's type without loss: {error}",
                fix="round or cast the column in the source query",
            )
            raise
        except BaseException as error:
            self.error = error
            raise


def arrow_reader(data: object) -> pa.RecordBatchReader:
    """Open ``data`` as an Arrow stream without reading it.

    Raises:
        ConfigError: when ``data`` is of no accepted kind.
    """
    import pyarrow as pa

    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(data.schema, [data])
    module = type(data).__module__.partition(".")[0]
    if module == "polars" and hasattr(data, "collect_batches"):
        return pa.RecordBatchReader.from_stream(
            cast("Any", data).collect_batches(engine="streaming")
        )
    if module == "pandas":
        return pa.Table.from_pandas(cast("Any", data), preserve_index=False).to_reader()
    if isinstance(data, ArrowStream):
        return pa.RecordBatchReader.from_stream(data)
    raise ConfigError(
        f"cannot make a table of {type(data).__module__}.{type(data).__qualname__}",
        valid="a Polars frame or lazy frame, an Arrow table or stream, a pandas frame, "
        "a DuckDB relation",
    )


def _readable(schema: pa.Schema) -> pa.Schema:
    """The schema with the types replaced that DuckDB would read with loss or not at all."""
    import pyarrow as pa

    target = lake_schema(schema)
    check_names(schema.names)
    fields = [
        pa.field(f.name, target.field(i).type if _needs_cast(f.type) else f.type)
        for i, f in enumerate(schema)
    ]
    return pa.schema(fields)


def check_names(names: Sequence[str]) -> None:
    """Refuse names that SQL and Delta cannot tell apart, which engines would rename in silence."""
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise SchemaMismatch(
                f"columns {seen[name.lower()]!r} and {name!r} differ at most in case",
                fix="rename one of them in the source query",
            )
        seen[name.lower()] = name


def _needs_cast(kind: pa.DataType) -> bool:
    import pyarrow as pa
    from pyarrow import types as t

    if isinstance(kind, pa.BaseExtensionType):
        return True
    if t.is_float16(kind) or t.is_date64(kind) or t.is_decimal256(kind):
        return True
    if t.is_timestamp(kind):
        return kind.unit == "ns"
    return any(_needs_cast(kind.field(i).type) for i in range(kind.num_fields))


def raise_original(tap: Tap | None, engine_error: Exception) -> None:
    """Raise what really ended the stream, when it was the source and not the engine."""
    if tap is None or tap.error is None:
        return
    if isinstance(tap.error, EtlError):
        raise tap.error from None
    raise tap.error from engine_error
