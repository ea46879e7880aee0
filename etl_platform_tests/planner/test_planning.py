"""A plan as a whole: pinned, estimated, explained, and equal to itself."""

from __future__ import annotations

import json
import pickle

import pyarrow as pa
import pytest

from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.metastore.records import QueryRecord
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.estimation import Corrections
from etl_platform.planner.plan import Plan
from etl_platform.planner.planning import plan

ORDERS = TableName("shop", "orders")


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(settings=Settings(lake_uri=f"{tmp_path}/lake", temp_dir=f"{tmp_path}/tmp"))
    lake.publish(lake.stage(ORDERS, pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"]})))
    return lake


def test_every_mention_of_a_table_is_pinned_to_one_version(lake: Lake) -> None:
    catalog = LakeCatalog(lake)
    sql = "select * from shop.orders where id in (select max(id) from shop.orders)"
    first = plan(sql, catalog)
    lake.publish(lake.stage(ORDERS, pa.table({"id": [4], "name": ["d"]})), Mode.APPEND)
    second = plan(sql, catalog)
    assert [(t.table, t.version) for p in (first, second) for t in p.inputs] == [
        (ORDERS, 0),
        (ORDERS, 1),
    ]
    assert len(first.inputs[0].uris) == 1
    assert first.key != second.key


def test_a_table_that_is_dropped_and_made_again_is_opened_again(lake: Lake) -> None:
    import shutil

    catalog = LakeCatalog(lake)
    before = plan("from shop.orders", catalog).inputs[0].uris
    shutil.rmtree(f"{lake.uri}/{ORDERS.path}")
    with pytest.raises(UnknownName):
        plan("from shop.orders", catalog)
    lake.publish(lake.stage(ORDERS, pa.table({"id": [9]})))
    assert plan("from shop.orders", catalog).inputs[0].uris != before


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("select id from shop.orders", "SELECT\n id -- the key\nFROM shop.orders", True),
        ("select id from shop.orders", "select ID from shop.orders", False),
        ("select 'A' from shop.orders", "select 'a' from shop.orders", False),
        ("select id from shop.orders", "select id from shop.orders limit 1", False),
        ("select 1 // 2 from shop.orders", "select 1 / 2 from shop.orders", False),
        ("select /* a */ id from shop.orders", "select /* b */ id from shop.orders", True),
    ],
)
def test_the_key_tells_questions_apart_and_spellings_not(
    lake: Lake, one: str, other: str, same: bool
) -> None:
    catalog = LakeCatalog(lake)
    assert (plan(one, catalog).key == plan(other, catalog).key) is same


def test_the_key_depends_on_bound_values_and_their_types(lake: Lake) -> None:
    catalog, sql = LakeCatalog(lake), "select * from shop.orders where id = ?"
    keys = {plan(sql, catalog, params=[value]).key for value in (1, 2, "1", 1.0, True)}
    assert len(keys) == 5


def test_another_dialect_is_translated_and_the_text_kept(lake: Lake) -> None:
    text = "select `id`, IFNULL(name, 'x') from shop.orders"
    planned = plan(text, LakeCatalog(lake), dialect="mysql")
    assert planned.text == text
    assert planned.sql == "SELECT \"id\", COALESCE(name, 'x') FROM shop.orders"
    assert "runs:" in planned.explain()


def test_a_plan_is_data(lake: Lake) -> None:
    planned = plan("select id from shop.orders where id = 2", LakeCatalog(lake))
    assert isinstance(pickle.loads(pickle.dumps(planned)), Plan)
    told = json.loads(planned.as_json())
    assert told["inputs"][0]["table"] == "shop.orders"
    assert told["rules"][0] == {"rule": "pin", "changed": True, "why": "shop.orders at version 0"}


class _Past:
    def __init__(self, known: dict[str, float], others: list[QueryRecord]) -> None:
        self.known, self.others = known, others

    def runs(self, key: str, limit: int = 20) -> list[QueryRecord]:
        return [QueryRecord(sql="", seconds=self.known[key])] if key in self.known else []

    def newest(self, limit: int = 50, *, status: str | None = None) -> list[QueryRecord]:
        return self.others[:limit]


def test_seconds_are_what_the_same_plan_took_before(lake: Lake) -> None:
    catalog, sql = LakeCatalog(lake), "select count(*) from shop.orders"
    formula = plan(sql, catalog)
    corrections = Corrections(_Past({formula.key: 7.5}, []))
    assert plan(sql, catalog, corrections=corrections).estimate.seconds == 7.5
    assert formula.estimate.rows == 1


def test_seconds_of_a_new_plan_are_corrected_by_what_others_took(lake: Lake) -> None:
    catalog, sql = LakeCatalog(lake), "select * from shop.orders"
    slow = [QueryRecord(sql=f"select {i}", seconds=2.0, scanned_bytes=1) for i in range(5)]
    formula = plan(sql, catalog).estimate.seconds
    corrected = plan(sql, catalog, corrections=Corrections(_Past({}, slow))).estimate.seconds
    assert corrected == pytest.approx(100 * formula, rel=0.01)


def test_a_text_takes_on_other_versions_what_it_took_last_in_proportion_to_bytes(
    lake: Lake,
) -> None:
    catalog, sql = LakeCatalog(lake), "select * from shop.orders"
    read = plan(sql, catalog).size_bytes
    before = [
        QueryRecord(sql=sql, seconds=7.0, scanned_bytes=read, role="other"),
        QueryRecord(sql=sql, seconds=3.0, scanned_bytes=read),
        QueryRecord(sql=sql, seconds=0.1, scanned_bytes=read, cached=True),
        QueryRecord(sql=sql, seconds=9.0, scanned_bytes=read),
    ]
    corrections = Corrections(_Past({}, before))
    seconds = plan(sql, catalog, corrections=corrections).estimate.seconds
    assert seconds == pytest.approx(3.0)
    corrections.learn(QueryRecord(sql=sql, seconds=5.0, scanned_bytes=read))
    seconds = plan(sql, catalog, corrections=corrections).estimate.seconds
    assert seconds == pytest.approx(5.0)
