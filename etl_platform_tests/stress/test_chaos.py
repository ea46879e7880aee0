"""Ten minutes in which everything that can break does, and runs of sixty assets in the middle.

Killed are run workers, the processes of steps, Dagster's daemon, its web server with the code
server below each, and PostgreSQL; the API, the bucket and the broker go away for seconds, and the
disk of lake, records and drafts is full for seconds. Each run has to end by its own retries and at
most one ``etl resume``, which runs in calm; then all tables are those of a calm run.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import dagster as dg
import psutil
import psycopg
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.metastore import Metastore
from etl_platform.monitoring.streams import stream_status
from etl_platform_tests.servers.gateway import Gateway, gateway
from etl_platform_tests.servers.kafka import KafkaServer, free_port
from etl_platform_tests.servers.kafka import serving as serving_kafka
from etl_platform_tests.servers.s3 import serving as serving_s3
from etl_platform_tests.stress import chaos_project as project
from etl_platform_tests.stress.chaos_project import Sources
from etl_platform_tests.stress.victims import Victim, kill_and_start
from etl_platform_tests.stress.victims import serving as serving_database

PROJECT = Path(__file__).parent.parent.parent
MINUTES = float(os.environ.get("CHAOS_MINUTES", "10"))
LONGEST_RUN_S = 1_500.0
DISK = "1g"
ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
_WILL_RETRY = "dagster/will_retry"


@dataclass
class Services:
    """Dagster's daemon and web server, as a supervisor keeps them: what is gone comes again."""

    root: Path
    variables: Mapping[str, str]
    log: Path
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(
        default_factory=dict[str, "subprocess.Popen[bytes]"]
    )
    starts: Counter[str] = field(default_factory=Counter[str])

    def ensure(self) -> None:
        """Start what is not there."""
        words = {
            "daemon": ["dagster-daemon", "run"],
            "web server": ["dagster-webserver", "-h", "127.0.0.1", "-p", str(self.port)],
        }
        for name, command in words.items():
            if (there := self.running.get(name)) is not None and there.poll() is None:
                continue
            self.starts[name] += 1
            with (self.log / f"{name}.log").open("a") as log:
                self.running[name] = subprocess.Popen(
                    [
                        project.program(command[0]),
                        *command[1:],
                        "-m",
                        f"{project.PACKAGE}.definitions",
                    ],
                    cwd=self.root,
                    env=dict(self.variables),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def kill(self, name: str) -> bool:
        """kill -9; what it has started lives on, as after a real crash."""
        there = self.running.get(name)
        if there is None or there.poll() is not None:
            return False
        there.kill()
        there.wait()
        return True

    def workers(self) -> tuple[list[psutil.Process], list[psutil.Process]]:
        """The workers of runs, and the processes of steps, whoever has started them."""
        servers = [one for one in self._all() if "grpc" in _words(one)]
        runs = [child for one in servers for child in _children(one)]
        return runs, [child for one in runs for child in _children(one)]

    def stop(self) -> None:
        """End everything of the project."""
        for there in self.running.values():
            with suppress(ProcessLookupError):
                there.kill()
            there.wait()
        everything = self._all()
        for one in everything:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(everything, timeout=30)

    def _all(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for one in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if one.cwd() == str(self.root):
                    found.append(one)
        return found


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        found = process.children()
    except psutil.Error:
        return []
    return [one for one in found if "resource_tracker" not in " ".join(_words(one))]


@dataclass
class Chaos:
    """A thread that breaks one thing after the other while it is let."""

    services: Services
    database: Victim
    doors: Mapping[str, Gateway]
    disk: Path
    mounted: bool
    chance: random.Random
    hits: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    _let: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _calm: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list[BaseException])

    def __enter__(self) -> Chaos:
        self._calm.set()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def raging(self) -> Generator[None]:
        """Things break inside; when it is left, all are whole again."""
        begun = time.monotonic()
        self._let.set()
        try:
            yield
        finally:
            self._let.clear()
            assert self._calm.wait(180), "what was broken was not mended"
            self.seconds += time.monotonic() - begun
            assert not self.errors, self.errors

    def _work(self) -> None:
        ways: dict[str, tuple[int, Callable[[], bool]]] = {
            "step killed": (5, lambda: self._kill(1)),
            "run worker killed": (1, lambda: self._kill(0)),
            "PostgreSQL killed": (3, self._restart),
            "disk full": (2 if self.mounted else 0, self._fill),
            "daemon killed": (1, lambda: self.services.kill("daemon")),
            "web server killed": (1, lambda: self.services.kill("web server")),
            **{f"{name} away": (2, lambda name=name: self._away(name)) for name in self.doors},
        }
        names, weights = [*ways], [weight for weight, _ in ways.values()]
        while not self._over.is_set():
            if not self._let.is_set():
                self._calm.set()
                self._over.wait(0.1)
                continue
            self._calm.clear()
            self._over.wait(self.chance.uniform(2, 6))
            chosen = self.chance.choices(names, weights)[0]
            try:
                if ways[chosen][1]():
                    self.hits[chosen] += 1
                self.services.ensure()
            except BaseException as error:  # noqa: BLE001 # told by whoever waits
                self.errors.append(error)
                self._calm.set()
                return

    def _kill(self, level: int) -> bool:
        there = self.services.workers()[level]
        if not there:
            return False
        with suppress(psutil.NoSuchProcess):
            self.chance.choice(there).kill()
        return True

    def _restart(self) -> bool:
        kill_and_start(self.database)
        while not self._over.is_set():
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.database.url).close()
                break
            self._over.wait(0.1)
        return True

    def _away(self, name: str) -> bool:
        self.doors[name].shut()
        self._over.wait(self.chance.uniform(1, 6))
        self.doors[name].open()
        return True

    def _fill(self) -> bool:
        filler = self.disk / "filler"
        with filler.open("wb") as file:
            until = time.monotonic() + self.chance.uniform(2, 5)
            while time.monotonic() < until:
                with suppress(OSError):
                    free = shutil.disk_usage(self.disk).free
                    if free:
                        os.posix_fallocate(file.fileno(), file.tell(), free)
                        file.seek(0, os.SEEK_END)
                self._over.wait(0.1)
        filler.unlink()
        return True


@dataclass
class Ended:
    """How a run ended: how many runs its own retries made, and whether it had to be resumed."""

    runs: int
    resumed: bool


def go(
    root: Path, variables: Mapping[str, str], instance: dg.DagsterInstance, chaos: Chaos
) -> Ended:
    """One run of everything, through chaos, to its end."""
    with chaos.raging():
        run_id = _launch(root, variables)
        last, runs = _ended(instance, run_id)
    if last.status is dg.DagsterRunStatus.SUCCESS:
        return Ended(runs, resumed=False)
    done = project.command(
        root, variables, "etl", "resume", last.run_id, "-m", f"{project.PACKAGE}.definitions"
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return Ended(runs, resumed=True)


def _launch(root: Path, variables: Mapping[str, str]) -> str:
    run_id = str(uuid4())
    words = ("-m", f"{project.PACKAGE}.definitions", "-j", project.JOB, "--run-id", run_id)
    done = project.command(root, variables, "dagster", "job", "launch", *words)
    assert done.returncode == 0, done.stdout[-4000:]
    return run_id


def _ended(instance: dg.DagsterInstance, run_id: str) -> tuple[dg.DagsterRun, int]:
    """The last run of those that Dagster's retries make of one, and how many they were."""
    deadline = time.monotonic() + LONGEST_RUN_S
    while True:
        assert time.monotonic() < deadline, f"run {run_id} hangs"
        group = instance.get_run_group(run_id)
        assert group is not None
        runs = sorted(instance.get_run_records(
            dg.RunsFilter(run_ids=[run.run_id for run in group[1]])
        ), key=lambda one: one.create_timestamp)  # fmt: skip
        last = runs[-1].dagster_run
        waits = last.tags.get(_WILL_RETRY) == "true"
        if last.status in ENDED and not (last.status is dg.DagsterRunStatus.FAILURE and waits):
            return last, len(runs)
        time.sleep(1)


@contextmanager
def small_disk(folder: Path) -> Generator[bool]:
    """A disk of :data:`DISK`; whether it is one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.stress
@pytest.mark.postgres
@pytest.mark.timeout(5400)
def test_runs_end_with_the_tables_of_a_calm_run_whatever_breaks_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, home = tmp_path / "project", tmp_path / "home"
    project.write(root)
    home.mkdir()
    text = (PROJECT / "dagster.yaml").read_text()
    assert "poll_interval_seconds: 30" in text
    (home / "dagster.yaml").write_text(
        text.replace("poll_interval_seconds: 30", "poll_interval_seconds: 5")
    )
    with ExitStack() as stack:
        mounted = stack.enter_context(small_disk(tmp_path / "disk"))
        sources, doors = _served(stack, tmp_path)
        told = _told(sources, doors)
        variables = project.environment(root, home, tmp_path / "disk", told)
        settings = Settings(
            lake_uri=variables["ETL_LAKE_URI"],
            metastore_url=variables["ETL_METASTORE_URL"],
            temp_dir=variables["ETL_TEMP_DIR"],
        )
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        sources.advance()
        done = project.command(root, variables, "dg", "utils", "refresh-defs-state")
        assert done.returncode == 0, done.stdout[-4000:]
        services = Services(root, variables, tmp_path, free_port())
        stack.callback(services.stop)
        services.ensure()
        instance = stack.enter_context(dg.DagsterInstance.get())
        chance = random.Random("chaos")
        chaos = stack.enter_context(
            Chaos(services, sources.database, doors, tmp_path / "disk", mounted, chance)
        )
        ends: list[Ended] = []
        while chaos.seconds < 60 * MINUTES:
            if ends:
                sources.advance()
            ends.append(go(root, variables, instance, chaos))
            with capsys.disabled():
                print(f"\n{chaos.seconds:.0f} s: {ends[-1]}, {dict(chaos.hits)}", flush=True)
        _stream_is_read(settings, sources)
        _nothing_hangs(instance)
        services.stop()
        calm = project.environment(root, _home(tmp_path / "calm"), tmp_path / "calm", told)
        words = ("etl", "materialize", project.SELECTION, "-m", f"{project.PACKAGE}.definitions")
        done = project.command(root, calm, *words)
        assert done.returncode == 0, done.stdout[-6000:]
        _alike(settings, Settings(lake_uri=calm["ETL_LAKE_URI"], temp_dir=calm["ETL_TEMP_DIR"]))
    with capsys.disabled():
        shown = ", ".join(f"{count} {name}" for name, count in sorted(chaos.hits.items()))
        full = "" if mounted else "; the disk was never full: mounting one is not allowed here"
        print(
            f"\n{len(ends)} runs of {project.ASSETS} assets in {chaos.seconds:.0f} s of chaos "
            f"({shown}){full}: {sum(not one.resumed for one in ends)} ended by their own retries "
            f"({sum(one.runs for one in ends)} runs in all), {sum(one.resumed for one in ends)} "
            f"after one resume; {sources.produced:,} messages once each; tables as of a calm run"
        )


def _home(folder: Path) -> Path:
    home = folder / "home"
    home.mkdir(parents=True)
    shutil.copy2(PROJECT / "dagster.yaml", home)
    return home


def _served(stack: ExitStack, folder: Path) -> tuple[Sources, dict[str, Gateway]]:
    """All servers, those that go away behind doors."""
    database = stack.enter_context(serving_database("postgresql"))
    api = stack.enter_context(project.serving_api())
    s3 = stack.enter_context(serving_s3())
    own, shown = free_port(), free_port()
    (folder / "kafka").mkdir()
    stack.enter_context(serving_kafka(folder / "kafka", port=own, advertised=shown))
    targets = {"API": api.port, "bucket": int(s3.aws.address.rpartition(":")[2]), "broker": own}
    doors = {
        name: stack.enter_context(gateway(port, shown if name == "broker" else free_port()))
        for name, port in targets.items()
    }
    direct = KafkaServer(f"127.0.0.1:{own}")
    topic = direct.create(4, "events")
    sources = Sources(database, api, s3.bucket(), s3.aws.client("s3"), direct, topic)
    return sources, doors


def _told(sources: Sources, doors: Mapping[str, Gateway]) -> dict[str, str]:
    return {
        "CHAOS_DATABASE": sources.database.url,
        "CHAOS_API": f"http://127.0.0.1:{doors['API'].port}",
        "CHAOS_BUCKET": f"s3://{sources.bucket}",
        "CHAOS_S3": f"http://127.0.0.1:{doors['bucket'].port}",
        "CHAOS_S3_KEY": "test",
        "CHAOS_S3_SECRET": "test",
        "CHAOS_KAFKA": f"127.0.0.1:{doors['broker'].port}",
    }


def _stream_is_read(settings: Settings, sources: Sources) -> None:
    """Every message is there once."""
    table, lake = TableName("live", "events"), Lake(settings=settings)
    log = Metastore.open(settings.metastore_url).streams
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        status = stream_status(log, table.sql)
        if status is not None and status.lag_rows == 0 and lake.exists(table):
            found = lake.scan(table).select("id").collect()["id"]
            if found.len() >= sources.produced:
                assert sorted(found) == [*range(sources.produced)]
                return
        time.sleep(1)
    raise AssertionError(f"the stream was not read: {stream_status(log, table.sql)}")


def _nothing_hangs(instance: dg.DagsterInstance) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        open_ = [run for run in instance.get_runs() if run.status not in ENDED]
        if not open_:
            return
        time.sleep(1)
    raise AssertionError([(run.run_id, run.job_name, run.status) for run in open_])


def _alike(chaos: Settings, calm: Settings) -> None:
    one, other = Lake(settings=chaos), Lake(settings=calm)
    tables = [table for table in other.names() if table.schema in project.SCHEMAS]
    assert len(tables) == project.ASSETS
    different = [table.sql for table in tables if one.checksum(table) != other.checksum(table)]
    assert different == []
