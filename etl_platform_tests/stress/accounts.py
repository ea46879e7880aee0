"""Accounts between which money moves: a source whose total never changes, and the asset of it.

As a program it runs the asset once, for tests that kill it:
``python -m etl_platform_tests.stress.accounts URL MODE``.
"""

from __future__ import annotations

import random
import sys
import threading
from dataclasses import dataclass, field

import dagster as dg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from etl_platform.components.assets import LAKE_KEY, TableAsset, build_asset
from etl_platform.components.database_source.loading import Load
from etl_platform.components.database_source.options import ExtractOptions, Incremental
from etl_platform.components.timing import TimePartition
from etl_platform.core.names import TableName
from etl_platform.publishing.failures import Retries
from etl_platform.quality import Contract
from etl_platform.resources import DatabaseResource, LakeResource
from etl_platform.sources.database import Database, reflect

ACCOUNTS = 24_000
MODES = ("full", "incremental", "partition")
DAY = "2024-01-02"
_LOOKBACK = "60s"
_PAD = 2_400


def driver_url(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:").replace("mysql:", "mysql+pymysql:")


def build(url: str) -> None:
    """Accounts of 100 each, a third of them on each of three days, in rows so wide that a read
    takes many batches."""
    engine = sa.create_engine(driver_url(url))
    postgresql = engine.dialect.name == "postgresql"
    moment = "timestamp(6)" if postgresql else "datetime(6)"
    number = "n" if postgresql else "seq"
    numbers = f"generate_series(0, {ACCOUNTS - 1}) n" if postgresql else f"seq_0_to_{ACCOUNTS - 1}"
    days = f"'1 day' * mod({number}, 3)" if postgresql else f"mod({number}, 3) DAY"
    text = f"{number}::text" if postgresql else number
    with engine.begin() as con:
        con.execute(sa.text("DROP TABLE IF EXISTS accounts"))
        con.execute(
            sa.text(
                f"CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, day date "
                f"NOT NULL, changed {moment} NOT NULL, pad varchar({_PAD}) NOT NULL)"
            )
        )
        con.execute(
            sa.text(
                f"INSERT INTO accounts SELECT {number}, 100, DATE '2024-01-01' + INTERVAL {days}, "
                f"now(), repeat(md5({text}), {_PAD // 32}) FROM {numbers}"
            )
        )
    engine.dispose()


def asset(url: str, mode: str, retries: Retries) -> dg.Definitions:
    """The accounts as an asset that is read in one of :data:`MODES`."""
    (source,) = reflect(Database("bank", url), include=["accounts"])
    options = {
        "full": ExtractOptions(),
        "incremental": ExtractOptions(
            incremental=Incremental(cursor="changed", lookback=_LOOKBACK)
        ),
        "partition": ExtractOptions(
            partition=TimePartition(column="day", cadence="daily", start="2024-01-01")
        ),
    }[mode]
    load = Load(TableName("bank", mode), options, Contract(), "bank_database", source=source)
    declared = TableAsset(
        table=load.table,
        options=options,
        contract=load.contract,
        body=load.run,
        kinds=frozenset(),
        retries=retries,
        partitions=options.partition.definition() if options.partition else None,
        resource_keys=frozenset({LAKE_KEY, "bank_database"}),
    )
    return dg.Definitions(
        assets=[build_asset(declared)],
        resources={
            LAKE_KEY: LakeResource(),
            "bank_database": DatabaseResource(name="bank", url=url),
        },
    )


def run(
    url: str, mode: str, instance: dg.DagsterInstance, tags: dict[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    """One run, with retries that come at once."""
    job = asset(url, mode, Retries(attempts=8, delay_s=0.2)).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        partition_key=DAY if mode == "partition" else None,
        raise_on_error=False,
        tags=tags,
    )


@dataclass
class Transfers:
    """A thread that moves money between accounts of one day until it is stopped."""

    url: str
    seed: str
    done: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Transfers:
        self._thread = threading.Thread(target=self._move)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def _move(self) -> None:
        chance = random.Random(self.seed)
        engine = sa.create_engine(driver_url(self.url), pool_pre_ping=True)
        statement = sa.text("UPDATE accounts SET balance = balance + :by, changed = "
                            "greatest(changed, :at) WHERE id = :id")  # fmt: skip
        while not self._stop.is_set():
            one = chance.randrange(ACCOUNTS)
            other = (one + 3 * chance.randrange(1, 2_000)) % ACCOUNTS
            by = chance.randrange(50)
            try:
                with engine.begin() as con:
                    at = con.execute(sa.text("SELECT now()")).scalar_one()
                    for account, amount in sorted([(one, by), (other, -by)]):
                        con.execute(statement, {"id": account, "by": amount, "at": at})
                self.done += 1
            except DBAPIError:
                # The server is down for a moment, or ended this session too.
                engine.dispose()
            self._stop.wait(0.002)
        engine.dispose()


def rows(url: str, mode: str) -> dict[int, int]:
    """Account -> balance, as the source has them now."""
    engine = sa.create_engine(driver_url(url))
    where = f"WHERE day = '{DAY}'" if mode == "partition" else ""
    with engine.connect() as con:
        found = con.execute(sa.text(f"SELECT id, balance FROM accounts {where}")).all()
    engine.dispose()
    return {row[0]: row[1] for row in found}


if __name__ == "__main__":
    with dg.DagsterInstance.get() as home:
        print("ready", flush=True)
        sys.stdin.readline()
        print("done" if run(sys.argv[1], sys.argv[2], home).success else "failed", flush=True)
