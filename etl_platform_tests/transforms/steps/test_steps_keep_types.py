"""A step never makes a value another one to have it fit: it says what does not."""

from __future__ import annotations

import random
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from etl_platform.core.duck import sealed
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.planner.binding import Binder
from etl_platform.transforms.pipeline import Compiled, Declared, Written, compile_steps
from etl_platform.transforms.steps.casting import never_loses

SCHEMA: dict[TableName, dict[str, str]] = {
    TableName("s", "rows"): {
        "id": "BIGINT",
        "k": "VARCHAR",
        "d": "DECIMAL(10,2)",
        "at": "TIMESTAMP",
        "x": "DOUBLE",
    },
    TableName("s", "others"): {
        "k": "VARCHAR",
        "id": "INTEGER",
        "tz": "TIMESTAMP WITH TIME ZONE",
        "v": "SMALLINT",
    },
}


def _compiled(step: dict[str, Any]) -> Compiled:
    binder = Binder(SCHEMA)
    rows = TableName("s", "rows")
    declared = Declared(
        TableName("s", "made"), rows, [Written(step, "f.yaml:3")], "f.yaml:1", lambda name, _: name
    )
    try:
        return compile_steps(declared, SCHEMA, binder)
    finally:
        binder.close()


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"fill": {"id": 1.5}}, "values.id: 1.5 is no BIGINT: it would become 2"),
        ({"fill": {"d": 0.125}}, "would become 0.13"),
        ({"fill": {"id": "7"}}, "a text is no number"),
        ({"fill": {"at": "soon"}}, "'soon' is no TIMESTAMP"),
        ({"fill": {"x": True}}, "only BOOLEAN has true and false"),
        (
            {"lookup": {"table": "s.others", "on": ["k"], "columns": ["v"], "default": {"v": 1e6}}},
            "default.v: 1000000.0 is no SMALLINT",
        ),
        (
            {"pivot": {"by": ["k"], "column": "id", "values": ["a"], "aggregate": "sum(d)"}},
            "'a' is no BIGINT",
        ),
        ({"union": {"add": "s.others", "missing": "null"}}, "column id is BIGINT before, INTEGER"),
        (
            {"asof_join": {"table": "s.others", "at": "at", "with": "tz", "columns": ["v"]}},
            "at is TIMESTAMP, tz is TIMESTAMP WITH TIME ZONE",
        ),
        ({"join": {"table": "s.others", "on": {"id": "k"}}}, "id is BIGINT, k is VARCHAR"),
        ({"join": {"table": "s.others", "on": []}}, "on: no column"),
    ],
)
def test_values_and_columns_of_another_type_are_refused_when_definitions_load(
    step: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=r"f\.yaml:3") as refused:
        _compiled(step)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1.5", "BIGINT"),
        ("1.005", "DECIMAL(10, 2)"),
        ("2024-01-31 12:00", "DATE"),
        ("2024-01-31 12:00+02", "TIMESTAMP"),
        ("300", "TINYINT"),
        ("yes?", "BOOLEAN"),
    ],
)
def test_a_cast_fails_rather_than_lose_a_part_of_the_value(text: str, kind: str) -> None:
    with sealed() as con:
        con.execute("CREATE SCHEMA s")
        con.execute(
            "CREATE TABLE s.rows AS SELECT 1::BIGINT AS id, $1::VARCHAR AS k, 1::DECIMAL(10, 2) "
            "AS d, NULL::TIMESTAMP AS at, 1::DOUBLE AS x",
            [text],
        )
        with pytest.raises(duckdb.InvalidInputException, match="column k: not exactly"):
            con.execute(_compiled({"cast": {"k": kind}}).sql).fetchall()
        null = {"cast": {"columns": {"k": kind}, "on_error": "null"}}
        assert con.execute(f"SELECT k FROM ({_compiled(null).sql})").fetchall() == [(None,)]


_WIDTHS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_DECIMALS = [
    f"DECIMAL({width},{scale})"
    for width in (1, 6, 7, 15, 16, 38)
    for scale in (0, width // 2, width)
]
_NUMBERS = [*_WIDTHS, *(f"U{name}" for name in _WIDTHS), *_DECIMALS]


def _values(kind: str, chosen: random.Random) -> list[str]:
    """The ends of a type, what is next to them, and values between."""
    if kind.startswith("DECIMAL"):
        width, scale = map(int, kind[8:-1].split(","))
        low, high = 1 - 10**width, 10**width - 1
    else:
        bits, scale = _WIDTHS[kind.removeprefix("U")], 0
        low, high = (
            (0, 2**bits - 1) if kind[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
    numbers = [low, low + 1, 0, high - 1, high, *(chosen.randint(low, high) for _ in range(2_000))]
    return [_pointed(number, scale) if scale else str(number) for number in numbers]


def _pointed(number: int, scale: int) -> str:
    digits = str(abs(number)).zfill(scale + 1)
    return f"{'-' if number < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


@pytest.mark.parametrize("kind", _NUMBERS)
def test_a_value_comes_back_from_every_type_to_which_it_is_cast_unchecked(kind: str) -> None:
    others = [
        other
        for other in (*_NUMBERS, "FLOAT", "DOUBLE")
        if never_loses(kind, exp.DataType.build(other, dialect="duckdb"))
    ]
    assert kind in others
    values = _values(kind, random.Random(7))
    with sealed() as con:
        con.execute(
            f"CREATE TABLE t AS SELECT CAST(unnest($1::VARCHAR[]) AS {kind}) AS v", [values]
        )
        lost = ", ".join(
            f"count(*) FILTER (WHERE v::{other}::{kind} IS DISTINCT FROM v)" for other in others
        )
        (found,) = con.execute(f"SELECT {lost} FROM t").fetchall()
        assert dict(zip(others, found, strict=True)) == dict.fromkeys(others, 0)


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("BIGINT", "DOUBLE"),
        ("INTEGER", "FLOAT"),
        ("INTEGER", "SMALLINT"),
        ("TINYINT", "UTINYINT"),
        ("UTINYINT", "TINYINT"),
        ("SMALLINT", "DECIMAL(5, 1)"),
        ("DECIMAL(16,2)", "DOUBLE"),
        ("DECIMAL(7,2)", "FLOAT"),
        ("DECIMAL(10,2)", "DECIMAL(10, 3)"),
        ("DECIMAL(10,2)", "BIGINT"),
        ("DOUBLE", "FLOAT"),
        ("VARCHAR", "DOUBLE"),
    ],
)
def test_what_could_be_lost_is_checked(kind: str, other: str) -> None:
    assert not never_loses(kind, exp.DataType.build(other, dialect="duckdb"))


def test_a_sample_of_a_larger_share_has_all_rows_of_a_smaller_one() -> None:
    with sealed() as con:
        con.execute("CREATE SCHEMA s")
        con.execute(
            "CREATE TABLE s.rows AS SELECT range AS id, (range % 500)::VARCHAR AS k, "
            "0::DECIMAL(10, 2) AS d, NULL::TIMESTAMP AS at, 0::DOUBLE AS x FROM range(4_000)"
        )

        def sampled(**options: Any) -> set[tuple[Any, ...]]:
            sql = _compiled({"sample": options}).sql
            return set(con.execute(f"SELECT id, k FROM ({sql})").fetchall())

        tenth, half = sampled(share=0.1), sampled(share=0.5)
        assert tenth < half
        assert 300 < len(tenth) < 500
        assert sampled(share=0.1) == tenth
        assert sampled(share=0.1, seed=1) != tenth
        together = {key for _, key in sampled(share=0.5, by=["k"])}
        assert len(sampled(share=0.5, by=["k"])) == 8 * len(together)
