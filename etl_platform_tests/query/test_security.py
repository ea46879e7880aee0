"""Every attempt at files, settings, hidden rows and masked values fails, and is audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from etl_platform.core.errors import EtlError, LimitExceeded, PermanentError, QueryRefused
from etl_platform.lakehouse.lake import Lake
from etl_platform.metastore import Metastore
from etl_platform.query import QueryTool
from etl_platform.query.tool import recordable
from etl_platform_tests.query import attempts
from etl_platform_tests.query.shop import CUSTOMERS, SECRETS, build


@pytest.fixture(scope="module")
def lake(
    tmp_path_factory: pytest.TempPathFactory, lake_place: Callable[[Path], dict[str, str]]
) -> Lake:
    folder = tmp_path_factory.mktemp("security")
    return build(folder, lake_place(folder))


@pytest.fixture(scope="module")
def metastore(tmp_path_factory: pytest.TempPathFactory) -> Metastore:
    return Metastore.open(f"sqlite:///{tmp_path_factory.mktemp('audit')}/meta.db")


@pytest.fixture(scope="module")
def tool(lake: Lake, metastore: Metastore) -> QueryTool:
    return QueryTool(lake, metastore)


@pytest.fixture(scope="module")
def places(lake: Lake) -> Mapping[str, str]:
    return {"FILE": lake.files(CUSTOMERS)[0].uri, "LAKE": lake.uri}


def filled(sql: str, places: Mapping[str, str]) -> str:
    for name, place in places.items():
        sql = sql.replace(name, place)
    return sql


def audited(metastore: Metastore, sql: str, statuses: set[str]) -> None:
    """The newest record is of this attempt, and tells no secret either."""
    newest = metastore.queries(1)[0]
    assert newest.sql == recordable(sql)
    assert newest.role == "analyst"
    assert newest.status in statuses
    assert told(newest.error or "", sql) == []


def told(text: str, sql: str) -> list[str]:
    """The secrets in a text that the attempt did not write itself."""
    return [s for s in SECRETS if s in text.lower() and s not in sql.lower()]


@pytest.mark.parametrize("sql", attempts.REFUSED)
def test_refused(
    tool: QueryTool, metastore: Metastore, places: Mapping[str, str], sql: str
) -> None:
    text = filled(sql, places)
    with pytest.raises(PermanentError) as refused:
        tool.run(text, role="analyst")
    assert told(str(refused.value), text) == []
    audited(metastore, text, {"refused", "failed"})


@pytest.mark.parametrize("sql", attempts.CONFINED)
def test_confined(tool: QueryTool, metastore: Metastore, sql: str) -> None:
    try:
        frame = tool.run(sql, role="analyst")
        found = str(frame.to_dict(as_series=False))
    except EtlError as error:
        found = str(error)
    assert told(found, sql) == []
    audited(metastore, sql, {"ok", "failed"})


@pytest.mark.parametrize("sql", attempts.EXACT)
def test_the_answer_is_that_of_what_the_role_sees(
    tool: QueryTool, metastore: Metastore, sql: str
) -> None:
    frame = tool.run(sql, role="analyst")
    assert (frame.item() if frame.height else None) == attempts.EXACT[sql]
    audited(metastore, sql, {"ok"})


@pytest.mark.parametrize("sql", attempts.EXHAUSTION)
def test_a_query_that_takes_too_much_is_ended(
    tool: QueryTool, metastore: Metastore, sql: str
) -> None:
    with pytest.raises(PermanentError):
        tool.run(sql, role="hurried")
    newest = metastore.queries(1)[0]
    assert (newest.sql, newest.role, newest.status) == (sql, "hurried", "failed")


@pytest.mark.parametrize("kind", attempts.BOMBS)
def test_a_text_that_nobody_could_mean_is_refused(
    tool: QueryTool, metastore: Metastore, kind: str
) -> None:
    with pytest.raises(PermanentError):
        tool.run(attempts.BOMBS[kind], role="analyst")
    audited(metastore, attempts.BOMBS[kind], {"refused", "failed"})


@pytest.mark.parametrize("sql", ["from shop.orders", "select id from shop.orders limit 1"])
def test_a_role_reads_no_more_than_it_may(tool: QueryTool, sql: str) -> None:
    with pytest.raises(LimitExceeded, match="would read"):
        tool.run(sql, role="tiny")


def test_a_role_gets_no_more_rows_than_it_may(tool: QueryTool) -> None:
    with pytest.raises(LimitExceeded, match="rows"):
        tool.run("from range(1001)", role="analyst")
    assert tool.run("from range(1000)", role="analyst").height == 1000


@pytest.mark.parametrize("thief", ["analyst", "clerk", "nobody"])
def test_the_pages_of_another_role_are_refused(
    tool: QueryTool, metastore: Metastore, thief: str
) -> None:
    cursor = tool.ask("from shop.customers", role="admin").result.page(2).cursor
    assert cursor is not None
    assert tool.page(cursor, 2, "admin").frame.height == 2
    with pytest.raises(QueryRefused):
        tool.page(cursor, 2, thief)
    newest = metastore.queries(1)[0]
    assert (newest.sql, newest.role, newest.status) == (f"-- page {cursor}", thief, "refused")


def test_the_answer_kept_for_one_role_is_not_given_to_another(tool: QueryTool) -> None:
    sql = "select max(id) as n from shop.customers"
    assert [tool.ask(sql, role=r).result.frame().item() for r in ("admin", "analyst")] == [6, 3]
    assert tool.ask(sql, role="analyst").cached


def test_there_are_enough_attempts_and_no_two_alike() -> None:
    every = [
        *attempts.REFUSED,
        *attempts.CONFINED,
        *attempts.EXACT,
        *attempts.EXHAUSTION,
        *attempts.BOMBS,
    ]
    assert len(every) == len(set(every))
    assert len(every) >= 120
