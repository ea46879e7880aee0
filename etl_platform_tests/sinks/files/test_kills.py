"""kill -9 while a table is exported: whoever reads the manifest finds one version, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.sinks.files import Export, FileSink, table_version
from etl_platform_tests.servers.s3 import S3Server
from etl_platform_tests.sinks.files.exports import read_export, visible

TABLE = TableName("shop", "orders")
ROWS = 20_000
EXPORT = Export("orders", "csv", partition_by=("part",), grace=timedelta(0))
VICTIM = """
import sys
from etl_platform.core.objects import S3Connection, open_store
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.sinks.files import FileSink, table_version
from etl_platform_tests.sinks.files.test_kills import EXPORT, TABLE
lake, connection, where = sys.argv[1:]
settings = Settings(lake_uri=lake)
store = open_store(where, S3Connection.model_validate_json(connection))
print("begins", flush=True)
FileSink(store).export(table_version(Lake(lake, settings), TABLE), EXPORT)
"""


@pytest.mark.stress
def test_readers_find_one_whole_version_whenever_an_export_is_killed(
    s3_server: S3Server, settings: Settings
) -> None:
    kills = int(os.environ.get("EXPORT_KILLS", "20"))
    chance = random.Random(int(os.environ.get("SEED", "1")))
    lake, store = Lake(settings.lake_uri, settings), s3_server.store("exports")
    publish(lake, 0)
    began = time.perf_counter()
    FileSink(store).export(table_version(lake, TABLE), EXPORT)
    usual_s = time.perf_counter() - began
    killed, old = 0, 0
    for number in range(1, kills + 1):
        publish(lake, number)
        before = visible(store, "orders").source_version
        worker = [sys.executable, "-c", VICTIM, settings.lake_uri]
        told = s3_server.connection().model_dump_json()
        with subprocess.Popen([*worker, told, store.uri], stdout=subprocess.PIPE) as victim:
            assert victim.stdout is not None
            assert victim.stdout.readline() == b"begins\n"
            try:
                victim.wait(chance.uniform(0, 2 * usual_s))
            except subprocess.TimeoutExpired:
                victim.send_signal(signal.SIGKILL)
                killed += 1
        now = visible(store, "orders").source_version
        assert now in {before, lake.version(TABLE)}
        old += now == before
        assert FileSink(store).missing("orders") == ()
        rows = read_export(store, "orders", lake.schema(TABLE))
        assert set(rows["load"].to_pylist()) == {number if now != before else number - 1}
        assert rows["id"].sort().to_pylist() == list(range(ROWS))
        FileSink(store).export(table_version(lake, TABLE), EXPORT)
        assert visible(store, "orders").source_version == lake.version(TABLE)
    print(f"\n{killed} of {kills} exports were killed, {old} of them before the manifest")
    assert killed


def publish(lake: Lake, load: int) -> None:
    table = pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "load": pa.array([load] * ROWS, pa.int64()),
            "part": pa.array([n % 12 for n in range(ROWS)], pa.int64()),
        }
    )
    lake.publish(lake.stage(TABLE, table), Mode.REPLACE)
