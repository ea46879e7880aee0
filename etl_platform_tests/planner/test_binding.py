"""Output columns and types, as DuckDB knows them without data."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import PermanentError, UnsupportedType
from etl_platform.core.names import TableName
from etl_platform.planner import Binder, parse

T = TableName("s", "t")
SCHEMA = {
    T: {
        "i": "INTEGER",
        "big": "BIGINT",
        "d": "DECIMAL(10,2)",
        "ts": "TIMESTAMP WITH TIME ZONE",
        "Name": "VARCHAR",
        "s": "STRUCT(a INTEGER, b VARCHAR[])",
    }
}


def columns(sql: str) -> dict[str, str]:
    return Binder(SCHEMA).output_columns(sql, parse(sql), where="m.sql")


def test_types_are_those_that_the_lake_will_keep() -> None:
    assert columns(
        "select i, sum(big) as total, avg(d) as mean, count(*) as n, ts, Name, s.b as tags, "
        "uuid() as id, d * 2 as twice, i::utinyint as tiny from s.t group by all"
    ) == {
        "i": "INTEGER",
        "total": "DECIMAL(38,0)",
        "mean": "DOUBLE",
        "n": "BIGINT",
        "ts": "TIMESTAMP WITH TIME ZONE",
        "Name": "VARCHAR",
        "tags": "VARCHAR[]",
        "id": "VARCHAR",
        "twice": "DECIMAL(18,2)",
        "tiny": "SMALLINT",
    }


def test_stars_are_spelled_out_in_the_order_of_the_table() -> None:
    assert list(columns("select *, 1 as x from s.t")) == [*SCHEMA[T], "x"]
    assert list(columns("select * exclude (s, ts) rename (big as large) from s.t")) == [
        "i",
        "large",
        "d",
        "Name",
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select\n nope(i) from s.t", r"m\.sql:2:2: Scalar Function with name nope does not exist"),
        ("select sum(Name) from s.t", r"m\.sql:1:8: No function matches"),
        ("select i, count(*) from s.t", r"m\.sql:1:8: column \"i\" must appear in the GROUP BY"),
        ("select i from s.t a join s.t b on true", r"m\.sql:1:8: Ambiguous reference"),
        ("select 1 as x union select 1, 2", r"m\.sql: Set operations"),
        ("select i, i from s.t", r"m\.sql: two output columns are called 'i'"),
        ("select 'é', nope(i) from s.t", r"m\.sql:1:13: "),
    ],
)
def test_what_duckdb_refuses_is_told_with_its_reason_and_place(sql: str, message: str) -> None:
    with pytest.raises(PermanentError, match=f"^{message}"):
        columns(sql)


def test_a_type_that_the_lake_cannot_keep_names_file_and_column() -> None:
    with pytest.raises(UnsupportedType, match=r"^m\.sql: column 'x' has type TIME"):
        columns("select time '10:00' as x")


def test_a_pivot_with_listed_values_has_known_columns() -> None:
    sql = "from (pivot s.t on i in (1, 2) using sum(d) group by Name)"
    assert columns(sql) == {"Name": "VARCHAR", "1": "DECIMAL(38,2)", "2": "DECIMAL(38,2)"}


def test_binding_touches_no_file() -> None:
    with pytest.raises(PermanentError, match="disabled by configuration"):
        columns("select * from read_csv('/etc/passwd')")


def test_a_statement_that_was_refused_leaves_the_session_usable() -> None:
    binder = Binder(SCHEMA)
    for sql in ("select nope from s.t", "select nope(1)"):
        with pytest.raises(PermanentError):
            binder.output_columns(sql, parse(sql))
    assert binder.output_columns("select i from s.t", parse("select i from s.t")) == {
        "i": "INTEGER"
    }
