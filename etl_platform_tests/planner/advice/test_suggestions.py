"""What is suggested after past queries comes true when it is written: files read, rollups used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.planner.advice.layouts import layouts
from etl_platform.planner.advice.suggestion import Asked, Suggestion
from etl_platform.planner.advice.suggestions import suggestions
from etl_platform.planner.advice.workload import workload
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan
from etl_platform.quality import Contract, Profile
from etl_platform.transforms.header import read_header
from etl_platform_tests.planner.flights import FLIGHTS, table
from etl_platform_tests.planner.rollup_lake import publish_rollup

BY_MONTH = [
    Asked("select carrier, avg(dep_delay) from nyc.flights where month = 2 group by 1", 5, 2.0),
    Asked("select count(*) from nyc.flights where month in (6, 7) and dest = 'LAX'", 3, 1.0),
    Asked("select max(distance) from nyc.flights f where f.month > 10", 1, 1.0),
    Asked("select count(*) from nyc.flights", 1, 1.0),
]
BY_TIME = [
    Asked("select count(*) from nyc.flights where time_hour < timestamp '2013-02-01'", 4, 1.0),
    Asked(
        "select tailnum from nyc.flights where time_hour >= timestamp '2013-07-01' "
        "and time_hour < timestamp '2013-08-10'",
        4,
        1.0,
    ),
]


def _lake(folder: Path) -> Lake:
    return Lake(settings=Settings(lake_uri=f"{folder}/lake", temp_dir=f"{folder}/tmp", threads=2))


@pytest.fixture(scope="module")
def flights() -> pl.DataFrame:
    return table(FLIGHTS, 40_000)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, flights: pl.DataFrame) -> Lake:
    """Flights in one file, with a profile."""
    lake = _lake(tmp_path_factory.mktemp("whole"))
    admit(lake, FLIGHTS, flights, Contract(), profile="full")
    return lake


class _Profiled(LakeCatalog):
    """A lake whose rows were profiled in another one."""

    def __init__(self, lake: Lake, profiled: Lake) -> None:
        super().__init__(lake)
        self._profiled = profiled

    def profile(self, table: TableName) -> Profile | None:
        return self._profiled.profile(table)


def _layout(lake: Lake, asked: Sequence[Asked], profiled: Lake | None = None) -> Suggestion:
    catalog = _Profiled(lake, profiled or lake)
    (found,) = layouts(workload(asked, catalog), catalog)
    return found


def _read(lake: Lake, asked: Sequence[Asked]) -> float:
    """The share of all rows that is in files which the runs read, as the planner chooses them."""
    catalog, rows, runs = LakeCatalog(lake), lake.snapshot(FLIGHTS).rows, sum(a.runs for a in asked)
    return sum(a.runs * plan(a.sql, catalog).inputs[0].rows for a in asked) / rows / runs


def test_a_table_partitioned_as_suggested_is_read_as_predicted(
    whole: Lake, flights: pl.DataFrame, tmp_path: Path
) -> None:
    found = _layout(whole, BY_MONTH)
    assert (found.kind, found.what) == ("partition", "partition nyc.flights by month")
    assert found.share is not None
    assert _read(whole, BY_MONTH) == 1
    written = _lake(tmp_path)
    written.publish(written.stage(FLIGHTS, flights, partition_by=("month",)))
    assert found.share == pytest.approx(_read(written, BY_MONTH), rel=0.05)
    assert found.bytes_then / found.bytes_now == pytest.approx(found.share, rel=0.01)
    assert 0 < found.seconds < sum(one.runs * one.seconds for one in BY_MONTH)


def test_a_table_sorted_as_suggested_is_read_as_predicted(
    whole: Lake, flights: pl.DataFrame, tmp_path: Path
) -> None:
    mixed, ordered = _lake(tmp_path / "mixed"), _lake(tmp_path / "ordered")
    for lake, frame in (
        (mixed, flights.sample(fraction=1, shuffle=True, seed=7)),
        (ordered, flights.sort("time_hour")),
    ):
        for part in frame.iter_slices(-(-frame.height // 20)):
            lake.publish(lake.stage(FLIGHTS, part), Mode.APPEND)
    found = _layout(mixed, BY_TIME, whole)
    assert (found.kind, found.what) == ("sort", "sort nyc.flights by time_hour")
    assert found.share is not None
    assert _read(mixed, BY_TIME) == 1
    assert found.share == pytest.approx(_read(ordered, BY_TIME), abs=0.05)  # one file of 20
    catalog = _Profiled(ordered, whole)
    assert not layouts(workload(BY_TIME, catalog), catalog)


def test_a_rollup_written_as_suggested_answers_the_queries(whole: Lake, tmp_path: Path) -> None:
    asked = [
        Asked(
            "select carrier, avg(dep_delay) as delay from nyc.flights where month = 2 group by 1",
            4,
            1.0,
        ),
        Asked("select origin, count(*) as n from nyc.flights group by origin order by n", 2, 1.0),
        Asked("select tailnum, count(distinct dest) from nyc.flights group by 1", 9, 1.0),
    ]
    catalog = LakeCatalog(whole)
    found = [one for one in suggestions(asked, catalog) if one.kind == "rollup"]
    assert [(one.what, one.queries) for one in found] == [
        ("keep nyc.flights by carrier, month, origin", 6)
    ]
    document = read_header(found[0].write.partition("\n")[2], "suggested")
    assert document.header.rollup is not None
    publish_rollup(whole, "mart.suggested", document.sql)
    for one in asked[:2]:
        planned = plan(one.sql, LakeCatalog(whole))
        assert [table.table.sql for table in planned.inputs] == ["mart.suggested"]
        with connect(whole.settings) as con:
            con.execute("CREATE SCHEMA nyc; CREATE SCHEMA mart")
            con.execute(f"CREATE VIEW nyc.flights AS FROM {whole.relation_sql(FLIGHTS)}")
            con.execute(f"CREATE VIEW mart.suggested AS FROM {planned.inputs[0].relation_sql}")
            results = [con.sql(sql).pl() for sql in (planned.sql, one.sql)]
        assert_frame_equal(*results, check_row_order=False)
    assert not [s for s in suggestions(asked, LakeCatalog(whole)) if s.kind == "rollup"]


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(BY_MONTH[:1] * 0, id="nothing was asked"),
        pytest.param([Asked("select count(*) from nyc.flights", 50, 1.0)], id="no filter"),
        pytest.param([Asked("select 1 from nyc.flights where month = 2", 2)], id="asked twice"),
        pytest.param([Asked("select 1 from nyc.flights where distance = 7", 9)], id="many values"),
        pytest.param([Asked("select 1 from nyc.flights where month > 0", 9)], id="keeps all"),
        pytest.param([Asked("select 1 from nyc.gone where month = 1", 9)], id="table is gone"),
        pytest.param(
            [
                Asked("select 1 from nyc.flights where month = 2", 4),
                Asked("select 1 from nyc.flights where dest like '%X'", 5),
            ],
            id="most do otherwise",
        ),
    ],
)
def test_no_layout_without_a_reason(whole: Lake, asked: list[Asked]) -> None:
    catalog = LakeCatalog(whole)
    assert not layouts(workload(asked, catalog), catalog)
