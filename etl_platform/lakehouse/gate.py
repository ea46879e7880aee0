"""Write, audit, publish: the only way in which rows reach readers.

Staged files are checked against the contract and profiled before one Delta commit makes them
visible. A blocking rule that fails publishes nothing; rows that break a quarantining rule go, whole
and with the reason, to ``<schema>.<table>__quarantine``, and the rest is published.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import literal, quote, read_parquet
from etl_platform.core.errors import EtlError, TransientError
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.core.staged import Staged
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.origin import Origin
from etl_platform.lakehouse.previous import previous_rows
from etl_platform.lakehouse.profiles import write_profile
from etl_platform.lakehouse.publish import Annotate, SchemaChange, digest
from etl_platform.lakehouse.receipt import Mode, Receipt
from etl_platform.lakehouse.replacing import Leaving
from etl_platform.quality import Audit, Contract, ContractViolation, Profile, audit
from etl_platform.quality.profile import LevelChoice
from etl_platform.quality.profiling import profile_staged
from etl_platform.quality.report import write_report

if TYPE_CHECKING:
    import duckdb

    from etl_platform.metastore import Metastore


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """What came of one batch at the gate. ``stages`` holds seconds for write, audit and publish.

    ``profile_file`` is the full profile, None when the batch has none.
    """

    receipt: Receipt
    audit: Audit
    quarantine: Receipt | None
    stages: Mapping[str, float]
    staged: Staged
    profile_file: str | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """A table for rows that are not published.

    ``rows`` is called once all rows are staged, with the SELECTs of the rows that the contract
    rejects (with ``_rule`` and ``_reason``), and gives those of what the table is to hold.
    """

    table: TableName
    rows: Callable[[Sequence[str]], Sequence[str]]


def admit(
    lake: Lake,
    table: TableName,
    data: object,
    contract: Contract,
    *,
    mode: Mode = Mode.REPLACE,
    key: tuple[str, ...] = (),
    partition_by: tuple[str, ...] = (),
    partition: Mapping[str, Any] | None = None,
    batch: str | None = None,
    run_id: str | None = None,
    origin: Origin | None = None,
    watermark: str | None = None,
    schema_change: SchemaChange = "evolve",
    metastore: Metastore | None = None,
    apart: str | None = None,
    aside: Aside | None = None,
    notes: Mapping[str, str] | None = None,
    unless: str | None = None,
    profile: LevelChoice = "auto",
    replaced: Leaving | None = None,
    rejected_before: Leaving | None = None,
    annotate: Annotate | None = None,
) -> Admission:
    """Stage ``data``, audit it, and publish what the contract lets through.

    Args:
        origin: what the rows are made from, kept in the same commit.
        watermark: a column whose largest staged value is kept with the table as annotation
            ``watermark:<column>``, in the same commit as the rows; a batch without rows leaves
            the earlier one.
        metastore: where receipt, audit and profile are recorded too; a failure to record never
            undoes a commit.
        apart: a SELECT of further rows for the quarantine, with ``_rule`` and ``_reason``.
        aside: where rows that are not published go instead of the quarantine.
        notes: annotations to be kept in the same commit.
        rejected_before: rows of the quarantine that go, because these batch's rows are judged anew:
            those of an attempt that was cut off, or of what is replaced.
        profile: how much the profile says; ``auto`` is ``full`` where that takes little.
        Others: as for :meth:`Lake.stage` and :meth:`Lake.publish`.

    Raises:
        ContractViolation: a blocking rule failed or could not run; nothing was published.
    """
    constants = {c: str(v) for c, v in (partition or {}).items() if v is not None}
    begun = time.perf_counter()
    staged = lake.stage(table, data, partition_by, constants)
    started = time.perf_counter()
    with lake.discarding(staged), ThreadPoolExecutor(1) as beside:
        # The audit does not keep every processor busy: the checksum takes what it leaves.
        checksum = beside.submit(digest, staged.files)
        with session(lake.settings) as con:
            found = audit(
                con,
                staged,
                contract,
                relation_of=lambda name: lake.relation_sql(name) if lake.exists(name) else None,
                existing=_existing(lake, table, mode, partition, batch, replaced),
                previous_rows=previous_rows(lake, table, mode, partition),
                level=profile,
            )
            audited = time.perf_counter()
            found = _with_report(lake, found, partition, run_id)
            if found.blocking:
                _record_audit(metastore, lake, table, found, None, run_id)
                raise ContractViolation(found)
            place = aside or Aside(table.quarantine, tuple)
            rejected = place.rows([sql for sql in (found.rejected_sql, apart) if sql is not None])
            quarantine = _quarantine(
                lake, con, rejected, place.table, mode, partition, batch, run_id, unless,
                rejected_before,
            )  # fmt: skip
            notes = {**(notes or {}), **_watermark(con, staged, watermark)}
            if origin is not None:
                # Without the rows that are kept aside it is not what its SQL gives.
                whole = found.kept_sql is None
                notes |= (origin if whole else replace(origin, rollup=None)).annotation()
            kept = staged
            if found.kept_sql is not None:
                kept = lake.stage(table, con.sql(found.kept_sql), partition_by)
                lake.discard(staged)
                # The profile is of what readers will see, without the rows kept aside.
                seen = profile_staged(con, kept, found.profile.level, found.outcomes)
                found = replace(found, profile=seen)
            if origin is not None and origin.view and kept.files:
                # The rows were only here to be judged.
                kept = lake.stage(table, con.sql(f"FROM {read_parquet(kept.uris)} LIMIT 0"))
                lake.discard(staged)
        receipt = lake.publish(
            kept,
            mode,
            key=key,
            partition=partition,
            batch=batch,
            run_id=run_id,
            annotations=notes,
            schema_change=schema_change,
            started=begun,
            checksum=checksum.result() if kept is staged else None,
            unless=unless,
            replaced=replaced,
            annotate=annotate,
        )
    stages = {
        "write": round(staged.seconds, 4),
        "audit": round(audited - started, 4),
        "publish": round(time.perf_counter() - audited, 4),
    }
    _record(metastore, lake, table, found, receipt, partition, run_id)
    file = _keep_profile(lake, table, found.profile, receipt, partition)
    return Admission(receipt, found, quarantine, stages, kept, file)


def _with_report(
    lake: Lake, found: Audit, partition: Mapping[str, Any] | None, run_id: str | None
) -> Audit:
    """Keep the validation report; a batch is not refused because a page cannot be written."""
    try:
        file = write_report(lake.root.store, found, run_id=run_id, partition=partition)
    except (OSError, EtlError) as error:
        _log.warning("%s: the validation report was not kept: %s", found.table, error)
        return found
    return found if file is None else replace(found, report=file)


def _existing(
    lake: Lake,
    table: TableName,
    mode: Mode,
    partition: Mapping[str, Any] | None,
    batch: str | None,
    replaced: Leaving | None,
) -> str | None:
    """The rows that stay beside the batch, against which uniqueness is checked too.

    A batch that was committed before a crash is not judged against its own rows.
    """
    beside = (Mode.APPEND, Mode.REPLACE_PARTITION, Mode.REPLACE_ROWS)
    if mode not in beside or not lake.exists(table):
        return None
    if batch is not None and lake.committed(table, batch):
        return None
    snapshot = lake.snapshot(table)
    if mode is Mode.APPEND:
        return snapshot.relation_sql()
    if replaced is not None:
        return replaced.others_sql(snapshot.relation_sql())
    return snapshot.relation_sql(snapshot.outside(partition or {}))


def _quarantine(
    lake: Lake,
    con: duckdb.DuckDBPyConnection,
    rejected: Sequence[str],
    target: TableName,
    mode: Mode,
    partition: Mapping[str, Any] | None,
    batch: str | None,
    run_id: str | None,
    unless: str | None,
    before: Leaving | None,
) -> Receipt | None:
    """Commit the rejected rows before the accepted ones: a crash between the two hides nothing.

    A replacement also replaces what an earlier one had rejected; appends and upserts add to it.
    """
    replaces = mode in (Mode.REPLACE, Mode.REPLACE_PARTITION)
    if rejected:
        together = " UNION ALL BY NAME ".join(f"(SELECT * FROM ({sql}))" for sql in rejected)
        rows = (
            f"SELECT *, {literal(run_id or '')}::VARCHAR AS _run_id, "
            f"now()::TIMESTAMPTZ AS _quarantined_at FROM ({together})"
        )
        if mode is not Mode.REPLACE and lake.exists(target):
            # What was rejected before for another reason may have columns that these rows lack.
            empty = f"SELECT * FROM {lake.snapshot(target).relation_sql(())}"
            rows = f"({rows}) UNION ALL BY NAME ({empty})"
    elif lake.exists(target) and (
        (replaces and _holds(lake, target, partition)) or _rejected(lake, target, before)
    ):
        rows = f"SELECT * FROM {lake.snapshot(target).relation_sql(())}"
    else:
        return None
    columns = tuple(partition or {})
    if not replaces:
        mode = Mode.APPEND if before is None else Mode.REPLACE_ROWS
    staged = lake.stage(target, con.sql(rows), columns if mode is Mode.REPLACE_PARTITION else ())
    return lake.publish(
        staged,
        mode,
        partition=partition if mode is Mode.REPLACE_PARTITION else None,
        batch=batch,
        run_id=run_id,
        schema_change="any" if mode is Mode.REPLACE else "evolve",
        unless=unless,
        replaced=before,
    )


def _rejected(lake: Lake, target: TableName, before: Leaving | None) -> bool:
    return before is not None and before.touched(lake.settings, lake.snapshot(target))[1] > 0


def _holds(lake: Lake, target: TableName, partition: Mapping[str, Any] | None) -> bool:
    snapshot = lake.snapshot(target)
    outside = sum(file.rows for file in snapshot.outside(partition)) if partition else 0
    return snapshot.rows > outside


def _watermark(
    con: duckdb.DuckDBPyConnection, staged: Staged, column: str | None
) -> dict[str, str]:
    if column is None or not staged.files:
        return {}
    bounds = staged.bounds(column)
    largest = bounds[1] if bounds is not None and bounds[2] else None
    if bounds is None or not bounds[2]:
        found = con.execute(
            f"SELECT max({quote(column)}) FROM {read_parquet(staged.uris)}"
        ).fetchone()
        largest = found[0] if found else None
    if largest is None:
        return {}
    text = largest.isoformat() if hasattr(largest, "isoformat") else str(largest)
    return {f"watermark:{column}": text}


def _record_audit(
    metastore: Metastore | None,
    lake: Lake,
    table: TableName,
    found: Audit,
    version: int | None,
    run_id: str | None,
) -> None:
    if metastore is not None:
        metastore.record_audit(table.sql, version, run_id, found.outcomes_json(), lake=lake.uri)


def _record(
    metastore: Metastore | None,
    lake: Lake,
    table: TableName,
    found: Audit,
    receipt: Receipt,
    partition: Mapping[str, Any] | None,
    run_id: str | None,
) -> None:
    """Keep receipt, audit and profile. The commit stands whatever happens here."""
    if metastore is None or receipt.skipped:
        return
    place = "/".join(f"{c}={v}" for c, v in (partition or {}).items()) or None
    try:
        metastore.record_receipt(receipt.to_record(lake.uri))
        _record_audit(metastore, lake, table, found, receipt.version_after, run_id)
        version, profile = receipt.version_after, found.profile.to_json()
        metastore.record_profile(table.sql, version, place, profile, lake=lake.uri)
    except TransientError as error:
        _log.warning(
            "%s version %s is published, but the metastore did not take its record: %s",
            table,
            receipt.version_after,
            error,
        )


def _keep_profile(
    lake: Lake,
    table: TableName,
    profile: Profile,
    receipt: Receipt,
    partition: Mapping[str, Any] | None,
) -> str | None:
    """Write the full profile beside the table. The commit stands whatever happens here."""
    if profile.sketch is None or receipt.skipped:
        return None
    before = receipt.version_before
    try:
        earlier = None
        if receipt.mode is Mode.APPEND and before is not None:
            earlier = lake.profile(table, before)
        return write_profile(lake.root, table, receipt, profile, partition, earlier)
    except (OSError, EtlError) as error:
        _log.warning(
            "%s version %s is published, but its profile was not kept: %s",
            table,
            receipt.version_after,
            error,
        )
        return None
