"""One batch of a stream on its way into a table, as its component does it."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import DATA, Operation
from benchmarks.stream_broker import ADDRESS, MESSAGES, TOPIC

if TYPE_CHECKING:
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import Metastore

COLUMNS = {
    "id": "int64",
    "user": "string",
    "amount": "float64",
    "ts": "timestamptz",
    "country": "string",
    "kind": "string",
}
_WINDOW = {
    "size": "1m",
    "event_time": "ts",
    "keys": ["country"],
    "aggregates": {
        "events": "count",
        "total": {"sum": "amount"},
        "largest": {"max": "amount"},
    },
    "emit": "update",
    "late": "update",
}


def load(*, windowed: bool = False) -> Operation:
    """All messages as one batch: read, decoded to six typed columns, in one Delta commit.

    With ``windowed`` also a tumbling window of a minute by country, with three aggregates: its
    partial aggregates and its results, two further commits.
    """
    # Imported before the clock starts.
    for module in ("deltalake", "polars", "pyarrow"):
        import_module(module)
    from etl_platform.components.stream_source.decoding import decoder_of
    from etl_platform.components.stream_source.looking import Watcher
    from etl_platform.components.stream_source.options import StreamOptions
    from etl_platform.core.names import TableName
    from etl_platform.platform import Platform
    from etl_platform.sources.stream.brokers import open_stream

    folder = fresh("load")
    platform = Platform.open(
        lake_uri=str(folder / "lake"),
        metastore_url=f"sqlite:///{folder / 'metastore.db'}",
        temp_dir=str(folder / "tmp"),
    )
    lake, metastore = platform.lake, platform.metastore
    table = TableName("bench", "events")
    options = StreamOptions.model_validate({"decode": {"format": "json", "columns": COLUMNS}})
    stream = open_stream("kafka", {"bootstrap_servers": ADDRESS.read_text()}, TOPIC)
    watcher = Watcher(table.sql, stream, metastore.streams, options)
    (record,) = watcher.look(-1, 0).requests
    decoder = decoder_of(options.decode)

    def run() -> dict[str, float]:
        from etl_platform.components.stream_source.dead_letters import DeadLetters
        from etl_platform.components.stream_source.intake import Intake
        from etl_platform.components.stream_source.messages_of import messages_of
        from etl_platform.lakehouse.gate import Aside, admit
        from etl_platform.lakehouse.receipt import Mode
        from etl_platform.publishing.publish import PARTITION_COLUMN

        spill = folder / "tmp"
        spill.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=spill) as apart:
            letters = DeadLetters(Path(apart), record.key, keeps_raw=False)
            intake = Intake(decoder, letters)
            messages = messages_of(stream, record, options, accept_lost=False)
            admission = admit(
                lake,
                table,
                messages.rows(intake, lake, table),
                options.contract_of(str(table)),
                mode=Mode.REPLACE_PARTITION,
                partition_by=(PARTITION_COLUMN,),
                partition={PARTITION_COLUMN: record.key},
                batch=record.key,
                metastore=metastore,
                aside=Aside(table.dead_letter, letters.selects),
                profile=options.profile,
            )
        assert admission.receipt.rows_total == MESSAGES, admission.receipt
        figures = {f"{name}_s": seconds for name, seconds in admission.stages.items()}
        if windowed:
            started = time.perf_counter()
            windows = _windows(lake, metastore, table, record.key)
            figures |= {"window_s": time.perf_counter() - started, "windows": windows}
        return {"messages": MESSAGES, **figures}

    return run


def _windows(lake: Lake, metastore: Metastore, table: TableName, key: str) -> int:
    from etl_platform.components.stream_source.window_options import WindowOptions
    from etl_platform.lakehouse.gate import admit
    from etl_platform.lakehouse.receipt import Mode
    from etl_platform.publishing.publish import PARTITION_COLUMN
    from etl_platform.transforms.windows.materialising import Work
    from etl_platform.transforms.windows.results import results_of
    from etl_platform.transforms.windows.tables import StreamWindow

    options = WindowOptions.model_validate(_WINDOW)
    window = StreamWindow(table, options.spec("by_minute"))
    contract = options.contract_of("by_minute")
    with closing(Work(window, lake, metastore.streams)) as work:
        batch = work.batch(key)
        admit(
            lake,
            window.partials,
            batch.partials,
            contract,
            mode=Mode.REPLACE_PARTITION,
            partition_by=(PARTITION_COLUMN,),
            partition={PARTITION_COLUMN: key},
            batch=key,
            metastore=metastore,
            profile="off",
        )
        batch.finish()
    with closing(Work(window, lake, metastore.streams)) as work:
        found = results_of(work)
        found.set_late_apart()
        results = admit(
            lake,
            window.results,
            found.relation,
            contract,
            mode=Mode.REPLACE,
            notes=found.notes,
            metastore=metastore,
            schema_change="any",
        )
    return results.receipt.rows_total


def fresh(name: str) -> Path:
    """An empty folder."""
    folder = (DATA / "streams" / name).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
