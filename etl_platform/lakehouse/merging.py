"""Partitions of a table become one: the same rows under another partition, in one commit."""

from __future__ import annotations

import time
from collections.abc import Sequence

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import ConcurrentWrite
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.lakehouse.changes import Changes
from etl_platform.lakehouse.commit import commit, commit_properties
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode, Receipt
from etl_platform.lakehouse.staging import discard_staged, stage

_ATTEMPTS = 20


def merged_batch(key: str) -> str:
    """The identity that the commit of a merge has for each partition that ends by it."""
    return f"merged/{key}"


def merge_partitions(
    lake: Lake,
    table: TableName,
    column: str,
    keys: Sequence[str],
    into: str,
    run_id: str | None = None,
) -> Receipt | None:
    """Give the rows of some partitions another partition, in one Delta commit; doing it again does
    nothing.

    The commit carries :func:`merged_batch` of every key, so that whoever publishes one of these
    partitions with ``unless`` cannot do so any more, however long the work took.

    Args:
        column: the text column that the table is partitioned by.
        keys: partitions that end.
        into: the partition that holds their rows from now on.

    Returns:
        The receipt; None when all of it had been committed before.

    Raises:
        ConcurrentWrite: other writers were faster 20 times in a row.
    """
    for attempt in range(_ATTEMPTS):
        receipt, done = _attempt(lake, table, column, keys, into, run_id)
        if done:
            return receipt
        time.sleep(min(0.02 * 2**attempt, 1.0))
    raise ConcurrentWrite(
        f"{table}: {_ATTEMPTS} times in a row another writer committed before partitions could be "
        f"merged into {into}",
        fix="run again when less is written",
    )


def _attempt(
    lake: Lake, table: TableName, column: str, keys: Sequence[str], into: str, run_id: str | None
) -> tuple[Receipt | None, bool]:
    started = time.perf_counter()
    current = lake.snapshot(table)
    if all(current.has_batch(merged_batch(key)) for key in keys):
        return None, True
    # Rows that are there under the new key already stay beside those that come.
    chosen = {*keys, into}
    files = tuple(f for f in current.files if f.partition_values.get(column) in chosen)
    columns = ", ".join(
        f"{literal(into)}::VARCHAR AS {quote(name)}" if name == column else quote(name)
        for name in current.schema.names
    )
    with session(lake.settings) as con:
        rows = con.sql(f"SELECT {columns} FROM {current.relation_sql(files)}")
        staged = stage(lake.settings, lake.root, table, rows, current.partition_by)
    receipt = Receipt(
        table=table.sql,
        mode=Mode.COMPACT,
        version_before=current.version,
        version_after=current.version + 1,
        rows_total=current.rows,
        size_bytes=staged.size_bytes,
        files_added=len(staged.files),
        files_removed=len(files),
        seconds=round(time.perf_counter() - started, 4),
        batch=f"merge into {into}",
        run_id=run_id,
    )
    if staged.rows != sum(file.rows for file in files):
        discard_staged(lake.root, staged)
        raise AssertionError(f"{table}: {staged.rows} rows were written of {len(files)} files")
    changes = Changes(current.schema, staged.files, files, 0, 0, 0)
    batches = tuple(merged_batch(key) for key in keys)
    if commit(current, changes, commit_properties(receipt, current.annotations(), *batches)):
        return receipt, True
    discard_staged(lake.root, staged)
    return None, False
