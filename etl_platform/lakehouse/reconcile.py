"""Deletes in a source that only tells what changed: its keys are compared with the table's.

The comparison is against a version of the table that was taken before the keys began to be read: a
row that was loaded later is no candidate. If another writer commits in between, nothing is done and
the keys have to be read again, because a row may have come back with that commit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from etl_platform.core.duck import connect, literal, quote
from etl_platform.core.errors import ConcurrentWrite, PermanentError, UnknownName
from etl_platform.core.settings import Settings
from etl_platform.core.types import duckdb_type
from etl_platform.lakehouse.changes import Changes
from etl_platform.lakehouse.commit import commit, commit_properties, prepare
from etl_platform.lakehouse.evolution import Evolution
from etl_platform.lakehouse.inputs import Tap, arrow_reader, raise_original
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.receipt import Mode, Receipt
from etl_platform.lakehouse.root import Root
from etl_platform.lakehouse.staging import discard_staged, stage

if TYPE_CHECKING:
    import duckdb

RECONCILED = "reconciled"
"""Annotation: when the source's keys were last compared with the table's, ISO 8601 in UTC."""


class TooManyMissing(PermanentError):
    """So many rows are missing in the source that the source itself is more likely wrong."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How rows that the source no longer has are treated.

    Args:
        key: the columns that identify a row.
        mode: ``hard`` removes them; ``soft`` writes the time into ``column`` and writes null again
            for rows that came back.
        at: when the keys began to be read; time zone aware.
        column: the marking column (timestamp with time zone), for ``soft``.
        max_share: largest share of the rows not yet marked that may be missing, 0 to 1. Below 1, a
            source without any key is refused as well.
        batch: identity of this reconciliation, as for a publish.
        run_id: recorded in the receipt.
    """

    key: tuple[str, ...]
    mode: Literal["soft", "hard"]
    at: datetime
    column: str = "_deleted_at"
    max_share: float = 0.5
    batch: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """What the comparison found, in rows: missing in the source, back in it, keys in the source."""

    missing: int
    returned: int
    source_keys: int


def add_mark(current: Snapshot, column: str) -> bool:
    """Add the marking column where it is missing; True when the table moved on by this.

    Raises:
        PermanentError: a column of that name has another type.
    """
    import pyarrow as pa

    kind = pa.timestamp("us", tz="UTC")
    if column in current.schema.names:
        found = current.schema.field(column).type
        if not found.equals(kind):
            raise PermanentError(
                f"{current.table}: column {column!r} is {found} and cannot mark deleted rows",
                fix="give incremental.deletes.column another name",
            )
        return False
    schema = pa.schema([*current.schema, pa.field(column, kind)])
    return prepare(current, Evolution(schema, (column,), (), ()), Mode.RECONCILE)


def reconcile(
    settings: Settings, root: Root, current: Snapshot, keys: object, options: Reconciliation
) -> tuple[Receipt, Missing]:
    """Compare and commit. See :meth:`etl_platform.lakehouse.Lake.reconcile`."""
    import duckdb

    started = time.perf_counter()
    for column in options.key:
        if column not in current.schema.names:
            raise UnknownName("key column", column, current.schema.names, where=current.table.sql)
    tap = Tap(arrow_reader(keys))
    with connect(settings) as con:
        con.register("key_stream", tap.open())
        typed = ", ".join(
            f"CAST({quote(n)} AS {duckdb_type(current.schema.field(n).type)}) AS {quote(n)}"
            for n in options.key
        )
        try:
            con.execute(f"CREATE TEMP TABLE source_keys AS SELECT DISTINCT {typed} FROM key_stream")
        except duckdb.Error as error:
            raise_original(tap, error)
            raise
        gone, back, found = _compare(con, current, options)
        changes = _changes(settings, root, con, current, options, gone | back, found)
    receipt = Receipt(
        table=current.table.sql,
        mode=Mode.RECONCILE,
        version_before=current.version,
        version_after=current.version + 1,
        rows_updated=changes.rows_updated,
        rows_deleted=changes.rows_deleted,
        rows_total=current.rows
        - sum(file.rows for file in changes.removes)
        + sum(file.rows for file in changes.adds),
        size_bytes=sum(file.size_bytes for file in changes.adds),
        files_added=len(changes.adds),
        files_removed=len(changes.removes),
        seconds=round(time.perf_counter() - started, 4),
        batch=options.batch,
        run_id=options.run_id,
    )
    notes = {**current.annotations(), RECONCILED: options.at.isoformat()}
    if commit(current, changes, commit_properties(receipt, notes, options.batch)):
        return receipt, found
    for rewritten in changes.rewritten:
        discard_staged(root, rewritten)
    raise ConcurrentWrite(
        f"{current.table}: another writer committed while the source's keys were compared",
        fix="run again; if it happens often, give the table's writers one concurrency pool",
    )


def _compare(
    con: duckdb.DuckDBPyConnection, current: Snapshot, options: Reconciliation
) -> tuple[frozenset[str], frozenset[str], Missing]:
    """The files with rows that are gone, those with rows that are back, and how many rows."""
    using = ", ".join(map(quote, options.key))
    table = current.relation_sql(with_filename=True) if current.files else None
    counted = con.execute("SELECT count(*) FROM source_keys").fetchall()
    keys = int(counted[0][0])
    if table is None:
        return frozenset(), frozenset(), Missing(0, 0, keys)
    live, dead = _marks(options)
    lost: dict[str, int] = dict(
        con.execute(
            f"SELECT filename, count(*) FROM (SELECT * FROM {table} WHERE {live}) "
            f"ANTI JOIN source_keys USING ({using}) GROUP BY filename"
        ).fetchall()
    )
    returned: dict[str, int] = dict(
        con.execute(
            f"SELECT filename, count(*) FROM (SELECT * FROM {table} WHERE {dead}) "
            f"SEMI JOIN source_keys USING ({using}) GROUP BY filename"
        ).fetchall()
    )
    (total,) = con.execute(f"SELECT count(*) FROM {table} WHERE {live}").fetchall()[0]
    found = Missing(sum(lost.values()), sum(returned.values()), keys)
    _guard(current, options, found, int(total))
    return frozenset(lost), frozenset(returned), found


def _guard(current: Snapshot, options: Reconciliation, found: Missing, live: int) -> None:
    if not found.missing or found.missing <= options.max_share * live:
        return
    share = found.missing / live
    raise TooManyMissing(
        f"{current.table}: the source has {found.source_keys:,} keys, and {found.missing:,} of "
        f"{live:,} rows here ({share:.1%}) are not among them",
        valid=f"at most {options.max_share:.1%} (incremental.deletes.max_share)",
        fix="see whether the source is complete; if these rows really are gone, run once with the "
        "config accept_deletes: true, or raise max_share",
    )


def _marks(options: Reconciliation) -> tuple[str, str]:
    if options.mode == "hard":
        return "true", "false"
    return f"{quote(options.column)} IS NULL", f"{quote(options.column)} IS NOT NULL"


def _changes(
    settings: Settings,
    root: Root,
    con: duckdb.DuckDBPyConnection,
    current: Snapshot,
    options: Reconciliation,
    touched: frozenset[str],
    found: Missing,
) -> Changes:
    files = tuple(file for file in current.files if file.uri in touched)
    if not files:
        return Changes(current.schema, (), (), 0, 0, 0)
    using = ", ".join(map(quote, options.key))
    if options.mode == "hard":
        sql = f"SELECT * FROM {current.relation_sql(files)} SEMI JOIN source_keys USING ({using})"
    else:
        column, at = quote(options.column), literal(options.at.isoformat())
        columns = ", ".join(
            f"CASE WHEN keyed.present THEN NULL ELSE coalesce(kept.{column}, {at}::TIMESTAMPTZ) "
            f"END AS {column}"
            if name == options.column
            else f"kept.{quote(name)}"
            for name in current.schema.names
        )
        same = " AND ".join(f"kept.{quote(n)} = keyed.{quote(n)}" for n in options.key)
        sql = (
            f"SELECT {columns} FROM {current.relation_sql(files)} AS kept LEFT JOIN "
            f"(SELECT *, true AS present FROM source_keys) AS keyed ON {same}"
        )
    rest = stage(settings, root, current.table, con.sql(sql), current.partition_by)
    return Changes(current.schema, rest.files, files, 0, found.returned, found.missing, (rest,))
