"""Exports read back as any consumer would: the manifest first, then the files that it names."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa

from etl_platform.core.objects import ObjectInfo, ObjectStore
from etl_platform.sinks.files import Manifest, read_manifest
from etl_platform.sources.files import FileOptions, detect, read, sample


def visible(store: ObjectStore, folder: str) -> Manifest:
    found = read_manifest(store, folder)
    assert found is not None
    return found


def read_export(store: ObjectStore, folder: str, schema: pa.Schema) -> pa.Table:
    """All rows with the types of ``schema``; values of folders' names are those of the manifest."""
    manifest = visible(store, folder)
    tables = [schema.empty_table()]
    for file in manifest.files:
        inside = [one for one in schema if one.name not in file.partition]
        # Text formats keep bytes as base64.
        coded = manifest.format != "parquet"
        told = [
            pa.field(f.name, pa.string() if coded and pa.types.is_binary(f.type) else f.type)
            for f in inside
        ]
        given: dict[str, Any] = {"format": manifest.format}
        if manifest.delimiter is not None:
            given["csv"] = {"delimiter": manifest.delimiter, "header": True, "quote": '"'}
        info = store.head(f"{folder}/{file.path}")
        assert info is not None
        assert info.size_bytes == file.size_bytes
        form = detect(sample(store, info), FileOptions.model_validate(given))
        batches = list(read(store, info, form, pa.schema(told)))
        table = pa.Table.from_batches(batches, pa.schema(told))
        assert file.rows in {None, table.num_rows}
        columns: list[Any] = []
        for field in schema:
            if field.name in file.partition:
                value = file.partition[field.name]
                text = pa.array([value] * table.num_rows, pa.string())
                columns.append(text.cast(field.type))
            elif coded and pa.types.is_binary(field.type):
                texts = table.column(field.name).to_pylist()
                plain = [None if one is None else base64.b64decode(one) for one in texts]
                columns.append(pa.array(plain, pa.binary()))
            else:
                columns.append(table.column(field.name).cast(field.type))
        tables.append(pa.table(columns, schema=schema))
    return pa.concat_tables(tables)


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Dying:
    """A store whose process dies before a certain change of an object."""

    def __init__(self, store: ObjectStore, changes: int) -> None:
        self._store, self._left, self._lock = store, changes, Lock()

    @property
    def uri(self) -> str:
        return self._store.uri

    def _change(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise Killed

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(prefix, start_after)

    def folders(self, prefix: str = "") -> list[str]:
        return self._store.folders(prefix)

    def head(self, key: str) -> ObjectInfo | None:
        return self._store.head(key)

    def read(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> bytes:
        return self._store.read(key, start, length, if_match=if_match)

    def download(self, key: str, path: Path, *, if_match: str | None = None) -> ObjectInfo:
        return self._store.download(key, path, if_match=if_match)

    def put(
        self, key: str, data: bytes, *, if_none_match: bool = False, if_match: str | None = None
    ) -> str:
        self._change()
        return self._store.put(key, data, if_none_match=if_none_match, if_match=if_match)

    def upload(self, key: str, path: Path, *, if_none_match: bool = False) -> str:
        self._change()
        return self._store.upload(key, path, if_none_match=if_none_match)

    def copy(self, source: str, target: str) -> None:
        self._change()
        self._store.copy(source, target)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._change()
            self._store.delete([key])
