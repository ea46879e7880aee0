"""Every format, on disk and in a bucket: what is exported comes back, whole or not at all."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from etl_platform.core.errors import ConfigError, SchemaMismatch, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.objects import LocalStore, ObjectChanged, ObjectStore
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.sinks.database import GateViolation
from etl_platform.sinks.files import Export, FileSink, table_version
from etl_platform.sinks.files.export import Codec, FileKind
from etl_platform_tests.sinks.files.exports import Dying, Killed, read_export, visible

TABLE = TableName("shop", "orders")
FORMS: list[tuple[FileKind, Codec | None]] = [
    ("parquet", None),
    ("parquet", "gzip"),
    ("csv", None),
    ("csv", "gzip"),
    ("ndjson", None),
    ("ndjson", "zstd"),
]
TEXTS = ["plain", "", None, 'a "quoted", one', "two\nlines\r\n", " blanks ", "NULL", "ü€🙂", "007"]


@dataclass(frozen=True)
class Place:
    """A lake, and a store that its tables are exported to."""

    lake: Lake
    store: ObjectStore

    def publish(self, rows: pa.Table, table: TableName = TABLE) -> int:
        receipt = self.lake.publish(self.lake.stage(table, rows), Mode.REPLACE)
        return receipt.version_after

    def export(self, export: Export, store: ObjectStore | None = None, version: int | None = None):
        found = table_version(self.lake, TABLE, version)
        return FileSink(store or self.store).export(found, export, "a-run")

    def back(self, folder: str = "orders") -> list[dict[str, Any]]:
        schema = self.lake.schema(TABLE)
        found = read_export(self.store, folder, schema)
        assert found.schema.equals(schema)
        return sorted(found.to_pylist(), key=lambda row: row["id"])

    def keys(self) -> list[str]:
        return [one.key for one in self.store.list()]


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Place:
    if request.param == "disk":
        store: ObjectStore = LocalStore(tmp_path / "exports")
    else:
        store = request.getfixturevalue("s3_server").store("exports")
    return Place(Lake(settings.lake_uri, settings), store)


@pytest.fixture
def disk(settings: Settings, tmp_path: Path) -> Place:
    return Place(Lake(settings.lake_uri, settings), LocalStore(tmp_path / "exports"))


def flat() -> pa.Table:
    """Values at which formats lose something, in every type without structure."""
    count = len(TEXTS)

    def some(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
        return pa.array(list(itertools.islice(itertools.cycle([*values, None]), count)), kind)

    zone = datetime(2024, 3, 31, 1, 30, 0, 123456, UTC)
    columns = {
        "id": pa.array(range(count), pa.int64()),
        "text": pa.array(TEXTS, pa.string()),
        "large": some([2**63 - 1, -(2**63), 9007199254740993], pa.int64()),
        "small": some([-128, 127], pa.int8()),
        "double": some([0.1, 1e300, -5e-324, 1 / 3], pa.float64()),
        "single": some([0.1, 3.4e38], pa.float32()),
        "exact": some([Decimal("12345678901234567890.0123456789")], pa.decimal128(38, 10)),
        "day": some([date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)], pa.date32()),
        "moment": some([datetime(1900, 1, 1, 0, 0, 0, 1)], pa.timestamp("us")),
        "instant": some(
            [zone, datetime(1969, 12, 31, 23, 59, tzinfo=UTC)], pa.timestamp("us", "UTC")
        ),
        "fine": some([True, False], pa.bool_()),
        "bytes": some([b"\x00\xff", b""], pa.binary()),
        "nothing": pa.nulls(count, pa.int32()),
    }
    return pa.table(columns)


def nested() -> pa.Table:
    kind = pa.struct([("name", pa.string()), ("sizes", pa.list_(pa.int64()))])
    values = [{"name": "NaN, inf", "sizes": [1, 2]}, None, {"name": None, "sizes": []}]
    return pa.table({"id": pa.array([1, 2, 3], pa.int64()), "one": pa.array(values, kind)})


def orders(*amounts: int) -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(len(amounts)), pa.int64()),
            "amount": pa.array(amounts, pa.int64()),
            "shop": ["a/b=c ü" if amount % 2 else "north" for amount in amounts],
        }
    )


@pytest.mark.parametrize(("form", "codec"), FORMS)
def test_what_is_exported_comes_back_with_its_types(
    disk: Place, form: FileKind, codec: Codec | None
) -> None:
    disk.publish(flat())
    receipt = disk.export(Export("orders", form, codec))
    assert disk.back() == flat().to_pylist()
    assert (receipt.rows, receipt.files, receipt.skipped) == (len(TEXTS), 1, None)
    manifest = visible(disk.store, "orders")
    assert manifest.size_bytes == receipt.size_bytes
    assert {one.name: one.type for one in manifest.columns}["exact"] == "DECIMAL(38,10)"


def test_a_bucket_gets_what_a_folder_gets(place: Place) -> None:
    place.publish(flat())
    export = Export("orders", "ndjson", "gzip", partition_by=("fine",))
    assert place.export(export).files == 3
    assert place.back() == flat().to_pylist()


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_structures_come_back_from_formats_that_have_them(disk: Place, form: FileKind) -> None:
    disk.publish(nested())
    disk.export(Export("orders", form))
    assert disk.back() == nested().to_pylist()


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson"])
def test_partitions_are_folders_that_the_manifest_tells_exactly(
    disk: Place, form: FileKind
) -> None:
    days = [date(2024, 1, 31), None, date(2024, 1, 31), None]
    rows = orders(1, 2, 3, 4).append_column("day", pa.array(days, pa.date32()))
    disk.publish(rows)
    disk.export(Export("orders", form, partition_by=("shop", "day")))
    assert disk.back() == rows.to_pylist()
    found = {one.path.partition("/shop=")[2].rpartition("/")[0]
             for one in visible(disk.store, "orders").files}  # fmt: skip
    assert found == {
        "a%2Fb%3Dc%20%C3%BC/day=2024-01-31",
        "north/day=__HIVE_DEFAULT_PARTITION__",
    }


def test_large_tables_become_several_files_and_empty_ones_none(disk: Place) -> None:
    disk.publish(orders(*range(150_000)))
    receipt = disk.export(Export("orders", "csv", file_bytes=250_000))
    assert receipt.files > 1
    assert [row["amount"] for row in disk.back()] == list(range(150_000))
    disk.publish(orders().cast(disk.lake.schema(TABLE)))
    assert disk.export(Export("orders", "csv")).files == 0
    assert disk.back() == []


def test_the_same_version_is_not_written_again(disk: Place) -> None:
    disk.publish(orders(1, 2))
    disk.export(Export("orders"))
    before = {one.key: one.etag for one in disk.store.list()}
    again = disk.export(Export("orders"))
    assert again.skipped == "these files hold this version already"
    assert again.rows == 2
    assert {one.key: one.etag for one in disk.store.list()} == before
    assert disk.export(Export("orders", "csv")).skipped is None
    disk.publish(orders(1, 2))
    assert disk.export(Export("orders", "csv")).skipped is None


def test_whoever_read_a_manifest_finds_its_files_until_the_grace_is_over(place: Place) -> None:
    place.publish(orders(1, 2))
    place.export(Export("orders", partition_by=("shop",)))
    old = visible(place.store, "orders")
    place.publish(orders(3))
    place.export(Export("orders"))
    assert place.export(Export("orders")).removed_files == 0
    assert {f"orders/{one.path}" for one in old.files} <= set(place.keys())
    swept = place.export(Export("orders", grace=timedelta(0)))
    assert (swept.removed_files, swept.not_removed) == (2, None)
    assert not {f"orders/{one.path}" for one in old.files} & set(place.keys())
    assert [row["amount"] for row in place.back()] == [3]
    if isinstance(place.store, LocalStore):
        folders = list(place.store.path("orders/data").iterdir())
        assert [one.name for one in folders] == [visible(place.store, "orders").folder[5:]]


def test_an_export_that_is_killed_at_any_step_changes_nothing_and_is_made_good(
    place: Place,
) -> None:
    """Removing each replaced file, sending each new one and putting the manifest are steps."""
    on_disk = isinstance(place.store, LocalStore)
    folders = ("shop",) if on_disk else ()
    export = Export("before", partition_by=folders, grace=timedelta(0))
    place.publish(orders(1, 2))
    place.export(export)
    place.publish(orders(3, 4))
    place.export(export)
    place.publish(orders(5, 6, 7))
    before = place.keys()
    for steps in itertools.count():
        folder = f"killed_{steps}"
        for key in before:
            place.store.copy(key, key.replace("before", folder, 1))
        died = False
        try:
            place.export(replace(export, folder=folder), Dying(place.store, steps))
        except Killed:
            died = True
            assert [row["amount"] for row in place.back(folder)] == [3, 4]
            assert place.export(replace(export, folder=folder)).skipped is None
        assert [row["amount"] for row in place.back(folder)] == [5, 6, 7]
        assert FileSink(place.store).missing(folder) == ()
        if not died:
            # Old files, new ones, the manifest.
            assert steps == (5 if on_disk else 3)
            break


def test_files_of_killed_exports_are_removed_when_they_are_a_day_old(
    disk: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.publish(orders(1, 2))
    with pytest.raises(Killed):
        disk.export(Export("orders"), Dying(disk.store, 1))
    left = disk.keys()
    assert len(left) == 1
    disk.store.put("orders/data/notes.txt", b"not ours")
    disk.store.put("orders/data/v1-mine/x.csv", b"not ours")
    assert disk.export(Export("orders")).removed_files == 0
    monkeypatch.setattr("etl_platform.sinks.files.sweeping.UNFINISHED", timedelta(0))
    assert disk.export(Export("orders", grace=timedelta(0))).removed_files == 1
    rest = disk.keys()
    assert left[0] not in rest
    assert {"orders/data/notes.txt", "orders/data/v1-mine/x.csv"} < set(rest)
    assert [row["amount"] for row in disk.back()] == [1, 2]


def test_of_exports_at_the_same_time_the_newest_version_stays(place: Place) -> None:
    """Another export's manifest comes just before the own one, first a newer, then an older."""

    class Overtaken(Dying):
        def __init__(self, other: int) -> None:
            super().__init__(place.store, 100)
            self.other: int | None = other

        def put(self, key: str, data: bytes, **condition: Any) -> str:
            if self.other is not None:
                other, self.other = self.other, None
                place.export(Export("orders"), version=other)
            return super().put(key, data, **condition)

    first, second, third = (place.publish(orders(*range(count))) for count in (1, 2, 3))
    lost = place.export(Export("orders"), Overtaken(second), first)
    assert lost.skipped == "another export was faster, with a newer version"
    assert lost.source_version == visible(place.store, "orders").source_version == second
    same = place.export(Export("orders", "csv"), version=first)
    assert same.skipped is None
    won = place.export(Export("orders"), Overtaken(second), third)
    assert (won.skipped, won.source_version) == (None, third)
    assert FileSink(place.store).missing("orders") == ()
    assert len(place.back()) == 3
    folders = {one.folder for one in visible(place.store, "orders").retired}
    assert {one.key.split("/")[2] for one in place.store.list("orders/data/")} == {
        *(one.removeprefix("data/") for one in folders),
        won.folder.removeprefix("data/"),
    }


def test_a_manifest_whose_answer_was_lost_is_not_taken_for_another_ones(disk: Place) -> None:
    class Lossy(Dying):
        def put(self, key: str, data: bytes, **condition: Any) -> str:
            super().put(key, data, **condition)
            raise ObjectChanged("the request was repeated by the client, and met itself")

    disk.publish(orders(1, 2))
    receipt = disk.export(Export("orders"), Lossy(disk.store, 100))
    assert receipt.skipped is None
    assert FileSink(disk.store).missing("orders") == ()
    assert len(disk.back()) == 2


def test_files_that_somebody_took_away_are_missed(disk: Place) -> None:
    disk.publish(orders(1, 2))
    disk.export(Export("orders", partition_by=("shop",)))
    sink = FileSink(disk.store)
    assert sink.missing("orders") == ()
    gone = f"orders/{visible(disk.store, 'orders').files[0].path}"
    disk.store.delete([gone])
    assert sink.missing("orders") == (gone,)


def test_another_tables_folder_is_left_alone(disk: Place) -> None:
    other = TableName("shop", "people")
    disk.publish(orders(1))
    disk.publish(orders(1), other)
    disk.export(Export("orders"))
    with pytest.raises(ConfigError, match=r"holds shop\.orders, not shop\.people"):
        FileSink(disk.store).export(table_version(disk.lake, other), Export("orders"))


def test_a_table_that_was_made_anew_is_another_one_in_the_same_version(
    disk: Place, settings: Settings, tmp_path: Path
) -> None:
    disk.publish(orders(1))
    disk.export(Export("orders"))
    fresh = replace(disk, lake=Lake(str(tmp_path / "another"), settings))
    fresh.publish(orders(2))
    assert fresh.export(Export("orders")).skipped is None
    assert [row["amount"] for row in fresh.back()] == [2]


@pytest.mark.parametrize(
    ("export", "column", "reason"),
    [
        (Export("o", "csv"), pa.array([float("nan"), 1.0]), "neither CSV nor JSON"),
        (Export("o", "ndjson"), pa.array([[float("inf")], [1.0]]), "JSON has no such number"),
        (Export("o", "csv"), pa.array(["a\0b", None]), "NUL"),
        (Export("o", "csv", partition_by=("id",)), pa.array([None, 1]), "empty is no record"),
        (Export("o", partition_by=("x",)), pa.array(["", "a"]), "empty text"),
        (Export("o", partition_by=("x",)), pa.array(["__HIVE_DEFAULT_PARTITION__", "a"]), "null"),
        (Export("o", partition_by=("x",)), pa.array(["ü" * 200, "a"]), "200 bytes"),
    ],
)
def test_values_that_would_not_come_back_are_refused_before_anything_is_written(
    disk: Place, export: Export, column: pa.Array[Any], reason: str
) -> None:
    disk.publish(pa.table({"id": pa.array([1, 2], pa.int64()), "x": column}))
    with pytest.raises(GateViolation, match=reason) as refused:
        disk.export(export)
    assert refused.value.findings[0].rows == 1
    assert disk.keys() == []


@pytest.mark.parametrize(
    ("export", "error"),
    [
        (Export("o", "csv"), SchemaMismatch),
        (Export("o", partition_by=("one",)), SchemaMismatch),
        (Export("o", partition_by=("won",)), UnknownName),
    ],
)
def test_columns_that_a_format_or_a_folder_has_no_form_for_are_refused(
    disk: Place, export: Export, error: type[Exception]
) -> None:
    disk.publish(nested())
    with pytest.raises(error):
        disk.export(export)
