"""The Delta log of one table: what is visible at which version. Only this package touches it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from etl_platform.core.duck import literal, quote, read_parquet
from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.staged import ColumnStats, DataFile
from etl_platform.core.types import duckdb_type
from etl_platform.lakehouse.origin import Origin
from etl_platform.lakehouse.receipt import (
    ANNOTATIONS_KEY,
    COLUMNS_ADDED,
    VERSION_KEY,
    Commit,
    commit_of,
    version_of,
)
from etl_platform.lakehouse.root import Root

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_OWN_FILE = re.compile(r"[0-9a-f]{32}/")


@dataclass(frozen=True)
class Snapshot:
    """One table at one version."""

    table: TableName
    root: Root
    delta: DeltaTable

    @property
    def uri(self) -> str:
        """Where readers of Delta find the table."""
        return self.root.log(self.table)

    @property
    def version(self) -> int:
        return self.delta.version()

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema that readers see; every column nullable."""
        import pyarrow as pa

        return pa.schema(self.delta.schema())  # pyright: ignore[reportArgumentType] - PyCapsule

    @cached_property
    def partition_by(self) -> tuple[str, ...]:
        return tuple(self.delta.metadata().partition_columns)

    @cached_property
    def actions(self) -> pa.Table:
        """One row per visible file, in the order of ``files``: what the log says of it."""
        import pyarrow as pa

        # Not by ``pa.table``: it imports pandas to ask whether it is concerned, which takes 0.2 s.
        found = pa.RecordBatchReader.from_stream(self.delta.get_add_actions(flatten=False))
        return found.read_all().combine_chunks()

    @cached_property
    def files(self) -> tuple[DataFile, ...]:
        """The visible files; statistics as far as the log has them (bounds never exact)."""
        return tuple(self._file(action) for action in self.actions.to_pylist())

    @cached_property
    def bounds(self) -> dict[str, tuple[Any, Any, Any]]:
        """By column, what :func:`etl_platform.lakehouse.bounds.file_bounds` has worked out."""
        return {}

    @cached_property
    def view(self) -> str | None:
        """The SELECT that readers put in the place of the name; None of a table with rows."""
        if self.files:
            return None
        origin = Origin.of(self.annotations())
        return origin.sql if origin is not None and origin.view else None

    def check_has_rows(self) -> None:
        """Let rows be read.

        Raises:
            PermanentError: it is a view, whose rows are nowhere: it must not look like an empty
                table.
        """
        if self.view is not None:
            raise PermanentError(
                f"{self.table} is a view: it has no rows of its own",
                valid="queries and models read views",
                fix="query it, or read a model of another materialization over it",
            )

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def relation_sql(
        self,
        files: tuple[DataFile, ...] | None = None,
        *,
        with_filename: bool = False,
        fetch: bool = True,
    ) -> str:
        """DuckDB SQL that can stand after FROM and yields exactly this version's rows.

        Files written before a column was added give null for it.

        Args:
            files: some of the version's files; default: all.
            with_filename: adds the column ``filename`` with the URI of the row's file.
            fetch: whether the files of a lake in a bucket are brought to this machine now. Without
                it :meth:`Root.fetch_uris` has to come before the SQL is run.

        Raises:
            PermanentError: all files of a view were asked for.
        """
        if files is None:
            self.check_has_rows()
        chosen = self.files if files is None else files
        if not chosen:
            columns = ", ".join(
                f"NULL::{duckdb_type(f.type)} AS {quote(f.name)}" for f in self.schema
            )
            return f"(SELECT {columns} WHERE false)"
        if self.partition_by:
            for file in chosen:
                if not _OWN_FILE.match(file.path):
                    raise PermanentError(
                        f"{self.table}: {file.path} was not written by this platform and may lack "
                        "the partition columns",
                        fix="publish the table again, or read it with Platform.scan",
                    )
        if fetch:
            self.root.fetch(self.table, chosen)
        options = "filename = true, " if with_filename else ""
        if not self.uniform:
            # Naming the schema costs DuckDB the statistics by which it orders joins (three times
            # the TPC-H total), so it is done only where files differ.
            fields = ", ".join(
                f"{literal(f.name)}: {{'name': {literal(f.name)}, "
                f"'type': {literal(duckdb_type(f.type))}, 'default_value': NULL}}"
                for f in self.schema
            )
            options += f"schema = MAP {{{fields}}}, "
        columns = ", ".join(quote(name) for name in self.schema.names)
        if with_filename:
            columns += ", filename"
        return f"(SELECT {columns} FROM {read_parquet([f.uri for f in chosen], options)})"

    @cached_property
    def uniform(self) -> bool:
        """Whether every visible file is known to hold every column."""
        info = self._commit_info
        return VERSION_KEY in info and COLUMNS_ADDED not in self.annotations()

    def within(self, partition: Mapping[str, Any]) -> tuple[DataFile, ...]:
        """The files of one partition, given by some or all of the partition columns."""
        wanted = {column: partition_text(value) for column, value in partition.items()}
        for column in wanted:
            if column not in self.partition_by:
                raise UnknownName(
                    "partition column", column, self.partition_by, where=self.table.sql
                )
        return tuple(
            f for f in self.files if all(f.partition_values[c] == v for c, v in wanted.items())
        )

    def outside(self, partition: Mapping[str, Any]) -> tuple[DataFile, ...]:
        """The files of all other partitions."""
        inside = {file.path for file in self.within(partition)}
        return tuple(file for file in self.files if file.path not in inside)

    def has_batch(self, batch: str) -> bool:
        """Whether a commit up to this version carried the batch."""
        return self.delta.transaction_version(batch) is not None

    def annotations(self) -> dict[str, str]:
        """Facts that travel with the table from commit to commit, such as a watermark."""
        text = self._commit_info.get(ANNOTATIONS_KEY)
        return json.loads(text) if text else {}

    @cached_property
    def _commit_info(self) -> dict[str, Any]:
        # The log's newest entry may be of a later version than this snapshot.
        newest = self.delta.history(1)
        if newest and version_of(newest[0]) == self.version:
            return newest[0]
        entries = self.delta.history()
        return next((entry for entry in entries if version_of(entry) == self.version), {})

    def history(self, limit: int | None = None) -> list[Commit]:
        return [commit_of(entry) for entry in self.delta.history(limit)]

    @cached_property
    def _folder(self) -> str:
        return self.root.folder(self.table)

    def _file(self, action: Mapping[str, Any]) -> DataFile:
        path = unquote(action["path"])
        columns: dict[str, ColumnStats] = {}
        nulls = action.get("null_count") or {}
        low, high = action.get("min") or {}, action.get("max") or {}
        for name in self.schema.names:
            count = nulls.get(name)
            if isinstance(count, int) or low.get(name) is not None:
                columns[name] = ColumnStats(
                    null_count=count if isinstance(count, int) else None,
                    min=low.get(name),
                    max=high.get(name),
                    exact=False,
                )
        values: dict[str, str | None] = {}
        if self.partition_by:
            given = action.get("partition") or {}
            values = {c: partition_text(given.get(c)) for c in self.partition_by}
        return DataFile(
            path=path,
            uri=f"{self._folder}/{path}",
            rows=action["num_records"] or 0,
            size_bytes=action["size_bytes"],
            partition_values=values,
            columns=columns,
        )


def partition_text(value: Any) -> str | None:
    """Delta's text form of a partition value (protocol, "Partition Value Serialization")."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "hour"):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
