"""The metrics endpoint: what it says is so, and real Prometheus reads it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from threading import Thread
from urllib.parse import quote
from urllib.request import Request, urlopen

import dagster as dg
import polars as pl
import pytest
from prometheus_client.core import Metric, Sample
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from typer.testing import CliRunner

from etl_platform import Platform
from etl_platform.cli.app import app
from etl_platform.components.assets import TableAsset, build_asset
from etl_platform.components.options import AssetOptions
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.metrics import Exposition, RunMetrics, TableMetrics
from etl_platform.metrics.exposition import serve
from etl_platform.publishing.failures import Retries
from etl_platform.quality import Contract
from etl_platform.resources import LakeResource
from etl_platform_tests.servers.kafka import free_port

ORDERS = TableName("shop", "orders")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
RULES = Contract.model_validate({"rules": [{"rule": "not_null", "column": "id", "action": "warn"}]})
Samples = dict[tuple[str, frozenset[str]], float]


def key(name: str, *labels: str) -> tuple[str, frozenset[str]]:
    return name, frozenset(labels)


def samples(exposition: Exposition) -> Samples:
    """Every sample by its name and the values of its labels, as a strict parser reads them."""
    content_type, text = exposition.text(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    return {
        (one.name, frozenset(one.labels.values())): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


@pytest.fixture
def platform(settings: Settings) -> Platform:
    """Two versions of one table; in the second a rule that only warns is broken."""
    made = Platform.open(settings)
    for ids in ([1, 2], [3, None]):
        data = pl.DataFrame({"id": ids}, schema={"id": pl.Int64})
        admit(made.lake, ORDERS, data, RULES, mode=Mode.APPEND, metastore=made.metastore)
    return made


@pytest.fixture
def exposition(platform: Platform) -> Exposition:
    made = Exposition([TableMetrics(platform)])
    made.gather()
    return made


def test_numbers_are_those_of_the_tables(platform: Platform, exposition: Exposition) -> None:
    platform.query(f"SELECT count(*) FROM {ORDERS}")
    platform.query(f"SELECT count(*) FROM {ORDERS}")
    exposition.gather()
    found = samples(exposition)
    assert found[key("etl_table_version", "shop.orders")] == 1
    assert found[key("etl_table_rows", "shop.orders")] == 4
    assert found[key("etl_table_state", "shop.orders", "warned")] == 1
    assert found[key("etl_rules", "shop.orders", "failed")] == 1
    assert found[key("etl_publications_total", "shop.orders", "append")] == 2
    assert found[key("etl_published_rows_total", "shop.orders", "inserted")] == 4
    assert found[key("etl_queries_total", "ok", "false")] == 1
    assert found[key("etl_queries_total", "ok", "true")] == 1
    assert found[key("etl_metrics_up")] == 1


class Read(Metric):
    """A family that counts how often its samples were written down."""

    times = 0

    @property
    def samples(self) -> list[Sample]:
        self.times += 1
        return [Sample("etl_read", {}, self.times)]

    @samples.setter
    def samples(self, given: list[Sample]) -> None:
        """The base sets none."""


class Counted:
    """A source of one such family."""

    def __init__(self) -> None:
        self.family = Read("etl_read", "How often.", "gauge")

    def collect(self) -> tuple[Metric]:
        return (self.family,)


def test_a_scrape_sends_the_text_that_the_look_has_made() -> None:
    source = Counted()
    exposition = Exposition([source])
    exposition.gather()
    forms = ("", "application/openmetrics-text;version=1.0.0")
    before = [exposition.text(form)[1] for form in forms]
    exposition.gather()
    made = source.family.times
    after = [exposition.text(form)[1] for form in forms]
    assert source.family.times == made
    assert all(one != other for one, other in zip(before, after, strict=True))


class Broken:
    """A source that answers once."""

    def __init__(self) -> None:
        self.answers = iter([()])

    def collect(self) -> tuple[()]:
        found = next(self.answers, None)
        if found is None:
            raise ConnectionError("postgresql://etl:hunter2@db/meta does not answer")
        return found


def test_a_look_that_fails_is_told_beside_what_was_seen_before(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    exposition = Exposition([TableMetrics(platform), Broken()])
    exposition.gather()
    before = samples(exposition)
    assert not exposition.refresh()
    after = samples(exposition)
    assert (before[key("etl_metrics_up")], after[key("etl_metrics_up")]) == (1, 0)
    assert after[key("etl_metrics_refresh_failures_total")] == 1
    same = key("etl_table_rows", "shop.orders"), key("etl_metrics_refreshed_timestamp_seconds")
    assert all(before[one] == after[one] for one in same)
    assert "hunter2" not in caplog.text


def test_a_port_that_is_taken_is_named(exposition: Exposition) -> None:
    with serve(exposition, "127.0.0.1", 0) as server, pytest.raises(ConfigError, match="--port"):
        serve(exposition, "127.0.0.1", server.server_address[1])


def publishing(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    if (context.instance.root_directory and Path(context.instance.root_directory) / "bad").exists():
        raise ValueError("no")
    yield dg.MaterializeResult()


@pytest.mark.stored_instance
def test_runs_are_counted_once_and_steps_say_what_they_took(
    platform: Platform, stored_instance: dg.DagsterInstance
) -> None:
    asset = build_asset(
        TableAsset(ORDERS, AssetOptions(), Contract(), publishing, frozenset(), Retries(attempts=0))
    )
    resources = {"lake": LakeResource()}
    runs = RunMetrics(stored_instance)
    exposition = Exposition([TableMetrics(platform), runs])
    for good in (True, False, True):
        (Path(stored_instance.root_directory) / "bad").unlink(missing_ok=True)
        if not good:
            (Path(stored_instance.root_directory) / "bad").touch()
        dg.materialize([asset], instance=stored_instance, resources=resources, raise_on_error=False)
        exposition.gather()
    for told in (exposition, Exposition([TableMetrics(platform), RunMetrics(stored_instance)])):
        told.gather()
        found = samples(told)
        counts = {
            status: value
            for status in ("success", "failure", "canceled")
            for (name, labels), value in found.items()
            if name == "etl_runs_total" and status in labels
        }
        assert counts == {"success": 2, "failure": 1, "canceled": 0}
        assert found[key("etl_steps_total", "shop.orders", "success")] == 2
        assert found[key("etl_steps_total", "shop.orders", "failure")] == 1
        assert found[key("etl_step_peak_memory_bytes", "shop.orders")] > 10_000_000
        assert found[key("etl_step_cpu_seconds_total", "shop.orders")] > 0


def named(text: str) -> set[str]:
    return set(re.findall(r"\betl_[a-z_]+", text)) - {"etl_platform"}


def test_rules_and_dashboard_name_metrics_that_are_told(
    platform: Platform, stored_instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def late() -> None: ...

    graph = dg.Definitions(assets=[late]).resolve_asset_graph()
    told = Exposition([TableMetrics(platform), RunMetrics(stored_instance, graph)])
    told.gather()
    known = {line.split()[2] for line in told.text()[1].decode().splitlines() if line[0] == "#"}
    known |= {"etl_run_duration_seconds_bucket"}
    package = files("etl_platform.metrics")
    for name in ("rules.yaml", "dashboard.json"):
        printed = CliRunner().invoke(app, ["metrics", name.partition(".")[0]]).stdout
        assert printed == package.joinpath(name).read_text("utf-8")
        expressions = re.findall(r"expr\"?: \"?(.*)", printed)
        assert expressions
        assert named(" ".join(expressions)) <= known
    docs = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8").lower()
    for anchor in re.findall(r"docs/metrics\.md#(\w+)", package.joinpath("rules.yaml").read_text()):
        assert f"### {anchor}\n" in docs


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install prometheus")
    return found


@pytest.mark.prometheus
def test_rules_fire_when_they_should(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        files("etl_platform.metrics").joinpath("rules.yaml").read_text("utf-8")
    )
    (tmp_path / "tests.yaml").write_text(Path(__file__).with_name("rules_test.yaml").read_text())
    done = subprocess.run(
        [tool("promtool"), "test", "rules", str(tmp_path / "tests.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Prometheus that scrapes one target every second; its address."""
    scrape = {"job_name": "etl", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    arguments = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([tool("prometheus"), *arguments], stdout=log, stderr=log)
        try:
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait()


def asked(address: str, query: str) -> list[dict[str, object]]:
    try:
        with urlopen(f"{address}/api/v1/query?query={quote(query)}", timeout=30) as answer:
            return json.load(answer)["data"]["result"]
    except OSError:  # not up yet
        return []


@pytest.mark.prometheus
def test_prometheus_scrapes_it(exposition: Exposition, tmp_path: Path) -> None:
    with serve(exposition, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        target = f"127.0.0.1:{server.server_address[1]}"
        with prometheus(tmp_path, target) as address:
            deadline = time.monotonic() + 60
            while not (found := asked(address, 'etl_table_rows{table="shop.orders"}')):
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
                time.sleep(0.2)
            assert found[0]["value"][1] == "4"
            assert asked(address, "up")[0]["value"][1] == "1"
        plain = urlopen(Request(f"http://{target}/metrics"), timeout=30)
        assert plain.headers["Content-Type"].startswith("text/plain")
        server.shutdown()
