"""Rows as files on this machine, in the form in which they are sent away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from etl_platform.core.duck import literal, quote
from etl_platform.sinks.files.gate import NULL_FOLDER
from etl_platform.sinks.files.manifest import ExportedFile

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from etl_platform.sinks.database import Rows
    from etl_platform.sinks.files.export import Export

_PARQUET = "FORMAT parquet, PARQUET_VERSION v1, ROW_GROUP_SIZE 122880, RETURN_STATS"
_CODECS = {"none": "uncompressed", "gzip": "gzip", "zstd": "zstd"}


def write(
    con: duckdb.DuckDBPyConnection, rows: Rows, export: Export, folder: Path, total: int
) -> tuple[ExportedFile, ...]:
    """Write all rows below ``folder``, which does not exist yet; no rows are no files.

    Args:
        total: how many rows there are.
    """
    if not total:
        return ()
    columns = ", ".join(_projected(field, export) for field in rows.schema)
    copy = f"COPY (SELECT {columns} FROM {rows.relation}) TO {literal(str(folder))}"
    written = con.execute(f"{copy} ({_options(export)})").fetchall()
    if export.format == "parquet":
        return tuple(_file(Path(row[0]), folder, row[1]) for row in written if row[1])
    ((count, names),) = written
    rows_of_each = count if len(names) == 1 else None
    return tuple(_file(Path(name), folder, rows_of_each) for name in sorted(names))


def _options(export: Export) -> str:
    options = [f"COMPRESSION {_CODECS[export.codec]}", "FILENAME_PATTERN 'part-{i}'"]
    options.append(f"FILE_EXTENSION {literal(export.extension)}")
    if export.format == "parquet":
        options.append(_PARQUET)
    elif export.format == "csv":
        options.append(f"FORMAT csv, HEADER true, DELIMITER {literal(export.delimiter)}")
        options.append("RETURN_FILES")
    else:
        options.append("FORMAT json, RETURN_FILES")
    if export.partition_by:
        columns = ", ".join(quote(name) for name in export.partition_by)
        options.append(f"PARTITION_BY ({columns}), WRITE_PARTITION_COLUMNS false")
    else:
        options.append(f"FILE_SIZE_BYTES {export.file_bytes}")
    return ", ".join(options)


def _projected(field: pa.Field[pa.DataType], export: Export) -> str:
    """A column as the format writes it: bytes as base64 (RFC 4648), instants with their Z."""
    from pyarrow import types as t

    sql = quote(field.name)
    if export.format == "parquet" or field.name in export.partition_by:
        return sql
    if t.is_binary(field.type):
        return f"to_base64({sql}) AS {sql}"
    if t.is_timestamp(field.type) and field.type.tz:
        return f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%fZ') AS {sql}"
    return sql


def _file(path: Path, folder: Path, rows: Any) -> ExportedFile:
    inside = path.relative_to(folder)
    partition: dict[str, str | None] = {}
    for part in inside.parts[:-1]:
        name, _, value = part.partition("=")
        partition[unquote(name)] = None if value == NULL_FOLDER else unquote(value)
    return ExportedFile(
        path=inside.as_posix(), size_bytes=path.stat().st_size, rows=rows, partition=partition
    )
