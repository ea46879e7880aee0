"""Damaged objects among good ones, and very many small ones, through the component."""

from __future__ import annotations

import random
import resource
import time
from collections import Counter
from pathlib import Path

import pytest

from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.test_api_source import told
from etl_platform_tests.components.test_file_source import Place, declare, place
from etl_platform_tests.conformance.damaged_files import DAMAGES
from etl_platform_tests.conformance.file_contents import CONTENTS, EXPECTED

__all__ = ["place"]
_GOOD = {"csv": "csv", "ndjson": "ndjson", "json": "json", "parquet": "parquet"}
_FILES, _ROWS = 10_000, 100


@pytest.mark.parametrize("each", [1, pytest.param(10, marks=pytest.mark.stress)])
def test_each_of_twenty_kinds_of_damage_is_told_and_all_good_rows_are_published(
    project: Project, place: Place, each: int
) -> None:
    declare(project, place, path="orders/**")
    seed, good, bad = random.Random(20), list[str](), dict[str, str]()
    for turn in range(each):
        for name, content in _GOOD.items():
            good.append(f"orders/{turn:02d}/good.{name}")
            place.store.put(good[-1], CONTENTS[content])
        for number, (kind, damage) in enumerate(DAMAGES.items()):
            # Half of them are named as the good ones of the same kind are.
            format_name = kind.partition(":")[0]
            key = f"orders/{turn:02d}/{number:02d}" + (f".{format_name}" if number % 2 else "")
            bad[key] = kind
            place.store.put(key, damage(seed))
    result = project.materialize()
    assert result.success
    first = told(result, "shop/orders")
    assert first | {"files_loaded": len(good), "files_bad": len(bad)} == first
    rows = Counter(row["_file"] for row in project.rows("shop.orders"))
    assert rows == dict.fromkeys(good, len(EXPECTED))
    reasons = {row["key"]: row["reason"] for row in project.rows("shop.orders__bad_files")}
    assert reasons.keys() == bad.keys()
    assert all(reasons.values())
    if each > 1:
        print(f"{len(good)} good files, {sum(rows.values()):,} rows; {len(bad)} damaged, such as")
        for key, kind in list(bad.items())[: len(DAMAGES)]:
            print(f"  {kind:36} {reasons[key]}")


@pytest.mark.stress
def test_ten_thousand_small_files_are_one_commit(project: Project, place: Place) -> None:
    declare(project, place, path="orders/**/*.csv")
    for number in range(_FILES):
        first = number * _ROWS
        lines = [f"{n},{n % 997 / 4},customer {n % 89}" for n in range(first, first + _ROWS)]
        text = "\n".join(["id,amount,name", *lines]) + "\n"
        place.store.put(f"orders/{number // 1000}/{number:05d}.csv", text.encode())
    for expected in (_FILES, 0):
        begun, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        result = project.materialize()
        assert result.success
        seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        peak = next(
            line
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
        print(
            f"{place.store.uri.partition('/')[0] or 'folder'} {expected:,} new of {_FILES:,} "
            f"files: {seconds:.1f} s, {cpu:.1f} CPU s, {' '.join(peak.split())}"
        )
        assert told(result, "shop/orders").get("files_loaded", 0) == expected
    rows = project.rows("shop.orders")
    assert len(rows) == _FILES * _ROWS
    assert {row["id"] for row in rows} == set(range(_FILES * _ROWS))
