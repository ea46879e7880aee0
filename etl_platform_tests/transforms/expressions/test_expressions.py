# ruff: noqa: E501 - one case, one line
"""An expression becomes the tree of what was written; names that do not exist are told."""

from __future__ import annotations

import duckdb
import pytest

from etl_platform.core.duck import sealed
from etl_platform.core.errors import UnknownName
from etl_platform.planner.parsing import parse
from etl_platform.transforms.expressions import Kind, Macro, Variable, expression
from etl_platform.transforms.expressions.allowed import AGGREGATES, FUNCTIONS

COLUMNS = {
    "a": "INTEGER",
    "b": "DOUBLE",
    "Name": "VARCHAR",
    "tags": "VARCHAR[]",
    "s": "STRUCT(x INTEGER, inner_ STRUCT(y DATE))",
    "at": "TIMESTAMP",
}
MACROS = {
    macro.name: macro
    for macro in (
        Macro.parse("net(price, tax)", "price / (1 + tax)", where="f:1"),
        Macro.parse("twice(x)", "net(x, -$half)", where="f:2"),
    )
}
VARIABLES = {"half": Variable("half", 0.5), "since": Variable("since", "2024-01-31", "DATE")}


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("a + 1 > 2 AND NOT b IS NULL", "a + 1 > 2 AND NOT b IS NULL"),
        ("name ILIKE '%x%' -- said", "name ILIKE '%x%'"),
        ("name = '; -- {{ x }}'", "name = '; -- {{ x }}'"),
        ("at + a * INTERVAL 1 MINUTE", "\"at\" + a * INTERVAL '1' MINUTE"),
        ("CASE WHEN a BETWEEN 1 AND 2 THEN 'x' ELSE name END", "CASE WHEN a BETWEEN 1 AND 2 THEN 'x' ELSE name END"),
        ("TRY_CAST(name AS DECIMAL(10,2))", "TRY_CAST(name AS DECIMAL(10, 2))"),
        ("s.inner_.y >= $since", "s.inner_.y >= CAST('2024-01-31' AS DATE)"),
        ("list_transform(tags, lambda x: upper(x))", "LIST_TRANSFORM(tags, LAMBDA x : UPPER(x))"),
        ("tags[1] IN ('a', 'b')", "tags[1] IN ('a', 'b')"),
        ("net(a, 0.2)", "((a) / (1 + (0.2)))"),
        ("repeat('ab', 3)", "REPEAT('ab', 3)"),
    ],
)  # fmt: skip
def test_what_is_written_is_what_duckdb_gets(text: str, sql: str) -> None:
    tree = expression(text, COLUMNS, where="f:1", variables=VARIABLES, macros=MACROS)
    assert tree.sql("duckdb") == sql


def test_macros_may_call_macros_and_use_variables() -> None:
    tree = expression("twice(a + 1)", COLUMNS, where="f:1", variables=VARIABLES, macros=MACROS)
    with sealed() as con:
        assert con.execute(f"SELECT {tree.sql('duckdb')} FROM (SELECT 2 AS a)").fetchall() == [(6,)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("sum(a) FILTER (WHERE b > 1) / count(*)", "aggregate"),
        ("string_agg(DISTINCT name, ',' ORDER BY name)", "aggregate"),
        ("quantile_cont(a, 0.5)", "aggregate"),
        ("row_number() OVER (PARTITION BY name ORDER BY a)", "window"),
        ("lag(a, 1) OVER (ORDER BY b)", "window"),
        ("sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", "window"),
        ("list_aggregate(tags, 'count')", "row"),
    ],
)
def test_rows_that_an_expression_may_look_at_depend_on_its_kind(text: str, kind: Kind) -> None:
    expression(text, COLUMNS, where="f:1", kind=kind)


@pytest.mark.parametrize(
    ("text", "kind", "name", "nearest"),
    [
        ("nme = 'x'", "column", "nme", "Name"),
        ("a + bb", "column", "bb", "b"),
        ("s.inner.y", "field of 's'", "inner", "inner_"),
        ("s.inner_.z", "field of 's.inner_'", "z", None),
        ("uper(name)", "function", "uper", "upper"),
        ("nett(a, 1)", "function", "nett", "net"),
        ("a > $sinze", "variable", "sinze", "since"),
        ("CAST(a AS VARCHER)", "type", "VARCHER", "VARCHAR"),
        ("list_transform(tags, lambda x: y)", "column", "y", None),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_the_nearest(
    text: str, kind: str, name: str, nearest: str | None
) -> None:
    with pytest.raises(UnknownName) as caught:
        expression(text, COLUMNS, where="d.yaml:9: derive", variables=VARIABLES, macros=MACROS)
    found = caught.value
    assert (found.kind, found.name, found.nearest) == (kind, name, nearest)
    assert str(found).startswith(f"d.yaml:9: derive: unknown {kind} {name!r}")


ARGUMENTS = {
    "VARCHAR": "'a1'",
    "BIGINT": "3",
    "INTEGER": "3",
    "DOUBLE": "0.5::DOUBLE",
    "BOOLEAN": "true",
    "DATE": "DATE '2024-02-03'",
    "TIMESTAMP": "TIMESTAMP '2024-02-03 04:05:06'",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2024-02-03 04:05:06+00'",
    "DECIMAL": "1.5",
    "INTERVAL": "INTERVAL 1 MONTH",
    "HUGEINT": "3::HUGEINT",
    "BLOB": "'a'::BLOB",
    "VARCHAR[]": "['a', 'b']",
    "ANY": "2",
    "T": "2",
    "T[]": "[1, 2]",
    "ANY[]": "[1, 2]",
    "JSON": "'{\"a\": 1}'::JSON",
    "STRUCT": "{'a': 1}",
}


def test_every_function_means_in_the_tree_what_it_means_in_duckdb() -> None:
    changed: list[str] = []
    tried: set[str] = set()
    with sealed() as con:
        rows = con.execute(
            "SELECT DISTINCT function_name, parameter_types FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'aggregate') AND len(parameter_types) > 0"
        ).fetchall()
        for name, kinds in rows:
            if name not in FUNCTIONS - tried or not set(kinds) <= ARGUMENTS.keys():
                continue
            plain = [ARGUMENTS[kind] for kind in kinds]
            for given in (plain, ["'day'", *plain[1:]]):
                sql = f"SELECT {name}({', '.join(given)}) AS x"
                try:
                    before = con.execute(sql).fetchall()
                except duckdb.Error:
                    continue
                tried.add(name)
                # As text: NaN is not equal to itself.
                if str(con.execute(parse(sql).sql("duckdb")).fetchall()) != str(before):
                    changed.append(sql)
                break
    assert changed == []
    assert len(tried) > 250
    assert len(tried & AGGREGATES) > 40
