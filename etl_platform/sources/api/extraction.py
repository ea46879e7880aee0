"""All records of a resource, as Arrow tables, once each and in order.

How the parts meet
------------------
:func:`extract` fetches everything first and keeps complete answers in the ``spool``; only then are
columns known, keys compared and rows given, in bounded memory and as often as asked for::

    with extract(transport, options, since=watermark, known=table_schema, spool=spool) as found:
        for table in found.tables:                 # the resource's own, then child tables
            publish(table.name, table.reader(), key=table.primary_key)
        commit(found.cursor)                       # where the next run begins, None: no records
        found.discard()                            # published: the answers on disk may go

Left without ``discard()``, by an error or a crash, the spool keeps what was fetched: opened again
by its name (``Spool.open``), a second run asks the server only for the rest.

GraphQL and SOAP bring their own :class:`~.records.reading.PageReader` (answer -> records as JSON
texts) and, where a request is more than :class:`~.resources.ResourceOptions` can say, a function
that makes :class:`~.fetching.Requests` for a parent and a ``since``. What they raise ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from pydantic import JsonValue

from etl_platform.sources.api.chain import PagesShifted
from etl_platform.sources.api.conditional import ConditionalRequests
from etl_platform.sources.api.fetching import Fetcher, Requests
from etl_platform.sources.api.messages import Transport
from etl_platform.sources.api.pagination.detection import Found
from etl_platform.sources.api.pagination.protocol import Step
from etl_platform.sources.api.reading_once import Reading
from etl_platform.sources.api.records.reading import JsonReader, PageReader
from etl_platform.sources.api.records.tables import ExtractedTable
from etl_platform.sources.api.resources import ResourceOptions, Scalar
from etl_platform.sources.api.spool import Spool
from etl_platform.sources.api.templates import RequestTemplate

if TYPE_CHECKING:
    import pyarrow as pa

Parent = Mapping[str, JsonValue]
MakeRequests = Callable[[Parent | None, Scalar | None], Requests]


@dataclass(frozen=True)
class Extraction(AbstractContextManager["Extraction"]):
    """What an API gave.

    Attributes:
        tables: the resource's own table, whose name is ``""``, then its child tables.
        pagination: how pages followed each other, and what showed it.
        cursor: the largest value of the cursor as the API wrote it; None without records.
        records: delivered, each once.
        duplicates: records that came again, left out.
        pages: read in all.
        requests: sent to the server.
        pages_from_spool: pages that had been fetched by a run before.
        one_by_one: pages shifted while they were fetched at the same time, so that they were read
            again one by one.
        untyped: fields that are left out because they were null or empty in all records.
        unchanged: the server said that nothing is new since ``validator``; there are no tables to
            publish.
        validator: what a conditional resource is asked with next time.
    """

    tables: tuple[ExtractedTable, ...]
    pagination: Found | None
    cursor: str | None
    records: int
    duplicates: int
    pages: int
    requests: int
    pages_from_spool: int
    one_by_one: bool
    untyped: tuple[str, ...]
    unchanged: bool
    validator: str | None
    _spool: Spool

    @property
    def schema(self) -> pa.Schema:
        """Of the resource's own table."""
        return self.tables[0].schema

    def reader(self) -> pa.RecordBatchReader:
        """The rows of the resource's own table; a new reader each time."""
        return self.tables[0].reader()

    def discard(self) -> None:
        """The rows are published: forget the answers on disk."""
        self._spool.remove()

    def __exit__(self, *exc: object) -> None:
        self._spool.close()


def extract(
    transport: Transport,
    resource: ResourceOptions,
    *,
    parents: Iterable[Parent] | None = None,
    since: Scalar | None = None,
    known: pa.Schema | None = None,
    spool: Spool | None = None,
    validator: str | None = None,
    reader: PageReader | None = None,
    requests: MakeRequests | None = None,
) -> Extraction:
    """Read a resource to its end.

    Args:
        parents: for a resource with a parent, its records, one chain of pages each.
        since: where an incremental run begins, as ``incremental.begin`` makes it of a watermark.
        known: the table's schema, so that found columns keep their types where the values fit.
        spool: keeps complete answers for a run after this one fails; None keeps them for this one.
        validator: ``Extraction.validator`` of the last run, for a resource that is ``conditional``.
        reader: makes records of answers; JSON by default.
        requests: makes requests; by default as the resource declares them.

    Raises:
        ApiRefused, ApiUnavailable: as the transport raises them.
        BadResponse: an answer is not what was promised, or pages lead in a circle.
        PagesShifted: records went away meanwhile; a later run reads them all again.
        SchemaMismatch: values have no exact place in a column.
    """
    held = spool if spool is not None else Spool.temporary()
    fetcher = Fetcher(
        transport, reader or JsonReader(resource.select, resource.response_schema), held
    )

    def make(owner: Parent | None) -> Requests:
        plain = (requests or partial(RequestTemplate, resource))(owner, since)
        if validator is None or not resource.conditional:
            return plain
        first = resource.pagination.first() if resource.pagination is not None else Step()
        return ConditionalRequests(plain, validator, first)

    waiting = iter([None] if parents is None else parents)
    begun = list(islice(waiting, 2))
    # Only what has a single owner may be read twice.
    owners = begun if len(begun) < 2 else chain(begun, waiting)
    reading = Reading(resource, fetcher, make, owners, known)
    try:
        read = reading.run(at_once=True)
        if read.shifted:
            # Of pages asked for at the same time, a later one may show an earlier state: a record
            # that moved on from one to the other is then in neither. One by one it is in both.
            held.clear()
            read = replace(reading.run(at_once=False), again=True)
        read.check_total(resource.path)
    except PagesShifted:
        held.clear()
        held.close()
        raise
    except BaseException:
        held.close()
        raise
    return Extraction(
        tables=read.layout.tables(),
        pagination=read.found,
        cursor=read.layout.cursor,
        records=read.layout.records,
        duplicates=read.store.records - read.layout.records,
        pages=read.store.pages,
        requests=fetcher.requests,
        pages_from_spool=fetcher.from_spool,
        one_by_one=read.again,
        untyped=read.layout.untyped,
        unchanged=read.unchanged,
        validator=read.validator if resource.conditional else None,
        _spool=held,
    )
