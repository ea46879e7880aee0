"""Opening creates and migrates, for any number of processes at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from etl_platform.core.errors import ConfigError, PermanentError, SecretError, TransientError
from etl_platform.metastore import Metastore, QueryRecord, ReceiptRecord
from etl_platform.metastore import engine as connections

WRITES = 25
together: Barrier


def meet(barrier: Barrier) -> None:
    global together
    together = barrier


def open_and_write(url: str, writer: int) -> int:
    together.wait()
    store = Metastore.open(url)
    for number in range(WRITES):
        # Half of the receipts are new, half collide with those of every other process.
        lake = "shared" if number % 2 else f"lake {writer}"
        store.record_receipt(
            ReceiptRecord(lake=lake, table="shop.orders", version_after=number, mode="append")
        )
        store.record_query(QueryRecord(sql=f"SELECT {writer}, {number}"))
        store.receipts(limit=3)
    return writer


def test_eight_processes_open_and_write_a_new_metastore_at_once(url: str) -> None:
    context = get_context("forkserver")
    # Imported by the process that all are forked from, which opens nothing itself.
    context.set_forkserver_preload([__name__, "alembic.command", "etl_platform.metastore.models"])
    barrier = context.Barrier(8, timeout=120)
    with ProcessPoolExecutor(8, context, initializer=meet, initargs=(barrier,)) as pool:
        assert sorted(pool.map(open_and_write, [url] * 8, range(8))) == list(range(8))
    store = Metastore.open(url)
    assert len({q.sql for q in store.queries(limit=1000)}) == 8 * WRITES
    receipts = store.receipts(limit=1000)
    assert len({(r.lake, r.version_after) for r in receipts}) == len(receipts)
    assert len(receipts) == 8 * (WRITES - WRITES // 2) + WRITES // 2


def test_a_current_metastore_opens_without_importing_alembic(url: str) -> None:
    Metastore.open(url)
    script = (
        "import sys; from etl_platform.metastore import Metastore; "
        f"Metastore.open({url!r}).receipts(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_metastore_of_a_newer_release_is_refused_and_left_alone(url: str) -> None:
    Metastore.open(url)
    database = create_engine(connections.parse_url(url))
    with database.begin() as con:
        con.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PermanentError, match=r"revision .9999.[^\0]*update etl_platform"):
        Metastore.open(url)
    assert "receipts" in inspect(database).get_table_names()
    database.dispose()


def test_sqlite_readers_do_not_block_writers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'metastore.db'}"
    Metastore.open(url)
    reader = connections.create(connections.parse_url(url))
    with reader.connect() as con:
        assert con.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert con.execute(text("SELECT count(*) FROM queries")).scalar_one() == 0
        Metastore.open(url).record_query(QueryRecord(sql="SELECT 1"))
        assert con.execute(text("SELECT count(*) FROM queries")).scalar_one() == 0


def test_a_database_that_does_not_answer_is_a_transient_error_without_the_password() -> None:
    with pytest.raises(TransientError, match="did not answer") as caught:
        Metastore.open("postgresql://app:s3cr3t@127.0.0.1:1/app")
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(caught.value.__cause__)


def test_a_url_that_is_none_is_refused_without_being_repeated() -> None:
    with pytest.raises(ConfigError, match="not a database URL") as caught:
        Metastore.open("user:s3cr3t@somewhere")
    assert "s3cr3t" not in str(caught.value)


def test_another_database_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="cannot live in 'mysql'"):
        Metastore.open("mysql+pymysql://127.0.0.1/app")


def test_the_url_may_be_a_secret_reference(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE_IT_LIVES", url)
    Metastore.open("env://WHERE_IT_LIVES").record_query(QueryRecord(sql="SELECT 1"))
    assert len(Metastore.open(url).queries()) == 1
    with pytest.raises(SecretError):
        Metastore.open("env://NOT_SET_ANYWHERE")
