"""Logs of runs as JSON lines: what each says, and what none says."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.events import StepFailureData
from dagster._core.log_manager import LOG_RECORD_METADATA_ATTR
from dagster_shared.error import SerializableErrorInfo

from etl_platform.components.assets import TableAsset, build_asset
from etl_platform.components.options import AssetOptions
from etl_platform.core.names import TableName
from etl_platform.core.redaction import remember
from etl_platform.core.settings import Settings
from etl_platform.publishing.failures import Retries
from etl_platform.quality import Contract
from etl_platform.resources import LakeResource
from etl_platform.structured_logs import JsonLines
from etl_platform_tests.canaries import Canaries

pytestmark = pytest.mark.usefixtures("settings")
DOCS = Path(__file__).parents[1] / "docs" / "monitoring.md"
Lines = list[dict[str, str]]


@pytest.fixture
def instance(dagster_once: None) -> Iterator[dg.DagsterInstance]:
    """As the documentation configures it, with every level."""
    found = re.search(r"```yaml\n(python_logs:.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found is not None
    python_logs: dict[str, Any] = yaml.safe_load(found[1])["python_logs"]
    python_logs["dagster_handler_config"]["handlers"]["json"]["level"] = "DEBUG"
    with dg.DagsterInstance.ephemeral(settings={"python_logs": python_logs}) as made:
        yield made


def lines_of(capsys: pytest.CaptureFixture[str]) -> Lines:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def of_event(lines: Lines, event: str) -> dict[str, str]:
    (found,) = [line for line in lines if line.get("event") == event]
    return found


DAYS = dg.StaticPartitionsDefinition(["mon", "tue", "wed"])


@dg.asset(
    key=["shop", "orders"],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def orders() -> None:
    dg.AssetExecutionContext.get().log.info("two\nlines")


def test_every_line_of_a_run_tells_where_it_belongs(
    instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    result = dg.materialize([orders], instance=instance, partition_key="tue")
    lines = lines_of(capsys)
    assert {line["run"] for line in lines} == {result.run_id}
    assert {line["partition"] for line in lines} == {"tue"}
    (said,) = [line for line in lines if line["message"] == "two\nlines"]
    assert (said["level"], said["step"], said["asset"]) == ("INFO", "shop__orders", "shop/orders")
    assert of_event(lines, "ASSET_MATERIALIZATION")["asset"] == "shop/orders"
    assert of_event(lines, "STEP_SUCCESS")["step"] == "shop__orders"
    assert "step" not in of_event(lines, "PIPELINE_SUCCESS")


def test_a_range_is_told_by_its_ends(
    instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = {
        "dagster/asset_partition_range_start": "mon",
        "dagster/asset_partition_range_end": "wed",
    }
    dg.materialize([orders], instance=instance, tags=tags)
    lines = lines_of(capsys)
    assert of_event(lines, "STEP_START")["partition"] == "mon...wed"
    each = [one["partition"] for one in lines if one.get("event") == "ASSET_MATERIALIZATION"]
    assert sorted(each) == ["mon", "tue", "wed"]


def failing(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    raise ValueError("no")
    yield


def test_the_failure_of_a_table_names_its_asset(
    settings: Settings, instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    table = TableName("live", "events__late")  # the step's name alone would not tell the asset
    asset = build_asset(
        TableAsset(table, AssetOptions(), Contract(), failing, frozenset(), Retries(attempts=0))
    )
    resources = {"lake": LakeResource()}
    dg.materialize([asset], instance=instance, resources=resources, raise_on_error=False)
    failed = of_event(lines_of(capsys), "STEP_FAILURE")
    assert (failed["asset"], failed["level"]) == ("live/events__late", "ERROR")
    assert "ValueError: no" in failed["error"]


def test_a_step_of_several_assets_tells_them_in_their_events_alone(
    instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("first"), dg.AssetSpec("second")])
    def both() -> Iterator[dg.MaterializeResult[None]]:
        dg.AssetExecutionContext.get().log.info("of both")
        yield dg.MaterializeResult("first")
        yield dg.MaterializeResult("second")

    dg.materialize([both], instance=instance)
    lines = lines_of(capsys)
    (said,) = [line for line in lines if line["message"] == "of both"]
    assert "asset" not in said
    told = {line["asset"] for line in lines if line.get("event") == "ASSET_MATERIALIZATION"}
    assert told == {"first", "second"}


def test_no_line_holds_a_secret(
    instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    canaries = Canaries()
    remember(canaries("read"))

    @dg.asset
    def leaking() -> None:
        context = dg.AssetExecutionContext.get()
        context.log.info("have %s", canaries("read"))
        context.log.warning("postgresql://etl:%s@db/shop", canaries.plain("of a URL"))
        try:
            raise ConnectionError(f"no connection with {canaries('read')!r}")
        except ConnectionError as error:
            context.log.exception("password=%s", canaries.plain("named"))
            raise RuntimeError(f"token={canaries.plain('raised')}") from error

    dg.materialize([leaking], instance=instance, raise_on_error=False)
    told = capsys.readouterr().out
    assert canaries.found_in(told.encode()) == set()
    # Quoted as JSON it is unreadable to the eye and to the search above.
    assert canaries("read") not in "".join(
        text for line in told.splitlines() for text in json.loads(line).values()
    )
    failed = of_event([json.loads(line) for line in told.splitlines()], "STEP_FAILURE")
    assert "no connection with" in failed["error"]
    assert "token=***" in failed["error"]


def test_the_text_of_an_event_is_hidden_also_where_nothing_else_hid_it() -> None:
    error = SerializableErrorInfo("token=hunter2hunter2", [], "OSError")
    data = StepFailureData(error=error, user_failure_data=None)
    event = dg.DagsterEvent("STEP_FAILURE", "nightly", step_key="s", event_specific_data=data)
    record = logging.LogRecord("dagster", logging.ERROR, "f.py", 1, "", (), None)
    told = {"run_id": "r", "job_name": "nightly", "job_tags": {}, "step_key": "s"}
    told |= {"dagster_event": event, "orig_message": "password=hunter2hunter2"}
    setattr(record, LOG_RECORD_METADATA_ATTR, told)
    line = JsonLines().format(record)
    assert "hunter2" not in line
    assert (json.loads(line)["message"], json.loads(line)["event"]) == (
        "password=***",
        "STEP_FAILURE",
    )


def test_a_record_outside_of_runs_is_a_line_too() -> None:
    try:
        raise OSError("disk at password=hunter2hunter2 is full")
    except OSError:
        raised = sys.exc_info()
    record = logging.LogRecord("own", logging.ERROR, "f.py", 1, "it %s", ("failed",), raised)
    told = json.loads(JsonLines().format(record))
    assert (told["logger"], told["level"], told["message"]) == ("own", "ERROR", "it failed")
    assert "password=*** is full" in told["error"]
    assert told.keys() == {"time", "logger", "level", "message", "error"}
