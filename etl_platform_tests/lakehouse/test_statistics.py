"""The statistics in the Delta log: right JSON types, and bounds that really bound."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.core.staged import ColumnStats, DataFile
from etl_platform.lakehouse import Lake
from etl_platform.lakehouse.statistics import delta_stats
from etl_platform_tests.lakehouse.conftest import ORDERS


def logged(lake: Lake) -> dict[str, dict[str, object]]:
    log = lake.root.store.read(f"{ORDERS.path}/_delta_log/00000000000000000000.json").decode()
    adds = [json.loads(line) for line in log.splitlines() if '"add"' in line]
    return json.loads(adds[0]["add"]["stats"], parse_float=Decimal)


def test_each_type_has_the_json_type_that_the_protocol_names(lake: Lake) -> None:
    table = pa.table(
        {
            "n": [1, -5],
            "x": [0.5, 2.0],
            "money": [Decimal("12345678901234567890.10"), Decimal("0.05")],
            "text": ["ä", "b"],
            "day": [dt.date(2024, 2, 29), dt.date(2024, 1, 1)],
            "naive": [dt.datetime(2024, 1, 1, 1, 2, 3, 456789), None],
            "zoned": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None]),
            "flag": [True, False],
            "nested": [[1], [2]],
        }
    )
    lake.publish(lake.stage(ORDERS, table))
    assert logged(lake) == {
        "numRecords": 2,
        "minValues": {
            "n": -5,
            "x": Decimal("0.5"),
            "money": Decimal("0.05"),
            "text": "b",
            "day": "2024-01-01",
            "naive": "2024-01-01T01:02:03.456",
            "zoned": "2024-01-01T00:00:00.000Z",
        },
        "maxValues": {
            "n": 1,
            "x": Decimal("2.0"),
            "money": Decimal("12345678901234567890.10"),
            "text": "ä",
            "day": "2024-02-29",
            "naive": "2024-01-01T01:02:03.457",
            "zoned": "2024-01-01T00:00:00.000Z",
        },
        "nullCount": {"n": 0, "x": 0, "money": 0, "text": 0, "day": 0, "naive": 1, "zoned": 1}
        | {"flag": 0},
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_json_cannot_hold_leaves_the_column_unbounded(
    lake: Lake, value: float
) -> None:
    lake.publish(lake.stage(ORDERS, pa.table({"x": [1.0, value]})))
    assert logged(lake)["minValues"] == {}


@given(st.text(max_size=80))
def test_a_shortened_string_bound_still_bounds(text: str) -> None:
    schema = pa.schema([("s", pa.string())])
    file = DataFile("f", "f", 1, 1, {}, {"s": ColumnStats(0, text, text)})
    stats = json.loads(delta_stats(file, schema, ()))
    if "s" in stats["minValues"]:
        # Delta compares UTF-8 bytes, which order as code points do.
        assert stats["minValues"]["s"] <= text <= stats["maxValues"]["s"]
        assert len(stats["maxValues"]["s"]) <= 32
