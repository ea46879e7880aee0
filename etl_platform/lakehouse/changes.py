"""What a publish will change, worked out against one snapshot: files in, files out, rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import quote, read_parquet
from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.core.sessions import session
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile, Staged
from etl_platform.core.types import duckdb_type
from etl_platform.lakehouse.evolution import Evolution
from etl_platform.lakehouse.log import Snapshot, partition_text
from etl_platform.lakehouse.receipt import Mode
from etl_platform.lakehouse.replacing import Leaving
from etl_platform.lakehouse.root import Root
from etl_platform.lakehouse.staging import stage

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Changes:
    """One commit's worth of change; ``rewritten`` are stages to drop if the commit fails."""

    schema: pa.Schema
    adds: tuple[DataFile, ...]
    removes: tuple[DataFile, ...]
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    rewritten: tuple[Staged, ...] = ()


def plan_changes(
    settings: Settings,
    root: Root,
    current: Snapshot,
    staged: Staged,
    evolution: Evolution,
    mode: Mode,
    key: tuple[str, ...],
    partition: Mapping[str, Any] | None,
    replaced: Leaving | None = None,
) -> Changes:
    """Work out a publish in ``mode`` against the snapshot ``current``."""
    if mode is Mode.REPLACE:
        return Changes(evolution.schema, staged.files, current.files, staged.rows, 0, current.rows)
    if mode is Mode.REPLACE_PARTITION:
        changes = _replace_partition(current, staged, evolution, partition or {})
    elif mode is Mode.UPSERT:
        changes = _upsert(settings, root, current, staged, evolution, key)
    elif mode is Mode.REPLACE_ROWS and replaced is not None:
        changes = _replace_rows(settings, root, current, staged, evolution, replaced)
    elif mode is Mode.APPEND:
        changes = Changes(evolution.schema, staged.files, (), staged.rows, 0, 0)
    else:
        raise ConfigError(
            f"{mode} is not a way to publish",
            valid="replace, append, replace_partition, upsert, and replace_rows with the rows "
            "that are replaced",
        )
    return _widen(settings, root, current, evolution, changes) if evolution.widened else changes


def conform(settings: Settings, root: Root, staged: Staged, schema: pa.Schema) -> Staged:
    """Write a stage again with the table's wider types, so that all visible files agree."""
    if not staged.files:
        return staged
    snapshot_sql = ", ".join(
        f"CAST({quote(n)} AS {duckdb_type(schema.field(n).type)}) AS {quote(n)}"
        for n in staged.schema.names
    )
    return _rewrite(
        settings, root, staged, f"SELECT {snapshot_sql} FROM {read_parquet(staged.uris)}"
    )


def _replace_partition(
    current: Snapshot, staged: Staged, evolution: Evolution, partition: Mapping[str, Any]
) -> Changes:
    wanted = {column: partition_text(value) for column, value in partition.items()}
    if not wanted:
        raise ConfigError(
            f"{staged.table}: replace_partition needs the partition that is replaced",
            fix="pass partition={column: value}",
        )
    removes = current.within(partition)
    for file in staged.files:
        outside = {c: file.partition_values.get(c) for c in wanted}
        if outside != wanted:
            raise PermanentError(
                f"{staged.table}: the batch for partition {wanted} holds rows of {outside}",
                fix="filter the source to the partition, or publish with mode append",
            )
    deleted = sum(file.rows for file in removes)
    return Changes(evolution.schema, staged.files, removes, staged.rows, 0, deleted)


def _replace_rows(
    settings: Settings,
    root: Root,
    current: Snapshot,
    staged: Staged,
    evolution: Evolution,
    replaced: Leaving,
) -> Changes:
    touched, gone = replaced.touched(settings, current)
    if not touched:
        return Changes(evolution.schema, staged.files, (), staged.rows, 0, 0)
    with session(settings) as con:
        kept = con.sql(f"FROM {replaced.others_sql(current.relation_sql(touched))}")
        rest = stage(settings, root, staged.table, kept, current.partition_by)
    adds = staged.files + rest.files
    return Changes(evolution.schema, adds, touched, staged.rows, 0, gone, (rest,))


def _upsert(
    settings: Settings,
    root: Root,
    current: Snapshot,
    staged: Staged,
    evolution: Evolution,
    key: tuple[str, ...],
) -> Changes:
    check_key(settings, staged, key)
    if not staged.files:
        return Changes(evolution.schema, (), (), 0, 0, 0)
    candidates = tuple(f for f in current.files if _may_hold(f, staged, key))
    if not candidates:
        return Changes(evolution.schema, staged.files, (), staged.rows, 0, 0)
    using = ", ".join(quote(column) for column in key)
    new = read_parquet(staged.uris)
    old = current.relation_sql(candidates, with_filename=True)
    with session(settings) as con:
        hits: dict[str, int] = dict(
            con.execute(
                f"SELECT filename, count(*) FROM {old} "
                f"SEMI JOIN {new} AS batch USING ({using}) GROUP BY filename"
            ).fetchall()
        )
        touched = tuple(f for f in candidates if f.uri in hits)
        updated = sum(hits.values())
        if not touched:
            return Changes(evolution.schema, staged.files, (), staged.rows, 0, 0)
        kept = con.sql(
            f"SELECT * FROM {current.relation_sql(touched)} "
            f"ANTI JOIN {new} AS batch USING ({using})"
        )
        rest = stage(settings, root, staged.table, kept, current.partition_by)
    return Changes(
        evolution.schema,
        staged.files + rest.files,
        touched,
        staged.rows - updated,
        updated,
        0,
        (rest,),
    )


def check_key(settings: Settings, staged: Staged, key: tuple[str, ...]) -> None:
    """Refuse a batch whose key is not one: missing columns, nulls, or the same key twice.

    Raises:
        ConfigError: no key given.
        UnknownName: a key column is not in the batch.
        PermanentError: a null or duplicated key, with examples.
    """
    if not key:
        raise ConfigError(
            f"{staged.table}: upsert needs a key", fix="name the columns that identify a row"
        )
    for column in key:
        if column not in staged.schema.names:
            raise UnknownName("key column", column, staged.schema.names, where=str(staged.table))
        if staged.null_count(column):
            raise PermanentError(
                f"{staged.table}: key column {column!r} has {staged.null_count(column)} nulls",
                fix="filter or fill them in the source query",
            )
    if not staged.files:
        return
    using = ", ".join(quote(column) for column in key)
    with session(settings) as con:
        twice = con.execute(
            f"SELECT {using}, count(*) FROM {read_parquet(staged.uris)} GROUP BY {using} "
            "HAVING count(*) > 1 LIMIT 5"
        ).fetchall()
    if twice:
        examples = "; ".join(f"{row[:-1]} x{row[-1]}" for row in twice)
        raise PermanentError(
            f"{staged.table}: the batch holds the same key ({', '.join(key)}) more than once: "
            + examples,
            fix="deduplicate in the source query, or add to the key what tells the rows apart",
        )


def _widen(
    settings: Settings, root: Root, current: Snapshot, evolution: Evolution, changes: Changes
) -> Changes:
    # Files with the narrower type are written again: every reader of Delta then sees one type.
    gone = {file.path for file in changes.removes}
    stay = tuple(file for file in current.files if file.path not in gone)
    if not stay:
        return changes
    casts = ", ".join(
        f"CAST({quote(n)} AS {duckdb_type(evolution.schema.field(n).type)}) AS {quote(n)}"
        for n in current.schema.names
    )
    with session(settings) as con:
        wider = con.sql(f"SELECT {casts} FROM {current.relation_sql(stay)}")
        rest = stage(settings, root, current.table, wider, current.partition_by)
    return Changes(
        changes.schema,
        changes.adds + rest.files,
        current.files,
        changes.rows_inserted,
        changes.rows_updated,
        changes.rows_deleted,
        (*changes.rewritten, rest),
    )


def _may_hold(file: DataFile, staged: Staged, key: tuple[str, ...]) -> bool:
    for column in key:
        bounds = staged.bounds(column)
        stats = file.columns.get(column)
        if bounds is None or stats is None or stats.min is None or stats.max is None:
            continue
        try:
            if bounds[0] > stats.max or bounds[1] < stats.min:
                return False
        except TypeError:
            # A bound of another type after a widening tells nothing; the join decides.
            continue
    return True


def _rewrite(settings: Settings, root: Root, staged: Staged, sql: str) -> Staged:
    with session(settings) as con:
        return stage(settings, root, staged.table, con.sql(sql), staged.partition_by)
