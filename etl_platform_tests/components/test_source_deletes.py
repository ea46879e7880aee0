"""Rows that the source has deleted leave incremental tables, or are marked, exactly."""

from __future__ import annotations

import random
import threading
from datetime import datetime

import dagster as dg
import pytest

from etl_platform.core.names import TableName
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase

ORDERS = TableName("shop", "orders")


def declare(project: Project, **deletes: object) -> None:
    incremental = {"cursor": "placed_at", "deletes": {"every": "every run", **deletes}}
    project.write("shop/defs.yaml", source(tables={"orders": {"incremental": incremental}}))
    project.refresh()


def load(project: Project, **config: bool) -> dg.ExecuteInProcessResult:
    ops = {"ops": {"shop__orders": {"config": config}}} if config else None
    return project.materialize("shop/orders", config=ops)


def told(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    assert result.success, failures(result)
    (event,) = result.asset_materializations_for_node("shop__orders")
    return {name: value.value for name, value in event.metadata.items()}


def ids(project: Project) -> list[object]:
    return sorted(row["id"] for row in project.rows("shop.orders"))  # pyright: ignore[reportArgumentType]


def marks(project: Project) -> dict[object, bool]:
    return {row["id"]: row["_deleted_at"] is not None for row in project.rows("shop.orders")}


def test_hard_removes_what_the_source_no_longer_has(project: Project, shop: Shop) -> None:
    declare(project, mode="hard")
    assert load(project).success
    shop.execute("DELETE FROM orders WHERE id = 2")
    found = told(load(project))
    assert (found["deleted_in_source"], found["source_keys"]) == (1, 2)
    assert ids(project) == [1, 3]
    receipts = [c.receipt for c in project.lake.history(ORDERS) if c.receipt]
    assert [(r.mode, r.rows_deleted) for r in receipts if r.mode == "reconcile"] == [
        ("reconcile", 1)
    ]


def test_soft_marks_deleted_rows_and_unmarks_those_that_come_back(
    project: Project, shop: Shop
) -> None:
    declare(project, mode="soft")
    assert load(project).success
    assert marks(project) == {1: False, 2: False, 3: False}
    shop.execute("DELETE FROM orders WHERE id IN (1, 2)")
    assert told(load(project, accept_deletes=True))["deleted_in_source"] == 2
    assert marks(project) == {1: True, 2: True, 3: False}
    first = {row["id"]: row["_deleted_at"] for row in project.rows("shop.orders")}
    assert isinstance(first[1], datetime)
    # One comes back as it was, far below the watermark; the other one stays away.
    shop.execute("INSERT INTO orders VALUES (1, 1, 10.5, '2024-01-01 08:00:00')")
    found = told(load(project))
    assert (found["deleted_in_source"], found["returned_in_source"]) == (0, 1)
    assert marks(project) == {1: False, 2: True, 3: False}
    # The time is that of the first comparison which missed the row.
    assert {row["id"]: row["_deleted_at"] for row in project.rows("shop.orders")}[2] == first[2]


def test_a_full_refresh_keeps_the_rows_that_are_marked(project: Project, shop: Shop) -> None:
    declare(project, mode="soft", every="1w")
    assert load(project).success
    shop.execute("DELETE FROM orders WHERE id = 1")
    assert load(project, full_refresh=True).success
    assert marks(project) == {1: True, 2: False, 3: False}


def test_marking_can_begin_on_a_table_that_is_loaded_already(project: Project, shop: Shop) -> None:
    declare(project, mode="ignore")
    assert load(project).success
    shop.execute("DELETE FROM orders WHERE id = 3")
    assert load(project).success
    assert ids(project) == [1, 2, 3]
    declare(project, mode="soft")
    assert load(project).success
    assert marks(project) == {1: False, 2: False, 3: True}


def test_keys_are_compared_when_it_is_time_and_the_table_remembers_when(
    project: Project, shop: Shop
) -> None:
    declare(project, mode="hard", every="1d")
    assert load(project).success
    shop.execute("DELETE FROM orders WHERE id = 1")
    assert told(load(project))["deleted_in_source"] == 1
    shop.execute("DELETE FROM orders WHERE id = 2")
    found = told(load(project))
    assert "deleted_in_source" not in found
    assert found["reconciled_at"] == project.lake.annotation(ORDERS, "reconciled")
    assert ids(project) == [2, 3]


def test_a_source_that_lost_most_rows_is_not_believed_unless_a_person_says_so(
    project: Project, shop: Shop
) -> None:
    declare(project, mode="hard")
    assert load(project).success
    shop.execute("DELETE FROM orders")
    refused = load(project)
    assert not refused.success
    assert "the source has 0 keys, and 3 of 3 rows here (100.0%)" in failures(refused)
    assert "accept_deletes: true" in failures(refused)
    assert ids(project) == [1, 2, 3]
    assert load(project, accept_deletes=True).success
    assert ids(project) == []


def test_a_query_with_a_key_is_compared_too(project: Project, shop: Shop) -> None:
    incremental = {
        "cursor": "placed_at",
        "key": ["id"],
        "deletes": {"mode": "hard", "every": "every run"},
    }
    query = {"sql": "SELECT id, placed_at FROM orders", "incremental": incremental}
    project.write("shop/defs.yaml", source(include=["none"], queries={"orders": query}))
    project.refresh()
    assert load(project).success
    shop.execute("DELETE FROM orders WHERE id = 2")
    assert told(load(project))["deleted_in_source"] == 1
    assert ids(project) == [1, 3]


def test_a_source_column_of_the_marking_columns_name_is_refused(
    project: Project, shop: Shop
) -> None:
    shop.execute("ALTER TABLE orders ADD COLUMN _deleted_at TIMESTAMP")
    declare(project, mode="soft")
    result = load(project)
    assert not result.success
    assert "give incremental.deletes.column another name" in failures(result)


def test_models_may_ask_for_what_is_not_deleted(project: Project, shop: Shop) -> None:
    declare(project, mode="soft")
    project.write("marts/defs.yaml", {"type": "etl_platform.SqlModelsComponent", "attributes": {}})
    project.write("marts/live.sql", "SELECT id FROM shop.orders WHERE _deleted_at IS NULL")
    assert project.materialize().success
    shop.execute("DELETE FROM orders WHERE id = 1")
    assert project.materialize().success
    assert sorted(row["id"] for row in project.rows("main.live")) == [2, 3]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("database", "mode"), [("postgres", "hard"), ("mariadb", "soft")])
def test_while_rows_come_go_and_come_back_nothing_that_lives_is_taken_for_deleted(
    project: Project,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    mode: str,
) -> None:
    server: PostgresDatabase | MariaDbDatabase = request.getfixturevalue(database)
    monkeypatch.setenv("SHOP_URL", server.url)
    moment = "timestamp" if isinstance(server, PostgresDatabase) else "datetime(6)"
    server.execute(
        f"CREATE TABLE orders (id int PRIMARY KEY, n int NOT NULL, placed_at {moment} NOT NULL)",
        *(f"INSERT INTO orders VALUES ({n}, 0, '2024-01-01')" for n in range(60)),
    )
    incremental = {
        "cursor": "placed_at",
        "lookback": "1h",
        "deletes": {"mode": mode, "every": "every run", "max_share": 1},
    }
    project.write("shop/defs.yaml", source(tables={"orders": {"incremental": incremental}}))
    project.refresh()
    assert load(project).success
    chance, stop, wrong = random.Random(mode), threading.Event(), list[BaseException]()

    def write() -> None:
        step = 0
        try:
            while not stop.is_set():
                step += 1
                key = chance.randrange(100)
                # Rows below 20 only change: they must never be missing in the lake.
                if key < 20:
                    server.execute(
                        f"UPDATE orders SET n = {step}, placed_at = now() WHERE id = {key}"
                    )
                    continue
                server.execute(f"DELETE FROM orders WHERE id = {key}")
                if chance.random() < 0.6:
                    server.execute(f"INSERT INTO orders VALUES ({key}, {step}, now())")
        except BaseException as error:  # noqa: BLE001 # shown by the test
            wrong.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            result = load(project)
            assert result.success, failures(result)
            always = {
                row["id"] for row in project.rows("shop.orders") if not row.get("_deleted_at")
            }
            assert always >= set(range(20))
    finally:
        stop.set()
        writer.join()
    assert not wrong
    assert load(project).success
    lake = {
        row["id"]: row["n"] for row in project.rows("shop.orders") if not row.get("_deleted_at")
    }
    assert lake == _rows(server)


def _rows(server: PostgresDatabase | MariaDbDatabase) -> dict[object, object]:
    import sqlalchemy as sa

    url = server.url.replace("postgresql:", "postgresql+psycopg:")
    engine = sa.create_engine(url.replace("mysql:", "mysql+pymysql:"))
    with engine.connect() as connection:
        found = {row[0]: row[1] for row in connection.execute(sa.text("SELECT id, n FROM orders"))}
    engine.dispose()
    return found
