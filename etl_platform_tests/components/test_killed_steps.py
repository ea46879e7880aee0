"""Steps whose process dies without a word: out of memory, or killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from etl_platform.components.assets import LAKE_KEY, Event, TableAsset, build_asset
from etl_platform.components.options import AssetOptions
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.publishing.failures import Retries
from etl_platform.publishing.publish import Publication, publish
from etl_platform.quality import Contract
from etl_platform.resources import LakeResource

TABLE = TableName("shop", "numbers")
KILLED = "KILLED_STEPS_FOLDER"


def job() -> dg.JobDefinition:
    """A table whose step dies at its first try before, at its second after the commit."""

    def body(context: dg.AssetExecutionContext) -> Iterator[Event]:
        folder = Path(os.environ[KILLED])
        tries = len(list(folder.iterdir()))
        (folder / str(tries)).touch()
        if tries == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        resource = context.resources.lake
        rows = pl.DataFrame({"n": [1, 2, 3]})
        events = list(publish(context, resource, rows, Publication(TABLE, Contract(), Mode.APPEND)))
        if tries == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from events

    asset = build_asset(
        TableAsset(
            table=TABLE,
            options=AssetOptions(),
            contract=Contract(),
            body=body,
            kinds=frozenset(),
            retries=Retries(attempts=2, delay_s=0.1),
            resource_keys=frozenset({LAKE_KEY}),
        )
    )
    numbers = dg.define_asset_job("numbers", [asset])
    return dg.Definitions(
        assets=[asset], jobs=[numbers], resources={LAKE_KEY: LakeResource()}
    ).resolve_job_def("numbers")


def test_a_step_whose_process_dies_is_tried_again_and_commits_once(
    settings: Settings,
    stored_instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    monkeypatch.setenv(KILLED, str(killed))
    done = dg.execute_job(dg.reconstructable(job), stored_instance)
    assert done.success
    assert len(list(killed.iterdir())) == 3
    assert Lake(settings=settings).snapshot(TABLE).rows == 3
    kinds = [event.event_type for event in done.all_events]
    assert kinds.count(dg.DagsterEventType.STEP_UP_FOR_RETRY) == 2
