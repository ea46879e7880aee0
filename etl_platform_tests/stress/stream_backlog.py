"""One worker that drains a backlog, batch after batch, and tells what each took.

As a program it loads a batch for each line that it reads, and answers with a line of JSON; an empty
line says that nothing was left.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import dagster as dg

from etl_platform.components.stream_source.looking import Watcher
from etl_platform.components.stream_source.options import Batching, Looking, StreamOptions
from etl_platform.core.settings import Settings
from etl_platform.metastore import Metastore
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream
from etl_platform_tests.stress.stream_defs import load


@dataclass(frozen=True)
class Loaded:
    """A batch: what its materialisation told, and the most memory that the process ever held of
    it, in megabytes."""

    key: str
    messages: int
    lag_rows: int
    peak_mb: int
    seconds: float


@dataclass
class Worker:
    """Cuts one batch at a time, as the sensor does, and loads it."""

    rows: int
    cursor: int = -1
    stream: KafkaStream = field(init=False)

    def __post_init__(self) -> None:
        servers, topic = os.environ["STREAM_SERVERS"], os.environ["STREAM_TOPIC"]
        self.stream = KafkaStream(KafkaOptions(bootstrap_servers=servers, topic=topic))

    def step(self) -> Loaded | None:
        """The next batch; None when nothing is left."""
        log = Metastore.open(Settings().metastore_url).streams
        looking = Looking(max_unfinished=1, budget_s=60)
        options = StreamOptions(batch=Batching(max_rows=self.rows), sensor=looking)
        found = Watcher("kills.events", self.stream, log, options).look(self.cursor, 0)
        self.cursor = found.cursor
        if not found.requests:
            return None
        (record,) = found.requests
        # From here on the kernel notes the largest size anew.
        Path("/proc/self/clear_refs").write_text("5")
        result = load(record.key)
        assert result.success
        (told,) = result.asset_materializations_for_node("kills__events")
        outcome = log.find("kills.events", record.key)
        assert outcome is not None
        assert outcome.outcome is not None
        seconds = json.loads(outcome.outcome)["seconds"]
        return Loaded(
            record.key, _whole(told, "messages"), _whole(told, "lag_rows"), peak_mb(), seconds
        )


def peak_mb() -> int:
    """The largest size of this process since it was last set back."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def _whole(told: dg.AssetMaterialization, name: str) -> int:
    value = told.metadata[name].value
    assert isinstance(value, int)
    return value


if __name__ == "__main__":
    worker = Worker(int(os.environ["STREAM_ROWS"]))
    for _ in sys.stdin:
        step = worker.step()
        print(json.dumps(asdict(step)) if step is not None else "", flush=True)
