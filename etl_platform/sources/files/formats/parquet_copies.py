"""Parquet files whose rows need no conversion: kept as they are instead of written anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl_platform.core.types import duckdb_type, lake_schema

if TYPE_CHECKING:
    import pyarrow as pa

LARGE_BYTES = 16 << 20
_I32 = 0x15
"""How a page's header states a number whose field follows the one before."""


def is_plain(own: pa.Schema, wanted: pa.Schema) -> bool:
    """Whether a file has just the columns that are wanted, in types that the lake keeps."""
    from pyarrow import types as t

    if own.names != wanted.names or len(set(map(str.lower, own.names))) != len(own):
        return False
    for have, want in zip(own, wanted, strict=True):
        if t.is_nested(have.type):
            return False
        if not have.type.equals(want.type) and not _is_text(have.type):
            return False
    return lake_schema(own).equals(wanted)


def checked_rows(path: Path, wanted: pa.Schema) -> int | None:
    """How many rows DuckDB reads, every value of them, as those of ``wanted``.

    None where it does not: the file is damaged, or its types mean something else to DuckDB; and
    where pages have checksums, which DuckDB does not look at.
    """
    import duckdb
    import pyarrow as pa
    from pyarrow import parquet

    from etl_platform.core.duck import quote, read_parquet, unlimited
    from etl_platform.core.settings import get_settings

    try:
        metadata = parquet.read_metadata(path)
    except (OSError, pa.ArrowException):
        return None
    if _has_checksums(path, metadata):
        return None
    with unlimited(get_settings().threads) as con:
        try:
            found = con.sql(f"FROM {read_parquet([str(path)])}")
            kinds = [duckdb_type(one.type) for one in wanted]
            if found.columns != wanted.names or [str(one) for one in found.types] != kinds:
                return None
            values = ", ".join(map(quote, wanted.names))
            sql = f"SELECT count(*), bit_xor(hash({values})) FROM rows"
            told = found.query("rows", sql)
            rows = None if told is None else told.fetchall()[0][0]
        except duckdb.Error:
            return None
    return rows if rows == metadata.num_rows else None


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    kind = kind.value_type if t.is_dictionary(kind) else kind
    return t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)


def _has_checksums(path: Path, metadata: Any) -> bool:
    """Whether any column's first page has one; also where its header cannot be made out."""
    with path.open("rb") as file:
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                file.seek(metadata.row_group(group).column(column).data_page_offset)
                if not _is_bare(file.read(32)):
                    return True
    return False


def _is_bare(header: bytes) -> bool:
    """Whether type and both sizes of a page are followed by something else than a checksum."""
    at = 0
    for _ in range(3):
        if at >= len(header) or header[at] != _I32:
            return False
        at += 1
        while at < len(header) and header[at] & 0x80:
            at += 1
        at += 1
    return at < len(header) and header[at] != _I32
