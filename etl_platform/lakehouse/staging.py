"""Write: any data to uncommitted Parquet files in the table's folder.

The files' form was chosen by measurement (``benchmarks/parquet_form.py``): version 2 pages
with zstd level 1 are a third smaller than snappy with version 1 pages, and TPC-H over them takes
half as long; row groups of 122,880 rows are DuckDB's unit of parallel work, and both smaller and
larger ones were slower; a dictionary of more than 2,000 values costs more to build than it saves.
lz4 is scanned a tenth faster, but is a fifth larger and not known to every reader of Delta.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import EtlError, PermanentError, SchemaMismatch, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile, Staged
from etl_platform.core.types import duckdb_type, lake_type_of_duckdb
from etl_platform.lakehouse.inputs import Tap, arrow_reader, check_names, raise_original
from etl_platform.lakehouse.root import Root
from etl_platform.lakehouse.statistics import parse_stats

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_FORM = (
    "FORMAT parquet, PARQUET_VERSION v2, CODEC zstd, COMPRESSION_LEVEL 1, "
    "ROW_GROUP_SIZE 122880, DICTIONARY_SIZE_LIMIT 2000, RETURN_STATS"
)
_FILE_SIZE = "512MB"
_INPUT = "staged_input"


def stage(
    settings: Settings,
    root: Root,
    table: TableName,
    data: object,
    partition_by: tuple[str, ...] = (),
    constants: Mapping[str, str] | None = None,
) -> Staged:
    """Write ``data`` into the table's folder on this machine without making it visible.

    Args:
        data: see :mod:`etl_platform.lakehouse.inputs`; read once, as a stream.
        partition_by: columns by which files are split; they stay in the files too.
        constants: text columns to add with one value each, when ``data`` lacks them.

    Raises:
        UnsupportedType: a column has no lossless place in the lake.
        SchemaMismatch: a value does not fit, or column names collide.
        UnknownName: a partition column is not among the data's columns.
    """
    import duckdb

    started = time.perf_counter()
    if isinstance(data, duckdb.DuckDBPyRelation):
        return _write(settings, root, table, data, None, partition_by, constants or {}, started)
    tap = Tap(arrow_reader(data))
    with session(settings) as con:
        con.register(_INPUT + "_stream", tap.open())
        relation = con.table(_INPUT + "_stream")
        return _write(settings, root, table, relation, tap, partition_by, constants or {}, started)


def _write(
    settings: Settings,
    root: Root,
    table: TableName,
    relation: duckdb.DuckDBPyRelation,
    tap: Tap | None,
    partition_by: tuple[str, ...],
    constants: Mapping[str, str],
    started: float,
) -> Staged:
    import duckdb

    projection, schema = _projection(table, relation, constants)
    for column in partition_by:
        if column not in schema.names:
            raise UnknownName("partition column", column, schema.names, where=table.sql)
        _check_partition_type(table, schema.field(column))
    folder = root.folder(table)
    stage_name = uuid.uuid4().hex
    target = root.begin(table, stage_name)
    options = _FORM
    if partition_by:
        columns = ", ".join(quote(c) for c in partition_by)
        options += f", PARTITION_BY ({columns}), WRITE_PARTITION_COLUMNS true"
    else:
        options += f", FILE_SIZE_BYTES '{_FILE_SIZE}'"
    copy = f"COPY (SELECT {projection} FROM {_INPUT}) TO {literal(target)} ({options})"
    try:
        written = relation.query(_INPUT, copy)
        rows = written.fetchall() if written is not None else []
    except duckdb.Error as error:
        root.discard(table, [stage_name])
        raise_original(tap, error)
        raise _engine_error(table, error) from error
    except BaseException:
        root.discard(table, [stage_name])
        raise
    files = tuple(_data_file(folder, row, schema, partition_by) for row in rows if row[1])
    if not files:
        root.discard(table, [stage_name])
    _check_partition_values(table, files)
    return Staged(table, schema, files, partition_by, time.perf_counter() - started)


def discard_staged(root: Root, staged: Staged) -> None:
    """Remove the files of a stage that will not be published."""
    root.discard(staged.table, {file.path.partition("/")[0] for file in staged.files})


def _projection(
    table: TableName, relation: duckdb.DuckDBPyRelation, constants: Mapping[str, str]
) -> tuple[str, pa.Schema]:
    import pyarrow as pa

    check_names(relation.columns)
    present = {name.lower() for name in relation.columns}
    parts: list[str] = []
    fields: list[pa.Field[pa.DataType]] = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        lake = lake_type_of_duckdb(kind, name)
        fields.append(pa.field(name, lake))
        parts.append(_cast(quote(name), str(kind), duckdb_type(lake)))
    for name, value in constants.items():
        if name.lower() not in present:
            fields.append(pa.field(name, pa.string()))
            parts.append(f"{literal(value)}::VARCHAR AS {quote(name)}")
    if not fields:
        raise SchemaMismatch(f"{table}: the data has no columns")
    return ", ".join(parts), pa.schema(fields)


def _cast(column: str, have: str, want: str) -> str:
    if have == want:
        return column
    if have == "TIMESTAMP_NS":
        # A plain cast would cut the nanoseconds off in silence.
        return (
            f"CASE WHEN epoch_ns({column}) % 1000 = 0 THEN {column}::TIMESTAMP ELSE "
            f"error('a timestamp has nanoseconds, which the lake cannot keep') END AS {column}"
        )
    return f"CAST({column} AS {want}) AS {column}"


def _check_partition_type(table: TableName, field: pa.Field[pa.DataType]) -> None:
    from pyarrow import types as t

    kind = field.type
    fine = (
        t.is_string(kind)
        or t.is_integer(kind)
        or t.is_boolean(kind)
        or t.is_date(kind)
        or t.is_decimal(kind)
        or (t.is_timestamp(kind) and not kind.tz)
    )
    if not fine:
        raise PermanentError(
            f"{table}: cannot partition by {field.name!r} of type {kind}",
            valid="text, integer, boolean, date, decimal or timestamp without time zone",
            fix="derive such a column, for example a date, and partition by that",
        )


def _check_partition_values(table: TableName, files: tuple[DataFile, ...]) -> None:
    for file in files:
        for column, value in file.partition_values.items():
            if value == "":
                raise PermanentError(
                    f"{table}: partition column {column!r} has an empty string",
                    valid="any text but the empty one: Delta reads it as null",
                    fix=f"replace empty strings, for example NULLIF({column}, '')",
                )


def _data_file(folder: str, row: Any, schema: pa.Schema, partition_by: tuple[str, ...]) -> DataFile:
    uri, rows, size, _footer, stats, partition, *_ = row
    values = {c: partition[c] for c in partition_by} if partition_by else {}
    return DataFile(
        path=uri[len(folder) + 1 :],
        uri=uri,
        rows=rows,
        size_bytes=size,
        partition_values=values,
        columns=parse_stats(stats, schema),
    )


def _engine_error(table: TableName, error: duckdb.Error) -> EtlError:
    import duckdb

    text = str(error).strip()
    if isinstance(error, duckdb.OutOfMemoryException):
        return PermanentError(
            f"{table}: the engine ran out of memory while writing: {text}",
            fix="raise ETL_MEMORY_LIMIT, or give ETL_TEMP_DIR more room to spill",
        )
    if isinstance(error, (duckdb.ConversionException, duckdb.OutOfRangeException)):
        return SchemaMismatch(
            f"{table}: a value does not fit its column: {text}",
            fix="cast or filter the value in the source query",
        )
    return PermanentError(f"{table}: writing failed: {text}")
