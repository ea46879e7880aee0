"""PostgreSQL by binary COPY.

A binary value has to be of the column's very type, so columns of types that the lake does not have
(uuid, jsonb, enums) go through a stage as text and are cast by the server.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.columns import TargetColumn, TargetTable
from etl_platform.sinks.database.dialects import postgresql_session, postgresql_upsert
from etl_platform.sinks.database.dialects.base import Refusal, Swap, TargetDialect
from etl_platform.sinks.database.dialects.postgresql_session import relation_text
from etl_platform.sinks.database.dialects.postgresql_swap import prepare_swap
from etl_platform.sources.database.dialects import dialect_of
from etl_platform.sources.database.dialects.base import Fault

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy import URL
    from sqlalchemy.types import TypeEngine

    from etl_platform.sinks.database.load import Target
    from etl_platform.sinks.database.modes import Work
    from etl_platform.sinks.database.session import Session

_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_TEXT = re.compile(r"(?:character varying|character|text|name)(?:\((\d+)\))?")
_MOMENT = re.compile(r"timestamp(?:\((\d)\))? with(out)? time zone")
_MAX_DIGITS = 38
_FIRST_YEAR = -4712  # 4713 BC
_COLUMNS = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
            ELSE format_type(a.atttypid, a.atttypmod) END,
       a.attnotnull OR (t.typtype = 'd' AND t.typnotnull), a.atthasdef OR a.attidentity <> ''
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(:relation) AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = '' AND a.attidentity <> 'a'
ORDER BY a.attnum
"""
_UNIQUE = """
SELECT i.indexrelid::bigint, a.attname::text
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid
  AND a.attnum = ANY ((string_to_array(i.indkey::text, ' ')::int2[])[1:i.indnkeyatts])
WHERE i.indrelid = to_regclass(:relation) AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
"""


class PostgresTarget(TargetDialect):
    """PostgreSQL 12 and newer."""

    name = "postgresql"

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        import psycopg

        return (psycopg.Error,)

    def connect(self, url: URL, connect_timeout_s: int) -> Session:
        return postgresql_session.connect(url, connect_timeout_s)

    def judge(self, error: BaseException) -> Fault:
        fault = dialect_of("postgresql").judge(error)
        if getattr(error, "sqlstate", None) == "42501":
            fix = "grant INSERT, UPDATE, DELETE (and CREATE on the schema) to this user"
            return Fault(transient=False, fix=fix)
        return fault

    def new_type(self, lake: pa.DataType, *, in_key: bool) -> TypeEngine[Any]:
        import pyarrow as pa
        import sqlalchemy as sa
        from pyarrow import types as t
        from sqlalchemy.dialects import postgresql as pg

        del in_key
        if t.is_list(lake) and not t.is_nested(lake.value_type):
            return pg.ARRAY(self.new_type(lake.value_type, in_key=False))
        if t.is_nested(lake):
            return pg.JSONB()
        if t.is_decimal(lake):
            return sa.Numeric(lake.precision, lake.scale)
        if t.is_timestamp(lake):
            return pg.TIMESTAMP(timezone=lake.tz is not None)
        kinds: dict[pa.DataType, TypeEngine[Any]] = {
            pa.bool_(): sa.Boolean(),
            pa.int8(): sa.SmallInteger(),
            pa.int16(): sa.SmallInteger(),
            pa.int32(): sa.Integer(),
            pa.int64(): sa.BigInteger(),
            pa.float32(): sa.REAL(),
            pa.float64(): sa.Double(),
            pa.date32(): sa.Date(),
            pa.binary(): sa.LargeBinary(),
        }
        return kinds.get(lake) or sa.Text()

    def describe(self, session: Session, target: Target) -> TargetTable | None:
        import sqlalchemy as sa

        relation = relation_text(target, session.dialect)
        found = session.rows(sa.text(_COLUMNS).bindparams(relation=relation))
        if not found:
            return None
        columns = tuple(
            _column(name, declared, base, nullable=not notnull, default=default)
            for name, declared, base, notnull, default in found
        )
        unique: dict[int, set[str]] = {}
        for index, column in session.rows(sa.text(_UNIQUE).bindparams(relation=relation)):
            unique.setdefault(index, set()).add(column)
        return TargetTable(target, columns, tuple(frozenset(s) for s in unique.values()))

    def upsert(self, work: Work) -> int:
        return postgresql_upsert.upsert(work)

    def refusals(self, sql: str, lake: pa.DataType, column: TargetColumn) -> list[Refusal]:
        from pyarrow import types as t

        found: list[Refusal] = []
        if t.is_string(lake):
            found.append(
                ("a character NUL, which PostgreSQL's text cannot hold", f"contains({sql}, chr(0))")
            )
        if t.is_date(lake) or t.is_timestamp(lake):
            out = f"NOT isfinite({sql}) OR year({sql}) < {_FIRST_YEAR}"
            found.append(("before the first day that PostgreSQL has, or infinite", out))
        moment = _MOMENT.fullmatch(column.declared)
        if moment is not None and moment[1] is not None and t.is_timestamp(lake):
            step = 10 ** (6 - int(moment[1]))
            found.append(
                (f"more than {moment[1]} digits of a second", f"epoch_us({sql}) % {step} <> 0")
            )
        return found

    def lock(self, session: Session, table: sa.Table) -> None:
        name = session.dialect.identifier_preparer.format_table(table)
        session.run(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")

    def settle(self, session: Session, table: sa.Table, key: tuple[str, ...]) -> None:
        # Without statistics the planner takes a fresh table for 1,000 rows and joins row by row.
        del key
        name = session.dialect.identifier_preparer.format_table(table)
        session.run(f"ANALYZE {name}")

    def swap(self, session: Session, target: Target, stage_name: str) -> Swap | None:
        return prepare_swap(session, target, stage_name)


def _column(name: str, declared: str, base: str, *, nullable: bool, default: bool) -> TargetColumn:
    wire = _wire(base)
    text = _TEXT.fullmatch(base)
    limit = int(text[1]) if text is not None and text[1] else None
    if base == "character":
        limit = 1
    if base == "name":
        limit = 63
    import pyarrow as pa

    exact = wire is not None and base == declared
    return TargetColumn(
        name,
        declared,
        wire if wire is not None else pa.string(),
        nullable,
        default,
        cast=not exact,
        max_length=limit,
    )


def _wire(declared: str) -> pa.DataType | None:
    """The lake type whose binary form is the column's own; None where text has to be cast."""
    import pyarrow as pa

    if declared.endswith("[]"):
        # The elements' type is named in the binary form: of the texts only "text" is right.
        element = declared.removesuffix("[]")
        inner = _wire(element) if element == "text" or not _TEXT.fullmatch(element) else None
        return None if inner is None else pa.list_(pa.field("element", inner))
    if (numeric := _NUMERIC.fullmatch(declared)) is not None:
        precision, scale = int(numeric[1]), int(numeric[2])
        fits = 0 <= scale <= precision <= _MAX_DIGITS
        return pa.decimal128(precision, scale) if fits else None
    if _TEXT.fullmatch(declared) is not None:
        return pa.string()
    if (moment := _MOMENT.fullmatch(declared)) is not None:
        return pa.timestamp("us") if moment[2] else pa.timestamp("us", "UTC")
    kinds: dict[str, pa.DataType] = {
        "boolean": pa.bool_(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double precision": pa.float64(),
        "date": pa.date32(),
        "bytea": pa.binary(),
    }
    return kinds.get(declared)
