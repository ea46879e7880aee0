"""What runs leave in Dagster's event log: metadata once, and no more with every partition."""

from __future__ import annotations

import dagster as dg
import polars as pl
import pytest

from etl_platform.core.settings import Settings
from etl_platform.io_manager import LakeIOManager
from etl_platform.publishing.budget import EVENT_BUDGET_BYTES
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.quality import Contract
from etl_platform.resources import LakeResource

ROWS = pl.DataFrame({f"column_{number:02}": range(20) for number in range(30)})
RULES = {"rules": [{"rule": "not_null", "column": f"column_{number:02}"} for number in range(10)]}


def sizes(instance: dg.DagsterInstance, run_id: str) -> list[tuple[int, str]]:
    """Bytes of each event of a run, the largest first."""
    logged = instance.all_logs(run_id)
    return sorted(
        (
            (len(dg.serialize_value(one)), one.dagster_event.event_type_value)
            for one in logged
            if one.dagster_event is not None
        ),
        reverse=True,
    )


def run(asset: dg.AssetsDefinition, instance: dg.DagsterInstance, day: str | None = None) -> str:
    manager = LakeIOManager(lake=LakeResource())
    done = dg.materialize(
        [asset], instance=instance, partition_key=day, resources={"lake_io_manager": manager}
    )
    return done.run_id


def test_metadata_is_in_the_materialisation_alone(
    settings: Settings, memory_instance: dg.DagsterInstance
) -> None:
    @lake_asset(key=["shop", "orders"], contract=Contract.model_validate(RULES))
    def orders():
        return ROWS

    found = sizes(memory_instance, run(orders, memory_instance))
    (largest, kind), (second, _) = found[:2]
    assert kind == "ASSET_MATERIALIZATION"
    assert 4 * 1024 < largest <= EVENT_BUDGET_BYTES
    assert second < 4 * 1024


@pytest.mark.parametrize(
    "partitions", [6, pytest.param(1_000, marks=[pytest.mark.stress, pytest.mark.timeout(3600)])]
)
def test_a_late_partition_takes_no_more_room_than_an_early_one(
    settings: Settings, memory_instance: dg.DagsterInstance, partitions: int
) -> None:
    days = [f"day {number}" for number in range(partitions)]

    @lake_asset(
        key=["shop", "orders"],
        contract=Contract.model_validate(RULES),
        partitions_def=dg.StaticPartitionsDefinition(days),
    )
    def orders():
        return ROWS

    taken: list[int] = []
    for day in days:
        run_id = run(orders, memory_instance, day)
        taken.append(sum(size for size, _ in sizes(memory_instance, run_id)))
    # The first versions have no trend to draw.
    assert max(taken) < 1.25 * taken[2]
