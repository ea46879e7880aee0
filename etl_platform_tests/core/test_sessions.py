"""Sessions of one DuckDB engine: they share limits, and nothing else."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from etl_platform.core.sessions import session
from etl_platform.core.settings import Settings


@pytest.fixture
def bounded(tmp_path: Path) -> Settings:
    return Settings(temp_dir=str(tmp_path), threads=2, memory_limit=500_000_000)


def test_what_one_session_makes_no_other_sees(bounded: Settings) -> None:
    with session(bounded) as one, session(bounded) as two:
        one.execute("CREATE SCHEMA shop; CREATE VIEW shop.orders AS SELECT 1 AS n")
        two.execute("CREATE SCHEMA shop; CREATE VIEW shop.orders AS SELECT 2 AS n")
        assert one.execute("FROM shop.orders").fetchall() == [(1,)]
        assert two.execute("FROM shop.orders").fetchall() == [(2,)]
        two.execute("CREATE TEMP TABLE kept AS SELECT 3 AS n")
        with pytest.raises(duckdb.CatalogException):
            one.execute("FROM kept")


def test_limits_and_time_zone_are_those_of_a_session_of_its_own(bounded: Settings) -> None:
    with session(bounded) as con:
        found = con.execute(
            "SELECT current_setting('TimeZone'), current_setting('threads'), "
            "current_setting('memory_limit'), current_setting('temp_directory'), "
            "current_setting('autoinstall_known_extensions')"
        ).fetchone()
    assert found == ("UTC", 2, "476.8 MiB", bounded.temp_dir, False)


def test_the_catalog_of_a_session_goes_with_it(bounded: Settings) -> None:
    for _ in range(5):
        with session(bounded) as con:
            con.execute("CREATE TABLE rows_of_one AS FROM range(10)")
        del con
    gc.collect()
    with session(bounded) as con:
        found = con.execute(
            "SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE 'etl_session_%'"
        ).fetchone()
    assert found == (1,)


def test_a_session_outlives_those_of_other_settings(bounded: Settings, tmp_path: Path) -> None:
    with session(bounded) as con:
        con.execute("CREATE TABLE kept AS FROM range(10)")
        with session(bounded.model_copy(update={"temp_dir": str(tmp_path / "other")})) as other:
            assert other.execute("SELECT 1").fetchall() == [(1,)]
            assert con.execute("SELECT count(*) FROM kept").fetchone() == (10,)


def test_threads_with_settings_of_their_own_do_not_end_each_others_sessions(
    bounded: Settings, tmp_path: Path
) -> None:
    def counted(worker: int) -> set[int]:
        own = bounded.model_copy(update={"temp_dir": str(tmp_path / str(worker))})
        found: set[int] = set()
        for _ in range(20):
            with session(own) as con:
                found.update(n for (n,) in con.execute("SELECT count(*) FROM range(9)").fetchall())
        return found

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(counted, range(4))) == [{9}] * 4
