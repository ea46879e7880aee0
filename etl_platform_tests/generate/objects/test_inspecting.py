"""What a folder or a bucket offers is told from its objects' content."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from etl_platform.core.errors import ConfigError
from etl_platform.core.settings import Settings
from etl_platform.generate.objects import TableCandidate, inspect_objects, is_place, place_of
from etl_platform.generate.objects.page import page_html
from etl_platform.sources.files.globs import glob
from etl_platform_tests.servers.s3 import S3Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    for day in range(1, 31):
        lines = "".join(f"{day * 100 + i},{i / 4},u{i}@example.org\n" for i in range(40))
        put(made / f"orders/day=2024-01-{day:02d}/part-0.csv", "id,amount,contact\n" + lines)
    for number in range(3):
        codes = ["x1" if number == 1 else str(i) for i in range(20)]
        extra = ",more" if number == 2 else ""
        body = "".join(f"{code},{i}{',9' if extra else ''}\n" for i, code in enumerate(codes))
        put(made / f"codes_{number}.csv", f"code,n{extra}\n{body}")
    put(made / "latin.csv", "name;size\nJosé;1\nAndré;2\n".encode("latin-1"))
    put(made / "broken.parquet", b"PAR1" + b"?" * 64)
    put(made / "url.txt", b"postgresql://ada:Hidden-3141@host/db\n")
    put(made / "_SUCCESS", b"")
    return made


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def look(address: str | Path, settings: Settings) -> dict[str, TableCandidate]:
    found = inspect_objects(place_of(str(address)), settings=settings)
    return {one.name: one for one in found.tables}


def test_tables_are_found_with_columns_quality_and_size(folder: Path, settings: Settings) -> None:
    orders = look(folder, settings)["orders"]
    assert (orders.objects, orders.looked_at, orders.pattern) == (
        30,
        orders.looked_at,
        "orders/day=*/part-*.csv",
    )
    assert 10 <= orders.looked_at <= 14
    columns = {one.name: one for one in orders.columns}
    assert {name: one.type for name, one in columns.items()} == {
        "id": "int64",
        "amount": "double",
        "contact": "string",
    }
    rows = orders.looked_at * 40
    assert columns["id"].confidence == round(1 - 1 / (rows + 1), 4)
    assert (columns["amount"].null_share, columns["amount"].high) == (0, "9.75")
    assert (columns["contact"].pii, columns["contact"].low) == ("email", None)
    assert (orders.sampled_rows, orders.quality) == (rows, 100)
    assert orders.estimate is not None
    assert orders.estimate.rows_low <= 1200 <= orders.estimate.rows_high
    assert orders.estimate.seconds > 0


def test_disagreements_questions_and_damage_are_named(folder: Path, settings: Settings) -> None:
    tables = look(folder, settings)
    codes = tables["codes"]
    told = " | ".join(codes.disagreements)
    assert "column 'code': int64 in 2 files (codes_0.csv, ...), string in codes_1.csv" in told
    assert "no common type, declare one" in told
    assert "column 'more' is not in 2 files" in told
    code = codes.columns[0]
    assert (code.type, round(code.confidence, 2)) == ("string", 0.67)
    assert codes.estimate is not None
    assert (codes.estimate.exact, codes.estimate.rows) == (True, 60)
    assert tables["orders"].estimate is not None
    assert not tables["orders"].estimate.exact
    assert "declare encoding" in tables["latin"].questions[0]
    assert tables["latin"].columns == ()
    assert "damaged Parquet" in tables["broken"].bad[0].reason
    assert "holds one URL" in tables["url"].bad[0].reason


def test_rows_are_counted_or_estimated_in_every_form(tmp_path: Path, settings: Settings) -> None:
    many = pa.table({"a": range(50_000), "b": [f"text {i}" for i in range(50_000)]})
    (tmp_path / "stated").mkdir()
    parquet.write_table(many, tmp_path / "stated/part-0.parquet")
    lines = "".join(f'{{"a": {i}, "b": {{"c": [{i % 7}]}}}}\n' for i in range(20_000))
    put(tmp_path / "events/e_1.ndjson.gz", gzip.compress(lines.encode()))
    put(tmp_path / "plain/p_1.csv", "a,b\n" + "".join(f"{i},{i % 9}\n" for i in range(40_000)))
    records = json.dumps([{"a": i} for i in range(300)])
    put(tmp_path / "whole/w_1.json", records)
    tables = look(tmp_path, settings)
    told = {name: one.estimate for name, one in tables.items()}
    assert all(told.values())
    rows = {name: one.rows for name, one in told.items() if one is not None}
    assert (rows["stated"], rows["whole"]) == (50_000, 300)
    assert abs(rows["events"] - 20_000) < 2_000
    assert abs(rows["plain"] - 40_000) < 4_000
    ratio = told["events"].compression_ratio if told["events"] else 0
    assert ratio == pytest.approx(len(lines) / (tmp_path / "events/e_1.ndjson.gz").stat().st_size,
                                  rel=0.2)  # fmt: skip
    assert {one.name: one.type for one in tables["events"].columns}["b"].startswith(
        "struct<c: list"
    )


def test_the_page_escapes_what_comes_from_data_and_shows_no_secret(
    folder: Path, settings: Settings
) -> None:
    put(folder / "odd.csv", "<script>x,b\n1,2\n3,4\n")
    page = page_html(inspect_objects(place_of(str(folder)), settings=settings))
    assert "&lt;script&gt;x" in page
    assert "<script" not in page
    assert "Hidden-3141" not in page
    assert "u1@example.org" not in page


def test_a_bucket_is_inspected_by_prefix_glob_and_key(
    s3_server: S3Server, settings: Settings
) -> None:
    bucket, connection = s3_server.bucket(), s3_server.connection()
    keys = [f"in/orders/day={i:02d}/part-0.csv" for i in range(60)]
    s3_server.fill(bucket, [*keys, "in/people.csv", "other/x.csv"], "a,b\n1,2\n3,4\n")
    s3_server.fill(bucket, ["in/orders/_SUCCESS"])
    counts: dict[str, int] = {}
    for address in ("in", "in/**/*.csv", "in/*.csv", "in/people.csv", "in/orders/day=0[0-4]/*"):
        place = place_of(f"s3://{bucket}/{address}", connection)
        found = inspect_objects(place, settings=settings)
        counts[address] = sum(one.objects for one in found.tables)
        assert all(one.estimate and one.estimate.rows == 2 * one.objects for one in found.tables)
    assert counts == {
        "in": 61,
        "in/**/*.csv": 61,
        "in/*.csv": 1,
        "in/people.csv": 1,
        "in/orders/day=0[0-4]/*": 5,
    }


def test_an_address_is_a_place_unless_it_says_where_a_database_is(tmp_path: Path) -> None:
    put(tmp_path / "secret", "postgresql://shop@host/db\n")
    put(tmp_path / "rows.csv", "a\n1\n")
    meant = {
        "s3://bucket/x": True,
        str(tmp_path): True,
        "no/such/folder": True,
        f"file://{tmp_path}": True,
        f"file://{tmp_path}/rows.csv": True,
        f"file://{tmp_path}/*.csv": True,
        f"file://{tmp_path}/secret": False,
        f"file://{tmp_path}/missing": False,
        "env://SHOP_URL": False,
        "sqlite:////data/shop.db": False,
    }
    assert {address: is_place(address) for address in meant} == meant
    with pytest.raises(ConfigError, match="no file or folder"):
        place_of("no/such/folder")


def test_what_is_suspicious_is_said(folder: Path, settings: Settings) -> None:
    days = sorted(folder.glob("orders/*/part-0.csv"))
    text = days[0].read_text()
    for path in (days[4], days[9], days[10]):
        path.unlink()
    put(days[20], text[:20])
    put(folder / "empty_1.csv", "a,b\n1,\n2,\n")
    tables = look(folder, settings)
    told = " | ".join(tables["orders"].suspicions)
    assert "day=2024-01-21/part-0.csv has 20 bytes" in told
    assert "day: 3 of 30 days have no object" in told
    assert "column 'b' has no value in any looked-at row" in tables["empty"].suspicions
    (days_of,) = tables["orders"].partitions
    assert (len(days_of.sizes), days_of.sizes[4], days_of.missing_days) == (30, 0, 3)
    assert sum(days_of.sizes) == tables["orders"].size_bytes


def test_the_likely_extent_of_damage_is_told(tmp_path: Path, settings: Settings) -> None:
    for number in range(40):
        put(tmp_path / f"t_{number}.csv", "a,b\n1,2\n" if number % 2 else b"a,b\n\x00\x01")
    (table,) = look(tmp_path, settings).values()
    told = table.suspicions[0]
    bad = int(told.split()[0])
    assert told == (
        f"{bad} of 10 objects drawn at random cannot be read: perhaps {bad * 4} of all 40"
    )
    assert 1 <= bad <= 9


def test_a_path_means_the_objects_of_its_table_and_no_others(
    folder: Path, settings: Settings
) -> None:
    put(folder / "codes_old_1.csv", "code\n1\n")
    put(folder / "what[1]?/x.CSV", "a,b\n1,2\n")
    put(folder / "what[1]?/x.csv", "a,b\n1,2\n")
    found = inspect_objects(place_of(str(folder)), settings=settings)
    keys = [one.key for one in place_of(str(folder)).store.list()]
    paths = {one.name: one.path for one in found.tables}
    assert (paths["codes"], paths["codes_old"]) == ("codes_[0-9]*.csv", "codes_old_*.csv")
    assert sum(one.objects for one in found.tables) == len(keys) - 1
    for one in found.tables:
        assert len([key for key in keys if glob(one.path).matches(key)]) == one.objects
    (alone,) = inspect_objects(place_of(str(folder / "latin.csv")), settings=settings).tables
    assert alone.path == "latin.csv"


def test_what_cannot_be_told_apart_by_a_path_is_said(tmp_path: Path, settings: Settings) -> None:
    put(tmp_path / "7_x.csv", "a,b\n1,2\n")
    put(tmp_path / "12345.csv", "a,b\n1,2\n")
    tables = inspect_objects(place_of(str(tmp_path)), settings=settings).tables
    (wide,) = (one for one in tables if one.pattern == "*.csv")
    assert "means other files, too, such as 7_x.csv" in wide.suspicions[-1]


@pytest.mark.stress
def test_ten_thousand_files_are_inspected(tmp_path: Path, settings: Settings) -> None:
    lines = "".join(f"{i},c{i % 9},{i / 4}\n" for i in range(100))
    for number in range(10_000):
        put(tmp_path / f"t/day={number % 28}/part-{number}.csv", "id,customer,amount\n" + lines)
    found = inspect_objects(place_of(str(tmp_path / "t")), settings=settings)
    (table,) = found.tables
    print(f"\n10,000 CSV files: listed {found.listing_s:.2f} s, all {found.seconds:.2f} s")
    assert table.estimate is not None
    assert table.estimate.rows == 1_000_000
