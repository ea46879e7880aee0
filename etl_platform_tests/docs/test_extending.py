"""Each extension of docs/extending.md, registered as the page says, does its work."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from etl_platform.core.settings import Settings
from etl_platform_tests.docs.blocks import blocks


@cache
def page() -> Mapping[str, Any]:
    """What the Python of the page defines."""
    names: dict[str, Any] = {"__name__": "extensions"}
    for block in blocks("python"):
        if block.place.startswith("docs/extending.md"):
            exec(compile(block.text, block.place, "exec", dont_inherit=True), names)
    return names


def test_a_rule_judges_values_in_sql_and_by_pandera_alike(settings: Settings) -> None:
    import duckdb
    import pandera.polars as pandera
    import polars as pl
    import pyarrow as pa

    rule = page()["EvenRule"](column="n")
    frame = pl.DataFrame({"n": [1, 2, 3, 4, None]})
    with duckdb.connect() as con:
        bad = con.execute(f"SELECT n FROM frame WHERE {rule.bad('n', pa.int64())}").fetchall()
    assert bad == [(1,), (3,)]
    schema = pandera.DataFrameSchema(
        {"n": pandera.Column(int, rule.check(pa.int64()), nullable=True)}
    )
    with pytest.raises(pandera.errors.SchemaErrors) as found:
        schema.validate(frame, lazy=True)
    assert found.value.failure_cases["failure_case"].to_list() == ["1", "3"]


def test_an_engine_gives_the_rows_of_the_others_in_its_own_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl_platform.sources.database import Database, Extraction, engines

    with sqlite3.connect(path := tmp_path / "shop.db") as session:
        session.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
        session.executemany("INSERT INTO orders VALUES (?)", [(n,) for n in range(25)])
    session.close()
    monkeypatch.setattr(engines, "ENGINES", (*engines.ENGINES, page()["SmallBatches"]()))
    database = Database("shop", f"sqlite:///{path}")
    what = Extraction(query="SELECT id FROM orders ORDER BY id")
    able = engines.capabilities(database, what)
    assert "small_batches" in [one.name for one in able]
    read = list(engines.extract(database, what, engine="small_batches"))
    assert max(batch.num_rows for batch in read) <= 10
    assert [n for batch in read for n in batch["id"].to_pylist()] == list(range(25))
    database.close()


def test_a_dialect_makes_the_columns_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import sqlalchemy as sa

    from etl_platform.sinks.database import dialects

    monkeypatch.setitem(dialects._DIALECTS, "sqlite", page()["TextOnly"]())
    chosen = dialects.target_dialect("sqlite")
    assert isinstance(chosen.new_type(pa.decimal128(9, 2), in_key=False), sa.Text)
    assert isinstance(chosen.new_type(pa.bool_(), in_key=False), sa.Boolean)


def test_a_rule_of_the_planner_is_told_by_explain(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polars as pl

    from etl_platform import Platform
    from etl_platform.core.names import TableName
    from etl_platform.planner import planning

    platform = Platform.open(settings)
    staged = platform.lake.stage(TableName.parse("shop.orders"), pl.DataFrame({"id": [1]}))
    platform.lake.publish(staged)
    monkeypatch.setattr(planning, "RULES", (*planning.RULES, page()["count_tables"]))
    plan = platform.plan("SELECT count(*) FROM shop.orders")
    assert plan.rules[-1].why == "1 tables are read"


def test_a_channel_gets_the_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    import apprise

    told = page()["TOLD"]
    assert apprise.Apprise("blackboard://kitchen").notify(title="OPEN error", body="shop/orders")
    assert told == [("OPEN error", "shop/orders")]
