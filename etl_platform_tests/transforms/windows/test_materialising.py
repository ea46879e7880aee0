"""A window's tables in a lake: batches in any order, merged partitions, changes of what is said."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.merging import merge_partitions
from etl_platform.metastore import Metastore
from etl_platform.metastore.records import StreamBatchRecord
from etl_platform.sources.stream import Range, to_json
from etl_platform.transforms.windows import Aggregate, WindowSpec
from etl_platform.transforms.windows.enrichment import Enrichment
from etl_platform.transforms.windows.materialising import Work, replace_partition
from etl_platform.transforms.windows.results import results_of
from etl_platform.transforms.windows.tables import StreamWindow

STREAM, SHOPS = TableName("shop", "clicks"), TableName("ref", "shops")
BASE = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = WindowSpec(
    name="per_minute",
    kind="tumbling",
    size=timedelta(minutes=1),
    event_time="at",
    keys=("shop",),
    aggregates=(
        Aggregate(name="orders", function="count"),
        Aggregate(name="q", function="quantiles", column="id", ranks=(0.5,)),
    ),
    out_of_orderness=timedelta(seconds=10),
)
WINDOW = StreamWindow(STREAM, SPEC)
Order = tuple[int, float | None]


@dataclass
class Shop:
    """A stream of orders, each a number and the second it happened in, and a window over it."""

    lake: Lake
    metastore: Metastore
    window: StreamWindow = WINDOW
    text: bool = False
    read: dict[str, int] = field(default_factory=lambda: {"0": -1, "1": -1})
    records: list[StreamBatchRecord] = field(default_factory=list[StreamBatchRecord])

    def deliver(self, *orders: Order, rejected: bool = False) -> str:
        """A batch of the stream is cut and published; no row of it if all are ``rejected``."""
        ranges: list[Range] = []
        places = dict(self.read)
        rows: list[dict[str, object]] = []
        for number, second in orders:
            name = str(number % 2)
            places[name] += 1
            position = str(places[name] + 9) if self.text else places[name]
            at = None if second is None else BASE + timedelta(seconds=second)
            rows.append({"id": number, "at": at, "shop": "ab"[number % 2],
                         "_source_partition": name, "_source_position": position})  # fmt: skip
        shift = 9 if self.text else 0
        for name, before in self.read.items():
            after = None if before < 0 else before + shift
            ranges.append(Range(name, after, max(places[name], 0) + shift))
        number = len(self.records)
        record = StreamBatchRecord(
            stream=STREAM.sql,
            number=number,
            key=f"batch-{number:03}",
            ranges=to_json(ranges if orders else ()),
            cut_at=BASE + timedelta(hours=number),
        )
        self.read = places
        self.records.append(record)
        assert self.metastore.streams.add(record)
        if orders and not rejected:
            moment = pa.array([row["at"] for row in rows], pa.timestamp("us", "UTC"))
            table = pa.Table.from_pylist(rows)
            table = table.set_column(table.schema.get_field_index("at"), "at", moment)
            staged = self.lake.stage(STREAM, table, ("_partition",), {"_partition": record.key})
            self.lake.publish(staged, Mode.REPLACE_PARTITION, partition={"_partition": record.key})
            self.metastore.streams.finish(STREAM.sql, record.key, "{}")
        return record.key

    def aggregate(self, *keys: str, from_newest: bool = False) -> None:
        for key in keys:
            with closing(self.work) as work:
                batch = work.batch(key, from_newest=from_newest)
                replace_partition(work, self.window.partials, batch.partials, key, None)
                batch.finish()

    def merge(self) -> str:
        """The results are computed; their checksum."""
        with closing(self.work) as work:
            found = results_of(work)
            found.set_late_apart()
            staged = self.lake.stage(self.window.results, found.relation)
            self.lake.publish(staged, Mode.REPLACE, annotations=found.notes, schema_change="any")
            list(found.compact())
        return self.lake.checksum(self.window.results)

    def join(self, into: str, *keys: str) -> None:
        """Partitions of the stream become one."""
        last = [one for one in self.metastore.streams.partitions(STREAM.sql) if one.key in keys][-1]
        record = last.model_copy(update={"key": into, "kind": "merged", "finished_at": None})
        self.metastore.streams.merge(record, keys)
        for table in (STREAM, self.window.partials, self.window.progress):
            merge_partitions(self.lake, table, "_partition", keys, into)
        self.metastore.streams.finish(STREAM.sql, into, "{}")

    @property
    def work(self) -> Work:
        return Work(self.window, self.lake, self.metastore.streams)

    def rows(self, table: TableName) -> list[dict[str, object]]:
        return self.lake.scan(table).collect().to_dicts()

    def orders(self) -> dict[tuple[int, str], object]:
        """Results by minute and shop."""
        found: dict[tuple[int, str], object] = {}
        for row in self.rows(self.window.results):
            start = row["window_start"]
            assert isinstance(start, datetime)
            found[int((start - BASE).total_seconds()) // 60, str(row["shop"])] = row["orders"]
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    settings = Settings(
        lake_uri=str(tmp_path / "lake"),
        metastore_url=f"sqlite:///{tmp_path / 'metastore.db'}",
        threads=1,
    )
    return Shop(Lake(settings=settings), Metastore.open(settings.metastore_url))


def seconds(*bounds: int) -> list[Order]:
    return [(second, second) for second in range(*bounds)]


ALL = {(minute, shop): 30 for minute in range(3) for shop in "ab"}


def test_results_wait_for_a_batch_that_is_missing_and_not_for_one_without_messages(
    shop: Shop,
) -> None:
    first, second = shop.deliver(*seconds(80)), shop.deliver(*seconds(80, 150))
    shop.deliver()
    poison = shop.deliver((5, 5), rejected=True)
    last = shop.deliver(*seconds(150, 200))
    shop.aggregate(last, first, poison)
    shop.merge()
    assert set(shop.orders()) == {(0, "a"), (0, "b")}
    shop.aggregate(second)
    shop.merge()
    assert shop.orders() == ALL


def test_late_events_become_dead_letters_once_and_count_when_they_may(shop: Shop) -> None:
    keys = [shop.deliver(*seconds(100)), shop.deliver(*seconds(100, 200))]
    keys.append(shop.deliver((1_000, 30), (1_002, 195), (1_004, 260), (1_005, 260)))
    shop.aggregate(*keys[:2])
    shop.merge()
    assert not shop.lake.exists(WINDOW.results.dead_letter)
    for _ in range(2):
        shop.aggregate(*keys)
        shop.merge()
        (late,) = shop.rows(WINDOW.results.dead_letter)
        assert late["id"] == 1_000
        assert late["_reason"] == "all windows of the event time were closed"
        assert late["_watermark"] == BASE + timedelta(seconds=188)
        assert shop.orders() == {**ALL, (3, "a"): 11, (3, "b"): 10}
    generous = SPEC.model_copy(update={"allowed_lateness": timedelta(hours=1), "emit": "update"})
    shop.window = StreamWindow(STREAM, generous)
    shop.merge()
    assert shop.orders()[0, "a"] == 31
    assert shop.rows(WINDOW.results.dead_letter) == []


@pytest.mark.parametrize("ahead", ["dead_letter", "take"])
def test_an_event_from_the_future_moves_no_watermark_and_goes_where_is_said(
    shop: Shop, ahead: str
) -> None:
    careful = {"max_ahead": timedelta(minutes=10), "ahead": ahead}
    shop.window = StreamWindow(STREAM, SPEC.model_copy(update=careful))
    # Batches are cut an hour apart: the first may be 10 minutes ahead, not a whole day.
    future = 86_400
    keys = [shop.deliver(*seconds(60), (61, 599), (2_000, future)), shop.deliver(*seconds(60, 200))]
    shop.aggregate(*reversed(keys))
    shop.merge()
    assert shop.orders() == {(minute, shop): 30 for minute in range(3) for shop in "ab"}
    lost = shop.rows(WINDOW.results.dead_letter) if ahead == "dead_letter" else []
    assert [row["id"] for row in lost] == ([2_000] if ahead == "dead_letter" else [])
    assert all("further ahead" in str(row["_reason"]) for row in lost)
    before = shop.merge()
    shop.join("day", *keys)
    shop.aggregate("day")
    assert shop.merge() == before
    # A day later its own window is due, where it counts.
    for _ in range(24):
        shop.deliver()
    shop.aggregate(shop.deliver((3_000, future + 100), (3_001, future + 100)))
    shop.merge()
    assert shop.orders().get((future // 60, "a")) == (1 if ahead == "take" else None)


def test_rows_without_event_time_are_dead_letters_whatever_is_late(shop: Shop) -> None:
    shop.window = StreamWindow(STREAM, SPEC.model_copy(update={"late": "update"}))
    shop.aggregate(shop.deliver((7, None)), shop.deliver(*seconds(100), (9, None)))
    shop.merge()
    lost = shop.rows(WINDOW.results.dead_letter)
    assert sorted((row["id"], row["_reason"]) for row in lost) == [
        (7, "no event time in at"),
        (9, "no event time in at"),
    ]
    assert set(shop.orders()) == {(0, "a"), (0, "b")}


def test_merged_partitions_are_compacted_and_replayed_in_any_order_without_a_change(
    shop: Shop,
) -> None:
    shop.text = True
    keys = [shop.deliver(*seconds(start, start + 70)) for start in range(0, 210, 70)]
    keys.append(shop.deliver((1_000, 3), (1_001, 4)))
    shop.aggregate(*random.Random("any").sample(keys, k=len(keys)))
    before = shop.merge()
    many = shop.lake.info(WINDOW.partials).rows
    shop.join("hour-1", *keys[:2])
    shop.join("hour-2", *keys[2:])
    assert shop.merge() == before
    assert shop.lake.info(WINDOW.partials).rows < many
    shop.join("day", "hour-1", "hour-2")
    for _ in range(2):
        assert shop.merge() == before
        # Four minutes, two shops; what came late is in none.
        assert shop.lake.info(WINDOW.partials).rows == 4 * 2
        assert len(shop.rows(WINDOW.results.dead_letter)) == 2
        shop.aggregate("day")
    assert shop.merge() == before
    with pytest.raises(PermanentError, match="part of partition day"):
        shop.aggregate("hour-1")


def test_a_window_that_is_declared_otherwise_waits_for_its_batches(shop: Shop) -> None:
    key = shop.deliver(*seconds(200))
    shop.aggregate(key)
    shop.merge()
    smaller = SPEC.model_copy(update={"size": timedelta(seconds=30)})
    shop.window = StreamWindow(STREAM, smaller)
    with pytest.raises(PermanentError, match="declared otherwise"):
        shop.merge()
    shop.aggregate(key)
    shop.merge()
    assert len(shop.rows(WINDOW.results)) == 6 * 2


def test_a_replay_joins_the_version_of_the_first_run_unless_told_otherwise(shop: Shop) -> None:
    def name_shops(*cities: str) -> None:
        codes = list("abb")[: len(cities)]
        named = pa.table({"code": codes, "city": list(cities)})
        shop.lake.publish(shop.lake.stage(SHOPS, named), Mode.REPLACE)

    name_shops("Rome", "Oslo")
    by_city = SPEC.model_copy(update={"keys": ("city",), "filter": "city <> 'Bonn'"})
    shop.window = StreamWindow(STREAM, by_city, Enrichment(SHOPS, {"shop": "code"}, ("city",)))
    keys = [shop.deliver(*seconds(100))]
    shop.aggregate(*keys)
    name_shops("Paris", "Oslo")
    keys.append(shop.deliver(*seconds(100, 200)))
    shop.aggregate(*keys)
    before = shop.merge()
    cities = [row["city"] for row in shop.rows(WINDOW.results)]
    assert (cities.count("Rome"), cities.count("Paris"), cities.count("Oslo")) == (2, 2, 3)
    shop.join("hour", *keys)
    shop.aggregate("hour")
    assert shop.merge() == before
    shop.aggregate("hour", from_newest=True)
    shop.merge()
    assert {row["city"] for row in shop.rows(WINDOW.results)} == {"Paris", "Oslo"}
    name_shops("Rome", "Oslo", "Bergen")
    with pytest.raises(PermanentError, match="has 2 rows with code = b"):
        shop.aggregate("hour", from_newest=True)


def test_a_partition_that_was_never_cut_is_refused_by_name(shop: Shop) -> None:
    shop.deliver(*seconds(3))
    with pytest.raises(UnknownName, match="unknown batch 'by-hand'"):
        shop.aggregate("by-hand")
