"""Keys become tables by what they have in common, however many there are."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from etl_platform.core.objects import ObjectInfo
from etl_platform.generate.objects.grouping import group
from etl_platform.generate.objects.partitioning import IN_NAMES
from etl_platform.generate.objects.patterns import pattern_of, table_name

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def info(key: str, size: int = 10) -> ObjectInfo:
    return ObjectInfo(key, size, "e", MOMENT)


@pytest.mark.parametrize(
    ("key", "pattern", "name"),
    [
        ("orders/day=2024-01-31/part-00001.csv", "orders/day=*/part-*.csv", "orders"),
        ("in/2024/01/31/orders_20240131.csv.gz", "in/*/*/*/orders_*.csv.gz", "orders"),
        ("part-0-5f9c1a2b-1111-2222-3333-444455556666.c000.snappy.PARQUET",
         "part-*.c000.snappy.parquet", "part"),
        ("shop/Order Lines.xlsx", "shop/Order Lines.xlsx", "order_lines"),
        ("logs/2024-01-31T10:00:00Z", "logs/*", "logs"),
        ("events/0a1b2c3d4e.json", "events/*.json", "events"),
        ("shop1/run-2024-01-31/12345.csv", "shop1/run-*/*.csv", "run"),
        ("12345", "*", "data"),
        ("events/e_1.json", "events/e_*.json", "events"),
    ],
)  # fmt: skip
def test_what_differs_between_files_of_a_table_is_a_star(key: str, pattern: str, name: str) -> None:
    found = pattern_of(key)
    assert (found.text, table_name(found)) == (pattern, name)


def test_partitions_are_counted_and_typed() -> None:
    days = [info(f"a/year={2020 + i % 3}/zone=0{i % 2}/day=2024-01-0{1 + i % 9}/x.csv")
            for i in range(90)]  # fmt: skip
    named = [info(f"b/sales_2024{month:02d}15.csv") for month in range(1, 13)]
    first, second = group([*days, *named]).groups
    told = [(p.name, p.type, p.values, p.low, p.high) for p in first.partitions()]
    assert told == [
        ("year", "int64", 3, "2020", "2022"),
        ("zone", "string", 2, "00", "01"),
        ("day", "date32", 9, "2024-01-01", "2024-01-09"),
    ]
    (dated,) = second.partitions()
    assert (dated.name, dated.low, dated.high) == (IN_NAMES, "2024-01-15", "2024-12-15")


def test_what_is_no_data_is_left_aside_and_counted() -> None:
    found = group(
        [info("t/_SUCCESS", 0), info("t/.part-0.crc"), info("t/a.csv"), info("t/b.csv", 0),
         info("d/_delta_log/0.json"), info("t/_tmp/a.csv", 5)]
    )  # fmt: skip
    assert [one.pattern.text for one in found.groups] == ["t/a.csv"]
    assert {one.reason.split()[0]: one.objects for one in found.aside} == {
        "names": 3,
        "empty": 1,
        "log": 1,
    }
    assert (found.objects, found.size_bytes) == (6, 35)


def test_a_folder_of_differently_named_files_is_one_table() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [f"{a}{b}" for a in letters for b in letters]
    found = group([info("few.csv"), *(info(f"many/{word}.csv") for word in words)])
    assert [(one.pattern.text, one.objects) for one in found.groups] == [
        ("many/*.csv", len(words)),
        ("few.csv", 1),
    ]
    assert len({one.key for one in found.groups[0].drawn}) == 10


def keys(count: int) -> Iterator[ObjectInfo]:
    for number in range(count):
        yield info(f"t{number % 7}/id={number + 1}/part-{number:09d}.parquet", number % 100)


def peak(count: int) -> int:
    tracemalloc.start()
    found = group(keys(count))
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.objects == count
    assert len(found.groups) == 7
    return size


def test_bounds_of_a_partition_are_right_also_when_its_values_are_too_many_to_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etl_platform.generate.objects.partitioning._MOST_VALUES", 10)
    (found,) = group(info(f"t/id={n}/x.csv") for n in (5, 40, *range(10, 30), 3)).groups
    (values,) = found.partitions()
    assert (values.values, values.more, values.low, values.high) == (10, True, "3", "40")


@pytest.mark.stress
def test_millions_of_keys_take_no_more_memory_than_some() -> None:
    count = int(os.environ.get("INSPECT_KEYS", "2_000_000"))
    small, large = peak(100_000), peak(count)
    print(f"\n100,000 keys: {small / 1e6:.1f} MB, {count:,} keys: {large / 1e6:.1f} MB")
    assert large < small * 1.2
