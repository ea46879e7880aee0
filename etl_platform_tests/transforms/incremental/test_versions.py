"""A snapshot keeps what was true before: rows end and begin, in one commit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.duck import connect
from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake, Mode
from etl_platform.transforms.incremental.versions import versions
from etl_platform.transforms.validity import with_validity
from etl_platform_tests.transforms.incremental.test_equal_to_full import settings

PRICES = TableName("mart", "prices")
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(settings=settings(tmp_path))


def keep(lake: Lake, day: int, **columns: list[object]) -> None:
    now = START + timedelta(days=day)
    with connect(lake.settings) as con:
        con.register("source", pa.table(columns))
        found = versions(
            con, lake.settings, PRICES, ["id"], con.sql("FROM source"), lake.find(PRICES), now
        )
        staged = lake.stage(PRICES, found.rows)
        mode = Mode.REPLACE if found.replaced is None else Mode.REPLACE_ROWS
        lake.publish(staged, mode, replaced=found.replaced)
        found.discard()


def history(lake: Lake) -> list[tuple[object, ...]]:
    def day(moment: datetime | None) -> int | None:
        return None if moment is None else (moment - START).days

    names = [name for name in lake.schema(PRICES).names if not name.startswith("valid_")]
    rows = lake.scan(PRICES).select(*names, "valid_from", "valid_to").collect().rows()
    return sorted(((*row[:-2], day(row[-2]), day(row[-1])) for row in rows), key=repr)


def test_rows_begin_change_end_and_come_back(lake: Lake) -> None:
    keep(lake, 0, id=[1, 2, 3], price=[10, 20, None])
    keep(lake, 1, id=[1, 3, 4], price=[11, None, 40])
    assert history(lake) == [
        (1, 10, 0, 1),
        (1, 11, 1, None),
        (2, 20, 0, 1),
        (3, None, 0, None),
        (4, 40, 1, None),
    ]
    keep(lake, 2, id=[1, 2, 3, 4], price=[11, 20, 30, 40])
    keep(lake, 3, id=[1, 2, 3, 4], price=[11, 20, 30, 40])
    assert history(lake)[2:] == [
        (2, 20, 0, 1),
        (2, 20, 2, None),
        (3, 30, 2, None),
        (3, None, 0, 2),
        (4, 40, 1, None),
    ]
    assert not [*Path(lake.settings.temp_dir).glob("keys-*")]


def test_a_new_column_is_a_change_of_the_rows_that_have_a_value(lake: Lake) -> None:
    keep(lake, 0, id=[1, 2], price=[10, 20])
    keep(lake, 1, id=[1, 2], price=[10, 20], unit=["kg", None])
    assert history(lake) == [
        (1, 10, "kg", 1, None),
        (1, 10, None, 0, 1),
        (2, 20, None, 0, None),
    ]


def test_time_does_not_go_back(lake: Lake) -> None:
    keep(lake, 5, id=[1], price=[10])
    keep(lake, 4, id=[1], price=[11])
    rows = lake.scan(PRICES).sort("price").collect().rows()
    assert rows[0][3] == rows[1][2] == START + timedelta(days=5, microseconds=1)


def test_a_key_that_is_none_is_refused(lake: Lake) -> None:
    with pytest.raises(PermanentError, match=r"null or not unique: \(1,\) x2"):
        keep(lake, 0, id=[1, 1], price=[1, 2])
    lake.publish(lake.stage(PRICES, pa.table({"id": [1]})))
    with pytest.raises(PermanentError, match="it is no snapshot"):
        keep(lake, 0, id=[1], price=[1])
    with pytest.raises(ConfigError, match="adds the column 'Valid_To' itself"):
        with_validity({"Valid_To": "DATE"}, "prices.sql")
