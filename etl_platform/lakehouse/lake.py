"""The lake: every table at every version, and the only way to change one."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import quote
from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.core.settings import Settings, get_settings
from etl_platform.core.staged import DataFile, Staged
from etl_platform.lakehouse import maintenance, profiles, publish, staging
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.opening import open_snapshot, open_to_write
from etl_platform.lakehouse.origin import Origin
from etl_platform.lakehouse.publish import Annotate, SchemaChange
from etl_platform.lakehouse.receipt import Commit, Mode, Receipt
from etl_platform.lakehouse.reconcile import Missing, Reconciliation, reconcile
from etl_platform.lakehouse.replacing import Leaving
from etl_platform.lakehouse.rollup_index import declare
from etl_platform.lakehouse.root import Root

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

    from etl_platform.quality import Profile

_AT_ONCE, _WORTH_THREADS = 16, 8


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table as it stands: ``columns`` maps names to Arrow type texts, sizes are bytes."""

    name: TableName
    version: int
    rows: int
    size_bytes: int
    files: int
    columns: Mapping[str, str]
    partition_by: tuple[str, ...]
    updated_at: datetime


class Lake:
    """Delta tables below one root, named ``<schema>/<name>``.

    Args:
        uri: folder of the lake, or ``s3://bucket/prefix``; default ``settings.lake_uri``.
        settings: limits for the engines; default from the environment.
    """

    def __init__(self, uri: str | None = None, settings: Settings | None = None) -> None:
        self.settings = settings or get_settings()
        self.root = Root(uri or self.settings.lake_uri, self.settings)

    @property
    def uri(self) -> str:
        """Where the lake is."""
        return self.root.uri

    def exists(self, table: TableName) -> bool:
        return open_snapshot(self.root, table) is not None

    def find(self, table: TableName) -> Snapshot | None:
        """The newest version of a table; None when there is no such table."""
        return open_snapshot(self.root, table)

    def snapshot(self, table: TableName, version: int | None = None) -> Snapshot:
        """One table at one version (default: the newest).

        Raises:
            UnknownName: the table or version does not exist, with the nearest name.
        """
        return self._there(table, open_snapshot(self.root, table, version))

    def names(self) -> list[TableName]:
        """Every table of the lake, quarantine tables included, sorted."""
        return maintenance.table_names(self.root)

    def tables(self) -> list[TableInfo]:
        """What the lake holds now."""
        return self.infos(self.names())

    def infos(self, names: Sequence[TableName]) -> list[TableInfo]:
        """How these tables stand, in the same order."""
        if len(names) < _WORTH_THREADS:
            return [self.info(name) for name in names]
        # Reading a log waits for files more than it computes.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self.info, names))

    def info(self, table: TableName) -> TableInfo:
        snapshot = self.snapshot(table)
        newest = snapshot.delta.history(1)[0]
        return TableInfo(
            name=table,
            version=snapshot.version,
            rows=snapshot.rows,
            size_bytes=snapshot.size_bytes,
            files=len(snapshot.files),
            columns={field.name: str(field.type) for field in snapshot.schema},
            partition_by=snapshot.partition_by,
            updated_at=datetime.fromtimestamp(newest["timestamp"] / 1000, UTC),
        )

    def version(self, table: TableName) -> int:
        return self.snapshot(table).version

    def schema(self, table: TableName, version: int | None = None) -> pa.Schema:
        return self.snapshot(table, version).schema

    def files(self, table: TableName, version: int | None = None) -> tuple[DataFile, ...]:
        """The files of one version. Those of a bucket have to be fetched before they are opened."""
        return self.snapshot(table, version).files

    def relation_sql(self, table: TableName, version: int | None = None) -> str:
        """DuckDB SQL for after FROM: exactly the rows of one version."""
        return self.snapshot(table, version).relation_sql()

    def scan(self, table: TableName, version: int | None = None) -> pl.LazyFrame:
        """A table at one version as a Polars lazy frame; nothing is read yet.

        Raises:
            UnknownName: there is no such table or version.
            PermanentError: it is a view.
        """
        import polars as pl

        snapshot = self.snapshot(table, version)
        snapshot.check_has_rows()
        return pl.scan_delta(snapshot.delta)

    def stage(
        self,
        table: TableName,
        data: object,
        partition_by: tuple[str, ...] = (),
        constants: Mapping[str, str] | None = None,
    ) -> Staged:
        """Write data as Parquet without making it visible, on this machine.

        Args:
            data: an Arrow table or stream, a Polars frame or lazy frame, a pandas frame, or a
                DuckDB relation. Streams are read once, in bounded memory.
            partition_by: columns by which the files are split.
            constants: text columns to add with one value each, when ``data`` lacks them.

        Raises:
            UnsupportedType, SchemaMismatch, UnknownName: see :func:`lakehouse.staging.stage`.
        """
        return staging.stage(self.settings, self.root, table, data, partition_by, constants)

    def publish(
        self,
        staged: Staged,
        mode: Mode = Mode.REPLACE,
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
        """Make a stage visible in one Delta commit.

        Args:
            mode: how the staged rows meet those already there.
            key: the columns that identify a row (``upsert``).
            partition: partition column -> value that is replaced (``replace_partition``).
            batch: identity of these rows; a batch that was committed before is not committed again.
            run_id: recorded in the receipt.
            annotations: facts that travel with the table, such as a watermark.
            schema_change: ``evolve`` lets columns be added and types widened; ``any`` lets a
                replacement change the columns as it likes.
            started: ``time.perf_counter()`` when work on these rows began, for the receipt's
                seconds; default: when staging did.
            checksum: of the staged files, when it is known already.
            unless: a batch after which these rows may not be published any more.
            replaced: the rows that go (``replace_rows``).
            annotate: further annotations, worked out from those of the version before.

        Raises:
            SchemaMismatch: the batch's columns do not fit, with the differences.
            ConcurrentWrite: other writers were faster 20 times in a row.
            PermanentError: an upsert key with nulls or duplicates; another partitioning; ``unless``
                was committed.
        """
        origin = Origin.of(annotations or {})
        if origin is not None and origin.rollup is not None:
            declare(self.root, staged.table)
        return publish.publish(
            self.settings,
            self.root,
            staged,
            mode,
            key=key,
            partition=partition,
            batch=batch,
            run_id=run_id,
            annotations=annotations,
            schema_change=schema_change,
            started=started,
            checksum=checksum,
            unless=unless,
            replaced=replaced,
            annotate=annotate,
        )

    def reconcile(
        self, current: Snapshot, keys: object, options: Reconciliation
    ) -> tuple[Receipt, Missing]:
        """Remove or mark the rows whose key the source no longer has, in one commit.

        Args:
            current: the table as it stood *before* the source's keys began to be read. Only rows
                of this version can be found missing, so that no row which came later is.
            keys: the key columns of every row of the source, as a stream; read once.
            options: how.

        Raises:
            TooManyMissing: more would go than ``options.max_share`` allows; nothing was changed.
            ConcurrentWrite: the table moved on meanwhile; read the keys again on a new snapshot.
        """
        return reconcile(self.settings, self.root, current, keys, options)

    def committed(self, table: TableName, batch: str) -> bool:
        """Whether a batch is part of the table already."""
        return self.snapshot(table).has_batch(batch)

    def discard(self, staged: Staged) -> None:
        """Remove the files of a stage that will not be published."""
        staging.discard_staged(self.root, staged)

    @contextmanager
    def discarding(self, staged: Staged) -> Generator[None]:
        """Remove the stage's files if what happens inside fails."""
        try:
            yield
        except BaseException:
            self.discard(staged)
            raise

    def history(self, table: TableName, limit: int | None = None) -> list[Commit]:
        """Commits of a table, newest first."""
        return self.snapshot(table).history(limit)

    def annotation(self, table: TableName, key: str) -> str | None:
        """A fact carried by the table's newest version, or None."""
        found = open_snapshot(self.root, table)
        return None if found is None else found.annotations().get(key)

    def origin(self, table: TableName, version: int | None = None) -> Origin | None:
        """What the newest rows of a version were made from; None where it was not recorded."""
        return Origin.of(self.snapshot(table, version).annotations())

    def profile(self, table: TableName, version: int | None = None) -> Profile | None:
        """The full profile of a version, from kept profiles; None when it was not profiled."""
        return profiles.table_profile(self.root, self.snapshot(table, version))

    def revert(self, table: TableName, to_version: int, run_id: str | None = None) -> Receipt:
        """Make an earlier version the newest one. See :func:`lakehouse.maintenance.revert`."""
        target = self.snapshot(table, to_version)
        return maintenance.revert(self._to_write(table), target, run_id)

    def compact(self, table: TableName, run_id: str | None = None) -> Receipt | None:
        """Merge small files; None when there is nothing to merge."""
        return maintenance.compact(self.settings, self.root, self._to_write(table), run_id)

    def vacuum(
        self,
        table: TableName,
        orphans_older_than_hours: float = 24,
        history_older_than_hours: float | None = None,
    ) -> list[str]:
        """Delete files that no kept version needs. See :func:`lakehouse.maintenance.vacuum`."""
        snapshot = self.snapshot(table)
        return maintenance.vacuum(
            self.root, snapshot, orphans_older_than_hours, history_older_than_hours
        )

    def checksum(self, table: TableName, version: int | None = None) -> str:
        """A digest of all rows of a version that does not depend on their order.

        ``<rows>:<sum of row hashes>``, columns taken by name. Comparable between tables, versions
        and copies as long as the same DuckDB release computes both.
        """
        snapshot = self.snapshot(table, version)
        with session(self.settings) as con:
            return checksum_sql(con, snapshot.relation_sql(), snapshot.schema.names)

    def _to_write(self, table: TableName) -> Snapshot:
        return self._there(table, open_to_write(self.root, table))

    def _there(self, table: TableName, found: Snapshot | None) -> Snapshot:
        if found is None:
            raise UnknownName("table", table.sql, [t.sql for t in self.names()])
        return found


def checksum_sql(con: duckdb.DuckDBPyConnection, relation: str, columns: list[str]) -> str:
    """The digest of :meth:`Lake.checksum` for any relation that a DuckDB session can read."""
    values = ", ".join(quote(name) for name in sorted(columns))
    row = con.execute(
        f"SELECT count(*), coalesce(sum(hash({values})::HUGEINT), 0) FROM {relation}"
    ).fetchone()
    assert row is not None
    return f"{row[0]}:{row[1]:x}"
