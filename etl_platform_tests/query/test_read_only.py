"""What the query tool runs and what it refuses, decided on DuckDB's own syntax tree."""

# ruff: noqa: E501 - one case, one line
from __future__ import annotations

import threading

import duckdb
import pytest

from etl_platform.core.errors import QueryRefused
from etl_platform.planner.functions import SCALAR_FUNCTIONS_REFUSED, TABLE_FUNCTIONS
from etl_platform.query.read_only import check_read_only

REFUSED = [
    # not one statement
    "", ";", "-- only a comment", "select 1; select 2", "select 1; drop table t", "select a b c",
    # changes something
    "create table t as select 1", "create view v as select 1", "drop table t", "alter table t add column x int",
    "insert into t select 1", "update t set a = 1", "delete from t", "truncate t",
    "merge into t using u on t.a = u.a when matched then delete",
    "with q as (delete from t returning *) select * from q",
    "with q as (insert into t select 1 returning *) select * from q",
    "with q as (update t set a = 1 returning *) select * from q",
    "select * from (with q as (delete from t returning *) from q)",
    "create macro f() as 1", "create sequence s", "create type x as enum ('a')", "comment on table t is 'x'",
    # leaves the database
    "copy t to 'x.csv'", "copy (select 1) to 'x.parquet'", "copy t from 'x.csv'", "export database 'x'", "import database 'x'",
    "attach 'x.db'", "detach x", "use x", "install httpfs", "load httpfs", "force install httpfs from 'http://x'",
    # changes or shows the session
    "set threads = 1", "reset threads", "pragma version", "pragma database_list", "call pragma_version()", "call range(3)",
    "begin", "commit", "rollback", "checkpoint", "vacuum", "analyze", "prepare p as select 1", "execute p", "deallocate p",
    "set variable x = 1", "explain select 1", "explain analyze select 1", "describe t", "summarize t", "show tables", "show databases",
    "select * from (describe t)", "select * from (summarize t)", "from (show all tables)", "create secret s (type s3)",
    # files and network as tables
    "from read_csv('/etc/passwd')", "from read_csv_auto('/etc/passwd')", "from read_text('/etc/passwd')",
    "from read_blob('/etc/passwd')", "from read_parquet('x')", "from parquet_scan('x')", "from read_json('x')",
    "from read_ndjson_objects('x')", "from glob('/*')", "from sniff_csv('x')", "from parquet_metadata('x')",
    "from READ_CSV('x')", 'from "read_csv"(\'x\')', "from system.main.read_csv('x')", "from main.read_text('x')",
    "from/**/read_text/**/('x')", "select * from t, lateral read_text(t.p)", "select (select content from read_text('x'))",
    "select 1 where exists (from read_text('x'))", "with q as (from glob('*')) from q", "from t join read_csv('x') on true",
    "select 1 union all select * from read_text('x')", "select 1 order by (select 1 from read_text('x'))",
    # the catalogue, and text that runs as SQL
    "from duckdb_settings()", "from duckdb_secrets()", "from duckdb_views()", "from pragma_table_info('t')", "from which_secret('a', 's3')",
    "from query('select 1')", "from query_table('t')", "from json_execute_serialized_sql('x')", "from histogram_values(t, a)",
    "from arrow_scan(1, 2, 3)", "from pandas_scan(1)", "from python_map_function(1)", "from enable_logging()",
    "from sqlite_master", 'from "SQLITE_MASTER"', "from main.sqlite_master", "from pg_views", "from information_schema.tables", "from t, pg_catalog.pg_class",
    # functions that look around
    "select getenv('HOME')", "select GetEnv('HOME')", "select main.getenv('HOME')", "select 'HOME'.getenv()",
    "select current_setting('threads')", "select getvariable('x')", "select nextval('s')", "select write_log('x')",
    "select sleep_ms(100000)", "select pg_sleep(1)", "select json_serialize_plan('select 1')", "select pg_get_viewdef(1)",
    "select 1 from t where current_setting('x') = 'y'", "select sum(1) over (order by getenv('x'))",
    "select list_transform([1], lambda x: getenv('a'))", "select a from t group by getenv('x')", "select '/etc/passwd'.read_text()",
    "pivot t on a using sum(b)", "select * from t pivot (sum(getenv('x')) for a in (1))",
]  # fmt: skip


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(sql: str) -> None:
    with pytest.raises(QueryRefused, match=r"^SQL"):
        check_read_only(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1", "select 1;", "/* drop table t */ select 'drop table t; --' -- delete", "from shop.orders",
        "with a as (select 1), b as materialized (from a) select * from b", "with recursive r as (select 1 as n union all select n + 1 from r where n < 9) from r",
        "select * from t join u using (a) left join v on true asof join w on t.x >= w.x", "select a from t union select b from u except select 1 intersect select 2",
        "values (1, 2)", "select * from (values (1), (2)) v(x)", "from range(10)", "select * from unnest([1, 2]) u(x)", "select unnest([1, 2])",
        "select * from json_each('{}')", "select $x, $y::integer", "select ?, ?::integer", "select sum(a) filter (where b > 1) over (partition by c) from t qualify true",
        "from (pivot t on a in (1, 2) using sum(b) group by c)", "from t unpivot (v for n in (a, b))", "select columns('a.*') from t",
        "select list_transform([1], lambda x: x + 1), [x for x in [1]], {'a': 1}.a", "table t", "select a from t using sample 10%",
        "select getenv from t", "select \"read_csv\" from t", "select t.current_setting from t", "select now(), random(), uuid(), today()",
        "select case when exists (from u where u.a = t.a) then (select max(b) from v) end from t",
    ],
)  # fmt: skip
def test_accepted(sql: str) -> None:
    check_read_only(sql)


def test_the_place_of_what_is_refused_is_told() -> None:
    with pytest.raises(QueryRefused, match=r"^SQL:2:13: getenv\(\) is not available"):
        check_read_only("select 'é',\n  1 as one, getenv('x')")


def test_no_function_of_duckdb_that_acts_on_the_outside_is_overlooked() -> None:
    harmless = {"error", "gen_random_uuid", "random", "uuid", "uuidv4", "uuidv7"}
    acting = duckdb.execute(
        "select distinct function_name from duckdb_functions() "
        "where has_side_effects and function_type = 'scalar'"
    ).fetchall()
    assert {name for (name,) in acting} - harmless <= SCALAR_FUNCTIONS_REFUSED
    tables = duckdb.execute(
        "select distinct function_name from duckdb_functions() "
        "where function_type in ('table', 'table_macro')"
    ).fetchall()
    for (name,) in tables:
        if name not in TABLE_FUNCTIONS:
            with pytest.raises(QueryRefused):
                check_read_only(f"select * from {name}('x')")


def test_no_function_that_looks_at_the_session_or_the_catalogue_is_overlooked() -> None:
    """What is not constant within a query reads the clock, chance, or something to be refused."""
    clock = {"current_date", "get_current_time", "get_current_timestamp", "now", "today",
             "transaction_timestamp"}  # fmt: skip
    chance = {"error", "gen_random_uuid", "random", "uuid", "uuidv4", "uuidv7"}
    only_names = {"current_database", "current_schema", "current_schemas"}
    varying = duckdb.execute(
        "select distinct function_name from duckdb_functions() "
        "where function_type = 'scalar' and stability <> 'CONSISTENT'"
    ).fetchall()
    assert {n for (n,) in varying} - clock - chance - only_names <= SCALAR_FUNCTIONS_REFUSED
    reading = duckdb.execute(
        "select distinct function_name from duckdb_functions() "
        "where function_type = 'macro' and macro_definition ilike '%select %from%'"
    ).fetchall()
    assert {n for (n,) in reading} <= SCALAR_FUNCTIONS_REFUSED
    internal = duckdb.execute(
        "select distinct function_name from duckdb_functions() where function_name like '\\_\\_internal%' escape '\\'"
    ).fetchall()
    assert internal
    for (name,) in internal:
        with pytest.raises(QueryRefused):
            check_read_only(f"select {name}(1)")


def test_a_text_nested_without_end_is_refused_and_does_not_break_the_process() -> None:
    with pytest.raises(QueryRefused):
        check_read_only("select " + "(" * 50_000 + "1" + ")" * 50_000)


def test_threads_can_ask_at_the_same_time() -> None:
    wrong: list[str] = []

    def ask() -> None:
        for _ in range(50):
            check_read_only("select 1")
            try:
                check_read_only("select getenv('x')")
                wrong.append("accepted")
            except QueryRefused:
                pass

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
