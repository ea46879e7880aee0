"""Records of all pages in their order, in memory while they are few, read again otherwise.

While the server works on the next pages, records are decoded with the columns as they are known so
far. Mostly those are the columns in the end, and nothing needs to be decoded again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import JsonValue

from etl_platform.core.errors import ConfigError, SchemaMismatch
from etl_platform.sources.api.messages import ApiRequest
from etl_platform.sources.api.records.decoding import as_text, decode
from etl_platform.sources.api.records.found import FoundColumns
from etl_platform.sources.api.records.reading import Page
from etl_platform.sources.api.records.repeated import PageHashes
from etl_platform.sources.stream.formats.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.api.fetching import Fetched
    from etl_platform.sources.api.resources import ResourceOptions

_TOGETHER_BYTES = 1 << 20
_TOGETHER_RECORDS = 16_384
_IN_MEMORY_BYTES = 64 << 20


@dataclass(slots=True)
class _Chunk:
    """Records that are decoded together.

    Attributes:
        batch: what they were decoded to, with ``columns``; None where that was not tried or failed.
    """

    records: list[bytes]
    columns: tuple[Column, ...] = ()
    batch: pa.RecordBatch | None = None

    def decoded(self, columns: tuple[Column, ...], first: int) -> pa.RecordBatch:
        if self.batch is not None and all(one in self.columns for one in columns):
            return self.batch.select([one.name for one in columns])
        return decode(self.records, columns, first)


@dataclass
class RecordStore:
    """What the pages hold, with the parents' columns added.

    Attributes:
        again: reads a page that was read before.
        found: the columns, as the records show them.
        hashes: where repeated records are refused, those of all records.
    """

    resource: ResourceOptions
    again: Callable[[ApiRequest], Page]
    known: pa.Schema | None = None
    records: int = 0
    pages: int = 0
    found: FoundColumns = field(init=False)
    hashes: PageHashes | None = field(init=False)
    _requests: list[tuple[ApiRequest, bytes]] = field(default_factory=list)
    _chunks: list[_Chunk] | None = field(default_factory=list)
    _pending: list[bytes] = field(default_factory=list)
    _pending_bytes: int = 0
    _bytes: int = 0

    def __post_init__(self) -> None:
        refuses = not self.resource.primary_key and self.resource.duplicates == "refuse"
        self.hashes = PageHashes() if refuses else None
        self.found = FoundColumns(self.resource, self.known)
        self._json_text = frozenset(self.resource.json_text)

    def add(self, fetched: Fetched, owner: Mapping[str, JsonValue] | None) -> None:
        """Take the next page.

        Raises:
            BadResponse: a record cannot be read without loss.
        """
        extra = self._of_parent(owner)
        records = self._completed(fetched.page.records, extra)
        self.pages += 1
        if self.hashes is not None:
            self.hashes.add(records)
        if not records:
            return
        self._requests.append((fetched.request, extra))
        self.records += len(records)
        self._pending += records
        self._pending_bytes += sum(map(len, records))
        if _is_enough(self._pending_bytes, len(self._pending)):
            self._cut()

    def columns(self) -> tuple[tuple[Column, ...], tuple[str, ...]]:
        """The columns of all records, and the fields that have no values.

        Raises:
            SchemaMismatch: values have no exact place.
        """
        self._cut()
        return self.found.final(lambda: (chunk.records for chunk in self._each_chunk()))

    def batches(self, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        """All records in order, with some of the columns; as often as asked for."""
        first = 1
        for chunk in self._each_chunk():
            yield chunk.decoded(columns, first)
            first += len(chunk.records)

    def _cut(self) -> None:
        if not self._pending:
            return
        chunk = _Chunk(self._pending)
        self._bytes += self._pending_bytes
        self._pending, self._pending_bytes = [], 0
        self.found.add(chunk.records)
        if self._bytes > _IN_MEMORY_BYTES:
            self._chunks = None
        if self._chunks is not None:
            columns = self.found.so_far()
            try:
                if columns:
                    chunk.columns, chunk.batch = columns, decode(chunk.records, columns, 1)
            except SchemaMismatch:
                chunk.batch = None  # told in the end, by the columns that are known then
            self._chunks.append(chunk)

    def _each_chunk(self) -> Iterator[_Chunk]:
        if self._chunks is not None:
            yield from self._chunks
            return
        together: list[bytes] = []
        size = 0
        for request, extra in self._requests:
            records = self._completed(self.again(request).records, extra)
            together += records
            size += sum(map(len, records))
            if _is_enough(size, len(together)):
                yield _Chunk(together)
                together, size = [], 0
        if together:
            yield _Chunk(together)

    def _completed(self, records: Sequence[bytes], extra: bytes) -> Sequence[bytes]:
        if self._json_text:
            records = [as_text(record, self._json_text) for record in records]
        if extra:
            records = [_with(record, extra) for record in records]
        return records

    def _of_parent(self, owner: Mapping[str, JsonValue] | None) -> bytes:
        parent = self.resource.parent
        if owner is None or parent is None or not parent.columns:
            return b""
        missing = [field for field in parent.columns.values() if field not in owner]
        if missing:
            raise ConfigError(
                f"parent {parent.resource!r} has no field {missing[0]!r}",
                valid=", ".join(owner),
            )
        found = {name: owner[field] for name, field in parent.columns.items()}
        return json.dumps(found, ensure_ascii=False).encode()[1:-1]


def _is_enough(size_bytes: int, records: int) -> bool:
    return size_bytes >= _TOGETHER_BYTES or records >= _TOGETHER_RECORDS


def _with(record: bytes, extra: bytes) -> bytes:
    start = record.rstrip()[:-1]
    empty = not start.strip()[1:].strip()
    return start + (b"" if empty else b",") + extra + b"}"
