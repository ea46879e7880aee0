"""Publishing: modes, exactly-once batches, evolution and partitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import PermanentError, SchemaMismatch, UnknownName, UnsupportedType
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake, Mode
from etl_platform_tests.lakehouse.conftest import ORDERS, stored_files


def orders(keys: list[int], text: str = "x") -> pa.Table:
    return pa.table({"id": pa.array(keys, pa.int32()), "note": [f"{text}{k}" for k in keys]})


def rows(lake: Lake, table: TableName = ORDERS, version: int | None = None) -> list[tuple]:
    """The rows as DuckDB reads them; Polars and delta-rs must agree."""
    with duckdb.connect() as con:
        relation = lake.relation_sql(table, version)
        found = con.execute(f"SELECT * FROM {relation}").fetchall()
    frame = lake.scan(table, version).collect()
    assert sorted(map(repr, frame.rows())) == sorted(map(repr, found))
    return sorted(found, key=repr)


def publish(lake: Lake, data: object, mode: Mode = Mode.REPLACE, **options: object):
    partition_by = options.pop("partition_by", ())
    return lake.publish(lake.stage(ORDERS, data, partition_by), mode, **options)  # type: ignore[arg-type]


class TestModes:
    def test_replace_makes_the_batch_the_whole_table(self, lake: Lake) -> None:
        publish(lake, orders([1, 2, 3]))
        receipt = publish(lake, orders([4]))
        assert rows(lake) == [(4, "x4")]
        assert (receipt.rows_inserted, receipt.rows_deleted, receipt.rows_total) == (1, 3, 1)
        assert (receipt.version_before, receipt.version_after) == (0, 1)

    def test_append_adds(self, lake: Lake) -> None:
        publish(lake, orders([1]))
        receipt = publish(lake, orders([2]), Mode.APPEND)
        assert rows(lake) == [(1, "x1"), (2, "x2")]
        assert (receipt.rows_inserted, receipt.rows_total) == (1, 2)

    def test_upsert_replaces_rows_with_the_same_key_and_adds_others(self, lake: Lake) -> None:
        publish(lake, orders([1, 2, 3]))
        receipt = publish(lake, orders([2, 4], "new"), Mode.UPSERT, key=("id",))
        assert rows(lake) == [(1, "x1"), (2, "new2"), (3, "x3"), (4, "new4")]
        assert (receipt.rows_inserted, receipt.rows_updated, receipt.rows_total) == (1, 1, 4)

    def test_upsert_rewrites_only_the_files_that_hold_a_key(self, lake: Lake) -> None:
        for start in (0, 10, 20):
            publish(lake, orders(list(range(start, start + 10))), Mode.APPEND)
        receipt = publish(lake, orders([15], "new"), Mode.UPSERT, key=("id",))
        assert receipt.files_removed == 1
        assert (15, "new15") in rows(lake)
        assert len(rows(lake)) == 30

    @pytest.mark.parametrize(
        ("batch", "message"),
        [
            (pa.table({"id": [1, 1], "note": ["a", "b"]}), "more than once"),
            (pa.table({"id": [1, None], "note": ["a", "b"]}), "1 nulls"),
        ],
    )
    def test_upsert_refuses_a_key_that_is_none(
        self, lake: Lake, batch: pa.Table, message: str
    ) -> None:
        with pytest.raises(PermanentError, match=message):
            publish(lake, batch, Mode.UPSERT, key=("id",))
        assert not lake.exists(ORDERS)

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        batches=st.lists(
            st.dictionaries(st.integers(0, 12), st.text("abc", max_size=3), max_size=8), min_size=1
        )
    )
    def test_upserts_equal_a_dictionary(self, lake: Lake, batches: list[dict[int, str]]) -> None:
        fresh = Lake(f"{lake.uri}/{uuid4().hex}", lake.settings)
        expected: dict[int, str] = {}
        for batch in batches:
            data = pa.table(
                {"id": pa.array(batch, pa.int64()), "note": pa.array(batch.values(), pa.string())}
            )
            staged = fresh.stage(ORDERS, data)
            receipt = fresh.publish(staged, Mode.UPSERT, key=("id",))
            assert receipt.rows_updated == len(expected.keys() & batch.keys())
            expected |= batch
            assert receipt.rows_total == len(expected)
        assert dict(rows(fresh)) == expected


class TestExactlyOnce:
    def test_a_batch_that_was_committed_is_not_committed_again(self, lake: Lake) -> None:
        publish(lake, orders([1]), Mode.APPEND, batch="run-1")
        again = publish(lake, orders([1]), Mode.APPEND, batch="run-1")
        assert again.skipped
        assert rows(lake) == [(1, "x1")]
        assert lake.vacuum(ORDERS, orphans_older_than_hours=0) == []

    def test_another_batch_with_the_same_rows_is(self, lake: Lake) -> None:
        publish(lake, orders([1]), Mode.APPEND, batch="run-1")
        publish(lake, orders([1]), Mode.APPEND, batch="run-2")
        assert len(rows(lake)) == 2

    def test_the_receipt_stands_in_the_commit(self, lake: Lake) -> None:
        receipt = publish(lake, orders([1, 2]), run_id="r")
        kept = lake.history(ORDERS)[0].receipt
        assert kept is not None
        assert kept.run_id == "r"
        assert kept.checksum == receipt.checksum
        assert kept.rows_inserted == 2

    def test_annotations_travel_with_the_table_and_come_back_with_a_revert(
        self, lake: Lake
    ) -> None:
        publish(lake, orders([1]), annotations={"watermark:id": "1"})
        publish(lake, orders([2]), Mode.APPEND, annotations={"watermark:id": "2"})
        publish(lake, orders([3]), Mode.APPEND)
        assert lake.annotation(ORDERS, "watermark:id") == "2"
        lake.revert(ORDERS, 0)
        assert lake.annotation(ORDERS, "watermark:id") == "1"


class TestEvolution:
    def test_a_new_column_is_null_for_older_rows(self, lake: Lake) -> None:
        publish(lake, orders([1]))
        wider = orders([2]).append_column("price", pa.array([1.5]))
        publish(lake, wider, Mode.APPEND)
        assert rows(lake) == [(1, "x1", None), (2, "x2", 1.5)]
        assert rows(lake, version=0) == [(1, "x1")]

    @pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.APPEND, Mode.UPSERT])
    def test_a_wider_type_widens_the_table(self, lake: Lake, mode: Mode) -> None:
        publish(lake, orders([1]))
        batch = pa.table({"id": pa.array([2**40], pa.int64()), "note": ["big"]})
        publish(lake, batch, mode, key=("id",))
        assert lake.schema(ORDERS).field("id").type == pa.int64()
        assert (2**40, "big") in rows(lake)
        assert len(rows(lake)) == (1 if mode is Mode.REPLACE else 2)

    def test_a_narrower_batch_is_written_in_the_tables_type(self, lake: Lake) -> None:
        publish(lake, pa.table({"id": pa.array([1], pa.int64()), "note": ["a"]}))
        publish(lake, orders([2]), Mode.APPEND)
        assert lake.schema(ORDERS).field("id").type == pa.int64()
        assert len(rows(lake)) == 2
        assert lake.vacuum(ORDERS, orphans_older_than_hours=0) == []

    @pytest.mark.parametrize(
        ("batch", "difference"),
        [
            (
                pa.table({"id": ["a"], "note": ["b"]}),
                "~ id: int32 in the table, string in the batch",
            ),
            (pa.table({"id": pa.array([1], pa.int32())}), "- note: string in the table, missing"),
            (
                pa.table({"id": pa.array([1], pa.int32()), "note": ["b"], "ID": [1]}),
                "differ at most in case",
            ),
        ],
    )
    def test_anything_else_is_refused_with_the_difference(
        self, lake: Lake, batch: pa.Table, difference: str
    ) -> None:
        publish(lake, orders([1]))
        with pytest.raises(SchemaMismatch) as caught:
            publish(lake, batch, Mode.APPEND)
        assert difference in str(caught.value)
        assert rows(lake) == [(1, "x1")]

    def test_a_replacement_may_change_everything_when_asked(self, lake: Lake) -> None:
        publish(lake, orders([1]))
        publish(lake, pa.table({"other": ["b"]}), schema_change="any")
        assert rows(lake) == [("b",)]


class TestPartitions:
    PLACES = ("a b", "x/y", "ü=é%20", "#?&:*[1]", "a'b\"c", None)

    def data(self) -> pa.Table:
        return pa.table({"place": list(self.PLACES), "n": list(range(len(self.PLACES)))})

    def test_values_with_spaces_slashes_nulls_and_non_ascii_survive(self, lake: Lake) -> None:
        publish(lake, self.data(), partition_by=("place",))
        assert {row[0] for row in rows(lake)} == set(self.PLACES)

    @pytest.mark.parametrize("place", PLACES)
    def test_replacing_one_partition_leaves_the_others(self, lake: Lake, place: str | None) -> None:
        publish(lake, self.data(), partition_by=("place",))
        batch = pa.table({"place": pa.array([place] * 2, pa.string()), "n": [100, 101]})
        receipt = publish(
            lake, batch, Mode.REPLACE_PARTITION, partition_by=("place",), partition={"place": place}
        )
        assert (receipt.rows_deleted, receipt.rows_inserted) == (1, 2)
        here = [row for row in rows(lake) if row[0] == place]
        assert [n for _, n in here] == [100, 101]
        assert len(rows(lake)) == len(self.PLACES) + 1

    def test_an_empty_batch_empties_its_partition(self, lake: Lake) -> None:
        publish(lake, self.data(), partition_by=("place",))
        publish(
            lake,
            self.data().slice(0, 0),
            Mode.REPLACE_PARTITION,
            partition_by=("place",),
            partition={"place": "x/y"},
        )
        assert "x/y" not in {row[0] for row in rows(lake)}

    def test_rows_of_another_partition_are_refused(self, lake: Lake) -> None:
        publish(lake, self.data(), partition_by=("place",))
        with pytest.raises(PermanentError, match="holds rows of"):
            publish(
                lake,
                self.data(),
                Mode.REPLACE_PARTITION,
                partition_by=("place",),
                partition={"place": "x/y"},
            )

    def test_upsert_moves_a_row_to_its_new_partition(self, lake: Lake) -> None:
        publish(lake, self.data(), partition_by=("place",))
        moved = pa.table({"place": ["a b"], "n": [1]})
        publish(lake, moved, Mode.UPSERT, partition_by=("place",), key=("n",))
        assert [row for row in rows(lake) if row[1] == 1] == [("a b", 1)]

    def test_an_empty_string_is_refused_since_delta_reads_it_as_null(self, lake: Lake) -> None:
        with pytest.raises(PermanentError, match="empty string"):
            publish(lake, pa.table({"place": [""], "n": [1]}), partition_by=("place",))

    def test_an_unknown_partition_column_names_the_nearest(self, lake: Lake) -> None:
        with pytest.raises(UnknownName, match="did you mean 'place'"):
            publish(lake, self.data(), partition_by=("plaze",))


EVERY_TYPE = pa.table(
    {
        "flag": pa.array([True, None]),
        "i8": pa.array([-128, None], pa.int8()),
        "i16": pa.array([-(2**15), None], pa.int16()),
        "i32": pa.array([2**31 - 1, None], pa.int32()),
        "i64": pa.array([-(2**63), None], pa.int64()),
        "u8": pa.array([255, None], pa.uint8()),
        "u32": pa.array([2**32 - 1, None], pa.uint32()),
        "u64": pa.array([2**64 - 1, None], pa.uint64()),
        "f32": pa.array([1.5, None], pa.float32()),
        "f64": pa.array([float("inf"), None], pa.float64()),
        "money": pa.array([Decimal("12345678901234567890123456.789012345678"), None]),
        "small": pa.array([Decimal("-0.01"), None], pa.decimal128(5, 2)),
        "text": pa.array(["ünï\0code '\" 👍", None]),
        "blob": pa.array([b"\x00\xff", None]),
        "day": pa.array([dt.date(1, 1, 1), None]),
        "naive": pa.array([dt.datetime(2024, 2, 29, 23, 59, 59, 999999), None]),
        "zoned": pa.array(
            [dt.datetime(2024, 2, 29, tzinfo=dt.timezone(dt.timedelta(hours=5)))],
            pa.timestamp("us", "+05:00"),
        ).take([0, None]),
        "coarse": pa.array([1, None], pa.timestamp("s")),
        "list": pa.array([[1, None], None], pa.list_(pa.int32())),
        "struct": pa.array([{"a": 1, "b": ["x"]}, None]),
        "map": pa.array([[("k", 1.5)], None], pa.map_(pa.string(), pa.float64())),
        "dict": pa.array(["a", None]).dictionary_encode(),
    }
)  # fmt: skip


class TestTypes:
    def test_every_lake_type_comes_back_as_it_went_in(self, lake: Lake) -> None:
        publish(lake, EVERY_TYPE)
        back = pa.Table.from_batches(duckdb_batches(lake), schema=None)
        for name in EVERY_TYPE.column_names:
            given = EVERY_TYPE.column(name).to_pylist()
            if name == "zoned":
                given = [v and v.astimezone(dt.UTC) for v in given]
            assert back.column(name).to_pylist() == given, name
        assert lake.scan(ORDERS).collect().height == 2

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([1], pa.time64("us")),
            pa.array([1], pa.duration("s")),
            pa.array([None], pa.null()),
            pa.array([Decimal(1)], pa.decimal256(50, 0)),
        ],
    )
    def test_a_type_without_a_lossless_place_is_refused_with_a_way_out(
        self, lake: Lake, column: pa.Array
    ) -> None:
        with pytest.raises(UnsupportedType, match=r"'bad' has type .*\n.*\n  next step: "):
            publish(lake, pa.table({"bad": column}))

    def test_nanoseconds_are_kept_or_refused_never_cut(self, lake: Lake) -> None:
        whole = pd.DataFrame({"t": pd.to_datetime(["2024-01-01 00:00:00.000001"])})
        publish(lake, whole)
        assert rows(lake) == [(dt.datetime(2024, 1, 1, 0, 0, 0, 1),)]
        with pytest.raises(SchemaMismatch, match="without loss"):
            publish(lake, pd.DataFrame({"t": pd.to_datetime(["2024-01-01 00:00:00.000000001"])}))
        with duckdb.connect() as con:
            relation = con.sql("SELECT TIMESTAMP_NS '2024-01-01 00:00:00.000000001' AS t")
            with pytest.raises(PermanentError, match="nanoseconds"):
                publish(lake, relation)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: pl.DataFrame({"a": [1, 2]}),
            lambda: pl.LazyFrame({"a": [1, 2]}),
            lambda: pd.DataFrame({"a": [1, 2]}),
            lambda: pa.table({"a": [1, 2]}),
            lambda: pa.table({"a": [1, 2]}).to_reader(),
            lambda: duckdb.connect().sql("SELECT unnest([1, 2]) AS a"),
        ],
        ids=["polars", "polars_lazy", "pandas", "arrow", "arrow_stream", "duckdb"],
    )
    def test_every_kind_of_frame_lands(self, lake: Lake, make: Callable[[], object]) -> None:
        publish(lake, make())
        assert rows(lake) == [(1,), (2,)]

    def test_an_empty_batch_makes_an_empty_table_with_columns(self, lake: Lake) -> None:
        publish(lake, EVERY_TYPE.slice(0, 0))
        assert rows(lake) == []
        assert lake.schema(ORDERS).names == EVERY_TYPE.column_names
        publish(lake, EVERY_TYPE, Mode.APPEND)
        assert lake.info(ORDERS).rows == 2

    def test_a_thousand_columns(self, lake: Lake) -> None:
        wide = pa.table({f"c{i}": pa.array([i, None], pa.int32()) for i in range(1000)})
        publish(lake, wide)
        assert lake.scan(ORDERS).collect().row(0) == tuple(range(1000))


def duckdb_batches(lake: Lake) -> list[pa.RecordBatch]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        return con.sql(f"SELECT * FROM {lake.relation_sql(ORDERS)}").to_arrow_table().to_batches()


class TestSources:
    def test_the_error_of_a_stream_keeps_its_type(self, lake: Lake) -> None:
        class Lost(ConnectionError):
            pass

        def batches():
            yield pa.record_batch({"a": [1]})
            raise Lost("the source went away")

        reader = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
        with pytest.raises(Lost, match="went away"):
            lake.stage(ORDERS, reader)
        assert stored_files(lake, ORDERS) == set()

    def test_an_unknown_table_names_the_nearest(self, lake: Lake) -> None:
        publish(lake, orders([1]))
        with pytest.raises(UnknownName, match=r"did you mean 'shop\.orders'"):
            lake.scan(TableName("shop", "order"))

    def test_an_unknown_version_shows_the_valid_ones(self, lake: Lake) -> None:
        publish(lake, orders([1]))
        with pytest.raises(UnknownName, match="valid: 0"):
            lake.scan(ORDERS, version=7)
