"""Records of all pages in their order, in memory while they are few, read again otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from etl_platform.core.errors import ConfigError
from etl_platform.sources.api.messages import ApiRequest
from etl_platform.sources.api.records.decoding import as_text
from etl_platform.sources.api.records.inferring import shape_of
from etl_platform.sources.api.records.reading import Page
from etl_platform.sources.api.records.shape import Shape

if TYPE_CHECKING:
    from etl_platform.sources.api.fetching import Fetched
    from etl_platform.sources.api.resources import ResourceOptions

_TOGETHER_BYTES = 1 << 20
_TOGETHER_RECORDS = 16_384
_IN_MEMORY_BYTES = 64 << 20


class RecordStore:
    """What the pages hold, with the parents' columns added.

    Args:
        again: reads a page that was read before.
    """

    def __init__(self, resource: ResourceOptions, again: Callable[[ApiRequest], Page]) -> None:
        self._resource = resource
        self._again = again
        self._json_text = frozenset(resource.json_text)
        self._requests: list[tuple[ApiRequest, bytes]] = []
        self._pages: list[Sequence[bytes]] | None = []
        self._bytes = 0
        self._shape = Shape(fields={})
        self._unshaped: list[bytes] = []
        self._unshaped_bytes = 0
        self.records = 0
        self.pages = 0

    def add(self, fetched: Fetched, owner: Mapping[str, JsonValue] | None) -> None:
        """Take the next page.

        Raises:
            BadResponse: a record cannot be read without loss.
        """
        extra = self._of_parent(owner)
        records = self._completed(fetched.page.records, extra)
        self.pages += 1
        if not records:
            return
        self._requests.append((fetched.request, extra))
        self.records += len(records)
        size = sum(map(len, records))
        self._bytes += size
        if self._bytes > _IN_MEMORY_BYTES:
            self._pages = None
        if self._pages is not None:
            self._pages.append(records)
        if self._resource.columns is None:
            self._unshaped += records
            self._unshaped_bytes += size
            if self._unshaped_bytes >= _TOGETHER_BYTES:
                self._join()

    def shape(self, *, exactly: bool = False) -> Shape:
        """The kinds of values of all records."""
        if not exactly:
            self._join()
            return self._shape
        found = Shape(fields={})
        for records in self.chunks():
            found.join(shape_of(records, exactly=True))
        return found

    def chunks(self) -> Iterator[list[bytes]]:
        """All records in order, many at a time; as often as asked for."""
        chunk: list[bytes] = []
        size = 0
        for records in self.each_page():
            chunk += records
            size += sum(map(len, records))
            if size >= 4 * _TOGETHER_BYTES or len(chunk) >= _TOGETHER_RECORDS:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk

    def each_page(self) -> Iterator[Sequence[bytes]]:
        """The records page by page, those pages that have some."""
        if self._pages is not None:
            yield from self._pages
            return
        for request, extra in self._requests:
            yield self._completed(self._again(request).records, extra)

    def _join(self) -> None:
        self._shape.join(shape_of(self._unshaped))
        self._unshaped, self._unshaped_bytes = [], 0

    def _completed(self, records: Sequence[bytes], extra: bytes) -> Sequence[bytes]:
        if self._json_text:
            records = [as_text(record, self._json_text) for record in records]
        if extra:
            records = [_with(record, extra) for record in records]
        return records

    def _of_parent(self, owner: Mapping[str, JsonValue] | None) -> bytes:
        parent = self._resource.parent
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


def _with(record: bytes, extra: bytes) -> bytes:
    start = record.rstrip()[:-1]
    empty = start.rstrip().endswith(b"{") and not start.strip()[1:].strip()
    return start + (b"" if empty else b",") + extra + b"}"
