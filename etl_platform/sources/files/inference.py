"""Columns of files: from a sample of one, and together from many."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.files.columns import declared_columns
from etl_platform.sources.files.detection import refuse_questions
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats import avro, json_document, ndjson, parquet, xlsx
from etl_platform.sources.files.formats.csv.blocks import blocks, whole_records
from etl_platform.sources.files.formats.csv.inferring import type_of
from etl_platform.sources.files.formats.csv.names import header_names, split_header
from etl_platform.sources.files.formats.csv.parsing import texts_of
from etl_platform.sources.files.models import CsvDialect, FileFormat, FileSample, Inferred
from etl_platform.sources.files.reading import decompressed
from etl_platform.sources.files.sampling import plain_head
from etl_platform.sources.files.text import utf8

if TYPE_CHECKING:
    import pyarrow as pa


def infer(sample: FileSample, form: FileFormat) -> Inferred:
    """Columns and types that hold the sample exactly.

    Raises:
        BadFile: the sample is damaged, or the format has open questions.
        SchemaMismatch: JSON values at one place are of kinds that no column holds together.
        ConfigError: the declared columns contradict each other.
    """
    where = sample.uri
    refuse_questions(form, where)
    if form.format == "csv":
        return _of_csv(sample, form)
    if form.format == "ndjson":
        head, whole = plain_head(sample, form.compression, form.member)
        text = b"".join(utf8([_cut(head, form, whole)], form.encoding, where))
        return _of_records(ndjson.lines(text if whole else _whole_lines(text)), form, where)
    if form.format == "json":
        pieces = utf8(decompressed(sample, form), form.encoding, where)
        return _of_records(json_document.records(pieces, form, where), form, where)
    if form.format == "parquet":
        return _stated(parquet.schema_of(decompressed(sample, form), where))
    if form.format == "avro":
        return _stated(avro.schema_of_file(decompressed(sample, form), where))
    table = xlsx.table_of(decompressed(sample, form), form, where)
    return _stated(table.schema, table.num_rows)


def _stated(schema: pa.Schema, rows: int = 0) -> Inferred:
    return Inferred(schema, dict.fromkeys(schema.names, 1.0), {}, rows)


def _cut(head: bytes, form: FileFormat, whole: bool) -> bytes:
    """A sample that ends between characters."""
    if whole:
        return head
    if form.encoding.startswith(("utf-16", "utf-32")):
        return head[: len(head) // 4 * 4]
    end = head.rfind(b"\n") + 1
    return head[:end] if end else head


def _whole_lines(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]


def _of_csv(sample: FileSample, form: FileFormat) -> Inferred:
    import pyarrow as pa

    where = sample.uri
    options, dialect = form.options.csv, form.dialect or CsvDialect(",")
    head, whole = plain_head(sample, form.compression, form.member)
    text = b"".join(utf8([_cut(head, form, whole)], form.encoding, where))
    if not whole:
        text = whole_records(text, dialect)
        dialect = dataclasses.replace(dialect, footer=0)
    found = list(blocks([text], dialect, where))
    if not found:
        raise BadFile(where, "no record in the sample")
    names, block = form.names, found[0]
    if dialect.header:
        header, block = split_header(block, dialect)
        names = header_names(header, where)
    table = texts_of(block, names, dialect, options, where)
    declared = {column.name: column for column in declared_columns(form.options)}
    fields: list[pa.Field[Any]] = []
    confidence: dict[str, float] = {}
    notes: dict[str, str] = {}
    for number, name in enumerate(names):
        chunked: Any = table.column(number).combine_chunks()
        texts = chunked if isinstance(chunked, pa.Array) else pa.concat_arrays(chunked.chunks)
        if name in declared:
            fields.append(pa.field(name, declared[name].type))
            confidence[name] = 1.0
            continue
        if form.options.columns is not None:
            raise BadFile(where, "the column is not declared", column=name, line=dialect.skip + 1)
        kind, note = type_of(texts, options)
        fields.append(pa.field(name, kind))
        values = len(texts) - texts.null_count
        sure = whole and len(found) == 1
        confidence[name] = 1.0 if sure and values else 1 - 1 / (values + 1)
        if note is not None:
            notes[name] = note
    fields += [pa.field(n, c.type) for n, c in declared.items() if n not in names]
    return Inferred(pa.schema(fields), confidence, notes, table.num_rows)


def _of_records(records: Sequence[bytes], form: FileFormat, where: str) -> Inferred:
    import pyarrow as pa

    from etl_platform.sources.api.messages import BadResponse
    from etl_platform.sources.api.records.inferring import columns_from, shape_of

    declared = declared_columns(form.options)
    if form.options.columns is not None:
        return _stated(pa.schema([pa.field(one.name, one.type) for one in declared]))
    try:
        ndjson.check(records, where)
        shape = shape_of(records, exactly=True)
        columns, untyped = columns_from(shape, declared)
    except BadResponse as error:
        raise BadFile(where, error.what) from error
    except SchemaMismatch as error:
        raise SchemaMismatch(
            f"{where}: {error.what}", fix="declare types: {FIELD: ...} or leave the field out"
        ) from error
    sure = 1 - 1 / (len(records) + 1)
    notes = dict.fromkeys(untyped, "no values in the sample: declare types to keep it")
    # A field without values has a place all the same: texts, until something else is declared.
    there = {one.name for one in columns}
    fields = [pa.field(one.name, one.type) for one in columns]
    missing = [name for name in untyped if name not in there and "." not in name]
    fields += [pa.field(name, pa.string()) for name in missing if not name.endswith("[]")]
    schema = pa.schema(fields)
    return Inferred(schema, dict.fromkeys(schema.names, sure), notes, len(records))


def unify(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """One schema that holds every file's rows exactly; columns in the order they first occur.

    Whole numbers widen to doubles (:func:`read` refuses those that no double holds) or, where one
    file has decimals, to decimals of 38 digits. A date is no timestamp, and a number no text: such
    columns are refused.

    Raises:
        SchemaMismatch: a column whose types have no common one; names both and the files' numbers.
    """
    import pyarrow as pa

    fields: dict[str, tuple[pa.DataType, int]] = {}
    for number, schema in enumerate(schemas):
        for field in schema:
            if field.name not in fields:
                fields[field.name] = (field.type, number)
                continue
            kind, before = fields[field.name]
            joined = common_type(kind, field.type)
            if joined is None:
                raise SchemaMismatch(
                    f"column {field.name!r} is {kind} in schema {before} and {field.type} in "
                    f"schema {number}",
                    fix=f"declare types: {{{field.name}: ...}}",
                )
            fields[field.name] = (joined, before)
    return pa.schema([pa.field(name, kind) for name, (kind, _) in fields.items()])


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds every value of both exactly; None where there is none."""
    import pyarrow as pa
    from pyarrow import types as t

    if one.equals(other):
        return one
    if t.is_null(one) or t.is_null(other):
        return other if t.is_null(one) else one
    if t.is_struct(one) and t.is_struct(other):
        try:
            return pa.struct(list(unify([pa.schema(list(one)), pa.schema(list(other))])))
        except SchemaMismatch:
            return None
    if t.is_list(one) and t.is_list(other):
        inner = common_type(one.value_type, other.value_type)
        return None if inner is None else pa.list_(pa.field("element", inner))
    if t.is_integer(one) and t.is_integer(other):
        return pa.int64() if t.is_signed_integer(one) and t.is_signed_integer(other) else None
    digits = [_digits(kind) for kind in (one, other)]
    if digits[0] is not None and digits[1] is not None:
        whole, places = (max(a, b) for a, b in zip(digits[0], digits[1], strict=True))
        return pa.decimal128(38, places) if whole + places <= 38 else None
    numbers = all(t.is_signed_integer(kind) or t.is_floating(kind) for kind in (one, other))
    return pa.float64() if numbers else None


def _digits(kind: pa.DataType) -> tuple[int, int] | None:
    from pyarrow import types as t

    if t.is_decimal(kind):
        return kind.precision - kind.scale if kind.precision < 38 else 19, kind.scale
    return (19, 0) if t.is_integer(kind) else None
