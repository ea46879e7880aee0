"""Failures are remembered, found again by their cause, and ended with what differed."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from etl_platform import Platform
from etl_platform.cli.app import app
from etl_platform.components.assets import TableAsset, build_asset
from etl_platform.components.options import AssetOptions
from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.redaction import remember
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.monitoring.failures import nearest, signature
from etl_platform.publishing.failure_memory import FIXED_TAG, SIMILAR_TAG
from etl_platform.publishing.failures import Retries
from etl_platform.quality import Contract
from etl_platform.resources import LakeResource
from etl_platform.sources.database import Database, Extraction, extract, reflect

ORDERS = TableName("shop", "orders")
Cause = Callable[[Path, str, int], object]


def _sql(statement: str) -> Cause:
    def run(folder: Path, name: str, number: int) -> None:
        with duckdb.connect() as con:
            con.execute(
                f"CREATE TABLE t AS SELECT 'a {name}' AS text, 250::TINYINT * 0 AS n"
                if 0
                else f"CREATE TABLE t AS SELECT 'a {name}' AS text, 100::TINYINT AS n"
            )
            con.execute(statement.format(name=name, number=number)).fetchall()

    return run


def _contract(folder: Path, name: str, number: int) -> None:
    contract = Contract.model_validate(
        {"rules": [{"rule": "range", "column": name, "max": number, "action": "block"}]}
    )
    data = pa.table({name: [number + n for n in range(number + 2)]})
    admit(
        Lake(settings=Settings(lake_uri=str(folder / "lake"))), TableName("x", name), data, contract
    )


def _duplicates(folder: Path, name: str, number: int) -> None:
    lake = Lake(settings=Settings(lake_uri=str(folder / "lake")))
    for _ in range(2):
        staged = lake.stage(TableName("y", name), pa.table({name: [number, number]}))
        lake.publish(staged, Mode.UPSERT, key=(name,))


def _no_server(folder: Path, name: str, number: int) -> None:
    database = Database(name, f"postgresql://{name}@127.0.0.1:{number % 20 + 1}/{name}")
    reflect(database)


def _no_source_table(folder: Path, name: str, number: int) -> None:
    path = folder / f"{name}.db"
    with sqlite3.connect(path) as con:
        con.execute(f"CREATE TABLE IF NOT EXISTS {name} (id INTEGER)")
    database = Database(name, f"sqlite:///{path}")
    (table,) = reflect(database, include=(name,))
    with sqlite3.connect(path) as con:
        con.execute(f"DROP TABLE {name}")
    extract(database, Extraction(table=table)).read_all()


def _damaged(folder: Path, name: str, number: int) -> None:
    (folder / f"{name}.parquet").write_bytes(b"PAR1" + bytes(number) + b"nonsense")
    pl.read_parquet(folder / f"{name}.parquet")


def _disk_full(folder: Path, name: str, number: int) -> None:
    with Path("/dev/full").open("w", buffering=1) as file:
        file.write(f"{name}\n" * number)


def _slow(folder: Path, name: str, number: int) -> None:
    time.sleep(5)


CAUSES: dict[str, Cause] = {
    "no table": _sql("SELECT * FROM {name}_{number}"),
    "no column": _sql("SELECT {name}_{number} FROM t"),
    "no number": _sql("SELECT CAST(text AS INTEGER) + {number} FROM t"),
    "overflow": _sql("SELECT n * n + {number}::TINYINT % 3::TINYINT AS {name} FROM t"),
    "no memory": _sql("SET memory_limit = '{number}MB'; SELECT list(r) FROM range(9000000) x(r)"),
    "contract": _contract,
    "duplicates": _duplicates,
    "no server": _no_server,
    "no source table": _no_source_table,
    "damaged file": _damaged,
    "disk full": _disk_full,
    "timeout": _slow,
}
NAMES = ("orders", "customers", "line_items", "payments", "refunds", "stores", "visits", "prices")


def asset(
    body: Callable[[], object], name: TableName = ORDERS, **more: object
) -> dg.AssetsDefinition:
    def run(_context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        body()
        yield dg.MaterializeResult()

    options = AssetOptions.model_validate(more.pop("options", {}))
    declared = TableAsset(name, options, Contract(), run, frozenset(), Retries(attempts=0), **more)
    return build_asset(declared)


def made(instance: dg.DagsterInstance, one: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    resources = {"lake": LakeResource()}
    return dg.materialize([one], instance=instance, resources=resources, raise_on_error=False)


@pytest.fixture
def instance(dagster_once: None) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.mark.parametrize("failures", [24, pytest.param(40, marks=pytest.mark.stress)])
def test_the_nearest_past_failure_has_the_same_cause(
    settings: Settings, instance: dg.DagsterInstance, tmp_path: Path, failures: int
) -> None:
    generator = random.Random(12)
    order = [name for name in CAUSES for _ in range(failures // len(CAUSES) + 1)]
    generator.shuffle(order)
    log = Platform.open(settings).metastore.failures
    causes: dict[str, str] = {}
    same, wrong = 0, list[str]()
    for turn, cause in enumerate(order[:failures]):
        name, number = generator.choice(NAMES), generator.randrange(10, 60)
        table = TableName(generator.choice(("shop", "crm")), f"{name}_{turn}")
        body = CAUSES[cause]
        timeout = {"timeout": "0.2s"} if cause == "timeout" else {}
        result = made(
            instance,
            asset(lambda b=body, n=name, m=number: b(tmp_path, n, m), table, options=timeout),
        )
        assert not result.success, cause
        (failure,) = log.of_run(result.run_id)
        alike = nearest(failure, log.newest())
        if cause in causes.values():
            found = causes[alike[0].failure.run_id] if alike else "nothing"
            same += found == cause
            if found != cause:
                wrong.append(f"{cause} was taken for {found}: {failure.message[:200]}")
        causes[result.run_id] = cause
    asked = same + len(wrong)
    print(f"{same} of {asked} failures are nearest to one of the same of {len(CAUSES)} causes")
    assert asked >= failures / 3
    assert same >= 0.9 * asked, wrong


def test_the_next_success_says_what_differed_and_a_like_failure_is_told_of_it(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    platform = Platform.open(settings)
    lake = platform.lake
    lake.publish(lake.stage(ORDERS, pa.table({"id": [1]})))
    totals, dep = TableName("marts", "totals"), [dg.AssetKey(ORDERS.key)]
    remember("hunter2secret")

    def broken() -> None:
        raise PermanentError(
            "column 'amount' of shop.orders is not there; password hunter2secret, row of ada@x.org",
            fix="add it",
        )

    first = made(instance, asset(broken, totals, deps=dep))
    (failure,) = platform.metastore.failures.of_run(first.run_id)
    assert (failure.asset, failure.advice, failure.resolution) == ("marts.totals", "add it", None)
    assert "hunter2secret" not in failure.model_dump_json()
    assert "row of a***@***.org" in failure.message
    assert "next step: add it" in CliRunner().invoke(app, ["why"]).output
    lake.publish(lake.stage(ORDERS, pa.table({"id": [1], "amount": [2]})))
    good = made(instance, asset(lambda: None, totals, deps=dep))
    assert good.success
    (failure,) = platform.metastore.failures.of_run(first.run_id)
    assert failure.ended_by_run == good.run_id
    assert (failure.resolution or "").startswith("shop.orders went from version 0 to version 1 (")

    def alike() -> None:
        raise PermanentError("column 'price' of crm.deals is not there; password xxx")

    second = made(instance, asset(alike, TableName("marts", "other")))
    run = instance.get_run_by_id(second.run_id)
    assert run is not None
    assert run.tags[SIMILAR_TAG] == first.run_id
    assert run.tags[FIXED_TAG].startswith("shop.orders went from version 0 to version 1")
    told = CliRunner().invoke(app, ["why", second.run_id[:8]])
    assert told.exit_code == 0, told.output
    assert f"like marts.totals on {failure.failed_at:%Y-%m-%d %H:%M}, run {first.run_id}" in (
        told.output
    )
    assert "ended: shop.orders went from version 0 to version 1" in told.output
    (listed,) = json.loads(CliRunner().invoke(app, ["why", "--json"]).stdout)
    assert listed["run_id"] == second.run_id
    assert listed["alike"][0]["failure"]["run_id"] == first.run_id
    unknown = CliRunner().invoke(app, ["why", "no-such-run"])
    assert isinstance(unknown.exception, UnknownName)


def test_what_changed_is_the_declaration_or_nothing_that_is_known(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    def broken() -> None:
        raise ValueError("no")

    log = Platform.open(settings).metastore.failures
    for change, expected in (
        ({"code_version": "2"}, "the asset's declaration, contract or code was changed"),
        ({"code_version": "1"}, "the same again succeeded"),
    ):
        failed = made(instance, asset(broken, code_version="1"))
        made(instance, asset(lambda: None, **change))
        assert expected in (log.of_run(failed.run_id)[0].resolution or "")


def test_words_that_change_from_time_to_time_are_no_part_of_a_signature() -> None:
    one = "table shop.orders: 17 rows of 'ada@x.org' at /tmp/x/1.parquet do not fit (postgresql://h/db)"
    other = "table crm.people: 3,120 rows of 'bob' at ./y.csv do not fit (mysql://g:1/d)"
    assert signature(one) == signature(other)
    assert signature(one) != signature("the table is not there")
