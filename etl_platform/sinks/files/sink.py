"""A place that tables of the lake are exported to."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConcurrentWrite, ConfigError
from etl_platform.core.objects import ObjectChanged, ObjectStore
from etl_platform.core.sessions import session
from etl_platform.core.types import duckdb_type
from etl_platform.sinks.files.gate import check
from etl_platform.sinks.files.manifest import (
    DATA,
    MANIFEST,
    ExportedColumn,
    ExportedFile,
    Manifest,
    Retired,
    read_with_etag,
)
from etl_platform.sinks.files.receipt import FileReceipt
from etl_platform.sinks.files.sweeping import sweep
from etl_platform.sinks.files.writing import write

if TYPE_CHECKING:
    from etl_platform.sinks.files.export import Export, TableVersion

_AT_ONCE = 4
_TRIES = 5
_SAME = "these files hold this version already"
_NEWER = "another export was faster, with a newer version"


@dataclass(frozen=True)
class FileSink:
    """Exports below the root of a store. Every method raises what the store raises."""

    store: ObjectStore

    def export(self, table: TableVersion, export: Export, run_id: str | None = None) -> FileReceipt:
        """Make a version visible: all of its files, or none of them.

        Files are written on this machine, sent under names of their own, and named by the manifest
        at last, on the condition that it is the one that was read before. A process that dies
        before that changed nothing for any reader; the next export removes its files a day later.

        Raises:
            UnknownName, SchemaMismatch, GateViolation: the files cannot hold the rows as they are;
                nothing was written.
            ConfigError: the folder holds another table's export.
            ConcurrentWrite: other exports to the folder kept winning.
        """
        started = time.perf_counter()
        before, etag = self._visible(table, export)
        signature = table.signature(export)
        removed, trouble = 0, None
        if before is not None:
            now = datetime.now(UTC)
            removed, rest, trouble = sweep(self.store, export.folder, before, export.grace, now)
            before = before.model_copy(update={"retired": rest})
        if before is not None and before.signature == signature:
            skipped, visible = _SAME, before
        else:
            folder = f"{DATA}/v{table.version}-{uuid.uuid4().hex}"
            files, rows = self._send(table, export, folder)
            made = _manifest(table, export, folder, files, rows, run_id)
            skipped, visible = self._publish(made, before, etag, table, export)
        return FileReceipt(
            target=f"{self.store.uri}/{export.folder}",
            source=visible.source,
            source_version=visible.source_version,
            format=visible.format,
            folder=visible.folder,
            files=len(visible.files),
            rows=visible.rows,
            size_bytes=visible.size_bytes,
            seconds=time.perf_counter() - started,
            skipped=skipped,
            removed_files=removed,
            not_removed=trouble,
        )

    def missing(self, folder: str) -> tuple[str, ...]:
        """Files that the manifest names and that are not there in their size.

        Raises:
            ConfigError: nothing was exported there.
        """
        manifest, _ = read_with_etag(self.store, folder)
        if manifest is None:
            raise ConfigError(f"{self.store.uri}/{folder} holds no export", fix="export a table")
        below = f"{folder}/{manifest.folder}/"
        there = {info.key: info.size_bytes for info in self.store.list(below)}
        wanted = {f"{folder}/{one.path}": one.size_bytes for one in manifest.files}
        return tuple(key for key, size in wanted.items() if there.get(key) != size)

    def _visible(self, table: TableVersion, export: Export) -> tuple[Manifest | None, str | None]:
        found, etag = read_with_etag(self.store, export.folder)
        if found is not None and found.source != table.rows.source:
            raise ConfigError(
                f"{self.store.uri}/{export.folder} holds {found.source}, not {table.rows.source}",
                fix="export to another folder, or remove this one",
            )
        return found, etag

    def _send(
        self, table: TableVersion, export: Export, folder: str
    ) -> tuple[tuple[ExportedFile, ...], int]:
        settings = table.rows.settings
        Path(settings.temp_dir).mkdir(parents=True, exist_ok=True)
        with (
            TemporaryDirectory(prefix="export-", dir=settings.temp_dir) as place,
            session(settings) as con,
        ):
            total = check(con, table.rows, export, f"{self.store.uri}/{export.folder}")
            local = Path(place, "files")
            written = write(con, table.rows, export, local, total)

            def send(file: ExportedFile) -> ExportedFile:
                path = f"{folder}/{file.path}"
                self.store.upload(f"{export.folder}/{path}", local / file.path)
                return file.model_copy(update={"path": path})

            with ThreadPoolExecutor(_AT_ONCE) as pool:
                return tuple(pool.map(send, written)), total

    def _publish(
        self,
        made: Manifest,
        before: Manifest | None,
        etag: str | None,
        table: TableVersion,
        export: Export,
    ) -> tuple[str | None, Manifest]:
        """Put the manifest; returns why not, and the manifest that is visible now."""
        key = f"{export.folder}/{MANIFEST}"
        for _ in range(_TRIES):
            replaced = (
                () if before is None else (Retired(folder=before.folder, at=made.written_at),)
            )
            kept = () if before is None else before.retired
            named = made.model_copy(update={"retired": (*kept, *replaced)})
            body = named.model_dump_json(indent=1).encode()
            try:
                self.store.put(key, body, if_match=etag, if_none_match=etag is None)
            except ObjectChanged:
                before, etag = self._visible(table, export)
                if before is not None and before.folder == made.folder:
                    return None, before  # Its answer was lost, and the request repeated.
                reason = None if before is None else _outrun(made, before)
                if before is not None and reason is not None:
                    self.store.delete(f"{export.folder}/{one.path}" for one in made.files)
                    return reason, before
            else:
                return None, named
        raise ConcurrentWrite(f"{self.store.uri}/{key}: other exports kept replacing it")


def _outrun(made: Manifest, winner: Manifest) -> str | None:
    if winner.signature == made.signature:
        return _SAME
    return _NEWER if winner.source_version > made.source_version else None


def _manifest(
    table: TableVersion,
    export: Export,
    folder: str,
    files: Sequence[ExportedFile],
    total: int,
    run_id: str | None,
) -> Manifest:
    rows = table.rows
    return Manifest(
        source=rows.source,
        source_version=table.version,
        signature=table.signature(export),
        format=export.format,
        compression=export.codec,
        delimiter=export.delimiter if export.format == "csv" else None,
        columns=tuple(ExportedColumn(name=f.name, type=duckdb_type(f.type)) for f in rows.schema),
        partition_by=export.partition_by,
        folder=folder,
        files=tuple(files),
        rows=total,
        size_bytes=sum(one.size_bytes for one in files),
        written_at=datetime.now(UTC),
        run_id=run_id,
    )
