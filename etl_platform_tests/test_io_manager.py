"""A user's own Python assets: every type in and out of the lake, partitions, contracts."""

# No `from __future__ import annotations`: Dagster reads these assets' annotations as objects.

import dagster as dg
import duckdb
import pandas as pd
import pandera.polars as pandera
import polars as pl
import pyarrow as pa
import pytest

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.io_manager import LakeIOManager
from etl_platform.lakehouse import Lake
from etl_platform.publishing.lake_asset import lake_asset
from etl_platform.resources import LakeResource
from etl_platform_tests.components.test_database_source import failures

FRAME = pl.DataFrame({"id": [1, 2], "name": ["Ada", "Grace"]})
ROWS = FRAME.to_dicts()


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake_uri, settings)


@pytest.fixture
def instance(memory_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    return memory_instance


def run(
    *assets: dg.AssetsDefinition,
    instance: dg.DagsterInstance | None = None,
    partition: str | None = None,
    select: str | None = None,
    tags: dict[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    resource = LakeResource()
    defs = dg.Definitions(
        assets=assets, resources={"lake_io_manager": LakeIOManager(lake=resource, retry_delay_s=0)}
    )
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        partition_key=partition,
        asset_selection=[dg.AssetKey.from_user_string(select)] if select else None,
        tags=tags,
        raise_on_error=False,
    )


def rows(lake: Lake, table: str) -> list[dict[str, object]]:
    return lake.scan(TableName.parse(table)).collect().to_dicts()


def relation() -> duckdb.DuckDBPyRelation:
    return duckdb.connect().sql("SELECT * FROM (VALUES (1, 'Ada'), (2, 'Grace')) t (id, name)")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda: FRAME, id="polars frame"),
        pytest.param(lambda: FRAME.lazy(), id="polars lazy frame"),
        pytest.param(lambda: FRAME.to_arrow(), id="arrow table"),
        pytest.param(lambda: FRAME.to_arrow().to_reader(), id="arrow reader"),
        pytest.param(lambda: pd.DataFrame(FRAME.to_dict(as_series=False)), id="pandas frame"),
        pytest.param(relation, id="duckdb relation"),
    ],
)
def test_every_kind_of_output_becomes_the_same_table(settings: Settings, lake: Lake, value) -> None:
    @dg.asset(io_manager_key="lake_io_manager")
    def people():
        return value()

    result = run(people)
    assert result.success, failures(result)
    assert rows(lake, "main.people") == ROWS
    (event,) = result.asset_materializations_for_node("people")
    assert event.metadata["dagster/row_count"].value == 2


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (pl.LazyFrame, lambda value: value.collect().to_dicts()),
        (pl.DataFrame, lambda value: value.to_dicts()),
        (pa.Table, lambda value: value.to_pylist()),
        (pa.RecordBatchReader, lambda value: value.read_all().to_pylist()),
        (pd.DataFrame, lambda value: value.to_dict("records")),
        (duckdb.DuckDBPyRelation, lambda value: value.to_arrow_table().to_pylist()),
    ],
)
def test_every_kind_of_input_arrives_as_its_annotation_says(settings: Settings, kind, read) -> None:
    seen = {}

    @dg.asset(io_manager_key="lake_io_manager")
    def people() -> pl.DataFrame:
        return FRAME

    def reader(people):
        seen["type"], seen["rows"] = type(people), read(people)

    reader.__annotations__["people"] = kind
    result = run(people, dg.asset(reader))
    assert result.success, failures(result)
    assert issubclass(seen["type"], kind)
    assert seen["rows"] == ROWS


def test_an_input_without_annotation_is_a_lazy_frame_and_another_type_is_refused(
    settings: Settings,
) -> None:
    @dg.asset(io_manager_key="lake_io_manager")
    def people() -> pl.DataFrame:
        return FRAME

    @dg.asset
    def plain(people) -> None:
        assert isinstance(people, pl.LazyFrame)

    @dg.asset
    def wrong(people: dict) -> None: ...

    result = run(people, plain, wrong)
    assert result.get_step_success_events()[-1].step_key == "plain"
    assert "asks for main.people as builtins.dict" in failures(result)


def test_a_key_of_two_parts_names_schema_and_table(settings: Settings, lake: Lake) -> None:
    @dg.asset(key=["shop", "people"], io_manager_key="lake_io_manager")
    def people() -> pl.DataFrame:
        return FRAME

    assert run(people).success
    assert rows(lake, "shop.people") == ROWS


def test_a_value_that_is_no_table_fails_with_what_is_valid(settings: Settings) -> None:
    @dg.asset(io_manager_key="lake_io_manager")
    def people() -> int:
        return 3

    result = run(people)
    assert not result.success
    assert "cannot make a table of builtins.int" in failures(result)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-04")


@dg.asset(
    partitions_def=DAYS,
    io_manager_key="lake_io_manager",
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def visits(context: dg.AssetExecutionContext):
    frames = {key: pl.DataFrame({"day": [key], "n": [1]}) for key in context.partition_keys}
    return frames if len(frames) > 1 else next(iter(frames.values()))


def test_each_partition_has_check_results_of_its_own(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    days = dg.StaticPartitionsDefinition(["good", "bad"])

    @lake_asset(
        contract={"rules": [{"rule": "expression", "expression": "n > 0", "action": "warn"}]},
        partitions_def=days,
    )
    def counted(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.DataFrame({"n": [1 if context.partition_key == "good" else -1]})

    for partition in ("good", "bad"):
        assert run(counted, instance=instance, partition=partition).success
    events = instance.get_records_for_run
    found = {
        evaluation.partition: evaluation
        for record in instance.get_run_records()
        for entry in events(
            record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
        if (evaluation := entry.event_log_entry.dagster_event.asset_check_evaluation_data)
    }
    assert {key: evaluation.passed for key, evaluation in found.items()} == {
        "good": True,
        "bad": False,
    }
    page = str(found["bad"].metadata["report"].value).removeprefix(f"{lake.uri}/")
    assert b"expression_n" in lake.root.store.read(page)


def test_a_partition_is_read_by_itself_several_and_all_together(
    settings: Settings, lake: Lake, instance: dg.DagsterInstance
) -> None:
    seen: dict[str, list[str]] = {}

    @dg.asset(partitions_def=DAYS)
    def one(visits: pl.DataFrame) -> None:
        assert visits.columns == ["day", "n"]
        seen["one"] = visits["day"].to_list()

    @dg.asset(
        partitions_def=DAYS,
        ins={
            "visits": dg.AssetIn(
                partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=0)
            )
        },
    )
    def two(visits: pl.DataFrame) -> None:
        seen["two"] = sorted(visits["day"])

    @dg.asset
    def every(visits: duckdb.DuckDBPyRelation) -> None:
        seen["every"] = sorted(row[0] for row in visits.select("day").fetchall())

    for key in ("2024-01-01", "2024-01-02"):
        result = run(visits, one, two, instance=instance, partition=key)
        assert result.success, failures(result)
    (event,) = result.asset_materializations_for_node("visits")
    assert event.partition == "2024-01-02"
    assert event.metadata["dagster/partition_row_count"].value == 1
    assert event.metadata["dagster/row_count"].value == 2
    assert run(visits, every, instance=instance, select="every").success
    assert seen["one"] == ["2024-01-02"]
    assert seen["two"] == ["2024-01-01", "2024-01-02"]
    assert seen["every"] == ["2024-01-01", "2024-01-02"]
    # Again: the partition is replaced, not added to.
    assert run(visits, instance=instance, partition="2024-01-01").success
    assert len(rows(lake, "main.visits")) == 2


def test_one_run_over_several_partitions_takes_a_mapping(
    settings: Settings, lake: Lake, instance: dg.DagsterInstance
) -> None:
    tags = {
        "dagster/asset_partition_range_start": "2024-01-01",
        "dagster/asset_partition_range_end": "2024-01-03",
    }
    result = run(visits, instance=instance, tags=tags)
    assert result.success, failures(result)
    events = result.asset_materializations_for_node("visits")
    assert [event.partition for event in events] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert all(event.metadata["dagster/partition_row_count"].value == 1 for event in events)
    assert {row["_partition"] for row in rows(lake, "main.visits")} == {
        "2024-01-01",
        "2024-01-02",
        "2024-01-03",
    }


class People(pandera.DataFrameModel):
    id: int = pandera.Field(ge=1)
    name: str


def checked(frame: pl.DataFrame, **options: object) -> dg.AssetsDefinition:
    @lake_asset(**{"contract": People, **options})
    def people() -> pl.DataFrame:
        return frame

    return people


def status(instance: dg.DagsterInstance, key: str, name: str) -> str:
    check = dg.AssetCheckKey(dg.AssetKey.from_user_string(key), name)
    (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
    return record.status.value


def test_a_pandera_models_rules_are_checks_and_bad_rows_are_not_published(
    settings: Settings, lake: Lake, instance: dg.DagsterInstance
) -> None:
    good = checked(FRAME)
    names = {spec.name for spec in good.check_specs}
    (positive,) = [name for name in names if "range" in name]
    result = run(good, instance=instance)
    assert result.success, failures(result)
    assert {status(instance, "people", name) for name in names} == {"SUCCEEDED"}

    bad = checked(pl.DataFrame({"id": [0, 5], "name": ["Nobody", "Ada"]}))
    result = run(bad, instance=instance)
    assert not result.success
    assert positive in failures(result)
    assert "Nobody" in failures(result)
    assert status(instance, "people", positive) == "FAILED"
    assert rows(lake, "main.people") == ROWS

    assert run(checked(FRAME.head(1)), instance=instance).success
    assert status(instance, "people", positive) == "SUCCEEDED"
    assert len(rows(lake, "main.people")) == 1


def test_an_upserting_asset_replaces_rows_by_its_merge_key(settings: Settings, lake: Lake) -> None:
    assert run(checked(FRAME, mode="upsert", merge_key=["id"])).success
    change = pl.DataFrame({"id": [2, 3], "name": ["Hopper", "Edsger"]})
    assert run(checked(change, mode="upsert", merge_key=["id"])).success
    names = {row["id"]: row["name"] for row in rows(lake, "main.people")}
    assert names == {1: "Ada", 2: "Hopper", 3: "Edsger"}


def test_a_lake_assets_own_inputs_and_context_still_work(settings: Settings, lake: Lake) -> None:
    @lake_asset(key=["shop", "doubled"], contract={"rules": [{"rule": "not_null", "column": "id"}]})
    def doubled(context: dg.AssetExecutionContext, people: pl.LazyFrame) -> pl.LazyFrame:
        assert context.asset_key == dg.AssetKey(["shop", "doubled"])
        return people.with_columns(pl.col("id") * 2)

    result = run(checked(FRAME), doubled)
    assert result.success, failures(result)
    assert sorted(lake.scan(TableName("shop", "doubled")).collect()["id"]) == [2, 4]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mode": "upsert"}, "merge key"),
        ({"mode": "merge"}, "unknown mode"),
        ({"key": ["a", "b", "c"]}, "3 parts"),
        ({"contract": "no.such.module:Model"}, "no contract at"),
        ({"contract": {"rules": [{"rule": "nope"}]}}, "unknown rule"),
    ],
)
def test_a_wrong_declaration_is_refused_when_it_is_made(options: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        checked(FRAME, **{"contract": None, **options})
