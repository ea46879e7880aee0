"""Connections, servers and runs that end at random moments of a read, while money moves."""

from __future__ import annotations

import random
import shutil
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

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform_tests.stress import accounts
from etl_platform_tests.stress.victims import Victim, kill_and_start

# What an engine sends when it reads the rows, and neither a count nor a transfer does.
READ = {"postgresql": "%accounts%pad%", "mysql": "SELECT%accounts%pad%"}
LONGEST_S = {"postgresql": 0.4, "mysql": 1.2}
"""How long a read takes about; shortened where one is over before it is struck."""
Fault = Callable[[Victim, list[int]], int]
"""Strikes those sessions; returns how many it hit."""


def end_sessions(server: Victim, sessions: list[int]) -> int:
    """``pg_terminate_backend`` and ``KILL``."""
    return server.end(sessions)


def restart(server: Victim, sessions: list[int]) -> int:
    """kill -9 of the server, and its start on the same data and port."""
    kill_and_start(server)
    return len(sessions)


def strike_once(
    server: Victim, fault: Fault, moment_s: float, over: threading.Event, hits: list[int]
) -> None:
    """Wait for a read that has gone on for so long, and strike it; not at all if none does."""
    while not over.wait(0.005):
        reading = server.sessions(READ[server.kind], moment_s)
        if reading and (hit := fault(server, reading)):
            hits.append(hit)
            return


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
    lake: Lake, server: Victim, mode: str, instance: dg.DagsterInstance, fault: Fault, times: int
) -> Counter[str]:
    """Runs that are hit until ``times`` were; what became of them."""
    accounts.build(server.url)
    chance, told = random.Random(f"{server.kind} {mode} {times}"), Counter[str]()
    table = TableName("bank", mode)
    longest_s = LONGEST_S[server.kind]
    with accounts.Transfers(server.url, mode) as transfers:
        while told["hits"] < times:
            if mode == "incremental":
                # Everything is to be read again, or a later run would have next to nothing to do.
                forget(lake, table)
            over, hits = threading.Event(), list[int]()
            moment_s = chance.uniform(0, longest_s)
            striker = threading.Thread(
                target=strike_once, args=(server, fault, moment_s, over, hits)
            )
            striker.start()
            result = accounts.run(server.url, mode, instance)
            over.set()
            striker.join()
            assert result.success, [e.message for e in result.get_step_failure_events()]
            check(lake, server.url, mode)
            if not hits:
                longest_s *= 0.9
            told["runs"] += 1
            told["hits"] += bool(hits)
            told["retries"] += sum(1 for e in result.all_events if e.is_step_restarted)
            told["parts"] += sum(
                1
                for e in result.all_events
                if e.is_asset_observation
                and "goes_on_after" in e.asset_observation_data.asset_observation.metadata
            )
    assert transfers.done
    settled(lake, server.url, mode, instance)
    return told


def forget(lake: Lake, table: TableName) -> None:
    """Go back to before the first load: the next run reads everything."""
    if lake.exists(table):
        shutil.rmtree(Path(lake.uri) / table.path)


def kill_and_resume(
    lake: Lake, server: Victim, mode: str, instance: dg.DagsterInstance, times: int
) -> Counter[str]:
    """kill -9 of the run's process, then another run, ``times`` over."""
    accounts.build(server.url)
    chance, told = random.Random(f"kill {server.kind} {mode} {times}"), Counter[str]()
    with accounts.Transfers(server.url, mode):
        longest_s = 2.0
        while told["hits"] < times:
            if mode == "incremental":
                forget(lake, TableName("bank", mode))
            worker = subprocess.Popen(
                [sys.executable, "-m", "etl_platform_tests.stress.accounts", server.url, mode],
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
            told["runs"] += 1
            if done:
                longest_s = time.perf_counter() - begun
            else:
                assert worker.returncode == -signal.SIGKILL
                told["hits"] += 1
            assert accounts.run(server.url, mode, instance).success
            check(lake, server.url, mode)
    settled(lake, server.url, mode, instance)
    return told


@pytest.fixture
def instance(
    dagster_once: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as made:
        yield made


def session_ended(
    lake: Lake, server: Victim, mode: str, instance: dg.DagsterInstance, times: int
) -> Counter[str]:
    return fault_and_retry(lake, server, mode, instance, end_sessions, times)


def server_restarted(
    lake: Lake, server: Victim, mode: str, instance: dg.DagsterInstance, times: int
) -> Counter[str]:
    return fault_and_retry(lake, server, mode, instance, restart, times)


FAULTS = {
    "session ended": session_ended,
    "server restarted": server_restarted,
    "worker killed": kill_and_resume,
}


@pytest.mark.parametrize(
    ("server", "fault", "mode"),
    # Every other combination, and a server that restarts, is among the twenty of each.
    [("mysql", "session ended", "incremental"), ("postgresql", "worker killed", "partition")],
    indirect=["server"],
)
def test_a_read_that_is_cut_off_loses_and_doubles_nothing(
    settings: Settings, instance: dg.DagsterInstance, server: Victim, fault: str, mode: str
) -> None:
    told = FAULTS[fault](Lake(settings=settings), server, mode, instance, 1)
    assert told["hits"]


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", accounts.MODES)
@pytest.mark.parametrize("fault", FAULTS)
def test_twenty_reads_that_are_cut_off(
    settings: Settings,
    instance: dg.DagsterInstance,
    server: Victim,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    mode: str,
) -> None:
    told = FAULTS[fault](Lake(settings=settings), server, mode, instance, 20)
    with capsys.disabled():
        print(
            f"\n{fault:17} {server.kind:11} {mode:12} runs {told['runs']:2} hits {told['hits']:2} "
            f"retries {told['retries']:2} parts published first {told['parts']:2}; no account "
            "lost or doubled"
        )
    if mode == "incremental" and fault != "worker killed":
        assert told["parts"], "no read was resumed from a part: the test shows nothing of it"
