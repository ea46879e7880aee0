"""Large Parquet files are kept as they are where that gives the rows that reading them gives."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from etl_platform.core.objects import LocalStore
from etl_platform.core.settings import get_settings
from etl_platform.sources.files import FileOptions, ingestion
from etl_platform.sources.files.agreement import Agreement
from etl_platform.sources.files.ingested import Ingested
from etl_platform.sources.files.ingestion import Ingestion
from etl_platform.sources.files.units import Units

ROWS = 60_000


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Units]:
    (tmp_path / "in").mkdir()
    monkeypatch.setattr(ingestion, "LARGE_BYTES", 1 << 20)
    with Units.open(tmp_path / "units", "shop.orders", "") as found:
        yield found


def _table() -> pa.Table:
    numbers = pa.array(range(ROWS), pa.int64())
    texts = pa.array([None if n % 7 == 0 else f"ü{n % 1000}" for n in range(ROWS)])
    moments = pa.array([None if n % 5 == 0 else n * 1_000_003 for n in range(ROWS)], pa.int64())
    return pa.table(
        {
            "n": numbers,
            "small": pa.array([None if n % 3 == 0 else n % 100 for n in range(ROWS)], pa.int8()),
            "price": pa.array([Decimal(n) / 100 for n in range(ROWS)], pa.decimal128(20, 2)),
            "text": texts,
            "view": texts.cast(pa.string_view()),
            "code": texts.dictionary_encode(),
            "at": moments.cast(pa.timestamp("us")),
            "instant": moments.cast(pa.timestamp("us", "UTC")),
            "day": pa.array([n % 20_000 for n in range(ROWS)], pa.int32()).cast(pa.date32()),
            "ratio": pa.array([float("nan") if n % 11 == 0 else n / 7 for n in range(ROWS)]),
            "raw": pa.array([str(n).encode() for n in range(ROWS)], pa.binary()),
            "yes": pa.array([None if n % 2 else True for n in range(ROWS)]),
        }
    )


def _load(folder: Path, units: Units) -> tuple[Ingested, pa.Schema]:
    store, columns = LocalStore(folder), Agreement(None)
    found = Ingestion(store, FileOptions(), columns, units).run(list(store.list()))
    assert columns.schema is not None
    return found, columns.schema


def _rows(found: Ingested, schema: pa.Schema) -> pa.Table:
    with found.rows(get_settings(), schema) as rows:
        read = rows if isinstance(rows, pa.RecordBatchReader) else rows.to_arrow_reader()
        table = read.read_all()
    return table.cast(schema.append(table.schema.field("_file"))).sort_by("n")


def _copies(found: Ingested) -> list[str]:
    return [unit.outcomes[0].key for unit in found.units if unit.is_copy]


def test_rows_of_a_copy_are_those_that_reading_gives_beside_units_of_others(
    tmp_path: Path, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _table()
    parquet.write_table(table, tmp_path / "in/a's.parquet")
    parquet.write_table(table.slice(0, 5), tmp_path / "in/b.parquet")
    found, schema = _load(tmp_path / "in", units)
    assert _copies(found) == ["a's.parquet"]
    again = Units(units.folder, units.name).kept(
        {i.key: i for i in LocalStore(tmp_path / "in").list()}
    )
    assert sum(unit.is_copy for unit in again) == 1
    monkeypatch.setattr(ingestion, "LARGE_BYTES", 1 << 40)
    with Units.open(tmp_path / "others", "shop.orders", "") as others:
        usual, same = _load(tmp_path / "in", others)
        assert not _copies(usual)
        assert same.equals(schema)
        expected = (
            usual.reader(schema).read_all().sort_by([("n", "ascending"), ("_file", "ascending")])
        )
    for rows in (_rows(found, schema), found.reader(schema).read_all()):
        given = rows.sort_by([("n", "ascending"), ("_file", "ascending")])
        for name in expected.column_names:
            assert (
                given[name]
                .cast(pa.string() if name == "ratio" else given[name].type)
                .equals(
                    expected[name].cast(pa.string() if name == "ratio" else expected[name].type)
                )
            ), name


@pytest.mark.parametrize("checksums", [False, True])
def test_a_damaged_large_file_is_bad(tmp_path: Path, units: Units, checksums: bool) -> None:
    path = tmp_path / "in/a.parquet"
    parquet.write_table(_table(), path, write_page_checksum=checksums)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 5000] = b"\xff" * 5000
    path.write_bytes(content)
    found, _ = _load(tmp_path / "in", units)
    assert [(one.key, "damaged Parquet" in (one.reason or "")) for one in found.bad] == [
        ("a.parquet", True)
    ]
    assert not list(found.loaded)


@pytest.mark.parametrize("kind", ["checksums", "nested", "milliseconds", "unsigned", "int96"])
def test_in_doubt_a_file_is_read_and_written_anew(tmp_path: Path, units: Units, kind: str) -> None:
    numbers = pa.array(range(400_000), pa.int64())
    table = pa.table({"n": numbers, "at": numbers.cast(pa.timestamp("us"))})
    if kind == "nested":
        table = table.append_column("s", pa.StructArray.from_arrays([numbers], ["x"]))
    if kind == "milliseconds":
        table = table.append_column("ms", numbers.cast(pa.timestamp("ms")))
    if kind == "unsigned":
        table = table.append_column("u", numbers.cast(pa.uint32()))
    parquet.write_table(
        table,
        tmp_path / "in/a.parquet",
        write_page_checksum=kind == "checksums",
        use_deprecated_int96_timestamps=kind == "int96",
    )
    found, _ = _load(tmp_path / "in", units)
    assert [one.rows for one in found.loaded] == [400_000]
    assert not _copies(found)
