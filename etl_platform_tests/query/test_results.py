"""Kept results: exact, paged, private, bounded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.errors import PermanentError, QueryRefused
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.metastore import Metastore
from etl_platform.query import QueryTool

LINES = TableName("shop", "lines")
ALL = "select id from shop.lines order by id"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return opened(tmp_path)


def opened(folder: Path, **settings: object) -> Lake:
    lake = Lake(
        str(folder / "lake"),
        Settings.model_validate(
            {"lake_uri": str(folder / "lake"), "temp_dir": str(folder / "tmp"), **settings}
        ),
    )
    if not lake.exists(LINES):
        publish(lake, 0, 2500)
    return lake


def publish(lake: Lake, first: int, end: int) -> None:
    batch = pa.table({"id": list(range(first, end))})
    lake.publish(lake.stage(LINES, batch), Mode.APPEND if first else Mode.REPLACE)


def tool_of(lake: Lake) -> QueryTool:
    return QueryTool(lake, Metastore.open(f"sqlite:///{lake.settings.temp_dir}.db"))


def kept(lake: Lake) -> list[Path]:
    return sorted((Path(lake.settings.temp_dir) / "results").iterdir())


def test_the_same_question_is_computed_once_until_the_data_change(lake: Lake) -> None:
    tool = tool_of(lake)
    first = tool.ask("select sum(id) as s, $x::int as x from shop.lines", {"x": 1})
    again = tool.ask("select sum(id) as s, $x::int as x from shop.lines", {"x": 1})
    other = tool.ask("select sum(id) as s, $x::int as x from shop.lines", {"x": 2})
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert again.result.frame().equals(first.result.frame())
    publish(lake, 2500, 2600)
    newer = tool.ask("select sum(id) as s, $x::int as x from shop.lines", {"x": 1})
    assert not newer.cached
    assert newer.result.frame()["s"].item() == sum(range(2600))


def test_another_process_and_another_tool_find_the_result_too(lake: Lake) -> None:
    tool_of(lake).ask(ALL)
    assert tool_of(lake).ask(ALL).cached
    assert not tool_of(lake).ask(ALL, reuse=False).cached


def test_a_table_made_anew_under_an_old_name_is_not_taken_for_the_old_one(lake: Lake) -> None:
    tool = tool_of(lake)
    assert tool.ask(ALL).result.rows == 2500
    shutil.rmtree(Path(lake.uri) / "shop" / "lines")
    publish(lake, 0, 3)
    answer = tool.ask(ALL)
    assert (answer.plan.inputs[0].version, answer.cached, answer.result.rows) == (0, False, 3)


@pytest.mark.parametrize(
    "expression",
    ["random()", "now()", "current_date", "localtimestamp", "uuid()"],
)
def test_clocks_and_chance_are_asked_every_time(lake: Lake, expression: str) -> None:
    tool = tool_of(lake)
    sql = f"select {expression} as v from shop.lines limit 1"
    assert [tool.ask(sql).cached for _ in range(2)] == [False, False]


def test_a_sample_is_drawn_every_time(lake: Lake) -> None:
    tool = tool_of(lake)
    sql = "select id from shop.lines using sample 10%"
    assert [tool.ask(sql).cached for _ in range(2)] == [False, False]


def test_pages_are_of_one_result_while_the_data_change(lake: Lake) -> None:
    tool = tool_of(lake)
    page = tool.ask(ALL).result.page(1000)
    seen = page.frame["id"].to_list()
    while page.cursor is not None:
        publish(lake, 10_000 + len(seen), 10_001 + len(seen))
        page = tool.page(page.cursor, 1000)
        assert page.rows_total == 2500
        seen += page.frame["id"].to_list()
    assert seen == list(range(2500))


def test_asking_again_without_an_order_does_not_change_the_pages(lake: Lake) -> None:
    tool = tool_of(lake)
    result = tool.ask("select id from shop.lines").result
    before = tool.page(f"{result.id}:500", 10).frame
    tool.ask("select id from shop.lines", reuse=False)
    assert tool.page(f"{result.id}:500", 10).frame.equals(before)


def test_a_cursor_that_nobody_gave_is_refused(lake: Lake) -> None:
    tool = tool_of(lake)
    result = tool.ask(ALL).result
    for cursor in ("", "../../etc/passwd:0", f"{result.id}:-1", f"{result.id}", "x" * 5000):
        with pytest.raises(PermanentError, match="is no cursor"):
            tool.page(cursor)
    with pytest.raises(PermanentError, match="no longer kept"):
        tool.page(f"{result.id[:-4]}0000:0")


def test_only_the_owner_can_read_results(lake: Lake) -> None:
    tool_of(lake).ask(ALL)
    [result] = kept(lake)
    assert (result.stat().st_mode & 0o777, result.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_results_used_longest_ago_go_first(tmp_path: Path) -> None:
    lake = opened(tmp_path, results_limit=50_000)
    tool = tool_of(lake)
    sql = "select id + {} as id from shop.lines"  # 20 kB each
    for number in (1, 2, 1, 3):
        tool.ask(sql.format(number))
    assert len(kept(lake)) == 2
    assert [tool.ask(sql.format(number)).cached for number in (3, 1, 2)] == [True, True, False]


def test_a_result_larger_than_all_that_is_kept_is_answered(tmp_path: Path) -> None:
    lake = opened(tmp_path, results_limit=1000)
    answer = tool_of(lake).ask(ALL)
    assert answer.result.frame()["id"].to_list() == list(range(2500))
    assert kept(lake) == []
    with pytest.raises(PermanentError, match="no longer kept"):
        tool_of(lake).page(f"{answer.result.id}:10")


def test_a_damaged_result_is_computed_again(lake: Lake) -> None:
    tool = tool_of(lake)
    tool.ask(ALL)
    [result] = kept(lake)
    result.write_bytes(result.read_bytes()[:1000])
    again = tool.ask(ALL)
    assert (again.cached, again.result.rows) == (False, 2500)
    assert tool.ask(ALL).cached


def test_roles_do_not_share_results(tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    written = "roles:\n  a: {tables: {shop.lines: {rows: id < 10}}}\n  b: {tables: {'*': {}}}\n"
    policies.write_text(written)
    lake = opened(tmp_path, policies=str(policies))
    tool = tool_of(lake)
    every = tool.ask(ALL, role="b")
    few = tool.ask(ALL, role="a")
    assert (every.result.rows, few.result.rows, few.cached) == (2500, 10, False)
    cursor = every.result.page(100).cursor
    assert cursor is not None
    with pytest.raises(QueryRefused, match="another role"):
        tool.page(cursor, role="a")
    assert tool.page(cursor, 5, role="b").frame["id"].to_list() == [100, 101, 102, 103, 104]
    policies.write_text(written.replace("'*': {}", "'*': {rows: id < 5}"))
    with pytest.raises(QueryRefused, match="policy"):
        tool.page(cursor, role="b")
