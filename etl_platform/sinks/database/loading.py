"""One load, step by step: prepare, gate, then one transaction of ledger, rows and receipt."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError
from etl_platform.core.sessions import session as duck_session
from etl_platform.lakehouse.lake import checksum_sql
from etl_platform.sinks.database import gate
from etl_platform.sinks.database.columns import TargetColumn, new_table, sql_table
from etl_platform.sinks.database.images import (
    KIND,
    create_image,
    drop_image,
    image_name,
    open_image,
)
from etl_platform.sinks.database.ledger import Ledger
from etl_platform.sinks.database.load import UNIQUE_KEY, Load, LoadMode, Target
from etl_platform.sinks.database.modes import Change, Work, apply
from etl_platform.sinks.database.receipt import LoadReceipt

if TYPE_CHECKING:
    from collections.abc import Generator

    import duckdb
    import pyarrow as pa
    import sqlalchemy as sa

    from etl_platform.sinks.database.columns import TargetTable
    from etl_platform.sinks.database.dialects.base import TargetDialect
    from etl_platform.sinks.database.gate import Admitted
    from etl_platform.sinks.database.images import Image
    from etl_platform.sinks.database.rows import Rows
    from etl_platform.sinks.database.session import Session

_BATCH_ROWS = 32_768
_WORTH_A_TWIN_ROWS = 50_000
"""From here on an index is built faster after the rows than with them."""


def run(session: Session, dialect: TargetDialect, rows: Rows, load: Load) -> LoadReceipt:
    """Load; see :meth:`DatabaseSink.load`."""
    with duck_session(rows.settings) as con:
        return _run(con, session, dialect, rows, load)


def _run(
    con: duckdb.DuckDBPyConnection,
    session: Session,
    dialect: TargetDialect,
    rows: Rows,
    load: Load,
) -> LoadReceipt:
    began = time.perf_counter()
    ledger = Ledger(load.target)
    if load.mode is LoadMode.SCD2:
        rows = rows.valid_from(load.history.valid_from, load.moment)
    dialect.take_turn(session, ledger)
    table = _prepare(session, dialect, ledger, rows, load)
    with session.transaction():
        known = ledger.find(session, load.batch)
    if known is not None:
        return known.receipt.as_skipped()
    _check_key(table, load)
    history = load.mode is LoadMode.SCD2
    admitted = gate.check(
        con,
        dialect,
        rows,
        table,
        load,
        unique_key=load.mode in UNIQUE_KEY,
        supplied=frozenset({load.history.valid_to}) if history else frozenset(),
    )
    key = (*load.key, load.history.valid_from) if history else load.key
    receipt = LoadReceipt(
        target=str(load.target),
        mode=load.mode,
        batch=load.batch,
        source=rows.source,
        source_version=rows.version,
        rows_read=admitted.rows,
        key=key,
        revertible=load.keep_before is not None,
        run_id=load.run_id,
    )
    exact = not any(column.cast for column in admitted.columns)
    replaces = load.mode is LoadMode.REPLACE and exact
    rename = dialect.rename(session, load, ledger) if replaces else None
    image = None
    if load.keep_before is not None:
        image = open_image(session, load.target, load.mode, image_name(load), table.columns, key)
        if not dialect.transactional_ddl and rename is None:
            create_image(image)
    line = ledger if rename is None else rename.ledger
    try:
        # The server is the slower side of a load: the rows are hashed while it works.
        with ThreadPoolExecutor(1) as beside, session.transaction():
            checksum = beside.submit(checksum_sql, con.cursor(), rows.relation, rows.schema.names)
            line.claim(session, load)
            if rename is None:
                change = _send(con, session, dialect, table, load, admitted, image)
            else:
                deleted = int(session.scalar(_count(sql_table(load.target, table.columns))))
                _fill(con, session, sql_table(rename.twin, admitted.columns), admitted)
                change = Change(inserted=admitted.rows, deleted=deleted)
            receipt = replace(
                receipt,
                checksum=checksum.result(),
                rows_inserted=change.inserted,
                rows_updated=change.updated,
                rows_deleted=change.deleted,
                rows_total=change.inserted if load.mode is LoadMode.REPLACE else None,
                seconds=round(time.perf_counter() - began, 3),
            )
            line.complete(session, receipt, load, image_name(load) if image else None)
        if rename is not None:
            rename.finish(session, image_name(load) if image else None)
    except session.driver_errors:
        # Another attempt of the same batch may have been faster: then its line is there now.
        with session.transaction():
            known = ledger.find(session, load.batch)
        if known is None:
            raise
        return known.receipt.as_skipped()
    # The load is complete: what cannot be tidied up now is dropped after the next one.
    with suppress(*session.driver_errors):
        _drop_expired(session, ledger, load.target)
    return receipt


def _prepare(
    session: Session, dialect: TargetDialect, ledger: Ledger, rows: Rows, load: Load
) -> TargetTable:
    """Make what is missing. Empty tables harm nobody if the load fails afterwards."""
    try:
        return _make_missing(session, dialect, ledger, rows, load)
    except session.driver_errors:
        # Two sessions that create the same table at once: for one of them PostgreSQL fails, in
        # spite of IF NOT EXISTS. The other's is there now; any other error comes again.
        return _make_missing(session, dialect, ledger, rows, load)


def _make_missing(
    session: Session, dialect: TargetDialect, ledger: Ledger, rows: Rows, load: Load
) -> TargetTable:
    with session.transaction():
        ledger.create(session)
        found = dialect.describe(session, load.target)
        if found is None:
            _create(session, dialect, rows, load)
            found = dialect.describe(session, load.target)
    assert found is not None
    return found


def _create(session: Session, dialect: TargetDialect, rows: Rows, load: Load) -> None:
    import pyarrow as pa
    from sqlalchemy.schema import CreateTable

    # Where a key may repeat it is no primary key.
    key = () if load.mode is LoadMode.DELETE_INSERT else load.key
    fields = [(field.name, field.type) for field in rows.schema]
    if load.mode is LoadMode.SCD2:
        key = (*key, load.history.valid_from)
        fields.append((load.history.valid_to, pa.timestamp("us", "UTC")))
    columns = [(name, dialect.new_type(kind, in_key=name in key)) for name, kind in fields]
    session.execute(CreateTable(new_table(load.target, columns, key), if_not_exists=True))


def _check_key(table: TargetTable, load: Load) -> None:
    if load.mode is LoadMode.UPSERT and frozenset(load.key) not in table.unique:
        raise ConfigError(
            f"{load.target} has no primary key or unique index on {', '.join(load.key)}, by which "
            "an upsert could recognise rows",
            fix="add one, or use mode delete_insert",
        )


def _send(
    con: duckdb.DuckDBPyConnection,
    session: Session,
    dialect: TargetDialect,
    table: TargetTable,
    load: Load,
    admitted: Admitted,
    image: Image | None,
) -> Change:
    columns = admitted.columns
    target = sql_table(load.target, table.columns)
    if image is not None and dialect.transactional_ddl and load.mode is not LoadMode.REPLACE:
        create_image(image)
    exact = not any(column.cast for column in columns)
    becomes_all = load.mode is LoadMode.REPLACE or (
        image is None
        and admitted.rows >= _WORTH_A_TWIN_ROWS
        and _keep_empty(session, dialect, target)
    )
    if becomes_all and exact:
        swap = dialect.swap(session, load.target, stage_name(load))
        if swap is not None:
            deleted = int(session.scalar(_count(target)))
            _fill(con, session, sql_table(swap.twin, columns), admitted)
            swap.finish(session, image_name(load) if image is not None else None, KIND)
            return Change(inserted=admitted.rows, deleted=deleted)
    if load.mode is LoadMode.APPEND and exact and image is None:
        _fill(con, session, sql_table(load.target, columns), admitted)
        return Change(inserted=admitted.rows)
    if load.mode is LoadMode.REPLACE and image is not None and dialect.transactional_ddl:
        create_image(image)
    with _stage(session, dialect, load, columns) as stage:
        _fill(con, session, stage, admitted)
        work = Work(session, dialect, load, target, stage, columns, admitted.rows, image)
        return apply(work)


@contextmanager
def _stage(
    session: Session, dialect: TargetDialect, load: Load, columns: tuple[TargetColumn, ...]
) -> Generator[sa.Table]:
    """A table that only this connection sees, and that goes with it or with a rollback."""
    # What is cast by the database later arrives as text.
    kinds = tuple(replace(c, declared="text") if c.cast else c for c in columns)
    stage = sql_table(Target(stage_name(load)), kinds, temporary=True)
    dialect.create_stage(session, stage, load.key)
    yield stage
    dialect.drop_stage(session, stage)


def stage_name(load: Load) -> str:
    """A name that no other load's stage or twin has."""
    digest = sha256(f"{load.target.name}\n{load.batch}".encode()).hexdigest()
    return f"etl_stage_{digest[:16]}"


def _fill(
    con: duckdb.DuckDBPyConnection, session: Session, table: sa.Table, admitted: Admitted
) -> None:
    # Sending is the bottleneck, so the order of the files costs nothing; it keeps neighbours
    # together in the target.
    reader: pa.RecordBatchReader = con.sql(admitted.encoded).to_arrow_reader(_BATCH_ROWS)
    session.fill(table, reader)


def _keep_empty(session: Session, dialect: TargetDialect, target: sa.Table) -> bool:
    """Whether a table is empty; if so, it stays so until the transaction ends."""
    import sqlalchemy as sa

    any_row = sa.select(sa.literal_column("1")).select_from(target).limit(sa.literal_column("1"))
    if session.rows(any_row):
        return False
    dialect.lock(session, target)
    return not session.rows(any_row)


def _count(table: sa.Table) -> sa.Select[int]:
    import sqlalchemy as sa

    return sa.select(sa.func.count()).select_from(table)


def _drop_expired(session: Session, ledger: Ledger, target: Target) -> None:
    with session.transaction():
        for image in ledger.expired(session):
            ledger.forget_image(session, image)
            drop_image(session, target, image)
