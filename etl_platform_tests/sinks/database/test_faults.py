"""Connections cut and processes killed in the middle of a load: no row is lost, none doubled."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.sinks.database import (
    DatabaseSink,
    Load,
    LoadMode,
    LoadReceipt,
    Rows,
    Target,
    TargetUnavailable,
    rows_of,
)
from etl_platform.sources.database import Database
from etl_platform_tests.servers.postgres import PostgresDatabase
from etl_platform_tests.sinks.database.targets import Warehouse, order

EVENTS = TableName("shop", "events")
TARGET = Target("events")
COUNT = 60_000
BEFORE = COUNT // 2
STATE = "SELECT count(*), sum(id) FROM events"
LOAD_IN_A_PROCESS = """
import sys
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake
from etl_platform.sinks.database import DatabaseSink, Load, LoadMode, Target, rows_of
from etl_platform.sources.database import Database
rows = rows_of(Lake(), TableName("shop", "events"))
load = Load(Target("events"), LoadMode(sys.argv[2]), "second", ("id",))
DatabaseSink(Database("warehouse", sys.argv[1])).load(rows, load)
"""


def publish(settings: Settings, numbers: range, note: str) -> Rows:
    lake = Lake(settings.lake_uri, settings)
    data = pa.table({"id": pa.array(numbers), "note": [f"{note} {i}" for i in numbers]})
    lake.publish(lake.stage(EVENTS, data), Mode.REPLACE)
    return rows_of(lake, EVENTS)


def second(mode: LoadMode) -> range:
    """The ids of the second load; appended ones are new, others overlap by half."""
    start = COUNT if mode is LoadMode.APPEND else BEFORE
    return range(start, BEFORE + COUNT)


def expected(mode: LoadMode) -> tuple[int, int]:
    """Rows and sum of ids after both loads."""
    if mode is LoadMode.REPLACE:
        return COUNT, sum(second(mode))
    if mode is LoadMode.SCD2:
        return 2 * COUNT, sum(range(COUNT)) + sum(second(mode))
    return BEFORE + COUNT, sum(range(BEFORE + COUNT))


class Killer(threading.Thread):
    """Terminates the loading session after it was seen at work a number of times."""

    def __init__(self, database: PostgresDatabase, after: int) -> None:
        super().__init__()
        self._database = database
        self._after = after
        self._over = threading.Event()
        self.struck = False

    def run(self) -> None:
        seen = 0
        with self._database.connect() as session:
            while not self._over.is_set() and not self.struck:
                busy = session.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'etl' "
                    "AND datname = current_database() AND xact_start IS NOT NULL"
                ).fetchone()
                seen += busy is not None
                if busy is not None and seen > self._after:
                    session.execute("SELECT pg_terminate_backend(%s)", busy)
                    self.struck = True

    def stop(self) -> None:
        self._over.set()
        self.join()


@pytest.mark.postgres
@pytest.mark.parametrize("mode", LoadMode)
def test_a_terminated_backend_leaves_all_or_nothing_and_a_retry_completes_the_load(
    postgres: PostgresDatabase, settings: Settings, mode: LoadMode
) -> None:
    sink = DatabaseSink(Database("warehouse", postgres.url))
    sink.load(publish(settings, range(COUNT), "first"), Load(TARGET, mode, "first", ("id",)))
    rows = publish(settings, second(mode), "second")
    load = Load(TARGET, mode, "second", ("id",), keep_before=timedelta(days=1))
    moments = random.Random(str(mode))
    struck = 0
    with postgres.connect() as session:
        before = session.execute(STATE).fetchone()
        # A busy machine looks seldom: the first is struck as soon as it is seen.
        for least, most in ((0, 0), (1, 30), (30, 150), (150, 400)):
            killer = Killer(postgres, moments.randint(least, most))
            killer.start()
            try:
                sink.load(rows, load)
            except TargetUnavailable:
                now = session.execute(STATE).fetchone()
                assert now in (before, expected(mode))
                before = now
            else:
                before = expected(mode)
            finally:
                killer.stop()
            struck += killer.struck
        sink.load(rows, load)
        assert struck, "no session was terminated: the test shows nothing"
        assert session.execute(STATE).fetchone() == expected(mode)
        assert sink.load(rows, load).skipped


@pytest.mark.parametrize("mode", [LoadMode.APPEND, LoadMode.SCD2])
def test_a_killed_process_leaves_all_or_nothing_in_a_sqlite_file(
    settings: Settings, tmp_path: Path, mode: LoadMode
) -> None:
    path = tmp_path / "target.db"
    sink = DatabaseSink(Database("warehouse", f"sqlite:///{path}"))
    sink.load(publish(settings, range(COUNT), "first"), Load(TARGET, mode, "first", ("id",)))
    rows = publish(settings, second(mode), "second")
    child = subprocess.Popen([sys.executable, "-c", LOAD_IN_A_PROCESS, sink.database.url_ref, mode])
    journal = path.with_name("target.db-journal")
    while child.poll() is None and not journal.exists():
        pass
    child.kill()
    child.wait()
    receipt = sink.load(rows, Load(TARGET, mode, "second", ("id",)))
    assert receipt.rows_read == len(second(mode))
    assert state_of_file(path, "sqlite") == expected(mode)


@pytest.mark.parametrize("mode", LoadMode)
def test_a_process_killed_at_random_moments_leaves_all_or_nothing_in_a_duckdb_file(
    settings: Settings, tmp_path: Path, mode: LoadMode
) -> None:
    path = tmp_path / "target.duckdb"
    sink = DatabaseSink(Database("warehouse", f"duckdb:///{path}"))
    sink.load(publish(settings, range(COUNT), "first"), Load(TARGET, mode, "first", ("id",)))
    before = state_of_file(path, "duckdb")
    rows = publish(settings, second(mode), "second")
    command = [sys.executable, "-c", LOAD_IN_A_PROCESS, sink.database.url_ref, mode]
    moments, written = random.Random(str(mode)), path.stat().st_mtime_ns
    child = subprocess.Popen(command)
    while child.poll() is None and path.stat().st_mtime_ns == written:
        pass
    with suppress(subprocess.TimeoutExpired):
        child.wait(moments.uniform(0, 0.3))
    child.kill()
    child.wait()
    assert state_of_file(path, "duckdb") in (before, expected(mode))
    sink.load(rows, Load(TARGET, mode, "second", ("id",)))
    assert state_of_file(path, "duckdb") == expected(mode)
    assert sink.load(rows, Load(TARGET, mode, "second", ("id",))).skipped


def state_of_file(path: Path, kind: str) -> tuple[int, int]:
    con = sqlite3.connect(path) if kind == "sqlite" else duckdb.connect(str(path))
    ((rows, total),) = con.execute(STATE).fetchall()
    con.close()
    return int(rows), int(total)


def test_two_attempts_of_one_batch_at_the_same_time_load_it_once(
    warehouse: Warehouse,
) -> None:
    rows = warehouse.rows([order(number) for number in range(1_000)])
    load = Load(Target("orders"), LoadMode.APPEND, "same")
    barrier = threading.Barrier(3)

    def attempt(_: int) -> LoadReceipt:
        barrier.wait()
        return warehouse.sink.load(rows, load)

    with ThreadPoolExecutor(3) as pool:
        receipts = list(pool.map(attempt, range(3)))
    assert sorted(receipt.skipped for receipt in receipts) == [False, True, True]
    assert len(warehouse.orders()) == 1_000
