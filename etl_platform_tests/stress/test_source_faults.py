"""Connections and runs that end at random moments of a read, while money moves."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase
from etl_platform_tests.stress import accounts

Fault = Callable[[], int]
"""Ends what reads accounts now; returns how many it hit."""


def terminate(database: PostgresDatabase) -> Fault:
    """Ends every session that is reading accounts, and none that writes."""

    def strike() -> int:
        with database.connect() as session:
            return session.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
                "current_database() AND pid <> pg_backend_pid() AND query LIKE 'COPY %accounts%'"
            ).fetchall()[0][0]

    return strike


def kill(database: MariaDbDatabase) -> Fault:
    def strike() -> int:
        engine = sa.create_engine(accounts.driver_url(database.url))
        with engine.connect() as con:
            reading = con.execute(
                sa.text(
                    "SELECT id FROM information_schema.processlist WHERE db = database() AND "
                    "id <> connection_id() AND info LIKE 'SELECT%accounts%pad%'"
                )
            ).scalars()
            hit = 0
            for one in reading.all():
                con.execute(sa.text(f"KILL {int(one)}"))
                hit += 1
        engine.dispose()
        return hit

    return strike


def strike_once(fault: Fault, delay_s: float, over: threading.Event) -> Counter[str]:
    """Wait for a read, then for a random moment of it, and end it, if it still goes on."""
    hit: Counter[str] = Counter()
    begun: float | None = None
    while not over.is_set() and not hit["hit"]:
        if begun is None:
            begun = time.perf_counter()
        if time.perf_counter() - begun < delay_s:
            over.wait(0.005)
            continue
        hit["hit"] += fault()
    return hit


def check(lake: Lake, url: str, mode: str) -> None:
    """One row for each account, and the money is all there where the table is one moment."""
    found = lake.scan(TableName("bank", mode)).select("id", "balance").collect()
    wanted = accounts.rows(url, mode)
    assert found["id"].n_unique() == found.height == len(wanted)
    if mode != "incremental":
        assert found["balance"].sum() == 100 * len(wanted)


def settled(lake: Lake, url: str, mode: str, instance: dg.DagsterInstance) -> None:
    """After the last transfer a run without fault makes both alike, to the last account."""
    assert accounts.run(url, mode, instance).success
    found = lake.scan(TableName("bank", mode)).select("id", "balance").collect()
    assert dict(found.rows()) == accounts.rows(url, mode)


def fault_and_retry(
    lake: Lake, url: str, mode: str, instance: dg.DagsterInstance, fault: Fault, times: int
) -> Counter[str]:
    """Runs that are hit until ``times`` were; what became of them."""
    chance, told = random.Random(f"{mode} {times}"), Counter[str]()
    table = TableName("bank", mode)
    with accounts.Transfers(url, mode) as transfers:
        while told["hits"] < times:
            if mode == "incremental":
                # Everything is to be read again, or a later run would have next to nothing to do.
                forget(lake, table)
            over, hits = threading.Event(), list[Counter[str]]()
            delay_s = chance.uniform(0, 0.3)
            striker = threading.Thread(
                target=lambda over=over, delay_s=delay_s, hits=hits: hits.append(
                    strike_once(fault, delay_s, over)
                )
            )
            striker.start()
            result = accounts.run(url, mode, instance)
            over.set()
            striker.join()
            assert result.success, [e.message for e in result.get_step_failure_events()]
            check(lake, url, mode)
            told["hits"] += bool(hits[0]["hit"])
            told["retries"] += sum(1 for e in result.all_events if e.is_step_restarted)
            told["parts"] += sum(
                1
                for e in result.all_events
                if e.is_asset_observation
                and "goes_on_after" in e.asset_observation_data.asset_observation.metadata
            )
    assert transfers.done
    settled(lake, url, mode, instance)
    return told


def forget(lake: Lake, table: TableName) -> None:
    """Go back to before the first load: the next run reads everything."""
    import shutil

    if lake.exists(table):
        shutil.rmtree(Path(lake.uri) / table.path)


def kill_and_resume(
    lake: Lake, url: str, mode: str, instance: dg.DagsterInstance, times: int
) -> Counter[str]:
    """kill -9 of the run's process, then another run, ``times`` over."""
    chance, told = random.Random(f"kill {mode} {times}"), Counter[str]()
    with accounts.Transfers(url, mode):
        longest_s = 2.0
        while told["hits"] < times:
            if mode == "incremental":
                forget(lake, TableName("bank", mode))
            worker = subprocess.Popen(
                [sys.executable, "-m", "etl_platform_tests.stress.accounts", url, mode],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            assert worker.stdin is not None
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            begun = time.perf_counter()
            timer = threading.Timer(chance.uniform(0, longest_s), worker.kill)
            timer.start()
            worker.stdin.write("go\n")
            worker.stdin.flush()
            done = worker.stdout.readline() == "done\n"
            timer.cancel()
            worker.communicate()
            if done:
                longest_s = time.perf_counter() - begun
            else:
                assert worker.returncode == -signal.SIGKILL
                told["hits"] += 1
            assert accounts.run(url, mode, instance).success
            check(lake, url, mode)
    settled(lake, url, mode, instance)
    return told


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as made:
        yield made


def terminated(lake: Lake, request: pytest.FixtureRequest, mode: str, instance: dg.DagsterInstance,
               times: int) -> Counter[str]:  # fmt: skip
    database: PostgresDatabase = request.getfixturevalue("postgres")
    accounts.build(database.url)
    return fault_and_retry(lake, database.url, mode, instance, terminate(database), times)


def killed(lake: Lake, request: pytest.FixtureRequest, mode: str, instance: dg.DagsterInstance,
           times: int) -> Counter[str]:  # fmt: skip
    database: MariaDbDatabase = request.getfixturevalue("mariadb")
    accounts.build(database.url)
    return fault_and_retry(lake, database.url, mode, instance, kill(database), times)


def worker_killed(lake: Lake, request: pytest.FixtureRequest, mode: str,
                  instance: dg.DagsterInstance, times: int) -> Counter[str]:  # fmt: skip
    database: PostgresDatabase = request.getfixturevalue("postgres")
    accounts.build(database.url)
    return kill_and_resume(lake, database.url, mode, instance, times)


FAULTS = {
    "pg_terminate_backend": terminated,
    "MariaDB KILL": killed,
    "run worker kill -9": worker_killed,
}


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("fault", "mode"),
    list(zip(FAULTS, ("incremental", "full", "partition"), strict=True)),
)
def test_a_read_that_is_cut_off_loses_and_doubles_nothing(
    settings: Settings,
    instance: dg.DagsterInstance,
    request: pytest.FixtureRequest,
    fault: str,
    mode: str,
) -> None:
    told = FAULTS[fault](Lake(settings=settings), request, mode, instance, 1)
    assert told["hits"]


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", accounts.MODES)
@pytest.mark.parametrize("fault", FAULTS)
def test_twenty_reads_that_are_cut_off(
    settings: Settings,
    instance: dg.DagsterInstance,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    mode: str,
) -> None:
    told = FAULTS[fault](Lake(settings=settings), request, mode, instance, 20)
    with capsys.disabled():
        print(
            f"\n{fault:35} {mode:12} {told['hits']:3} hits {told['retries']:3} retries "
            f"{told['parts']:3} parts published first; no account lost or doubled"
        )
