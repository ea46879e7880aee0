"""Publish: one Delta commit makes staged files visible, exactly once, whoever else writes.

Every commit is a compare-and-swap: it names the version it was worked out against and fails when
another writer was faster; then it is worked out again on the newer version.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from etl_platform.core.errors import ConcurrentWrite, PermanentError
from etl_platform.core.settings import Settings
from etl_platform.core.staged import DataFile, Staged
from etl_platform.lakehouse.changes import check_key, conform, plan_changes
from etl_platform.lakehouse.commit import commit, commit_properties, create, prepare
from etl_platform.lakehouse.evolution import Evolution, evolve
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.opening import open_to_write
from etl_platform.lakehouse.origin import OF_BATCH
from etl_platform.lakehouse.receipt import (
    COLUMNS_ADDED,
    Mode,
    Receipt,
)
from etl_platform.lakehouse.replacing import Leaving
from etl_platform.lakehouse.root import Root
from etl_platform.lakehouse.staging import discard_staged

SchemaChange = Literal["evolve", "any"]
Annotate = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Annotations of a commit that follow from those of the version it is made on top of (none where
there is no table). Asked again when another writer was faster; may raise to publish nothing."""
_ATTEMPTS = 20


def publish(
    settings: Settings,
    root: Root,
    staged: Staged,
    mode: Mode,
    *,
    key: tuple[str, ...] = (),
    partition: Mapping[str, Any] | None = None,
    batch: str | None = None,
    run_id: str | None = None,
    annotations: Mapping[str, str] | None = None,
    schema_change: SchemaChange = "evolve",
    started: float | None = None,
    checksum: str | None = None,
    unless: str | None = None,
    replaced: Leaving | None = None,
    annotate: Annotate | None = None,
) -> Receipt:
    """Make a stage visible in one commit. See :meth:`etl_platform.lakehouse.Lake.publish`."""
    if started is None:
        started = time.perf_counter() - staged.seconds
    if checksum is None:
        checksum = digest(staged.files)
    for attempt in range(_ATTEMPTS):
        current = open_to_write(root, staged.table)
        if current is not None and batch and current.has_batch(batch):
            discard_staged(root, staged)
            return _skipped(current, mode, batch, run_id)
        if current is not None and unless and current.has_batch(unless):
            discard_staged(root, staged)
            raise PermanentError(
                f"{staged.table}: {unless} was committed before these rows could be",
                fix="look at what there is now, and decide again what to publish",
            )
        draft = Receipt(
            table=staged.table.sql,
            mode=mode,
            version_before=None if current is None else current.version,
            version_after=0,
            rows_inserted=staged.rows,
            rows_total=staged.rows,
            size_bytes=staged.size_bytes,
            files_added=len(staged.files),
            checksum=checksum,
            batch=batch,
            run_id=run_id,
        )
        if current is None:
            if mode is Mode.UPSERT:
                check_key(settings, staged, key)
            receipt = _stamp(draft, started)
            told = {**(annotations or {}), **(annotate({}) if annotate else {})}
            properties = commit_properties(receipt, told, batch)
            if create(root, staged, properties):
                return receipt
        else:
            receipt = _attempt(
                settings, root, current, staged, draft, key, partition, annotations or {},
                schema_change, started, replaced, annotate,
            )  # fmt: skip
            if receipt is not None:
                return receipt
        time.sleep(random.uniform(0, min(0.02 * 2**attempt, 1.0)))
    raise ConcurrentWrite(
        f"{staged.table}: {_ATTEMPTS} times in a row another writer committed first",
        fix="run again; if it happens often, give the table's writers one concurrency pool",
    )


def _attempt(
    settings: Settings,
    root: Root,
    current: Snapshot,
    staged: Staged,
    draft: Receipt,
    key: tuple[str, ...],
    partition: Mapping[str, Any] | None,
    annotations: Mapping[str, str],
    schema_change: SchemaChange,
    started: float,
    replaced: Leaving | None,
    annotate: Annotate | None,
) -> Receipt | None:
    """One compare-and-swap; None when another writer was faster or the table was just prepared."""
    mode = draft.mode
    told = {**annotations, **(annotate(current.annotations()) if annotate else {})}
    evolution = _evolution(current, staged, mode, schema_change)
    _check_partitioning(current, staged)
    if prepare(current, evolution, mode):
        return None
    fitting = conform(settings, root, staged, evolution.schema) if evolution.narrower else staged
    changes = plan_changes(
        settings, root, current, fitting, evolution, mode, key, partition, replaced
    )
    gone = sum(file.rows for file in changes.removes)
    come = sum(file.rows for file in changes.adds)
    receipt = _stamp(
        Receipt(
            table=draft.table,
            mode=mode,
            version_before=draft.version_before,
            version_after=current.version + 1,
            rows_inserted=changes.rows_inserted,
            rows_updated=changes.rows_updated,
            rows_deleted=changes.rows_deleted,
            rows_total=current.rows - gone + come,
            size_bytes=sum(file.size_bytes for file in changes.adds),
            files_added=len(changes.adds),
            files_removed=len(changes.removes),
            checksum=draft.checksum,
            batch=draft.batch,
            run_id=draft.run_id,
        ),
        started,
    )
    # Where earlier rows came from says nothing of these.
    notes = {key: note for key, note in current.annotations().items() if key not in OF_BATCH}
    notes |= told
    if mode is Mode.REPLACE:
        notes.pop(COLUMNS_ADDED, None)
    properties = commit_properties(receipt, notes, draft.batch)
    if commit(current, changes, properties):
        if fitting is not staged:
            discard_staged(root, staged)
        return receipt
    for stage in (*changes.rewritten, *((fitting,) if fitting is not staged else ())):
        discard_staged(root, stage)
    return None


def _evolution(
    current: Snapshot, staged: Staged, mode: Mode, schema_change: SchemaChange
) -> Evolution:
    if schema_change == "any":
        if mode is not Mode.REPLACE:
            raise PermanentError(
                f"{staged.table}: schema_change='any' needs mode replace, not {mode}",
                fix="replace the table once, then go on",
            )
        return Evolution(staged.schema, (), (), ())
    return evolve(staged.table, current.schema, staged.schema)


def _check_partitioning(current: Snapshot, staged: Staged) -> None:
    if current.partition_by != staged.partition_by:
        raise PermanentError(
            f"{staged.table}: the batch is partitioned by {list(staged.partition_by)}, "
            f"the table by {list(current.partition_by)}",
            fix="keep the table's partitioning, or publish to a new table",
        )


def _stamp(receipt: Receipt, started: float) -> Receipt:
    from dataclasses import replace

    return replace(receipt, seconds=round(time.perf_counter() - started, 4))


def _skipped(current: Snapshot, mode: Mode, batch: str, run_id: str | None) -> Receipt:
    return Receipt(
        table=current.table.sql,
        mode=mode,
        version_before=current.version,
        version_after=current.version,
        rows_total=current.rows,
        size_bytes=0,
        batch=batch,
        run_id=run_id,
        skipped=True,
    )


def digest(files: Iterable[DataFile]) -> str:
    """The checksum of a receipt; reads the files, and leaves other threads room to work."""
    digests: list[str] = []
    for file in files:
        with Path(file.uri).open("rb") as handle:
            digests.append(hashlib.file_digest(handle, "sha256").hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
