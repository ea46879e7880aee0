"""Random queries under random policies give what they would give on data without the secrets.

The other side never sees a hidden row or a masked value: Polars and Python make tables of what the
role may see, without any SQL of the platform, and plain DuckDB runs the query on those.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import duckdb
import polars as pl
import pytest

from etl_platform.core.names import TableName
from etl_platform.lakehouse.lake import Lake
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan
from etl_platform.query.masks import KEY_VARIABLE
from etl_platform.query.policies import RolePolicy
from etl_platform.query.roles import Role, RoleCatalog
from etl_platform_tests.planner import flights
from etl_platform_tests.planner.generator import Generator

KEY = "random-key"
Condition: TypeAlias = tuple[str, pl.Expr]
FILTERS: Mapping[TableName, tuple[Condition, ...]] = {
    flights.FLIGHTS: (
        ("month <= 6", pl.col("month") <= 6),
        ("origin = 'JFK'", pl.col("origin") == "JFK"),
        ("origin <> 'EWR' OR origin IS NULL", pl.col("origin").ne_missing("EWR")),
        ("distance BETWEEN 200 AND 1500", pl.col("distance").is_between(200, 1500)),
        ("length(carrier) = 2 AND dep_delay > 0", pl.col("dep_delay") > 0),
        ("carrier IN ('UA', 'AA', 'DL')", pl.col("carrier").is_in(["UA", "AA", "DL"])),
        ("dest LIKE '%A%'", pl.col("dest").str.contains("A")),
        ("time_hour < '2013-06-01'", pl.col("time_hour") < pl.datetime(2013, 6, 1)),
        ("right(tailnum, 1)::INTEGER > 4", pl.col("tailnum").str.tail(1).is_in(list("56789"))),
        ("false", pl.lit(value=False)),
    ),
    flights.AIRLINES: (("carrier > 'D'", pl.col("carrier") > "D"),),
    flights.AIRPORTS: (
        ("alt > 100", pl.col("alt") > 100),
        ("NOT lat > 40", pl.col("lat") <= 40),
    ),
    flights.PLANES: (
        ("year >= 2000", pl.col("year") >= 2000),
        ("manufacturer = 'BOEING' AND seats > 100",
         (pl.col("manufacturer") == "BOEING") & (pl.col("seats") > 100)),
    ),
    flights.WEATHER: (("day % 2 = 0", pl.col("day") % 2 == 0),),
}  # fmt: skip


def hashed(text: str) -> str:
    return sha256(f"{KEY}{text}".encode()).hexdigest()


def ends(text: str) -> str:
    return f"{text[:1]}***{text[-2:]}" if len(text) >= 6 else "***"


TEXT_MASKS: tuple[tuple[object, Callable[[str], str | None]], ...] = (
    ("hash", hashed),
    ({"partial": {"first": 1, "last": 2}}, ends),
    ("redact", lambda _: None),
)


@dataclass(frozen=True)
class Chosen:
    """A policy, and the tables as somebody under it would have them."""

    role: Role
    seen: Mapping[TableName, pl.DataFrame]


def choose(seed: int, real: Mapping[TableName, pl.DataFrame], key: Path) -> Chosen:
    rng = random.Random(seed)
    tables: dict[str, dict[str, object]] = {}
    seen: dict[TableName, pl.DataFrame] = {}
    for table, frame in real.items():
        policy: dict[str, object] = {}
        masks: dict[str, object] = {}
        if rng.random() < 0.6:
            text, condition = rng.choice(FILTERS[table])
            policy["rows"] = text
            frame = frame.filter(condition)
        for column, kind in flights.SCHEMA[table].items():
            roll = rng.random()
            if roll < 0.25 and kind == "text":
                mask, function = rng.choice(TEXT_MASKS)
                masks[column] = mask
                values = [None if v is None else function(v) for v in frame[column].to_list()]
                frame = frame.with_columns(pl.Series(column, values, pl.String))
            elif roll < 0.1:
                masks[column] = "redact"
                frame = frame.with_columns(pl.lit(None, frame.schema[column]).alias(column))
        hidden = [c for c in flights.SCHEMA[table] if rng.random() < 0.04]
        if hidden and len(hidden) < frame.width:
            policy["hide"] = hidden
            frame = frame.drop(hidden)
        masks = {c: m for c, m in masks.items() if c in frame.columns}
        tables[table.sql] = {**policy, "masks": masks}
        seen[table] = frame
    role = RolePolicy.model_validate({"tables": tables})
    return Chosen(Role(f"role{seed}", role, key.as_uri()), seen)


def answer(con: duckdb.DuckDBPyConnection, sql: str) -> list[str] | None:
    """The rows in order of their text; None when DuckDB refuses the query."""
    try:
        return sorted(map(repr, con.execute(sql).fetchall()))
    except duckdb.BinderException:
        return None


def compare(policies: int, queries: int, seed: int, lake: Lake, key: Path) -> Counter[str]:
    real = {table: lake.scan(table).collect() for table in flights.SCHEMA}
    generator, catalog = Generator(seed), LakeCatalog(lake)
    counts: Counter[str] = Counter()
    for number in range(policies):
        chosen = choose(seed + number, real, key)
        with (
            duckdb.connect(config={"threads": 1}) as plain,
            duckdb.connect(config={"threads": 1}) as con,
        ):
            plain.execute("CREATE SCHEMA nyc")
            con.execute(f"CREATE SCHEMA nyc; SET VARIABLE {KEY_VARIABLE} = '{KEY}'")
            for table, frame in chosen.seen.items():
                plain.register("arriving", frame.to_arrow())
                plain.execute(f"CREATE TABLE {table.sql} AS FROM arriving")
            for _ in range(queries):
                sql = generator.sql()
                planned = plan(
                    sql, RoleCatalog(catalog, chosen.role), policy=chosen.role, role="random"
                )
                for table in planned.inputs:
                    con.execute(
                        f"CREATE OR REPLACE VIEW {table.table.sql} AS FROM {table.visible_sql}"
                    )
                expected, found = answer(plain, sql), answer(con, planned.sql)
                assert found == expected, f"policy {seed + number}: {chosen.role}\n{sql}"
                counts["with rows" if expected else "refused" if expected is None else "empty"] += 1
                counts["through a view"] += any(t.view_sql is not None for t in planned.inputs)
                counts["fewer files"] += any(len(t.uris) < t.files_total for t in planned.inputs)
    return counts


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return flights.build(tmp_path_factory.mktemp("flights"), rows=3000)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text(KEY)
    return path


def test_a_hundred_and_fifty_random_queries_show_nothing_that_their_policy_hides(
    lake: Lake, key: Path
) -> None:
    counts = compare(15, 10, 50, lake, key)
    assert counts["with rows"] > 50
    assert counts["through a view"] > 100
    assert counts["refused"] < 60


@pytest.mark.stress
def test_two_thousand_random_queries_show_nothing_that_their_policy_hides(
    lake: Lake, key: Path
) -> None:
    print(
        f"2000 random queries under 100 random policies: {dict(compare(100, 20, 1000, lake, key))}"
    )
