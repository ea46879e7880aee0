"""Files are left out exactly where no row of theirs can matter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.plan import Plan
from etl_platform.planner.planning import RULES, plan
from etl_platform.planner.policy import Limits
from etl_platform.planner.rules.prune_files import prune_files

READINGS = TableName("main", "readings")
DAYS = TableName("main", "days")
_PLACE = RULES.index(prune_files)
CASES = yaml.safe_load(Path(__file__).with_name("prune_files.yaml").read_text())


def _readings(month: int) -> pa.Table:
    days = [date(2024, month, day) for day in range(1, 11)]
    numbers = range((month - 1) * 10, month * 10)
    return pa.table(
        {
            "day": days,
            "n": pa.array(numbers, pa.int64()),
            "value": [float(n) for n in numbers],
            "name": [
                f"station {'abc'[month - 1]}, north side, upper mast, sensor {n}" for n in numbers
            ],
            "code": [f"{n:02}" for n in numbers],
            "taken": [datetime.combine(day, datetime.min.time()) for day in days],
            "seen": [datetime(2024, month, day.day, tzinfo=UTC) for day in days],
            "amount": pa.array(
                [Decimal("12345678901234567890.12") + month] * 10, pa.decimal128(38, 2)
            ),
            "big": pa.array([2**53 + month - 1] * 10, pa.int64()),
        }
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("pruning")
    lake = Lake(settings=Settings(lake_uri=f"{folder}/lake", temp_dir=f"{folder}/tmp", threads=1))
    for month in (1, 2, 3):
        lake.publish(lake.stage(READINGS, _readings(month)), Mode.APPEND)
    schema = _readings(1).schema
    nothing = {f.name: pa.nulls(3, f.type) for f in schema} | {"value": [float("nan")] * 3}
    lake.publish(lake.stage(READINGS, pa.table(nothing, schema=schema)), Mode.APPEND)
    days = [date(2024, 1, 1) + timedelta(days=7 * i) for i in range(12)]
    lake.publish(lake.stage(DAYS, pa.table({"day": days})))
    return lake


def _rows(planned: Plan, params: object = None) -> list[str]:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        for table in planned.inputs:
            con.execute(
                f"CREATE OR REPLACE VIEW {table.table.sql} AS SELECT * FROM {table.visible_sql}"
            )
        return sorted(map(repr, con.execute(planned.sql, params).fetchall()))


def _unpruned(planned: Plan, lake: Lake, params: object = None) -> list[str]:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        for table in planned.inputs:
            con.execute(
                f"CREATE VIEW {table.table.sql} AS SELECT * FROM {lake.relation_sql(table.table)}"
            )
        return sorted(map(repr, con.execute(planned.text, params).fetchall()))


@pytest.mark.parametrize(
    "case", [c for group in CASES.values() for c in group], ids=lambda case: case["sql"]
)
def test_files_are_left_out_and_the_rows_stay(lake: Lake, case: dict) -> None:
    params = case.get("params")
    planned = plan(case["sql"], LakeCatalog(lake), params=params)
    (read,) = (len(t.uris) for t in planned.inputs if t.table == READINGS)
    assert _rows(planned, params) == _unpruned(planned, lake, params)
    assert read == case["files"]


class _Masked:
    """A role that sees ``n`` negated, all else as it is, of the first 15 readings."""

    limits = Limits()

    def may_read(self, table: TableName) -> None:
        pass

    def view_sql(
        self, table: TableName, relation_sql: str, columns: Mapping[str, str]
    ) -> str | None:
        if table != READINGS:
            return None
        seen = ", ".join("-n AS n" if name == "n" else name for name in columns)
        return f"SELECT {seen} FROM (SELECT * FROM {relation_sql} WHERE n < 15)"


@pytest.mark.parametrize(
    ("condition", "files", "rows"),
    [
        ("n = -12", 2, 1),
        ("n = 12", 2, 0),
        ("day = '2024-01-03'", 1, 1),
        ("day = '2024-03-03'", 0, 0),
        ("day > '2024-01-08' and n < -10", 2, 4),
    ],
)
def test_a_masked_column_chooses_no_file_and_a_row_filter_does(
    lake: Lake, condition: str, files: int, rows: int
) -> None:
    sql = f"select day, n from readings where {condition}"
    planned = plan(sql, LakeCatalog(lake), policy=_Masked(), role="analyst")
    assert len(planned.inputs[0].uris) == files
    assert len(_rows(planned)) == rows


def test_the_plan_says_what_was_left_out_and_why_not(lake: Lake) -> None:
    catalog = LakeCatalog(lake)
    told = plan("select * from readings where n = 12", catalog).rules[_PLACE]
    assert (told.changed, told.why) == (True, "main.readings: 1 of 4 files")
    kept = plan("select * from readings where length(name) = 3", catalog).rules[_PLACE]
    assert (kept.changed, kept.why) == (False, "no condition that bounds of files can decide")
    single = plan("select * from days", catalog).rules[_PLACE]
    assert (single.changed, single.why) == (False, "no table has more than one file")
