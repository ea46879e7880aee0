"""``platform.audit`` as a table: who may read it, and what stands there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from etl_platform.core.errors import EtlError, QueryRefused
from etl_platform.lakehouse.lake import Lake
from etl_platform.metastore import Metastore
from etl_platform.metastore.records import QueryRecord
from etl_platform.query import QueryTool
from etl_platform.query.audit import AuditTable
from etl_platform_tests.query.shop import build


@pytest.fixture
def lake(tmp_path: Path, lake_place: Callable[[Path], dict[str, str]]) -> Lake:
    return build(tmp_path, lake_place(tmp_path))


@pytest.fixture
def metastore(tmp_path: Path) -> Metastore:
    return Metastore.open(f"sqlite:///{tmp_path}/meta.db")


def test_every_answer_and_refusal_is_a_row_with_its_role(lake: Lake, metastore: Metastore) -> None:
    tool = QueryTool(lake, metastore)
    tool.run("select id from shop.orders where amount > ?", [6.0], role="analyst")
    for sql, role in {
        "from hr.salaries": "analyst",
        "drop table x": "clerk",
        "select 1": "root",
    }.items():
        with pytest.raises(QueryRefused):
            tool.run(sql, role=role)
    with pytest.raises(EtlError):
        tool.run("select error('no') as e", role="analyst")
    sql = "select role, status, rows, sql, tables from platform.audit order by id"
    first = tool.run(sql, role="auditor")
    assert first.rows() == [
        ("analyst", "ok", 3, "select id from shop.orders where amount > ?", '{"shop.orders": 0}'),
        ("analyst", "refused", None, "from hr.salaries", "{}"),
        ("clerk", "refused", None, "drop table x", "{}"),
        ("root", "refused", None, "select 1", "{}"),
        ("analyst", "failed", None, "select error('no') as e", "{}"),
    ]
    assert tool.run(sql, role="auditor")["sql"].to_list() == [*first["sql"].to_list(), sql]


def test_only_roles_that_name_it_read_the_audit(lake: Lake, metastore: Metastore) -> None:
    tool = QueryTool(lake, metastore)
    for role in ("analyst", "clerk", "admin"):
        with pytest.raises(QueryRefused, match=r"may not read platform\.audit"):
            tool.run("from platform.audit", role=role)
    settings = lake.settings.model_copy(update={"policies": None})
    mine = QueryTool(Lake(lake.uri, settings), metastore)
    assert mine.run("select count(*) as n from platform.audit where status = 'refused'").item() == 3


def test_threads_that_read_the_audit_at_once_see_each_query_once(
    lake: Lake, metastore: Metastore
) -> None:
    for number in range(20):
        metastore.record_query(QueryRecord(sql=f"select {number}"))

    def read(_: int) -> list[int]:
        snapshot = AuditTable(metastore.history, lake.settings).snapshot()
        rows = duckdb.connect().execute(f"SELECT id FROM {snapshot.relation_sql()} ORDER BY id")
        return [number for (number,) in rows.fetchall()]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == [list(range(1, 21))] * 4
