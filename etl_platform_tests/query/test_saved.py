"""Saved queries, recorded parameters, and queries that become models."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from etl_platform import Platform
from etl_platform.core.errors import ConfigError, PermanentError, QueryRefused, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.query.parameters import Parameter, bind, recorded, replayed
from etl_platform.query.promotion import inlined
from etl_platform.transforms.sql_models import load_models

ORDERS = TableName("shop", "orders")
SQL = "select id, name, sold from shop.orders where id >= $least and name <> $not -- ends"


@pytest.fixture
def platform(settings: Settings) -> Platform:
    platform = Platform.open(settings)
    frame = pl.DataFrame({"id": [1, 2, 3], "name": ["é", "b", "b"], "sold": [None, 1, 1]})
    platform.lake.publish(platform.lake.stage(ORDERS, frame))
    return platform


def test_a_saved_query_runs_with_typed_values(platform: Platform) -> None:
    platform.saved_queries.save(
        "late", SQL, [Parameter.parse("least:integer=2"), Parameter.parse("not:text")], "why"
    )
    saved = platform.saved_queries.get("late")
    assert (saved.sql, saved.description) == (SQL, "why")
    values = bind(saved.parameters, {"not": "' or 1=1 --"})
    assert values == {"least": 2, "not": "' or 1=1 --"}
    assert platform.query(saved.sql, values)["id"].to_list() == [2, 3]
    platform.saved_queries.forget("late")
    with pytest.raises(UnknownName, match="unknown saved query 'late'"):
        platform.saved_queries.get("late")


@pytest.mark.parametrize(
    ("name", "sql", "declared", "error", "told"),
    [
        ("Bad Name", "select 1", [], ConfigError, "cannot be the name of a query"),
        ("a", "drop table shop.orders", [], QueryRefused, "DROP"),
        ("a", "select $x", [], ConfigError, r"uses \$x is and no parameter declared"),
        ("a", "select 1", ["x:integer"], ConfigError, r"uses no parameter and \$x is declared"),
        ("a", "select $x", ["x:integr"], UnknownName, "unknown type 'integr'"),
        ("a", "select $x", ["x:integer=two"], PermanentError, "'two' is not of type integer"),
        ("a", "select $x", ["x"], ConfigError, "declares no type"),
    ],
)
def test_what_cannot_be_saved_says_why(
    platform: Platform, name: str, sql: str, declared: list[str], error: type, told: str
) -> None:
    with pytest.raises(error, match=told):
        platform.saved_queries.save(name, sql, [Parameter.parse(text) for text in declared])
    assert platform.saved_queries.all() == []


def test_values_are_checked_before_anything_runs() -> None:
    parameters = [Parameter("day", "date"), Parameter("flag", "boolean", "true")]
    assert bind(parameters, {"day": "2024-02-29"}) == {"day": date(2024, 2, 29), "flag": True}
    with pytest.raises(PermanentError, match=r"parameter day \(date\) has no value"):
        bind(parameters, {})
    with pytest.raises(PermanentError, match="'2023-02-29' is not of type date"):
        bind(parameters, {"day": "2023-02-29"})
    with pytest.raises(UnknownName, match="unknown parameter 'dya'"):
        bind(parameters, {"dya": "2024-02-29"})


VALUES: dict[str, object] = {
    "none": None,
    "text": "it's é",
    "integer": -(2**40),
    "float": 1e300,
    "nan": float("inf"),
    "decimal": Decimal("-1.50"),
    "flag": False,
    "day": date(2024, 2, 29),
    "at": datetime(2024, 2, 29, 1, 2, 3, 4),
    "zoned": datetime(2024, 2, 29, tzinfo=UTC),
    "raw": b"\x00\xff",
}


def test_recorded_values_are_read_back_as_they_were() -> None:
    assert replayed(recorded(VALUES)) == VALUES
    assert replayed(recorded([1, "a"])) == [1, "a"]
    assert replayed(recorded(None)) is None
    with pytest.raises(PermanentError, match="cannot be read back"):
        replayed(recorded({"x": [1]}))


def test_values_become_literals_that_mean_the_same(platform: Platform) -> None:
    sql = "select 'é' as e, " + ", ".join(f"${name} as c_{name}" for name in VALUES)
    bound, literal = platform.query(sql, VALUES), platform.query(inlined(sql, VALUES))
    assert bound.row(0)[:2] == literal.row(0)[:2]
    for name, value in VALUES.items():
        found = literal[f"c_{name}"].item()
        assert found == value, name
    assert inlined("select ? - ?", [1, -2]) == "select 1 - (-2)"


def test_a_query_of_the_history_becomes_a_model_that_loads(
    platform: Platform, tmp_path: Path
) -> None:
    platform.query(SQL, {"least": 2, "not": "it's"})
    [past] = platform.history()
    text = platform.promote(past.id, "Orders that matter: the late ones.")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "late.sql").write_text(text)
    known = {ORDERS: {"id": "BIGINT", "name": "VARCHAR", "sold": "BIGINT"}}
    [model] = load_models(tmp_path / "models", known, default_schema="marts")
    assert model.table == TableName("marts", "late")
    assert model.header.description == "Orders that matter: the late ones."
    assert model.header.contract is not None
    assert model.header.contract["rules"] == [
        {"rule": "unique", "column": "id"},
        {"rule": "not_null", "column": "id", "action": "block"},
        {"rule": "not_null", "column": "name", "action": "warn"},
        {"rule": "not_null", "column": "sold", "action": "warn"},
    ]
    assert "id >= 2 and name <> 'it''s'" in model.sql


def test_only_a_query_that_succeeded_is_promoted(platform: Platform) -> None:
    with pytest.raises(QueryRefused):
        platform.query("drop table shop.orders")
    [past] = platform.history(status="refused")
    with pytest.raises(PermanentError, match="was refused"):
        platform.promote(past.id)
    with pytest.raises(UnknownName, match="unknown query '4711'"):
        platform.promote(4711)
