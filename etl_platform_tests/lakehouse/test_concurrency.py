"""Many writers and readers at once: no lost update, no torn read."""

from __future__ import annotations

import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor

import pyarrow as pa

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform_tests.lakehouse.conftest import ORDERS

_SPAWN = mp.get_context("spawn")


def _append(uri: str, worker: int, times: int) -> None:
    lake = Lake(settings=Settings(lake_uri=uri))
    for turn in range(times):
        data = pa.table({"id": [worker * times + turn], "worker": [worker]})
        lake.publish(lake.stage(ORDERS, data), Mode.APPEND)


def _upsert(uri: str, worker: int, times: int) -> None:
    lake = Lake(settings=Settings(lake_uri=uri))
    for turn in range(times):
        data = pa.table({"id": [0, worker + 1], "worker": [worker, turn]})
        lake.publish(lake.stage(ORDERS, data), Mode.UPSERT, key=("id",))


def _replace(uri: str, generations: int) -> None:
    lake = Lake(settings=Settings(lake_uri=uri))
    for generation in range(1, generations + 1):
        data = pa.table({"id": range(100), "worker": [generation] * 100})
        lake.publish(lake.stage(ORDERS, data))


def _read(uri: str, table: TableName, times: int) -> list[tuple[int, int]]:
    """(rows, distinct generations) of each read."""
    from etl_platform.core.sessions import session

    lake = Lake(settings=Settings(lake_uri=uri))
    seen: list[tuple[int, int]] = []
    for _ in range(times):
        with session(lake.settings) as con:
            sql = f"SELECT count(*), count(DISTINCT worker) FROM {lake.relation_sql(table)}"
            row = con.execute(sql).fetchone()
            assert row is not None
            seen.append((row[0], row[1]))
    return seen


def test_appends_of_several_processes_are_all_kept(lake: Lake) -> None:
    with ProcessPoolExecutor(3, mp_context=_SPAWN) as pool:
        for done in [pool.submit(_append, lake.uri, worker, 5) for worker in range(3)]:
            done.result()
    assert sorted(lake.scan(ORDERS).collect()["id"]) == list(range(15))


def test_upserts_of_the_same_new_key_by_several_processes_leave_one_row(lake: Lake) -> None:
    with ProcessPoolExecutor(3, mp_context=_SPAWN) as pool:
        for done in [pool.submit(_upsert, lake.uri, worker, 4) for worker in range(3)]:
            done.result()
    assert sorted(lake.scan(ORDERS).collect()["id"]) == [0, 1, 2, 3]


def test_readers_see_one_whole_version_while_a_writer_replaces_it(lake: Lake) -> None:
    _replace(lake.uri, 1)
    with ProcessPoolExecutor(3, mp_context=_SPAWN) as pool:
        writer = pool.submit(_replace, lake.uri, 15)
        readers = [pool.submit(_read, lake.uri, ORDERS, 25) for _ in range(2)]
        writer.result()
        for reader in readers:
            assert set(reader.result()) == {(100, 1)}
