"""A connection that is lost in the middle of a read: what goes on, and what begins anew."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa
import pytest

from etl_platform.selection import Capabilities
from etl_platform.sources.database import Database, Extraction, engines
from etl_platform.sources.database.policy import TargetColumn
from etl_platform.sources.database.sqlalchemy_engine import SqlAlchemyEngine
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.servers.postgres import PostgresDatabase

ROWS, BATCH = 5_000, 1_000
WHOLE = {"rule": "row_count", "min": ROWS}


class CutOff:
    """The general engine in small batches; the server ends its session after the second one, and
    meanwhile somebody changes a row that was read and one that was not."""

    name = "sqlalchemy"

    def __init__(self, database: PostgresDatabase) -> None:
        self.database = database
        self.read_rows: list[int] = []

    def capabilities(self, columns: tuple[TargetColumn, ...]) -> Capabilities:
        return SqlAlchemyEngine().capabilities(columns)

    def read(
        self, database: Database, extraction: Extraction, batch_rows: int
    ) -> pa.RecordBatchReader:
        reader = SqlAlchemyEngine().read(database, extraction, BATCH)
        first = not self.read_rows
        self.read_rows.append(0)

        def batches() -> Iterator[pa.RecordBatch]:
            with reader:
                for number, batch in enumerate(reader):
                    self.read_rows[-1] += batch.num_rows
                    yield batch
                    if first and number == 1:
                        self.database.execute(
                            "UPDATE orders SET n = -1, at = '2025-01-01' WHERE id IN (1, 4999)",
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                            "pid <> pg_backend_pid() AND datname = current_database()",
                        )

        return pa.RecordBatchReader.from_batches(reader.schema, batches())


@pytest.fixture
def engine(postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> CutOff:
    monkeypatch.setenv("SHOP_URL", postgres.url)
    postgres.execute(
        "CREATE TABLE orders (id int PRIMARY KEY, n int NOT NULL, at timestamp NOT NULL)",
        # Ten rows share each moment, so that a batch ends between rows that tie.
        f"INSERT INTO orders SELECT k, k, timestamp '2024-01-01' + (k / 10) * interval '1 s' "
        f"FROM generate_series(1, {ROWS}) k ORDER BY random()",
    )
    made = CutOff(postgres)
    monkeypatch.setattr(engines, "ENGINES", (made,))
    return made


def load(project: Project, **options: object) -> dg.ExecuteInProcessResult:
    project.write(
        "shop/defs.yaml",
        source(tables={"orders": options}, retry={"attempts": 2, "delay_s": 0}),
    )
    project.refresh()
    result = project.materialize("shop/orders")
    assert result.success, failures(result)
    return result


def told(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node("shop__orders")
    return {name: value.value for name, value in event.metadata.items()}


def expected() -> dict[object, object]:
    return {n: -1 if n in (1, 4999) else n for n in range(1, ROWS + 1)}


@pytest.mark.postgres
def test_an_incremental_read_goes_on_from_the_last_whole_batch(
    project: Project, engine: CutOff
) -> None:
    result = load(project, incremental={"cursor": "at"})
    found = told(result)
    assert (found["retries"], found["parts_published_before"]) == (1, 1)
    assert str(found["resumed_from"]).startswith("2024-01-01T00:03:")
    first, second = engine.read_rows
    assert (first, second < ROWS - first + 20) == (2 * BATCH, True)
    assert {row["id"]: row["n"] for row in project.rows("shop.orders")} == expected()
    assert len(project.rows("shop.orders")) == ROWS


@pytest.mark.postgres
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"incremental": {"cursor": "at", "resume": False}},
        {"incremental": {"cursor": "at"}, "contract": {"rules": [WHOLE]}},
    ],
    ids=["full refresh", "not wanted", "a rule about the whole batch"],
)
def test_what_has_to_be_one_moment_is_read_again_from_its_beginning(
    project: Project, engine: CutOff, options: dict[str, object]
) -> None:
    found = told(load(project, **options))
    assert found["resumed_from"] == "the beginning: nothing had been published"
    assert engine.read_rows == [2 * BATCH, ROWS]
    assert {row["id"]: row["n"] for row in project.rows("shop.orders")} == expected()
