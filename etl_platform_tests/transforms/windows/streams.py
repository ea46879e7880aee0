"""Streams for the tests: generated events, cut into batches, and windows run over them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb

from etl_platform.transforms.windows import (
    Aggregate,
    BatchTimes,
    Deduplication,
    WatermarkRule,
    Watermarks,
    WindowSpec,
    compaction_sql,
    late_sql,
    partials_sql,
    results_sql,
    watermarks,
)
from etl_platform.transforms.windows.spec import micros
from etl_platform_tests.transforms.windows.reference import Batch, Event

SECOND = 1_000_000
BASE = 1_700_000_000 * SECOND
KINDS = {
    "_source_partition": "VARCHAR",
    "_source_position": "BIGINT",
    "happened": "TIMESTAMP WITH TIME ZONE",
    "k": "VARCHAR",
    "amount": "INTEGER",
    "price": "DECIMAL(12,2)",
    "ratio": "DOUBLE",
    "ident": "VARCHAR",
}
AGGREGATES = (
    Aggregate(name="n", function="count"),
    Aggregate(name="total", function="sum", column="amount"),
    Aggregate(name="paid", function="sum", column="price"),
    Aggregate(name="mean", function="avg", column="ratio"),
    Aggregate(name="low", function="min", column="price"),
    Aggregate(name="high", function="max", column="amount"),
    Aggregate(name="people", function="distinct", column="ident"),
    Aggregate(name="amount_q", function="quantiles", column="amount", ranks=(0.5, 0.95)),
)


def spec(kind: str = "tumbling", **options: Any) -> WindowSpec:
    options = {"size": timedelta(seconds=60), "aggregates": AGGREGATES, "keys": ("k",)} | options
    if kind == "hopping":
        options.setdefault("every", timedelta(seconds=20))
    return WindowSpec(name="w", kind=kind, event_time="happened", **options)  # type: ignore[arg-type] # of the tests' own


def generate(
    seed: int,
    events: int,
    batches: int,
    partitions: int = 3,
    late_share: float = 0.1,
    late_s: float = 240.0,
    keys: int = 4,
    repeated: float = 0.0,
) -> list[Batch]:
    """Events of several stream partitions, one a second in the mean, cut at random.

    A share of them is late by exponentially distributed seconds with the mean ``late_s``; the rest
    is out of order by up to five seconds. A share is repeated, later in the same partition or in
    another, with the same event time or one that differs by seconds.
    """
    rng = random.Random(seed)
    made: list[Event] = []
    positions = dict.fromkeys((str(p) for p in range(partitions)), 0)
    quiet = str(partitions - 1)
    for step in range(events):
        # The last partition says nothing in the middle third.
        partition = rng.choice(sorted(positions))
        if partition == quiet and events // 3 < step < 2 * events // 3:
            partition = "0"
        behind = rng.expovariate(1 / late_s) if rng.random() < late_share else rng.uniform(0, 5)
        # Whole seconds fall on the bounds of windows and on the watermark itself.
        late_by = step - behind
        at = BASE + (int(late_by) * SECOND if seed % 2 else int(late_by * SECOND))
        ident = f"i{step}"
        if made and rng.random() < repeated:
            first = rng.choice(made[-40:])
            ident, at = first.ident, first.at + rng.choice((0, 0, 7, -9, 45)) * SECOND
        key = rng.choice([None, *"abcdefgh"[: keys - 1]])
        price = Decimal(rng.randint(-10_000, 10_000)) / 100
        ratio = rng.choice([0.1, 1e9, -3.3, 1e-7]) * rng.random()
        made.append(
            Event(
                partition, positions[partition], at, key, rng.randint(-50, 500), price, ratio, ident
            )
        )
        positions[partition] += 1
    cuts = sorted(rng.sample(range(events + 1), k=min(batches - 1, events)))
    bounds = [0, *cuts, events]
    return [
        Batch(number, BASE + stop * SECOND, tuple(made[start:stop]))
        for number, (start, stop) in enumerate(pairwise(bounds))
    ]


@dataclass
class Run:
    """A stream and one window over it, materialised batch by batch in any order."""

    spec: WindowSpec
    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    times: dict[int, BatchTimes] = field(default_factory=dict)
    made: bool = False

    def __post_init__(self) -> None:
        self.con.execute("SET TimeZone = 'UTC'; SET threads = 1")
        columns = ", ".join(f"{name} {kind}" for name, kind in KINDS.items())
        self.con.execute(f"CREATE TABLE messages (batch BIGINT, {columns})")

    def arrive(self, batches: list[Batch]) -> None:
        """The messages of all batches come to lie in the stream's table."""
        import pyarrow as pa

        rows = [
            (b.number, e.partition, e.position, e.at, e.key, e.amount, e.price, e.ratio, e.ident)
            for b in batches
            for e in b.events
        ]
        names = ["batch", *KINDS]
        values = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        arrived = pa.table(values)
        self.con.register("arrived", arrived)
        self.con.execute(
            "INSERT INTO messages "
            "SELECT * REPLACE (make_timestamptz(happened) AS happened) FROM arrived"
        )

    def materialise(self, batch: Batch) -> None:
        """One batch: its partial aggregates replace those of an earlier run."""
        rows = f"(SELECT * EXCLUDE batch FROM messages WHERE batch = {batch.number})"
        query = partials_sql(self.spec, rows, KINDS, str(batch.number))
        if not self.made:
            self.con.execute(f"CREATE TABLE partials AS FROM ({query}) LIMIT 0")
            self.made = True
        self.con.execute(f"DELETE FROM partials WHERE _batch = {batch.number}")
        self.con.execute(f"INSERT INTO partials BY NAME {query}")
        newest: dict[str, int] = {}
        for event in batch.events:
            newest[event.partition] = max(event.at, newest.get(event.partition, event.at))
        self.times[batch.number] = BatchTimes(batch.number, batch.cut, newest)

    def marks(self) -> Watermarks:
        idle = self.spec.idle_after
        rule = WatermarkRule(
            micros(self.spec.out_of_orderness), None if idle is None else micros(idle)
        )
        return watermarks(self.times.values(), rule)

    def compact(self, first: int, last: int) -> None:
        query = compaction_sql(self.spec, "partials", KINDS, self.marks(), first, last)
        self.con.execute(f"CREATE TEMP TABLE fewer AS {query}")
        self.con.execute(f"DELETE FROM partials WHERE _batch BETWEEN {first} AND {last}")
        self.con.execute("INSERT INTO partials BY NAME FROM fewer")
        self.con.execute("DROP TABLE fewer")

    def results(self) -> list[dict[str, Any]]:
        query = results_sql(self.spec, "partials", KINDS, self.marks())
        found = self.con.execute(
            f"SELECT epoch_us(window_start) s, epoch_us(window_end) e, * FROM ({query})"
        )
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def checksum(self) -> tuple[Any, ...]:
        query = results_sql(self.spec, "partials", KINDS, self.marks())
        (row,) = self.con.execute(
            f"SELECT count(*), sum(hash(r)::HUGEINT) FROM ({query}) AS r"
        ).fetchall()
        return row

    def late(self) -> set[tuple[str, int]]:
        query = late_sql(self.spec, "messages", KINDS, "batch", self.marks().before_us)
        found = self.con.execute(f"SELECT _source_partition, _source_position FROM ({query})")
        return set(found.fetchall())


def values_of(events: list[Event]) -> dict[str, Any]:
    """The aggregates of one window, from its events."""
    amounts = sorted(e.amount for e in events)
    ratios = [round(e.ratio * 2**53) for e in events]
    return {
        "n": len(events),
        "total": sum(amounts),
        "paid": sum(e.price for e in events),
        "mean": sum(ratios) / 2**53 / len(events),
        "low": min(e.price for e in events),
        "high": amounts[-1],
        "people": len({e.ident for e in events}),
        "amount_q_p50": amounts[max(1, math.ceil(0.5 * len(amounts) - 1e-9)) - 1],
        "amount_q_p95": amounts[max(1, math.ceil(0.95 * len(amounts) - 1e-9)) - 1],
    }


DISTINCT = Deduplication(keys=("ident",), horizon=timedelta(seconds=30))
