"""Before anything is written: which values would not come back from the files as they are?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import SchemaMismatch, UnknownName
from etl_platform.sinks.database import Finding, GateViolation

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from etl_platform.sinks.database import Rows
    from etl_platform.sinks.files.export import Export

NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
_SHOWN_ROWS, _SHOWN_CHARACTERS = 3, 80


@dataclass(frozen=True, slots=True)
class _Rule:
    column: str
    reason: str
    condition: str


def check(con: duckdb.DuckDBPyConnection, rows: Rows, export: Export, target: str) -> int:
    """Look at all rows in one pass; returns how many there are.

    Raises:
        UnknownName: a partition column is not among the columns.
        SchemaMismatch: the format or the folders' names have no form for a column's type.
        GateViolation: values have none.
    """
    _check_columns(rows.schema, export, rows.source)
    rules = [rule for field in rows.schema for rule in _rules(field, export)]
    inside = [field.name for field in rows.schema if field.name not in export.partition_by]
    if export.format == "csv" and len(inside) == 1:
        reason = "a line that is empty is no record: CSV of one column cannot hold null"
        rules.append(_Rule(inside[0], reason, f"{quote(inside[0])} IS NULL"))
    counts = "".join(f", count(*) FILTER (WHERE {rule.condition})" for rule in rules)
    ((total, *broken),) = con.execute(f"SELECT count(*){counts} FROM {rows.relation}").fetchall()
    findings = tuple(
        Finding(rule.column, rule.reason, count, _samples(con, rows, rule))
        for rule, count in zip(rules, broken, strict=True)
        if count
    )
    if findings:
        raise GateViolation(target, findings)
    return total


def _check_columns(schema: pa.Schema, export: Export, source: str) -> None:
    for name in export.partition_by:
        if name not in schema.names:
            raise UnknownName("partition column", name, schema.names, where=source)
        kind = schema.field(name).type
        if not _names_folders(kind):
            raise SchemaMismatch(
                f"{source}: no folder can be named after {name!r} of type {kind}",
                valid="text, integer, boolean or date",
                fix="derive such a column and partition by it",
            )
    if len(set(export.partition_by)) == len(schema.names):
        raise SchemaMismatch(
            f"{source}: all columns are names of folders, none is left for the files",
            fix="partition by fewer columns",
        )
    for field in schema:
        if (problem := _unwritable(field.type, export.format)) is not None:
            raise SchemaMismatch(
                f"{source}: {export.format} has no form for column {field.name!r}: {problem}",
                fix="format: parquet, or leave the column out (columns:)",
            )


def _names_folders(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_string(kind) or t.is_integer(kind) or t.is_boolean(kind) or t.is_date(kind)


def _unwritable(kind: pa.DataType, form: str) -> str | None:
    from pyarrow import types as t

    if form == "parquet" or not t.is_nested(kind):
        return None
    if form == "csv":
        return f"{kind} is nested"
    if t.is_map(kind):
        return "a map's keys would all become text"
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    if any(t.is_binary(one) for one in inner):
        return "bytes within structures are no text"
    return next((found for one in inner if (found := _unwritable(one, form))), None)


def _rules(field: pa.Field[pa.DataType], export: Export) -> list[_Rule]:
    from pyarrow import types as t

    name, kind, sql = field.name, field.type, quote(field.name)
    found: list[_Rule] = []
    named = name in export.partition_by
    if named and t.is_string(kind):
        found.append(_Rule(name, "no folder's name says an empty text", f"{sql} = ''"))
        reason = "this is how folders are named that stand for null"
        found.append(_Rule(name, reason, f"{sql} = {literal(NULL_FOLDER)}"))
        reason = "a folder's name has at most 200 bytes here"
        found.append(_Rule(name, reason, f"octet_length(encode(url_encode({sql}))) > 200"))
    if export.format == "parquet" and not named:
        return found
    if t.is_floating(kind):
        reason = "neither CSV nor JSON has such a number"
        found.append(_Rule(name, reason, f"{sql} IS NOT NULL AND NOT isfinite({sql})"))
    if t.is_date(kind) or t.is_timestamp(kind):
        reason = "ISO 8601 has years 1 to 9999"
        outside = f"NOT isfinite({sql}) OR year({sql}) NOT BETWEEN 1 AND 9999"
        found.append(_Rule(name, reason, f"{sql} IS NOT NULL AND ({outside})"))
    if export.format == "csv" and t.is_string(kind):
        found.append(_Rule(name, "text files have no NUL", f"contains({sql}, chr(0))"))
    if t.is_nested(kind):
        # What is left of the document without its texts can only be numbers, and names of these.
        texts = literal(r'"(\\.|[^"\\])*"')
        rest = f"regexp_replace(to_json({sql})::VARCHAR, {texts}, '', 'g')"
        condition = f"regexp_matches({rest}, 'NaN|Infinity|nan|inf')"
        found.append(_Rule(name, "JSON has no such number", condition))
    return found


def _samples(con: duckdb.DuckDBPyConnection, rows: Rows, rule: _Rule) -> tuple[str, ...]:
    found = con.execute(
        f"SELECT CAST({quote(rule.column)} AS VARCHAR) FROM {rows.relation} "
        f"WHERE {rule.condition} LIMIT {_SHOWN_ROWS}"
    ).fetchall()
    return tuple("NULL" if value is None else repr(value[:_SHOWN_CHARACTERS]) for (value,) in found)
