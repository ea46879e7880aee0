"""Parquet: row group by row group, checksums of pages looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.conforming import conformed
from etl_platform.sources.files.whole import Content

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

_ROWS = 65_536


def schema_of(content: Content, where: str) -> pa.Schema:
    """What the footer states.

    Raises:
        BadFile: there is no readable footer.
    """
    return _open(content, where).schema_arrow.remove_metadata()


def read_parquet(content: Content, schema: pa.Schema, where: str) -> Iterator[pa.RecordBatch]:
    """Record batches of ``schema``.

    Raises:
        BadFile: the footer or a page is damaged.
    """
    import pyarrow as pa

    first = 1
    file = _open(content, where)
    try:
        for batch in file.iter_batches(batch_size=_ROWS):
            yield conformed(batch, schema, where, first)
            first += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise BadFile(
            where, f"damaged Parquet: {error}", line=first, unit="records from"
        ) from error
    if first - 1 != file.metadata.num_rows:
        raise BadFile(where, f"{first - 1} rows of {file.metadata.num_rows} that the footer states")


def _open(content: Content, where: str) -> parquet.ParquetFile:
    import pyarrow as pa
    from pyarrow import parquet

    source: Any = content.seekable()
    try:
        return parquet.ParquetFile(
            pa.PythonFile(source, mode="r"), page_checksum_verification=True, pre_buffer=False
        )
    except (OSError, pa.ArrowException) as error:
        raise BadFile(where, f"damaged Parquet: {error}") from error
