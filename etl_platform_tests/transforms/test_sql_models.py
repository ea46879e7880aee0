# ruff: noqa: E501 - one case, one line
"""A folder of SQL files becomes models, or an error that says where and what instead."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from etl_platform.core.errors import ConfigError, PermanentError, QueryRefused, UnknownName
from etl_platform.core.names import TableName
from etl_platform.transforms.sql_models import Model, load_models

KNOWN = {
    TableName("air", "flights"): {"carrier": "VARCHAR", "dep_delay": "DOUBLE", "month": "INTEGER"},
    TableName("air", "airlines"): {"carrier": "VARCHAR", "name": "VARCHAR"},
    TableName("api", "weather"): None,
}

FULL = """/*
name: marts.delays
description: Mean delay of each carrier
materialization: upsert
key: carrier
partition_by: [carrier]
columns: {delay: minutes}
contract:
  rules:
    - {column: carrier, unique: true}
owners: [data@example.org]
tags: {tier: gold}
group: marts
schedule: "0 6 * * *"
automation: eager
freshness: {maximum_lag: 24h}
*/
SELECT carrier, avg(dep_delay) AS delay FROM air.flights GROUP BY ALL;
"""


def load(tmp_path: Path, files: dict[str, str], default_schema: str = "main") -> dict[str, Model]:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {m.table.sql: m for m in load_models(tmp_path, KNOWN, default_schema=default_schema)}


def test_a_model_says_what_it_reads_makes_and_how_it_is_kept(tmp_path: Path) -> None:
    model = load(tmp_path, {"x.sql": FULL})["marts.delays"]
    assert model.sql == "SELECT carrier, avg(dep_delay) AS delay FROM air.flights GROUP BY ALL"
    assert model.inputs == (TableName("air", "flights"),)
    assert model.columns == {"carrier": "VARCHAR", "delay": "DOUBLE"}
    assert (model.materialization, model.key) == ("upsert", ("carrier",))
    assert model.partition_by == ("carrier",)
    assert model.contract == {"rules": [{"column": "carrier", "unique": True}]}
    assert model.header.owners == ("data@example.org",)
    assert model.header.freshness == {"maximum_lag": "24h"}
    assert (model.tags, model.header.automation) == ({"tier": "gold"}, "eager")
    assert model.column_descriptions == {"delay": "minutes"}
    assert model.lineage == {
        "carrier": ((TableName("air", "flights"), "carrier"),),
        "delay": ((TableName("air", "flights"), "dep_delay"),),
    }


def test_the_path_is_the_name_and_models_come_after_what_they_read(tmp_path: Path) -> None:
    models = load(
        tmp_path,
        {
            "top.sql": "select * from marts.b",
            "marts/a.sql": "select 1 as n",
            "marts/b.sql": "select n, sum(n) over () as s from z.first, marts.a",
            "z/first.sql": "from air.airlines",
        },
        default_schema="site",
    )
    assert list(models) == ["marts.a", "z.first", "marts.b", "site.top"]
    assert models["site.top"].columns == {"n": "INTEGER", "s": "DECIMAL(38,0)"}


def test_prose_in_a_leading_comment_is_no_header(tmp_path: Path) -> None:
    text = "/* Who flies late, and why? */\n-- more: text\nselect 1 as n"
    assert load(tmp_path, {"a.sql": text})["main.a"].header.description is None


def test_inputs_of_unknown_columns_are_accepted_and_make_the_output_unknown(
    tmp_path: Path,
) -> None:
    models = load(
        tmp_path,
        {
            "a.sql": "select f.carrier, w.temp from air.flights f, api.weather w",
            "b.sql": "select carrier, temp * 2 as t from a",
            "c.sql": "select * from api.weather",
        },
    )
    assert models["main.a"].columns is None
    assert models["main.b"].columns is None
    assert models["main.a"].lineage == {
        "carrier": ((TableName("air", "flights"), "carrier"),),
        "temp": ((TableName("api", "weather"), "temp"),),
    }
    assert models["main.c"].lineage == {}
    with pytest.raises(UnknownName, match=r"d\.sql:1:10: unknown column 'carier'"):
        load(tmp_path, {"d.sql": "select f.carier from air.flights f, api.weather w"})


def test_lineage_is_by_position_where_duckdb_names_the_column(tmp_path: Path) -> None:
    model = load(tmp_path, {"a.sql": "select max(dep_delay), month from air.flights group by all"})
    flights = TableName("air", "flights")
    assert model["main.a"].lineage == {
        "max(dep_delay)": ((flights, "dep_delay"),),
        "month": ((flights, "month"),),
    }


@pytest.mark.parametrize(
    "sql", ["select columns('c.*') from air.flights", "select #1 from air.flights"]
)
def test_lineage_that_nobody_can_tell_is_empty(tmp_path: Path, sql: str) -> None:
    model = load(tmp_path, {"a.sql": sql})["main.a"]
    assert model.columns == {"carrier": "VARCHAR"}
    assert model.lineage == {}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("/*\ngroup: x\npartition: [a]\n*/\nselect 1 as a", UnknownName, ":3: unknown header option 'partition'"),
        ("/*\nkey: [a]\nmaterialization: upsrt\n*/\nselect 1 as a", ConfigError, ":3: option 'materialization': .*upsrt"),
        ("/*\nmaterialization: upsert\n*/\nselect 1 as a", ConfigError, ":2: materialization upsert needs 'key'"),
        ("/*\nkey: [a]\n*/\nselect 1 as a", ConfigError, ":2: 'key' is only used by"),
        ("\n/*\ntags: {a: 1}\n*/\nselect 1 as a", ConfigError, r":3: option 'tags\.a': .*string"),
        ("/*\ngroup: a\ngroup: b\n*/\nselect 1 as a", ConfigError, ":3: option 'group' stands twice"),
        ("/*\ngroup: a: b\n*/\nselect 1 as a", ConfigError, ":2: the header is not valid YAML"),
        ("/*\nname: a.b.c\n*/\nselect 1 as a", ConfigError, "3 parts"),
        ("/*\npartition_by: [moth]\n*/\nselect 1 as month", UnknownName, ":2: unknown column in option 'partition_by' 'moth'"),
        ("/*\ncolumns: {n: x}\n*/\nselect 1 as a", UnknownName, ":2: unknown column in option 'columns' 'n'"),
        ("/*\nkey: b\nmaterialization: upsert\n*/\nselect 1 as a", UnknownName, ":2: unknown column in option 'key' 'b'"),
        ("/*\ngroup: x\n*/\nselect carrier\nfrom air.flight", UnknownName, ":5:6: unknown table 'air.flight'"),
        ("/*\ngroup: x\n*/\n\nselect\n  carier from air.flights", UnknownName, ":6:3: unknown column 'carier'"),
        ("/*\ngroup: x\n*/\nselect nope(1)", PermanentError, ":4:8: Scalar Function with name nope"),
        ("/*\ngroup: x\n*/\nselect 1 a b", PermanentError, ":4:12: "),
        ("drop table air.flights", QueryRefused, "is not a SELECT"),
        ("select 1 as a; select 2 as b", QueryRefused, "found 2 statements"),
        ("/*\ngroup: x\n*/", QueryRefused, "found 0 statements"),
        ("select * from read_csv('/etc/passwd')", PermanentError, r"may not read with read_csv\(\)"),
        ("select * from 'x.csv'", UnknownName, ":1:15: unknown table"),
        ("select * from duckdb_settings()", PermanentError, r"may not read with duckdb_settings\(\)"),
        ("select 1,\n$x as a", UnknownName, ":2: unknown variable 'x'"),
        ("select ? as a", PermanentError, "has no parameters"),
        ("select 1 as a, 2 as A", PermanentError, "two output columns are called 'A'"),
        ("select interval 1 day as a", PermanentError, "m.sql: column 'a' has type INTERVAL"),
        ("pivot air.flights on month using sum(dep_delay)", PermanentError, "is not a SELECT"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_with_its_line(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        load(tmp_path, {"m.sql": text})
    assert str(tmp_path / "m.sql") in str(caught.value)


def test_the_nearest_header_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        load(tmp_path, {"m.sql": "/*\nmaterialisation: append\n*/\nselect 1 as a"})
    assert caught.value.nearest == "materialization"


def test_models_that_read_each_other_in_a_circle_are_refused_with_the_circle(
    tmp_path: Path,
) -> None:
    files = {"a.sql": "from c", "b.sql": "from a", "c.sql": "from b", "d.sql": "from a"}
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, files)
    circle = str(caught.value).split(": ", 1)[1].split(" (")[0].split(" -> ")
    reads = {("main.a", "main.c"), ("main.b", "main.a"), ("main.c", "main.b")}
    assert circle[0] == circle[-1]
    assert set(pairwise(circle)) == reads


def test_a_model_that_reads_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"main\.a -> main\.a"):
        load(tmp_path, {"a.sql": "from main.a"})


def test_two_files_for_one_table_are_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)x\.sql.*s\.a.*s/a\.sql"):
        load(tmp_path, {"s/a.sql": "select 1 as n", "x.sql": "/*\nname: s.a\n*/\nselect 1 as n"})


def test_a_deep_path_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)3 parts.*name: y\.z"):
        load(tmp_path, {"x/y/z.sql": "select 1 as n"})
    (tmp_path / "x/y/z.sql").write_text("/*\nname: y.z\n*/\nselect 1 as n")
    assert [m.table.sql for m in load_models(tmp_path, {})] == ["y.z"]


def test_a_folder_that_is_not_there_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    assert load_models(tmp_path, {}) == ()
    with pytest.raises(ConfigError, match="there is no folder"):
        load_models(tmp_path / "nope", {})


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT carrier FROM air.flights", "the model has no GROUP BY"),
        ("SELECT DISTINCT carrier, count(*) AS n FROM air.flights GROUP BY 1", "has DISTINCT"),
        ("SELECT carrier, count(*) AS n FROM air.flights GROUP BY 1 LIMIT 5", "has LIMIT"),
        ("SELECT carrier, count(*) n FROM air.flights GROUP BY 1 HAVING n > 1", "has HAVING"),
        (
            "SELECT carrier, count(*) AS n, row_number() OVER () AS i FROM air.flights GROUP BY 1",
            "has a window",
        ),
        (
            "SELECT carrier, random() < 1 AS r, count(*) AS n FROM air.flights GROUP BY ALL",
            "RANDOM() is not the same in every run",
        ),
        (
            "SELECT carrier, count(*) AS n FROM air.flights WHERE now() > '2020-01-01' GROUP BY 1",
            "NOW() is not the same in every run",
        ),
        (
            "SELECT name, count(*) n FROM air.flights f LEFT JOIN air.airlines l ON true GROUP BY 1",
            "has an outer join",
        ),
        (
            "SELECT carrier, count(*) AS n FROM (SELECT * FROM air.flights) GROUP BY 1",
            "has a subquery",
        ),
        (
            "WITH x AS (SELECT 1 AS i) SELECT i, count(*) AS n FROM x GROUP BY 1",
            "has WITH",
        ),
        (
            "SELECT md5(carrier) AS c, count(*) AS n FROM air.flights GROUP BY 1",
            "MD5(carrier) is not understood",
        ),
        (
            "SELECT carrier, count(*) AS n FROM air.flights GROUP BY 1 UNION ALL SELECT 'x', 1",
            "is not one SELECT",
        ),
    ],
)
def test_a_model_that_cannot_be_a_rollup_is_refused(tmp_path: Path, sql: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, {"mart/x.sql": f"/*\ndescription: Sums\nrollup: true\n*/\n{sql}"})
    assert refused.value.what.startswith(f"{tmp_path}/mart/x.sql:3: option 'rollup': ")
    assert reason in refused.value.what
    assert "leave out 'rollup'" in str(refused.value)


def test_a_rollup_says_how_exact_it_is(tmp_path: Path) -> None:
    sql = "SELECT carrier, count(*) AS n, median(dep_delay) AS m FROM air.flights GROUP BY ALL"
    made = load(
        tmp_path,
        {
            "mart/a.sql": f"/*\nrollup: true\n*/\n{sql}",
            "mart/b.sql": f"/*\nrollup: {{floats: approximate}}\n*/\n{sql}",
            "mart/c.sql": f"/*\nrollup: false\n*/\n{sql}",
            "mart/d.sql": "/*\nrollup: true\n*/\nSELECT day, count(*) FROM api.weather GROUP BY 1",
        },
    )
    found = {name: model.header.rollup for name, model in made.items()}
    assert [r and r.floats for r in found.values()] == ["exact", "approximate", None, "exact"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("rollup: {floats: nearly}", "floats"),
        ("rollup: {exact: true}", "exact"),
        ("rollup: true\nmaterialization: append", "a rollup is replaced as a whole"),
    ],
)
def test_a_rollup_with_other_options_is_refused(tmp_path: Path, options: str, reason: str) -> None:
    sql = "SELECT carrier, count(*) AS n FROM air.flights GROUP BY ALL"
    with pytest.raises((ConfigError, UnknownName), match=reason):
        load(tmp_path, {"mart/x.sql": f"/*\n{options}\n*/\n{sql}"})
