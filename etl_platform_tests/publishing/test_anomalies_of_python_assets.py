"""A user's own assets keep histories too, and tell what is unusual."""

# No `from __future__ import annotations`: Dagster reads these assets' annotations as objects.
from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import polars as pl
import pytest

from etl_platform.core.errors import EtlError
from etl_platform.core.settings import Settings
from etl_platform.io_manager import LakeIOManager
from etl_platform.lakehouse import Lake
from etl_platform.metastore import Metastore, MetricPointRecord
from etl_platform.publishing.anomaly_checks import Watch, as_watch
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.resources import LakeResource

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-03-01")


@pytest.fixture
def instance(memory_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    return memory_instance


@pytest.fixture
def store(settings: Settings) -> Metastore:
    return Metastore.open(settings.metastore_url)


def run(
    asset: dg.AssetsDefinition, instance: dg.DagsterInstance, partition: str | None = None
) -> dict[str, dg.AssetCheckEvaluation]:
    manager = LakeIOManager(lake=LakeResource(), retry_delay_s=0)
    result = dg.materialize(
        [asset], instance=instance, partition_key=partition, resources={"lake_io_manager": manager}
    )
    assert result.success
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def remember(store: Metastore, lake: str, table: str, until: datetime, metrics: str) -> None:
    for n in range(20):
        time = until - timedelta(days=20 - n)
        store.metrics.record(
            MetricPointRecord(lake=lake, table=table, event_time=time, version=0, metrics=metrics)
        )


def test_a_shifted_distribution_is_told_where_the_number_of_rows_is_as_ever(
    settings: Settings, instance: dg.DagsterInstance, store: Metastore
) -> None:
    shift = [0.0]

    @lake_asset(profile="full", anomalies={"metrics": ["rows", "amount.psi"], "severity": "error"})
    def orders() -> pl.DataFrame:
        rng = np.random.default_rng(int(10 * shift[0]))
        return pl.DataFrame({"amount": rng.normal(shift[0], 1.0, 5_000)})

    lake = Lake(settings.lake_uri, settings).uri
    assert {spec.name for spec in orders.check_specs} == {"anomaly_rows", "anomaly_amount_psi"}
    assert run(orders, instance) == {}  # one version: nothing is known
    history = '{"rows": 5000.0, "amount.psi": 0.002}'
    remember(store, lake, "main.orders", datetime.now(UTC), history)
    verdicts = {}
    for shift[0] in (0.1, 2.0):
        verdicts[shift[0]] = run(orders, instance)
    passed = {
        moved: {name: one.passed for name, one in found.items()}
        for moved, found in verdicts.items()
    }
    assert passed == {
        0.1: {"anomaly_rows": True, "anomaly_amount_psi": True},
        2.0: {"anomaly_rows": True, "anomaly_amount_psi": False},
    }
    alert = verdicts[2.0]["anomaly_amount_psi"]
    assert alert.severity is dg.AssetCheckSeverity.ERROR
    assert "the values moved by" in str(alert.description)


def test_each_partition_has_verdicts_of_its_own(
    settings: Settings, instance: dg.DagsterInstance, store: Metastore
) -> None:
    @lake_asset(anomalies=["rows"], partitions_def=DAYS)
    def visits(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.DataFrame({"n": range(3 if context.partition_key == "2024-02-20" else 100)})

    lake = Lake(settings.lake_uri, settings).uri
    day = datetime(2024, 2, 19, tzinfo=UTC)
    remember(store, lake, "main.visits", day, '{"rows": 100.0}')
    for key, passed in (("2024-02-19", True), ("2024-02-20", False)):
        found = run(visits, instance, key)["anomaly_rows"]
        assert (found.partition, found.passed) == (key, passed)
    points = store.metrics.points("main.visits", lake=lake)
    assert [point.event_time for point in points[-2:]] == [day, day + timedelta(days=1)]


def test_every_asset_of_the_io_manager_adds_a_point(
    settings: Settings, instance: dg.DagsterInstance, store: Metastore
) -> None:
    @dg.asset(io_manager_key="lake_io_manager")
    def people() -> pl.DataFrame:
        return pl.DataFrame({"id": [1, 2]})

    assert run(people, instance) == {}
    lake = Lake(settings.lake_uri, settings).uri
    (point,) = store.metrics.points("main.people", lake=lake)
    assert '"rows":2.0' in point.metrics


def test_a_watch_is_a_list_of_metrics_or_a_mapping_as_in_yaml() -> None:
    assert as_watch(None, "t") == Watch()
    assert as_watch(["rows"], "t") == Watch(("rows",))
    assert as_watch({"sensitivity": "high"}, "t") == Watch(("rows", "gap"), "high")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anomalies": ["amount.median"]}, "amount.median"),
        ({"anomalies": "rows"}, "a list of names"),
        ({"anomalies": {"metric": ["rows"]}}, "metric"),
        ({"anomalies": {"sensitivity": "huge"}}, "low, medium, high"),
        ({"anomalies": {"severity": "fatal"}}, "warn, error"),
        ({"profile": "half"}, "auto, full, basic, off"),
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_refused_where_the_asset_is_made(
    options: dict[str, object], message: str
) -> None:
    def orders() -> None: ...

    with pytest.raises(EtlError, match=message):
        lake_asset(**options)(orders)  # pyright: ignore[reportArgumentType] # what is tested
