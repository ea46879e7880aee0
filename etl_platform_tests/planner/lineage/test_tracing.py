# ruff: noqa: E501 - one case, one line
"""Column lineage, worked out by hand for each statement."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.planner import Binder, lineage, parse
from etl_platform_tests.planner.tpch_schema import QUERIES, SCHEMA

S = {
    TableName("s", "t"): {"a": "INTEGER", "b": "INTEGER", "C": "INTEGER", "l": "INTEGER[]", "st": "STRUCT(x INTEGER, y INTEGER)"},
    TableName("s", "u"): {"a": "INTEGER", "z": "INTEGER"},
}  # fmt: skip


def traced(sql: str) -> dict[str, str]:
    """Output column to base columns as one text, ``t.a t.b``."""
    return {
        name: " ".join(f"{table.name}.{column}" for table, column in refs)
        for name, refs in lineage(parse(sql), S).items()
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a, b + c as d, 1 as one from s.t where b > 3", {"a": "t.a", "d": "t.C t.b", "one": ""}),
        ("select * from s.u", {"a": "u.a", "z": "u.z"}),
        ("select * exclude (l, st) replace (a + b as a) rename (c as e) from s.t", {"a": "t.a t.b", "b": "t.b", "e": "t.C"}),
        ("select * from s.t join s.u using (a)", {"a": "t.a u.a", "b": "t.b", "c": "t.C", "l": "t.l", "st": "t.st", "z": "u.z"}),
        ("with q as (select a, b as x from s.t), r as (select x * 2 as y from q) select y, y + z as w from r, s.u", {"y": "t.b", "w": "t.b u.z"}),
        ("with t as (select z as a from s.u) select a from t", {"a": "u.z"}),
        ("select a from s.t union all select z from s.u", {"a": "t.a u.z"}),
        ("select a, b from s.t union all by name select z as b, a from s.u", {"a": "t.a u.a", "b": "t.b u.z"}),
        ("select a from s.t except select z from s.u", {"a": "t.a"}),
        ("select a, (select max(z) from s.u where u.a = t.b) as m from s.t", {"a": "t.a", "m": "u.z"}),
        ("select a in (select z from s.u) as hit from s.t", {"hit": "t.a u.z"}),
        ("select exists (select 1 from s.u where u.z = t.b) as some from s.t", {"some": "t.b u.z"}),
        ("select sum(a) over (partition by b order by c) as run from s.t", {"run": "t.C t.a t.b"}),
        ("select sum(a) over w as run from s.t window w as (partition by b order by c)", {"run": "t.C t.a t.b"}),
        ("select count(*) filter (where b > 1) as n, count(*) as m from s.t", {"n": "t.b", "m": ""}),
        ("select case when b > 0 then a else c end as x from s.t", {"x": "t.C t.a t.b"}),
        ("select v, a from s.t, unnest(l) x(v)", {"v": "t.l", "a": "t.a"}),
        ("select unnest(l) as v from s.t", {"v": "t.l"}),
        ("select x.q from s.t, lateral (select z + t.b as q from s.u where u.a = t.a) x", {"q": "t.b u.z"}),
        ("select st.x as sx from s.t", {"sx": "t.st"}),
        ("select list_transform(l, lambda e: e + b) as o from s.t", {"o": "t.b t.l"}),
        ("select a + 1 as k, k * c as j from s.t", {"k": "t.a", "j": "t.C t.a"}),
        ("with recursive r(n, k) as (select a, b from s.t union all select k, z from r join s.u on r.n = u.a) select n, k from r",
         {"n": "t.a t.b u.z", "k": "t.b u.z"}),
        ("select d.a from (select a from (select a, b from s.t) order by b limit 3) d", {"a": "t.a"}),
        ("select x.a, y.a as other from s.t x join s.t y on x.a = y.b", {"a": "t.a", "other": "t.a"}),
        ("select i from range(10) r(i)", {"i": ""}),
        ("select v.i from (values (1, 2)) v(i, j)", {"i": ""}),
        ("select A, T.B from S.T", {"a": "t.a", "b": "t.b"}),
        ("select nm, val from s.t unpivot (val for nm in (a, b))", {"nm": "t.a t.b", "val": "t.a t.b"}),
    ],
)  # fmt: skip
def test_each_output_names_the_columns_that_its_values_come_from(
    sql: str, expected: dict[str, str]
) -> None:
    assert traced(sql) == expected


def test_a_whole_row_comes_from_every_column() -> None:
    assert traced("select u as rec from s.u") == {"rec": "u.a u.z"}


@pytest.mark.parametrize("sql", ["select columns('a|b') from s.t", "select #1 from s.t"])
def test_what_only_duckdb_can_spell_out_is_an_error_and_no_guess(sql: str) -> None:
    with pytest.raises(PermanentError, match="lineage of"):
        lineage(parse(sql), S)


TPCH = {
    "q01": {
        "l_returnflag": "l_returnflag",
        "l_linestatus": "l_linestatus",
        "sum_qty": "l_quantity",
        "sum_base_price": "l_extendedprice",
        "sum_disc_price": "l_discount l_extendedprice",
        "sum_charge": "l_discount l_extendedprice l_tax",
        "avg_qty": "l_quantity",
        "avg_price": "l_extendedprice",
        "avg_disc": "l_discount",
        "count_order": "",
    },
    "q03": {
        "l_orderkey": "l_orderkey",
        "revenue": "l_discount l_extendedprice",
        "o_orderdate": "o_orderdate",
        "o_shippriority": "o_shippriority",
    },
    "q05": {"n_name": "n_name", "revenue": "l_discount l_extendedprice"},
    "q08": {"o_year": "o_orderdate", "mkt_share": "l_discount l_extendedprice n_name"},
    "q09": {
        "nation": "n_name",
        "o_year": "o_orderdate",
        "sum_profit": "l_discount l_extendedprice l_quantity ps_supplycost",
    },
    "q13": {"c_count": "o_orderkey", "custdist": ""},
    "q14": {"promo_revenue": "l_discount l_extendedprice p_type"},
    "q15": {
        "s_suppkey": "s_suppkey",
        "s_name": "s_name",
        "s_address": "s_address",
        "s_phone": "s_phone",
        "total_revenue": "l_discount l_extendedprice",
    },
    "q21": {"s_name": "s_name", "numwait": ""},
    "q22": {"cntrycode": "c_phone", "numcust": "", "totacctbal": "c_acctbal"},
}


@pytest.mark.parametrize("name", TPCH)
def test_lineage_of_tpch_queries_is_what_one_reads_in_them(name: str) -> None:
    found = lineage(parse(QUERIES[name]), SCHEMA)
    assert {k: " ".join(column for _, column in v) for k, v in found.items()} == TPCH[name]


COUNTS_OF_ROWS = {"count_order", "order_count", "custdist", "numwait", "numcust"}
"""Every ``count(*)`` of the 22 queries: it comes from no column, only from which rows there are."""


@pytest.mark.parametrize("name", QUERIES)
def test_every_tpch_output_column_is_traced(name: str) -> None:
    tree = parse(QUERIES[name])
    found = lineage(tree, SCHEMA)
    assert list(found) == list(Binder(SCHEMA).output_columns(QUERIES[name], tree))
    assert {column for column, refs in found.items() if not refs} == COUNTS_OF_ROWS & set(found)
    for table, column in (ref for refs in found.values() for ref in refs):
        assert column in SCHEMA[table]
