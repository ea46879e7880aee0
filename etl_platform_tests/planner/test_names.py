# ruff: noqa: E501 - one case, one line
"""Which tables and columns a statement names, and what is said when one does not exist."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import PermanentError, QueryRefused, UnknownName
from etl_platform.core.names import TableName
from etl_platform.planner import Binder, parse, qualify, tables_of
from etl_platform_tests.planner.tpch_schema import QUERIES, SCHEMA

FLIGHTS = TableName("air", "flights")
PLANES = TableName("air", "planes")
AIR = {
    FLIGHTS: {
        "carrier": "VARCHAR",
        "tailnum": "VARCHAR",
        "dep_delay": "DOUBLE",
        "legs": "INTEGER[]",
    },
    PLANES: {"tailnum": "VARCHAR", "year": "INTEGER", "Seats": "INTEGER"},
}


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select 1", set()),
        ("from air.flights", {"air.flights"}),
        ("select * from AIR.Flights f join planes on true", {"air.flights", "main.planes"}),
        ("with flights as (select 1) select * from flights", set()),
        ("with flights as (select * from flights) select * from flights", {"main.flights"}),
        ("with a as (select 1), b as (select * from a) select * from b, air.a", {"air.a"}),
        ("with recursive r as (select 1 as n union all select n from r) select * from r", set()),
        ("select (with x as (select 1) select * from x) from x", {"main.x"}),
        (
            "select * from t where a in (select b from u) and exists (from v)",
            {"main.t", "main.u", "main.v"},
        ),
        ("select * from range(3), unnest([1]), lateral (select * from w)", {"main.w"}),
        (
            "select a from t union select b from u except select c from v",
            {"main.t", "main.u", "main.v"},
        ),
        ("from (pivot air.flights on carrier in ('AA') using count(*))", {"air.flights"}),
        ("-- from x\nselect 'from y' from t /* from z */", {"main.t"}),
    ],
)
def test_tables_are_what_is_read_and_not_what_is_called_so(sql: str, tables: set[str]) -> None:
    assert {table.sql for table in tables_of(parse(sql))} == tables


@pytest.mark.parametrize(
    "sql", ["from a.b.c", "from 'x.csv'", 'from "x.parquet"', 'from "No Name"']
)
def test_a_name_that_no_table_can_have_is_unknown(sql: str) -> None:
    with pytest.raises(UnknownName, match=r"m\.sql:1:\d+: unknown table"):
        tables_of(parse(sql, where="m.sql"), where="m.sql")


WRONG = [
    # (text, line:column of the name, kind, nearest)
    ("select carier from air.flights", "1:8", "column", "carrier"),
    ("select\n  f.carier\nfrom air.flights f", "2:5", "column", "carrier"),
    ("select x.carrier from air.flights f", "1:8", "table or alias", None),
    ("select carrier from air.flight", "1:21", "table", "air.flights"),
    ("select carrier\nfrom air.flights\njoin air.plane using (tailnum)", "3:6", "table", "air.planes"),
    ("select 1 from air.flights f join air.planes p on p.tailnum = f.tailnumber", "1:64", "column", "tailnum"),
    ("with q as (select carrier as c1 from air.flights)\nselect q.c2 from q", "2:10", "column", "c1"),
    ("with q as (\n  select carier from air.flights\n) select * from q", "2:10", "column", "carrier"),
    ("select * from (select carrier from air.flights) s where s.carrie = 'AA'", "1:59", "column", "carrier"),
    ("select carrier from air.flights f where exists (select 1 from air.planes p where p.tailnum = f.tailnumm)",
     "1:96", "column", "tailnum"),
    ("select carrier from air.flights order by dep_dlay", "1:42", "column", "dep_delay"),
    ("select count(*) from air.flights group by carierr", "1:43", "column", "carrier"),
    ("select carrier from air.flights group by carrier having max(dep_dely) > 1", "1:61", "column", "dep_delay"),
    ("select row_number() over (partition by carier order by dep_delay) from air.flights", "1:40", "column", "carrier"),
    ("select carrier from air.flights qualify row_number() over (order by depdelay) = 1", "1:69", "column", "dep_delay"),
    ("select case when dep_dela > 5 then 1 end from air.flights", "1:18", "column", "dep_delay"),
    ("select carrier from air.flights union all select yeer from air.planes", "1:50", "column", "year"),
    ("select (select max(yaer) from air.planes) from air.flights", "1:20", "column", "year"),
    ("select p.y from air.flights f, lateral (select yer as y from air.planes) p", "1:48", "column", "year"),
    ("select list_transform(legs, lambda x: x + dep_delai) from air.flights", "1:43", "column", "dep_delay"),
    ("/*\ndescription: é\n*/\nselect 'é', carier from air.flights", "4:13", "column", "carrier"),
    ("select seat from air.planes", "1:8", "column", "Seats"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "spot", "kind", "nearest"), WRONG)
def test_a_wrong_name_is_told_with_its_place_and_the_nearest_one(
    sql: str, spot: str, kind: str, nearest: str | None
) -> None:
    binder = Binder(AIR)
    tree = parse(sql, where="m.sql")
    for check in (
        lambda: binder.output_columns(sql, tree, where="m.sql"),
        lambda: qualify(tree, AIR, where="m.sql"),
    ):
        with pytest.raises(UnknownName) as caught:
            check()
        assert str(caught.value).startswith(f"m.sql:{spot}: unknown {kind} ")
        assert caught.value.nearest == nearest


@pytest.mark.parametrize(
    "sql",
    [
        "select dep_delay * 2 as twice, twice + 1 as more from air.flights where twice > 3 order by more",
        "select f.carrier as c, count(*) from air.flights f group by c having c > 'A' order by all",
        "select [x + dep_delay for x in legs] as y from air.flights",
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select n from r",
        "select * exclude (legs) replace (upper(carrier) as carrier) from air.flights",
        "select s.a from (select {'a': carrier} as s from air.flights)",
        "select v from air.flights, unnest(legs) u(v)",
        "select columns('t.*') from air.flights",
        "from air.flights select carrier limit 3",
        "select air.planes.year from air.planes",
        "select i from range(5) r(i)",
        "select * from air.flights f where exists (from air.planes p where p.tailnum = f.tailnum)",
        "select TailNum, seats from air.planes",
    ],
)
def test_names_that_duckdb_resolves_are_never_refused(sql: str) -> None:
    tree = parse(sql)
    assert Binder(AIR).output_columns(sql, tree)
    qualify(tree, AIR)


def test_columns_of_unknown_tables_are_accepted_and_those_of_known_ones_checked() -> None:
    schema = {FLIGHTS: AIR[FLIGHTS], TableName("air", "new"): None}
    fine = "select f.carrier, n.anything, something from air.flights f, air.new n"
    qualify(parse(fine), schema)
    with pytest.raises(UnknownName, match="unknown column 'carier'"):
        qualify(parse("select f.carier from air.flights f, air.new n"), schema)


@pytest.mark.parametrize("name", QUERIES)
def test_tpch_queries_qualify_and_keep_their_meaning_for_duckdb(name: str) -> None:
    tree = parse(QUERIES[name])
    binder = Binder(SCHEMA)
    qualified = qualify(tree, SCHEMA)
    text = qualified.sql(dialect="duckdb")
    assert binder.output_columns(text, qualified) == binder.output_columns(QUERIES[name], tree)


@pytest.mark.parametrize(
    ("sql", "spot"),
    [
        ("select a b c from t", "1:12"),
        ("select 1 +", "1:10"),
        ("select\n  (1", "2:4"),
        ("select * from t where\n\n group by", "3:2"),
    ],
)
def test_a_syntax_error_is_told_with_its_place(sql: str, spot: str) -> None:
    with pytest.raises(PermanentError, match=rf"^m\.sql:{spot}: "):
        parse(sql, where="m.sql")


@pytest.mark.parametrize(
    "sql",
    [
        "", "-- nothing", "select 1; select 2", "drop table t", "create table t as select 1",
        "insert into t select 1", "update t set a = 1", "delete from t", "copy t to 'x.csv'",
        "attach 'x.db'", "pragma version", "set threads = 1", "install httpfs", "load httpfs",
        "call f()", "describe t", "summarize t", "show tables", "explain select 1", "vacuum",
        "with q as (delete from t returning 1) select * from q", "select 1 into t",
        "merge into t using u on t.a = u.a when matched then delete", "begin", "values (1)",
        "select * from (describe t)", "checkpoint", "use x", "truncate t",
    ],
)  # fmt: skip
def test_what_is_not_one_select_is_refused(sql: str) -> None:
    with pytest.raises(QueryRefused, match=r"^m\.sql"):
        parse(sql, where="m.sql")


def test_nesting_without_end_is_refused_and_does_not_break_the_process() -> None:
    with pytest.raises(PermanentError):
        parse("select " + "(" * 20_000 + "1" + ")" * 20_000)
