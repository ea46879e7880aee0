"""A published version is profiled as a batch was, whatever its files are like."""

from __future__ import annotations

import polars as pl
import pytest

from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.history import version_points
from etl_platform.lakehouse.published import View, kept_profile, made_profile
from etl_platform.metastore import Metastore
from etl_platform.quality import Contract

TABLE = TableName("shop", "orders")


def orders(first: int, rows: int, **more: object) -> pl.DataFrame:
    return pl.DataFrame({"id": range(first, first + rows), **more})


def load(lake, data, mode=Mode.REPLACE, month=None, metastore=None):
    partition = None if month is None else {"month": month}
    by = () if month is None else ("month",)
    return admit(
        lake,
        TABLE,
        data,
        Contract(),
        mode=mode,
        partition_by=by,
        partition=partition,
        metastore=metastore,
    )


def test_a_profile_made_later_is_the_one_that_was_kept(lake):
    load(lake, orders(0, 500, name=["a", "b", None, "d", "e"] * 100))
    view = View(lake.snapshot(TABLE))
    kept, made = kept_profile(lake, view), made_profile(lake.settings, view)
    assert kept is not None
    assert made.columns == kept.columns
    assert (made.rows, made.keys, made.correlations) == (500, kept.keys, kept.correlations)


def test_files_from_before_a_column_was_added_have_nulls_there(lake):
    load(lake, orders(0, 10))
    load(lake, orders(10, 10, extra=["x"] * 10), Mode.APPEND)
    view = View(lake.snapshot(TABLE))
    assert not view.snapshot.uniform
    found = made_profile(lake.settings, view)
    assert (found.rows, found.column("extra").nulls, found.column("id").max) == (20, 10, 19)
    assert made_profile(lake.settings, View(lake.snapshot(TABLE, 0))).rows == 10


def test_a_partition_and_some_columns_are_a_part_of_their_own(lake):
    for n, month in enumerate(("01", "02")):
        data = orders(n * 100, 10 + n, month=[month] * (10 + n))
        load(lake, data, Mode.REPLACE_PARTITION, month)
    view = View(lake.snapshot(TABLE), {"month": "02"}, ("id",))
    kept, made = kept_profile(lake, view), made_profile(lake.settings, view)
    assert kept is not None
    assert kept.columns == made.columns
    assert [(c.name, c.min, c.max) for c in made.columns] == [("id", 100, 110)]
    with pytest.raises(UnknownName, match="unknown partition 'month=03'"):
        made_profile(lake.settings, View(lake.snapshot(TABLE), {"month": "03"}))
    with pytest.raises(UnknownName, match="unknown column 'ids'"):
        View(lake.snapshot(TABLE), columns=("ids",))


def test_a_table_without_rows_has_a_profile(lake):
    load(lake, orders(0, 0))
    assert made_profile(lake.settings, View(lake.snapshot(TABLE))).rows == 0


def test_versions_tell_rows_and_the_score_of_what_they_brought(lake, settings):
    metastore = Metastore.open(settings.metastore_url)
    load(lake, orders(0, 4, name=["a", "b", "c", None]), metastore=metastore)
    load(lake, orders(4, 2, name=["a", "b"]), Mode.APPEND, metastore=metastore)
    lake.compact(TABLE)
    found = version_points(lake, metastore, TABLE)
    assert [(p.version, p.rows) for p in found] == [(0, 4), (1, 6)]
    assert found[0].score is not None
    assert found[0].score < 100
    assert found[1].score == 100
    assert version_points(lake, None, TABLE, until=0)[-1].score is None
    metastore.close()
