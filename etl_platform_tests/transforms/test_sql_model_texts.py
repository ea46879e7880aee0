"""What a model's text may be besides plain DuckDB: variables, macros, another dialect."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.transforms.expressions import Macro, Variable
from etl_platform.transforms.sql_models import Model, load_models

KNOWN = {TableName("shop", "orders"): {"id": "BIGINT", "amount": "DOUBLE", "at": "TIMESTAMP"}}
VARIABLES = {"least": Variable("least", 15), "since": Variable("since", "2024-01-01", "DATE")}
MACROS = {
    macro.name: macro
    for macro in [Macro.parse("net(price, tax)", "price / (1 + tax)", where="macros")]
}


def load(folder: Path, text: str) -> Model:
    (folder / "m.sql").write_text(text)
    (model,) = load_models(folder, KNOWN, variables=VARIABLES, macros=MACROS)
    return model


def test_variables_and_macros_are_part_of_the_sql_that_runs(tmp_path: Path) -> None:
    text = "/*\nvariables: {least: 20}\n*/\nselect id, net(amount, 0.5) as n from shop.orders"
    model = load(tmp_path, f"{text} where amount > $least and at >= $since")
    assert "".join(model.sql.split()) == (
        'SELECTid,((amount)/(1+(0.5)))ASnFROMshop.ordersWHEREamount>20AND"at"'
        ">=CAST('2024-01-01'ASDATE)"
    )
    assert model.columns == {"id": "BIGINT", "n": "DOUBLE"}
    assert model.lineage["n"] == ((TableName("shop", "orders"), "amount"),)


def test_a_model_without_them_stays_as_it_is_written(tmp_path: Path) -> None:
    text = "select id -- the key\nfrom shop.orders"
    assert load(tmp_path, text).sql == text


@pytest.mark.parametrize(
    ("dialect", "sql", "columns"),
    [
        ("bigquery", "SELECT SAFE_CAST(id AS STRING) AS `x y` FROM `shop`.`orders`", ["x y"]),
        ("snowflake", "SELECT IFF(amount > 1, 'a', 'b') AS size FROM shop.orders", ["size"]),
        ("mysql", "SELECT DATE_ADD(`at`, INTERVAL 1 DAY) AS d FROM shop.orders LIMIT 1, 2", ["d"]),
        ("tsql", "SELECT TOP 3 id, ISNULL(amount, 0) AS a FROM shop.orders", ["id", "a"]),
    ],
)
def test_a_model_in_another_dialect_becomes_duckdbs(
    tmp_path: Path, dialect: str, sql: str, columns: list[str]
) -> None:
    model = load(tmp_path, f"/*\ndialect: {dialect}\n*/\n{sql}")
    assert model.columns is not None
    assert list(model.columns) == columns


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("/*\ndialect: bigqery\n*/\nselect 1 as n", UnknownName, "m.sql:2: unknown dialect 'big"),
        ("select id\nfrom shop.orders\nwhere id > $leest", UnknownName, "m.sql:3: unknown variabl"),
        ("/*\nvariables: {a: [1]}\n*/\nselect 1 as n", ConfigError, "m.sql:2: variable 'a' is a"),
        ("select net(amount) as n from shop.orders", PermanentError, "takes 2 arguments, got 1"),
        ("select net(amont, 1) as n from shop.orders", UnknownName, "unknown column 'amont'"),
        ("select ? as n", PermanentError, "has no parameters"),
    ],
)
def test_a_wrong_text_is_told(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load(tmp_path, text)


def test_a_macro_does_not_take_the_name_of_a_function() -> None:
    with pytest.raises(ConfigError, match="there is a function 'upper' already"):
        Macro.parse("upper(x)", "x", where="macros")
