"""The facade: one object from which everything can be read, queried and put back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from etl_platform import Platform
from etl_platform.core.errors import ConfigError, QueryRefused, TransientError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings

ORDERS = TableName("shop", "orders")


@pytest.fixture
def platform(settings: Settings) -> Platform:
    platform = Platform.open(settings)
    for rows in (3, 2):
        publish(platform, ORDERS, rows)
    return platform


def publish(platform: Platform, table: TableName, rows: int) -> None:
    frame = pl.DataFrame({"id": list(range(rows))})
    platform.lake.publish(platform.lake.stage(table, frame))


def test_opening_creates_nothing(settings: Settings, tmp_path: Path) -> None:
    assert Platform.open(settings).tables() == []
    assert list(tmp_path.iterdir()) == []


def test_tables_scan_and_query_agree(platform: Platform) -> None:
    [info] = platform.tables()
    assert (info.name, info.version, info.rows) == (ORDERS, 1, 2)
    assert platform.scan("shop.orders").collect()["id"].to_list() == [0, 1]
    assert platform.scan("shop/orders", version=0).collect().height == 3
    found = platform.query("SELECT count(*) AS n FROM shop.orders WHERE id >= $least", {"least": 1})
    assert found.rows() == [(1,)]


def test_queries_are_recorded_also_when_refused(platform: Platform) -> None:
    platform.query("SELECT 1 AS one")
    with pytest.raises(QueryRefused):
        platform.query("DROP TABLE shop.orders")
    refused, ok = platform.metastore.queries()
    assert (refused.status, ok.status, ok.rows) == ("refused", "ok", 1)


def test_a_revert_brings_the_rows_back_and_is_on_record(platform: Platform) -> None:
    receipt = platform.revert("shop.orders", to_version=0)
    assert (receipt.version_after, receipt.rows_total) == (2, 3)
    assert platform.scan("shop.orders").collect().height == 3
    [record] = platform.metastore.receipts("shop.orders")
    assert (record.mode, record.version_before, record.rows_total) == ("revert", 1, 3)
    assert record.lake == platform.lake.uri


def test_a_revert_stands_even_when_it_cannot_be_recorded(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    cut_off = Platform.open(platform.settings, metastore_url="postgresql://app@127.0.0.1:1/app")
    assert cut_off.revert("shop.orders", to_version=0).rows_total == 3
    assert "shop.orders is reverted, but" in caplog.text
    with pytest.raises(TransientError):
        cut_off.query("SELECT 1 AS one")


def test_receipts_come_from_the_tables_newest_first(platform: Platform) -> None:
    publish(platform, TableName("shop", "items"), 1)
    assert [r.version_after for r in platform.receipts("shop.orders")] == [1, 0]
    assert [(r.table, r.version_after) for r in platform.receipts(limit=2)] == [
        ("shop.items", 0),
        ("shop.orders", 1),
    ]
    with pytest.raises(UnknownName, match=r"did you mean 'shop\.orders'"):
        platform.receipts("shop.order")


def test_single_settings_can_be_overridden(settings: Settings, tmp_path: Path) -> None:
    elsewhere = Platform.open(settings, lake_uri=str(tmp_path / "other"))
    assert elsewhere.settings.lake_uri == str(tmp_path / "other")
    assert elsewhere.settings.metastore_url == settings.metastore_url


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'lake_uri'"):
        Platform.open(lake_url="/somewhere")


def test_an_unusable_setting_is_refused_without_being_repeated(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="threads: Input should be") as caught:
        Platform.open(settings, threads=0, metastore_url="postgresql://app:s3cr3t@host/db")
    assert "s3cr3t" not in str(caught.value)


def test_importing_the_package_loads_neither_engines_nor_dagster() -> None:
    heavy = (
        "polars",
        "duckdb",
        "pyarrow",
        "deltalake",
        "sqlalchemy",
        "pandera",
        "dagster",
        "sqlglot",
    )
    script = (
        "import sys; from etl_platform import Platform; Platform.open();"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
