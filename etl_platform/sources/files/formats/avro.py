"""Avro's object container files, block by block in fastavro's compiled reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import ConfigError, UnsupportedType
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.conforming import conformed
from etl_platform.sources.files.whole import Content

if TYPE_CHECKING:
    import pyarrow as pa

_BROKEN = (
    ValueError,
    KeyError,
    OverflowError,
    TypeError,
    ArithmeticError,
    EOFError,
    IndexError,
    OSError,
    MemoryError,
    AttributeError,
)
"""What fastavro and its codecs raise on bytes that are no file of the schema."""


def schema_of_file(content: Content, where: str) -> pa.Schema:
    """What the header states.

    Raises:
        BadFile: there is no readable header, or it has types without a column type.
    """
    return _open(content, where)[1]


def read_avro(content: Content, schema: pa.Schema, where: str) -> Iterator[pa.RecordBatch]:
    """Record batches of ``schema``.

    Raises:
        BadFile: a block is damaged or the last one cut off.
    """
    import pyarrow as pa

    blocks, own = _open(content, where)
    first = 1
    while True:
        try:
            block = next(blocks, None)
            if block is None:
                return
            table = pa.Table.from_pylist(list(block), own)
        except (*_BROKEN, pa.ArrowException) as error:
            raise BadFile(
                where,
                f"damaged Avro: {str(error) or type(error).__name__}",
                line=first,
                unit="records from",
            ) from error
        for batch in table.combine_chunks().to_batches():
            yield conformed(batch, schema, where, first)
            first += batch.num_rows


def _open(content: Content, where: str) -> tuple[Any, pa.Schema]:
    import fastavro

    from etl_platform.sources.stream.formats.avro.schema import arrow_schema, schema_of

    source: Any = content.seekable()
    try:
        blocks: Any = fastavro.block_reader(source)
        return blocks, arrow_schema(schema_of(blocks.writer_schema, where))
    except UnsupportedType as error:
        raise BadFile(where, error.what) from error
    except (*_BROKEN, ConfigError) as error:
        raise BadFile(where, f"damaged Avro: {str(error) or type(error).__name__}") from error
