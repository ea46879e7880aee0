"""What a workload may hold, and what of it is explained."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import ConfigError, EtlError, PermanentError, QueryRefused
from etl_platform.sources.database import Database
from etl_platform.sources.database.advice import advise
from etl_platform.sources.database.advice.statements import parse_workload

KINDS = ("postgresql", "mysql", "sqlite")
_WRITES = (
    "DELETE FROM t",
    "UPDATE t SET a = 1",
    "INSERT INTO t SELECT 1",
    "DROP TABLE t",
    "CREATE TABLE t AS SELECT 1",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "SELECT * INTO u FROM t",
    "SELECT * FROM t FOR UPDATE",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT 1; DROP TABLE t",
    "SELECT 1; COMMIT; SELECT 2",
    "CALL f()",
    "SET a = 1",
    "COPY t TO PROGRAM 'x'",
    "VACUUM",
    "PRAGMA writable_schema = 1",
    "ATTACH 'x' AS y",
    "BEGIN",
    "",
    "-- nothing",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", _WRITES)
def test_what_does_not_only_read_is_refused(kind: str, text: str) -> None:
    with pytest.raises(EtlError) as refused:
        parse_workload([text], kind)
    assert isinstance(refused.value, (QueryRefused, PermanentError))


def test_comments_that_mariadb_would_run_are_refused() -> None:
    with pytest.raises(QueryRefused, match="comment"):
        parse_workload(["SELECT 1 /*! INTO OUTFILE 'x' */"], "mysql")


@pytest.mark.parametrize("kind", KINDS)
def test_statements_end_at_semicolons_that_stand_in_no_string_name_or_comment(kind: str) -> None:
    mark = "`" if kind == "mysql" else '"'
    text = f"SELECT ';' FROM {mark}a;b{mark} /* ; */ WHERE a = 'it''s;' ;; -- ;\n SELECT 2 ; "
    found = parse_workload([text], kind)
    assert [one.number for one in found] == [1, 2]
    assert found[0].text == f"SELECT ';' FROM {mark}a;b{mark} /* ; */ WHERE a = 'it''s;'"
    assert found[1].text == "SELECT 2"


def test_placeholders_are_refused_with_the_way_out() -> None:
    with pytest.raises(QueryRefused, match="typical value"):
        parse_workload(["SELECT * FROM t WHERE a = $1"], "postgresql")


def test_a_kind_of_database_without_advice_is_named() -> None:
    with pytest.raises(ConfigError, match="duckdb"):
        advise(Database("lake", "duckdb:////tmp/x.duckdb"), ["SELECT 1"])
