"""Rows that tie with the watermark, or arrive late within the lookback, on every database."""

from __future__ import annotations

import pytest

from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase

Server = PostgresDatabase | MariaDbDatabase | Shop


@pytest.mark.parametrize("database", ["postgres", "mariadb", "shop"])
def test_ties_and_late_rows_are_exact_and_nothing_below_the_lookback_is_read(
    project: Project,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
) -> None:
    server: Server = request.getfixturevalue(database)
    monkeypatch.setenv("SHOP_URL", server.url)
    kind = "datetime(6)" if database == "mariadb" else "timestamp"
    server.execute(
        f"CREATE TABLE events (id int PRIMARY KEY, n int NOT NULL, at {kind} NOT NULL)",
        "INSERT INTO events VALUES (1, 0, '2024-01-01 10:00:00'), (2, 0, '2024-01-01 12:00:00')",
    )
    incremental = {"cursor": "at", "lookback": "1h"}
    project.write("shop/defs.yaml", source(tables={"events": {"incremental": incremental}}))
    project.refresh()
    # Each step is committed after the load before it; what is late carries an older moment.
    steps = (
        ("INSERT INTO events VALUES (3, 0, '2024-01-01 12:00:00')", {1: 0, 2: 0, 3: 0}),
        ("UPDATE events SET n = 1 WHERE id = 2", {1: 0, 2: 1, 3: 0}),
        ("INSERT INTO events VALUES (4, 0, '2024-01-01 11:00:00')", {1: 0, 2: 1, 3: 0, 4: 0}),
        ("INSERT INTO events VALUES (5, 0, '2024-01-01 10:59:59')", {1: 0, 2: 1, 3: 0, 4: 0}),
        ("INSERT INTO events VALUES (6, 0, '2024-01-01 12:00:00.000001')",
         {1: 0, 2: 1, 3: 0, 4: 0, 6: 0}),
    )  # fmt: skip
    result = project.materialize("shop/events")
    assert result.success, failures(result)
    for statement, wanted in steps:
        server.execute(statement)
        result = project.materialize("shop/events")
        assert result.success, failures(result)
        rows = project.rows("shop.events")
        assert {row["id"]: row["n"] for row in rows} == wanted
        assert len(rows) == len(wanted)
