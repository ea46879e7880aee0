"""The commits themselves: each names the version that it was worked out against."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError
from etl_platform.core.staged import DataFile, Staged
from etl_platform.lakehouse.actor import ACTOR_KEY, Actor
from etl_platform.lakehouse.changes import Changes
from etl_platform.lakehouse.evolution import Evolution
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.opening import open_snapshot
from etl_platform.lakehouse.receipt import (
    ANNOTATIONS_KEY,
    COLUMNS_ADDED,
    RECEIPT_KEY,
    VERSION_KEY,
    Mode,
    Receipt,
)
from etl_platform.lakehouse.root import Root
from etl_platform.lakehouse.statistics import delta_stats

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

_CONFIGURATION: dict[str, str | None] = {
    "delta.logRetentionDuration": "interval 365 days",
    "delta.setTransactionRetentionDuration": "interval 90 days",
    "delta.checkpointInterval": "20",
}


def commit(current: Snapshot, changes: Changes, properties: CommitProperties) -> bool:
    """Commit on top of exactly ``current``; False when another writer was faster."""
    from deltalake import Schema
    from deltalake.exceptions import CommitFailedError
    from deltalake.transaction import RemoveAction

    current.root.upload(current.table, changes.adds)
    adds = list(add_actions(changes.adds, changes.schema, current.partition_by))
    schema = Schema.from_arrow(changes.schema)
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [*adds]
    # Only an overwrite may carry a new schema; it removes every visible file by itself.
    overwrites = not changes.schema.equals(current.schema)
    if not overwrites:
        actions += [
            RemoveAction(
                f.path,
                data_change=True,
                deletion_timestamp=now,
                size=f.size_bytes,
                partition_values=dict(f.partition_values),
            )
            for f in changes.removes
        ]
    elif len(changes.removes) != len(current.files):
        raise PermanentError(f"{current.table}: a schema change must rewrite every file")
    try:
        with current.root.answering(current.table):
            current.delta.create_write_transaction(
                actions,
                "overwrite" if overwrites else "append",
                schema,
                list(current.partition_by),
                commit_properties=properties,
            )
    except CommitFailedError:
        return False
    current.root.settle(current.table, changes.adds)
    return True


def create(root: Root, staged: Staged, properties: CommitProperties) -> bool:
    """Make the table with its first files; False when another writer was faster."""
    from deltalake import Schema
    from deltalake.exceptions import DeltaError
    from deltalake.transaction import create_table_with_add_actions

    root.upload(staged.table, staged.files)
    try:
        with root.answering(staged.table):
            create_table_with_add_actions(
                root.log(staged.table),
                Schema.from_arrow(staged.schema),
                list(add_actions(staged.files, staged.schema, staged.partition_by)),
                mode="error",
                partition_by=list(staged.partition_by),
                configuration=_CONFIGURATION,
                storage_options=root.delta_options(),
                commit_properties=properties,
            )
    except DeltaError:
        if open_snapshot(root, staged.table) is None:
            raise
        return False
    root.settle(staged.table, staged.files)
    return True


def prepare(current: Snapshot, evolution: Evolution, mode: Mode) -> bool:
    """Commits that must precede the data: table features and added columns.

    True when one was made, or when another writer was faster: either way the publish is worked out
    again on the newer version.
    """
    from deltalake import Schema, TableFeatures
    from deltalake.exceptions import CommitFailedError

    try:
        if _has_naive_timestamp(evolution.schema) and not _has_feature(current.delta):
            current.delta.alter.add_feature(
                TableFeatures.TimestampWithoutTimezone,
                allow_protocol_versions_increase=True,
                commit_properties=_preparation(current, current.annotations()),
            )
            return True
        if evolution.added and mode is not Mode.REPLACE:
            fields = {f.name: f for f in Schema.from_arrow(evolution.schema).fields}
            notes = {**current.annotations(), COLUMNS_ADDED: ", ".join(evolution.added)}
            current.delta.alter.add_columns(
                [fields[name] for name in evolution.added],
                commit_properties=_preparation(current, notes),
            )
            return True
    except CommitFailedError:
        return True
    return False


def _preparation(current: Snapshot, annotations: Mapping[str, str]) -> CommitProperties:
    from deltalake import CommitProperties

    return CommitProperties(
        custom_metadata={
            ANNOTATIONS_KEY: json.dumps(dict(annotations)),
            VERSION_KEY: str(current.version + 1),
            ACTOR_KEY: Actor.present().to_json(),
        },
        max_commit_retries=0,
    )


def add_actions(
    files: Iterable[DataFile], schema: pa.Schema, partition_by: tuple[str, ...]
) -> Iterable[AddAction]:
    """The Add actions of files, with statistics in Delta's JSON form."""
    from deltalake.transaction import AddAction

    now = int(time.time() * 1000)
    for file in files:
        stats = delta_stats(file, schema, partition_by)
        yield AddAction(
            path=file.path,
            size=file.size_bytes,
            partition_values=dict(file.partition_values),
            modification_time=now,
            data_change=True,
            stats=stats,
        )


def commit_properties(
    receipt: Receipt, annotations: Mapping[str, str], *batches: str | None
) -> CommitProperties:
    """Receipt, annotations of the table, batches and who commits: they stand in the commit."""
    from deltalake import CommitProperties, Transaction

    now = int(time.time() * 1000)
    return CommitProperties(
        custom_metadata={
            RECEIPT_KEY: receipt.to_json(),
            ANNOTATIONS_KEY: json.dumps(dict(annotations)),
            VERSION_KEY: str(receipt.version_after),
            ACTOR_KEY: Actor.present().to_json(),
        },
        max_commit_retries=0,
        app_transactions=[Transaction(one, 1, now) for one in batches if one] or None,
    )


def _has_naive_timestamp(schema: pa.Schema) -> bool:
    return any("timestamp[us]" in str(field.type) for field in schema)


def _has_feature(delta: DeltaTable) -> bool:
    return "timestampNtz" in (delta.protocol().reader_features or [])
