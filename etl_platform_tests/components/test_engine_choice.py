"""A database's assets are read by the engine that the platform chooses, and say which and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.metastore import DecisionRecord, Metastore
from etl_platform.selection import Capabilities, EngineFault
from etl_platform.sources.database import Database, Extraction, engines
from etl_platform.sources.database.copy_engine import CopyEngine
from etl_platform.sources.database.policy import TargetColumn
from etl_platform.sources.database.sqlalchemy_engine import SqlAlchemyEngine
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.servers.postgres import PostgresDatabase

ROWS = 100_000


class BrokenEngine:
    """Promises the most, and fails by its own fault after its first batch."""

    name = "broken"

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        return Capabilities(
            self.name,
            SqlAlchemyEngine().capabilities(columns).kinds,
            lossless=True,
            streaming=True,
            prior_rows_per_s=9e9,
        )

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        reader = SqlAlchemyEngine().read(database, extraction, batch_rows)

        def batches() -> Iterator[pa.RecordBatch]:
            with reader:
                yield reader.read_next_batch()
            raise EngineFault(self.name, "panicked at row 65536")

        return pa.RecordBatchReader.from_batches(reader.schema, batches())


@pytest.fixture(autouse=True)
def two_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many engines there are, what is chosen here is known."""
    monkeypatch.setattr(engines, "ENGINES", (CopyEngine(), SqlAlchemyEngine()))


@pytest.fixture
def broken(two_engines: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ENGINES", (*engines.ENGINES, BrokenEngine()))


@pytest.fixture
def orders(postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> PostgresDatabase:
    """100,000 orders in PostgreSQL, one of which costs NaN."""
    monkeypatch.setenv("SHOP_URL", postgres.url)
    postgres.execute(
        "CREATE TABLE orders (id int PRIMARY KEY, price numeric NOT NULL, tags text[])",
        f"INSERT INTO orders SELECT n, n / 8.0, NULL FROM generate_series(1, {ROWS}) n",
        "UPDATE orders SET price = 'NaN' WHERE id = 7",
    )
    return postgres


def decisions(settings: Settings) -> list[DecisionRecord]:
    metastore = Metastore.open(settings.metastore_url)
    try:
        return metastore.decisions.newest()
    finally:
        metastore.close()


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node("shop__orders")
    return {name: value.value for name, value in event.metadata.items()}


@pytest.mark.postgres
def test_the_engine_and_its_reasons_are_told_and_recorded(
    project: Project, orders: PostgresDatabase, settings: Settings
) -> None:
    project.write("shop/defs.yaml", source(defaults={"unconstrained_numeric": "string"}))
    project.refresh()
    result = project.materialize("shop/orders")
    assert result.success, failures(result)
    told = metadata(result)
    (decision,) = decisions(settings)
    # COPY's text cannot tell an array from its items.
    assert told["engine"] == decision.engine == "sqlalchemy"
    assert "| copy | | | would degrade 'tags'" in str(told["engine_candidates"])
    assert decision.run_id == result.run_id
    assert (decision.outcome, decision.rows, decision.table) == ("done", ROWS, "shop.orders")
    assert decision.rows_estimated == ROWS
    assert told["engine_rows_per_s"] == round(ROWS / (decision.seconds or 0))
    assert {row["price"] for row in project.rows("shop.orders") if row["id"] == 7} == {"NaN"}


@pytest.mark.postgres
def test_a_broken_engine_is_followed_by_another_in_the_same_run(
    project: Project, orders: PostgresDatabase, settings: Settings, broken: None
) -> None:
    orders.execute("ALTER TABLE orders DROP COLUMN tags")
    project.write("shop/defs.yaml", source(defaults={"unconstrained_numeric": "string"}))
    project.refresh()
    result = project.materialize("shop/orders")
    assert result.success, failures(result)
    told = metadata(result)
    assert (told["engine"], told["engine_fell_back_from"]) == ("copy", "broken")
    assert "panicked at row 65536" in str(told["engine_reason"])
    assert sorted(row["id"] for row in project.rows("shop.orders")) == list(range(1, ROWS + 1))
    assert [(one.engine, one.outcome, one.attempt) for one in decisions(settings)] == [
        ("copy", "done", 2),
        ("broken", "engine_fault", 1),
    ]
    # Nothing is left of what the broken engine had written.
    written = list(Path(project.lake.uri, "shop", "orders").rglob("*.parquet"))
    assert len(written) == len(project.lake.files(TableName("shop", "orders")))
    # Now one is measured, and so little work is not worth another try of the broken one.
    again = project.materialize("shop/orders")
    assert metadata(again)["engine"] == "copy"
    assert "engine_fell_back_from" not in metadata(again)


@pytest.mark.postgres
def test_the_sources_own_error_is_not_tried_with_another_engine(
    project: Project, orders: PostgresDatabase, settings: Settings
) -> None:
    declared = {"types": {"price": "decimal(3, 1)"}}
    project.write("shop/defs.yaml", source(tables={"orders": declared}))
    project.refresh()
    result = project.materialize("shop/orders")
    assert not result.success
    assert "column 'price' (numeric), row 1: the value '0.125" in failures(result)
    (decision,) = decisions(settings)
    assert decision.outcome == "failed"


@pytest.mark.postgres
def test_a_pin_is_obeyed_unless_it_would_change_a_value(
    project: Project, orders: PostgresDatabase, settings: Settings
) -> None:
    defaults = {"unconstrained_numeric": "string", "engine": "copy"}
    project.write("shop/defs.yaml", source(defaults=defaults))
    project.refresh()
    refused = project.materialize("shop/orders")
    assert not refused.success
    assert "copy: would degrade 'tags'" in failures(refused)
    orders.execute("ALTER TABLE orders DROP COLUMN tags")
    project.refresh()
    obeyed = project.materialize("shop/orders")
    assert obeyed.success, failures(obeyed)
    assert metadata(obeyed)["engine_reason"] == "pinned"


def test_a_pin_to_an_engine_for_other_databases_says_so(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source(tables={"orders": {"engine": "copy"}}))
    project.refresh()
    result = project.materialize("shop/orders")
    assert not result.success
    assert "copy: works on postgresql, not on sqlite" in failures(result)


def test_a_pin_to_no_engine_is_refused_while_definitions_load(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.refresh()
    project.write("shop/defs.yaml", source(tables={"orders": {"engine": "sqlalchmy"}}))
    with pytest.raises(Exception, match="Error while building") as error, project.defs():
        pass
    assert "did you mean 'sqlalchemy'" in str(error.value.__cause__)
