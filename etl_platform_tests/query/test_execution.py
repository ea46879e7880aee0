"""Queries run apart: whatever they do, they end, and what they took is given back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pyarrow as pa
import pytest

from etl_platform.core.errors import LimitExceeded, PermanentError, QueryCancelled
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.metastore import Metastore
from etl_platform.planner.policy import Limits
from etl_platform.query import QueryTool, isolation
from etl_platform.query.execution import tightest
from etl_platform.query.session import confined

LINES = TableName("shop", "lines")
RUNAWAY = (
    "select count(*) from shop.lines a, shop.lines b, shop.lines c where a.id * b.id % 7 = c.id"
)
PAST_THE_ENGINE = "select sum(length(md5(repeat(i::varchar, 600000)))) as n from range(500) t(i)"
"""DuckDB does not count the strings of one vector: under any limit it takes 850 MB."""

LARGER_THAN_MEMORY = (
    "select count(*) from (select distinct repeat(md5(i::varchar), 4) from range(1500000) t(i))"
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(
        str(tmp_path / "lake"),
        Settings(
            lake_uri=str(tmp_path / "lake"),
            temp_dir=str(tmp_path / "tmp"),
            threads=2,
            memory_limit=512 * 1024 * 1024,
        ),
    )
    lake.publish(lake.stage(LINES, pa.table({"id": list(range(20_000))})))
    return lake


@pytest.fixture
def metastore(tmp_path: Path) -> Metastore:
    return Metastore.open(f"sqlite:///{tmp_path}/meta.db")


@pytest.fixture
def tool(lake: Lake, metastore: Metastore) -> Iterator[QueryTool]:
    yield QueryTool(lake, metastore)
    psutil.wait_procs(running(), timeout=30)
    assert running() == []
    left = [path.name for path in Path(lake.settings.temp_dir).rglob("*") if path.is_file()]
    assert [name for name in left if not name.endswith(".arrow")] == []


def running() -> list[psutil.Process]:
    """The processes that hold memory for queries of this one; a zombie holds none."""
    children = psutil.Process(isolation.prepare()._process.pid).children()
    return [process for process in children if held_bytes(process)]


def held_bytes(process: psutil.Process) -> int:
    """Of a process that runs a query; the one that is kept ready for the next one has none."""
    try:
        return process.memory_info().rss if process.name() == isolation.RUNNING else 0
    except psutil.NoSuchProcess:
        return 0


def test_a_runaway_query_ends_when_it_is_cancelled(tool: QueryTool, metastore: Metastore) -> None:
    cancel = threading.Event()
    with pytest.raises(QueryCancelled):
        tool.ask(RUNAWAY, cancel=cancel, progress=lambda share: cancel.set())
    assert running() == []
    assert metastore.queries(1)[0].status == "cancelled"


def test_a_runaway_query_ends_with_its_seconds(tool: QueryTool) -> None:
    with pytest.raises(LimitExceeded, match=r"ran for more than 0\.5 seconds"):
        tool.ask(RUNAWAY, limits=Limits(seconds=0.5))
    assert running() == []


def test_an_interrupt_ends_the_query(tool: QueryTool, metastore: Metastore) -> None:
    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tool.ask(RUNAWAY, progress=interrupt)
    assert running() == []
    assert metastore.queries(1)[0].status == "cancelled"


def test_memory_that_the_engine_does_not_count_is_refused_by_the_operating_system(
    tool: QueryTool,
) -> None:
    with pytest.raises(LimitExceeded, match="needs more memory than the 268,435,456 bytes"):
        tool.ask(PAST_THE_ENGINE, limits=Limits(memory_bytes=256 * 1024 * 1024))
    # The refusal is told before the process has ended.
    psutil.wait_procs(running(), timeout=5)
    assert running() == []
    assert tool.run("select 1 as one").rows() == [(1,)]


def test_a_query_that_would_fill_the_disk_is_refused(tool: QueryTool) -> None:
    memory, spill = 128 * 1024 * 1024, 16 * 1024 * 1024
    with pytest.raises(LimitExceeded, match="write more to disk than the 16,777,216 bytes"):
        tool.ask(LARGER_THAN_MEMORY, limits=Limits(memory_bytes=memory, spill_bytes=spill))
    found = tool.ask(LARGER_THAN_MEMORY, limits=Limits(memory_bytes=memory))
    assert found.result.frame().item() == 1_500_000


def test_every_query_has_a_process_of_its_own_that_was_ready_before(tool: QueryTool) -> None:
    seen: list[int] = []
    waited: list[int] = []
    tool.run("select 0 as zero")
    for number in range(2):
        cancel = threading.Event()
        while not (ready := waiting()):
            os.sched_yield()
        waited += ready

        def look(share: float, cancel: threading.Event = cancel) -> None:
            seen.extend(process.pid for process in running())
            cancel.set()

        with pytest.raises(QueryCancelled):
            tool.ask(f"{RUNAWAY} + {number}", cancel=cancel, progress=look)
    assert len(set(seen)) == 2
    assert seen == waited


def waiting() -> list[int]:
    """The process that waits for the next query of this one."""
    found: list[int] = []
    for process in psutil.Process(isolation.prepare()._process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() != isolation.RUNNING:
                found.append(process.pid)
    return found


def test_a_result_with_too_many_rows_is_refused_also_when_it_is_kept(tool: QueryTool) -> None:
    sql = "select id from shop.lines"
    with pytest.raises(LimitExceeded, match="more than 19,999 rows"):
        tool.ask(sql, limits=Limits(rows=19_999))
    assert tool.ask(sql).result.rows == 20_000
    with pytest.raises(LimitExceeded, match="more than 19,999 rows"):
        tool.ask(sql, limits=Limits(rows=19_999))
    assert tool.ask(sql, limits=Limits(rows=20_000)).cached


def test_a_query_that_would_read_too_much_is_not_begun(tool: QueryTool) -> None:
    with pytest.raises(LimitExceeded, match=r"would read .* bytes \(shop\.lines"):
        tool.ask("select 1 as one from shop.lines", limits=Limits(scanned_bytes=100))


def test_the_smallest_of_each_limit_holds() -> None:
    first, second = Limits(rows=5, seconds=2.0), Limits(rows=7, memory_bytes=10)
    assert tightest(first, None, second) == Limits(rows=5, seconds=2.0, memory_bytes=10)
    assert tightest(None) == Limits()


def test_a_process_that_is_killed_is_told_of(tool: QueryTool) -> None:
    def kill(share: float) -> None:
        for process in running():
            process.kill()

    with pytest.raises(LimitExceeded, match="operating system ended its process"):
        tool.ask(RUNAWAY, progress=kill)
    assert tool.run("select 1 as one").rows() == [(1,)]


def test_the_process_that_forks_is_started_again_when_it_was_killed(tool: QueryTool) -> None:
    tool.run("select 1 as one")
    process = isolation.prepare()._process
    process.kill()
    process.wait()
    assert tool.run("select 2 as two").rows() == [(2,)]


def test_queries_of_many_threads_do_not_meet(tool: QueryTool) -> None:
    found: dict[int, object] = {}

    def ask(number: int) -> None:
        sql = "select count(*) + $n as n from shop.lines"
        found[number] = tool.run(sql, {"n": number}).rows()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [(20_000 + number,)] for number in range(8)}


def test_a_query_ends_with_the_process_that_asked(lake: Lake, tmp_path: Path) -> None:
    program = tmp_path / "ask.py"
    program.write_text(
        "import sys\n"
        "from etl_platform import Platform\n"
        f"p = Platform.open(lake_uri={lake.uri!r}, temp_dir={str(tmp_path / 'other')!r},\n"
        f"    metastore_url='sqlite:///{tmp_path}/other.db')\n"
        "from etl_platform.query import QueryTool\n"
        "told = lambda share: print('running', flush=True)\n"
        f"QueryTool(p.lake, p.metastore).ask({RUNAWAY!r}, progress=told)\n"
    )
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"running\n"
        started = psutil.Process(asking.pid).children(recursive=True)
        assert len(started) == 2
        spill = next((tmp_path / "other").glob("query-*"))
        assert spill.stat().st_mode & 0o777 == 0o700
        (spill / "written").touch()
        os.kill(asking.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []
    assert not spill.exists()


def test_nothing_secret_of_the_environment_reaches_a_query(
    tool: QueryTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    before = isolation.prepare()._process
    before.kill()
    before.wait()
    seen: list[dict[str, str]] = []

    def look(share: float) -> None:
        seen.extend(process.environ() for process in running())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tool.ask(RUNAWAY, progress=look)
    assert seen
    assert "PATH" in seen[0]
    assert "hunter2" not in str(seen)


@pytest.mark.parametrize(
    "value",
    [
        *("'a'::ENUM('a', 'b')", "'12345678-1234-1234-1234-123456789012'::uuid", "1::hugeint"),
        *("time '01:00'", "timestamp_ns '2020-01-01'", "timestamptz '2020-01-01'", "map {1: 2}"),
        *("[1, null]", "{'a': [1]}", "[1, 2]::int[2]", "'x'::blob", "null", "1.5::decimal(10, 2)"),
        *("'{}'::json", "date '2020-01-01'", "1::utinyint", "timestamp_s '2020-01-01'", "'é'"),
        *("'nan'::double", "1::bignum", "'1'::bit", "-0.0::float"),
    ],
)
def test_rows_arrive_as_if_they_were_computed_here(tool: QueryTool, value: str) -> None:
    sql = f"select {value} as v, i from range(3) t(i) order by i"
    with confined(()) as con:
        expected = con.sql(sql).pl()
    found = tool.run(sql)
    assert found.schema == expected.schema
    assert found.equals(expected)


@pytest.mark.parametrize("value", ["interval 1 day", "[interval 1 day]", "{'a': interval 1 day}"])
def test_a_type_that_no_frame_holds_is_refused_wherever_it_stands(
    tool: QueryTool, value: str
) -> None:
    with pytest.raises(PermanentError, match="column 'v' is an INTERVAL"):
        tool.run(f"select {value} as v")


def test_an_empty_result_has_its_columns(tool: QueryTool) -> None:
    frame = tool.run("select id, 'x' as word from shop.lines where id < 0")
    assert frame.schema == {"id": pl.Int64, "word": pl.String}
