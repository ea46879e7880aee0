"""One run's requests: who sends them, how answers are read, and whom they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from etl_platform.components.api_source.options import ApiTableOptions
from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError
from etl_platform.core.sessions import session
from etl_platform.sources.api.messages import ApiRequest, ApiResponse, Transport

if TYPE_CHECKING:
    import datetime as dt

    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.sources.api.extraction import MakeRequests, Parent
    from etl_platform.sources.api.graphql.reading import GraphQLReader
    from etl_platform.sources.api.records.reading import PageReader
    from etl_platform.sources.api.resources import ResourceOptions

_WINDOW = re.compile(r"\{window\.(start|end)\}")
_PARENT = re.compile(r"\{parent\.(\w+)")
_BATCH_ROWS = 10_000


@dataclass
class Counting:
    """A transport that notes what its answers took."""

    inner: Transport
    retries: int = 0
    waited_s: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def send(self, request: ApiRequest) -> ApiResponse:
        """See :class:`~etl_platform.sources.api.messages.Transport`."""
        found = self.inner.send(request)
        with self._lock:
            self.retries += found.retries
            self.waited_s += found.waited_s
        return found

    def close(self) -> None:
        """The inner one is shared: it stays open."""


@dataclass(frozen=True)
class Asking:
    """What a resource needs besides a transport.

    ``graphql`` is the reader that knows of errors that were accepted.
    """

    resource: ResourceOptions
    reader: PageReader | None = None
    requests: MakeRequests | None = None
    graphql: GraphQLReader | None = None


def asking(
    options: ApiTableOptions,
    transport: Transport,
    base_url: str,
    window: tuple[dt.datetime, dt.datetime] | None,
) -> Asking:
    """Prepare what is declared for one run.

    Args:
        window: the run's period; its bounds are written into the requests.
    """
    from etl_platform.sources.api.graphql.reading import GraphQLReader
    from etl_platform.sources.api.records.reading import JsonReader
    from etl_platform.sources.api.resources import ResourceOptions
    from etl_platform.sources.api.soap.options import SoapOptions
    from etl_platform.sources.api.soap.pages import SoapReader, SoapRequests
    from etl_platform.sources.api.soap.service import SoapService
    from etl_platform.sources.api.templates import RequestTemplate

    said = options.request()
    if options.partition is not None and window is not None:
        bounds = {
            "start": options.partition.written(window[0]),
            "end": options.partition.written(window[1]),
        }
        places = ("path", "params", "headers", "body")
        said |= {name: _filled(said[name], bounds) for name in places if name in said}
    resource = ResourceOptions.model_validate(said)
    plain = JsonReader(resource.select, resource.response_schema)
    if options.graphql is not None:
        reader = GraphQLReader(plain, options.graphql.get("partial", "refuse"))
        return Asking(resource, reader, graphql=reader)
    if options.soap is not None:
        service = SoapService(SoapOptions.model_validate(options.soap), transport, base_url)
        return Asking(
            resource,
            SoapReader(plain, service),
            lambda parent, since: SoapRequests(RequestTemplate(resource, parent, since), service),
        )
    return Asking(resource)


def parents(lake: Lake, table: TableName, resource: ResourceOptions) -> Iterator[Parent]:
    """The records of the parent's table that this resource is asked for, in their order: only the
    fields that requests and columns name.

    Raises:
        ConfigError: the parent's table has no such column, or there is no such table.
    """
    assert resource.parent is not None
    named = _PARENT.findall(resource.model_dump_json())
    fields = sorted({*named, *resource.parent.columns.values()})
    if not lake.exists(table):
        raise ConfigError(f"{table}, the parent, has not been loaded", fix="materialise it first")
    there = lake.schema(table).names
    for one in fields:
        if one not in there:
            raise ConfigError(f"parent: {table} has no column {one!r}", valid=", ".join(there))
    if not fields:
        raise ConfigError(
            "parent: no request names a field of it", fix="write {parent.id} into path or params"
        )
    columns = ", ".join(quote(one) for one in fields)
    sql = f"SELECT DISTINCT {columns} FROM {lake.relation_sql(table)} ORDER BY ALL"
    with session(lake.settings) as con:
        for batch in con.sql(sql).to_arrow_reader(_BATCH_ROWS):
            for row in batch.to_pylist():
                yield {name: _json(value) for name, value in row.items()}


def _json(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: _json(one) for name, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_json(one) for one in cast("list[Any]", value)]
    return str(value)


def _filled(template: Any, bounds: Mapping[str, str]) -> Any:
    if isinstance(template, str):
        return _WINDOW.sub(lambda place: bounds[place[1]], template)
    if isinstance(template, dict):
        found = cast("dict[str, Any]", template)
        return {name: _filled(one, bounds) for name, one in found.items()}
    if isinstance(template, list):
        return [_filled(one, bounds) for one in cast("list[Any]", template)]
    return template
