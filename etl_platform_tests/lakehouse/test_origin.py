"""What a version was made from stays with it."""

from __future__ import annotations

import pyarrow as pa

from etl_platform.core.names import TableName
from etl_platform.lakehouse import External, Lake, Mode, Origin
from etl_platform_tests.lakehouse.conftest import ORDERS

A, B = TableName("s", "a"), TableName("s", "b")
MODEL = Origin({A: 3, B: 0}, {"id": ((A, "x"), (A, "y"), (B, "x")), "n": ()}, "SELECT 1")
READ = Origin(source=External("shop", "postgresql", 'public."or.ders'), source_columns=("id",))


def publish(lake: Lake, origin: Origin | None, mode: Mode = Mode.REPLACE) -> None:
    staged = lake.stage(ORDERS, pa.table({"id": [1]}))
    lake.publish(staged, mode, annotations=origin.annotation() if origin else None)


def test_an_origin_is_read_back_as_it_was_written() -> None:
    for origin in (MODEL, READ, Origin({A: 0}), Origin()):
        assert Origin.of(origin.annotation()) == origin
    assert Origin.of({}) is None


def test_each_version_tells_its_own_origin_and_a_revert_brings_it_back(lake: Lake) -> None:
    publish(lake, READ)
    publish(lake, MODEL, Mode.APPEND)
    assert lake.compact(ORDERS) is not None
    assert (lake.origin(ORDERS), lake.origin(ORDERS, 0)) == (MODEL, READ)
    lake.revert(ORDERS, 0)
    assert lake.origin(ORDERS) == READ


def test_a_batch_of_unknown_origin_does_not_take_over_that_of_earlier_ones(lake: Lake) -> None:
    publish(lake, READ)
    publish(lake, None, Mode.APPEND)
    assert lake.origin(ORDERS) is None
