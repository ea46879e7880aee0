"""Where a view's name stands in a text, its SELECT stands afterwards, and nothing else changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from etl_platform.core.duck import connect
from etl_platform.core.errors import PermanentError, QueryRefused
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Origin
from etl_platform.lakehouse.log import Snapshot
from etl_platform.planner.stored_views import complete, expanded

VIEWS = {
    "shop.late": "SELECT id, days FROM shop.orders WHERE days > 1 -- late",
    "shop.worst": "SELECT * FROM shop.late WHERE days > 2",
    "main.own": "SELECT id FROM main.t",
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("views")
    made = Lake(str(folder / "lake"), Settings(temp_dir=str(folder / "spill")))
    rows = pl.DataFrame({"id": [1, 2, 3], "days": [1, 2, 3]})
    for name in ("shop.orders", "main.t"):
        table = TableName.parse(name)
        made.publish(made.stage(table, rows))
    define(made, VIEWS)
    return made


def define(lake: Lake, views: Mapping[str, str]) -> None:
    for name, sql in views.items():
        staged = lake.stage(TableName.parse(name), pl.DataFrame(schema={"id": pl.Int64}))
        lake.publish(staged, annotations=Origin(sql=sql, view=True).annotation())


@pytest.mark.parametrize(
    ("sql", "same"),
    [
        ("SELECT id FROM shop.late", "SELECT id FROM (SELECT * FROM o WHERE days > 1)"),
        ("FROM shop.late SELECT shop.late.id", "SELECT id FROM o WHERE days > 1"),
        ('SELECT late.id FROM "shop"."LATE"', "SELECT id FROM o WHERE days > 1"),
        ("SELECT l.id FROM shop.late l JOIN shop.worst w USING (id)", "SELECT 3"),
        ("SELECT x FROM shop.late AS l(x, y) WHERE y = 2", "SELECT 2"),
        ("SELECT count(*) FROM shop.late, shop.worst", "SELECT 2"),
        ("SELECT (SELECT max(id) FROM shop.late) + 1", "SELECT 4"),
        ("SELECT id FROM shop.orders o WHERE o.id IN (SELECT id FROM shop.worst)", "SELECT 3"),
        # What is not the view: a CTE of its name, and a CTE with the name of what the view reads.
        ("WITH late AS (SELECT 7 AS id) SELECT id FROM late", "SELECT 7"),
        (
            "WITH t AS (SELECT 7 AS id) SELECT id FROM own WHERE id = 3 UNION FROM t",
            "VALUES (3), (7)",
        ),
        ("SELECT 'shop.late' AS text, /* shop.late */ id FROM shop.worst", "SELECT 'shop.late', 3"),
        (
            "FROM (PIVOT shop.late ON days USING sum(id))",
            "SELECT 2, 3",
        ),
    ],
)
def test_a_view_gives_what_its_select_gives(lake: Lake, sql: str, same: str) -> None:
    found = expanded(sql, lake.find)
    with connect(lake.settings) as con:
        con.execute("CREATE SCHEMA shop")
        for table, snapshot in found.tables.items():
            con.execute(f"CREATE VIEW {table.sql} AS FROM {snapshot.relation_sql()}")
        con.execute("CREATE TEMP TABLE o AS SELECT range AS id, range AS days FROM range(1, 4)")
        rows = con.execute(found.sql).fetchall()
        assert sorted(rows, key=str) == sorted(con.execute(same).fetchall(), key=str)


def test_a_text_without_views_stays_as_it_is(lake: Lake) -> None:
    sql = "SELECT  id -- shop.late\nFROM shop.orders, nowhere.at_all"
    found = expanded(sql, lake.find)
    assert (found.sql, found.views) == (sql, {})
    assert found.tables.keys() == {TableName("shop", "orders")}


def test_each_table_is_looked_up_once(lake: Lake) -> None:
    asked: list[TableName] = []

    def find(table: TableName) -> Snapshot | None:
        asked.append(table)
        return lake.find(table)

    found = expanded("FROM shop.worst, shop.worst b, shop.late, shop.orders c", find)
    assert len(asked) == len(set(asked)) == 3
    assert [view.sql for view in sorted(found.views)] == ["shop.late", "shop.worst"]


def test_circles_and_texts_without_end_are_refused(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"), Settings(temp_dir=str(tmp_path / "spill")))
    define(lake, {"a.one": "FROM a.two", "a.two": "SELECT 1 FROM a.one"})
    with pytest.raises(PermanentError, match=r"circle: a\.one -> a\.two -> a\.one"):
        expanded("FROM a.one", lake.find)
    with pytest.raises(PermanentError, match=r"circle: a\.one -> a\.two -> a\.one"):
        expanded("FROM a.two", lake.find, path=(TableName("a", "one"),))
    double = {f"b.v{i}": f"FROM b.v{i + 1} x, b.v{i + 1} y" for i in range(16)}
    define(lake, {**double, "b.v16": f"SELECT '{'x' * 50}' AS id"})
    with pytest.raises(QueryRefused, match="with its views the statement has"):
        expanded("FROM b.v0", lake.find)


def test_names_are_complete_where_a_cte_could_take_them() -> None:
    sql = 'WITH a AS (FROM b) SELECT b.x, "C".y FROM a, b, s.d, "C" -- b'
    assert complete(sql) == (
        'WITH a AS (FROM main.b) SELECT b.x, "C".y FROM a, main.b, s.d, main."C" -- b'
    )
