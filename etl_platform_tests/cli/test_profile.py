"""``etl profile``: text, JSON, page, comparison, contract, outliers; errors say the next step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner, Result

from etl_platform import Platform
from etl_platform.cli.app import app
from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.quality import Contract

ROWS = 1_000


def orders(mean: float, rows: int = ROWS) -> pl.DataFrame:
    random = np.random.default_rng(7)
    return pl.DataFrame(
        {
            "id": range(rows),
            "amount": random.normal(mean, 5, rows),
            "country": random.choice(["de", "fr"], rows),
            "email": [f"ada{n}@example.org" for n in range(rows)],
            "note": [None] * (rows // 2) + ["x"] * (rows - rows // 2),
        }
    )


@pytest.fixture(autouse=True)
def _lake(settings: Settings) -> None:
    platform = Platform.open(settings)
    for mean in (50.0, 58.0):
        table = TableName("shop", "orders")
        admit(platform.lake, table, orders(mean), Contract(), metastore=platform.metastore)
    for month in ("01", "02"):
        data = orders(50, 100).with_columns(month=pl.lit(month))
        admit(
            platform.lake,
            TableName("shop", "months"),
            data,
            Contract(),
            mode=Mode.REPLACE_PARTITION,
            partition_by=("month",),
            partition={"month": month},
        )


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["profile", *arguments])


def printed(*arguments: str) -> str:
    found = run(*arguments)
    assert found.exit_code == 0, found.output or found.exception
    return found.stdout


def test_a_table_is_shown_column_by_column_with_what_stands_out() -> None:
    text = printed("shop.orders")
    assert "shop.orders, version 1: 1,000 rows, 5 columns" in text
    assert "note is null in 50.0 % of the rows" in text
    assert "a row may be identified by id" in text
    assert "ada1@" not in text
    assert any(block in text for block in "▁▂▃▄▅▆▇█")
    assert "made when the rows were published" in run("shop.orders").stderr
    assert "made when the rows were published" not in run("shop.orders", "--fresh").stderr


def test_json_is_the_profile_of_a_version_a_partition_and_some_columns() -> None:
    whole = json.loads(printed("shop.orders", "--version", "0", "--json"))
    assert whole["rows"] == ROWS
    assert whole["columns"][1]["mean"] == pytest.approx(50, abs=1)
    for key in ("02", "month=02"):
        part = json.loads(printed("shop.months", "--partition", key, "-c", "id,note", "--json"))
        assert [column["name"] for column in part["columns"]] == ["id", "note"]
        assert part["rows"] == 100


def test_two_versions_are_compared_and_so_are_two_tables() -> None:
    text = printed("shop.orders", "--compare", "0")
    amount = next(line for line in text.splitlines() if line.startswith("amount"))
    assert "drifted" in amount
    assert "PSI" in amount
    found = json.loads(printed("shop.orders", "--compare", "shop.months@1", "--json"))
    verdicts = {c["name"]: c["verdict"] for c in found["comparison"]["columns"]}
    assert verdicts["amount"] == "drifted"
    assert verdicts["month"] == "removed"
    assert found["verdict"] == "removed"
    same = json.loads(printed("shop.orders", "--compare", "shop.orders", "--json"))
    assert same["verdict"] == "same"


def test_the_page_is_a_file_with_comparison_outliers_and_trend(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    words = ("--html", str(file), "--compare", "0", "--outliers", "--method", "robust_z")
    assert printed("shop.orders", *words).strip() == str(file)
    page = file.read_text()
    for part in ("Against shop.orders, version 0", "Outlying rows", "rows by version", "robust_z"):
        assert part in page
    assert "ada1@" not in page


def test_a_contract_is_proposed_that_parses_and_shows_no_personal_data() -> None:
    text = printed("shop.orders", "--suggest-contract")
    contract = Contract.parse(yaml.safe_load(text)["contract"])
    assert "unique_id" in {rule.name for rule in contract.rules}
    assert "ada1@" not in text
    rules = json.loads(printed("shop.orders", "--suggest-contract", "--json"))
    assert len(rules) == len(contract.rules)
    assert all(rule["evidence"] for rule in rules)


def test_outliers_are_rows_without_personal_data() -> None:
    Platform.open().lake.publish(
        Platform.open().lake.stage(
            TableName("shop", "orders"),
            pl.concat([orders(50), orders(9_000, 3).with_columns(id=pl.col("id") + 10**6)]),
        )
    )
    found = json.loads(printed("shop.orders", "--outliers", "--json"))["outliers"]
    assert found["found"] == 3
    assert {row["_outlier_column"] for row in found["rows"]} == {"amount"}
    assert found["rows"][0]["email"].startswith("a***@")
    assert "3 of 1,003 rows" in run("shop.orders", "--outliers").stderr


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["shop.order"], UnknownName, "did you mean 'shop.orders'"),
        (["shop.orders", "--version", "9"], UnknownName, "unknown version '9'"),
        (["shop.orders", "-c", "amuont"], UnknownName, "did you mean 'amount'"),
        (["shop.orders", "--partition", "01"], ConfigError, "is not partitioned"),
        (["shop.months", "--partition", "03"], UnknownName, "unknown partition 'month=03'"),
        (["shop.orders", "--compare", "shop.orders@x"], ConfigError, "'x' is not a version"),
        (["shop.orders", "--html", "/no/such/page.html"], ConfigError, "mkdir -p /no/such"),
        (["shop.orders", "--outliers", "--method", "magic"], ConfigError, "isolation_forest"),
        (["shop.orders", "--suggest-contract", "--outliers"], ConfigError, "nothing else"),
    ],
)
def test_an_error_says_what_is_valid_or_the_next_step(words, kind, says) -> None:
    found = run(*words)
    assert isinstance(found.exception, kind)
    assert says in str(found.exception)


def test_help_teaches_by_examples() -> None:
    text = printed("--help")
    assert "etl profile shop.orders --suggest-contract > contract.yaml" in text


def test_a_sample_says_how_sure_it_is(tmp_path: Path) -> None:
    words = ("--sample", "random:400", "--seed", "3", "-c", "amount,email")
    found = json.loads(printed("shop.orders", *words, "--json"))
    assert [column["name"] for column in found["columns"]] == ["amount", "email"]
    mean = found["columns"][0]["mean"]
    assert mean["low"] < mean["value"] < mean["high"]
    assert "95 % confidence" in run("shop.orders", *words).stderr
    orders(50).write_parquet(tmp_path / "orders.parquet")
    assert "amount" in printed(str(tmp_path / "orders.parquet"))
    for wrong in (["sqlite:///x.db"], ["shop.orders", "--sample", "random", "--outliers"]):
        assert isinstance(run(*wrong).exception, ConfigError)
