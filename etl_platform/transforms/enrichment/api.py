"""Records of an API by their keys: one key to a request, or several."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from etl_platform.core.errors import PermanentError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from pydantic import JsonValue

    from etl_platform.sources.api.extraction import Parent
    from etl_platform.sources.api.messages import ApiRequest
    from etl_platform.sources.api.pagination.protocol import Step
    from etl_platform.sources.api.resources import ResourceOptions, Scalar
    from etl_platform.transforms.enrichment.asked import Asked, OfApi

_KEY = re.compile(r"\{key\.(\w+)\}")
_LISTS, _REQUEST = "lists", "_request"


def resource_of(asked: Asked, who: OfApi, schema: pa.Schema) -> ResourceOptions:
    """The request as a resource whose parents are the keys.

    Args:
        schema: the key's columns and what is taken, as they have to be.

    Raises:
        ConfigError: an option of the request is wrong, or it does not name the keys.
    """
    from pydantic import ValidationError

    from etl_platform.core.errors import ConfigError
    from etl_platform.sources.api.declared import said_wrong
    from etl_platform.sources.api.resources import ResourceOptions
    from etl_platform.sources.database.arrow_text import to_text

    one = who.keys_per_request == 1
    body = who.request.get("body")
    # The record that answers for one key need not repeat it; of several, each has its own.
    own = {key: key for key in asked.keys} if one else {_REQUEST: _REQUEST}
    numbered = {} if one else {_REQUEST: "int64"}
    filled: dict[str, Any] = {
        **{name: _parents(value, whole=False) for name, value in who.request.items()},
        "body": _parents(body, whole=not one),
        "columns": {**{field.name: to_text(field.type) for field in schema}, **numbered},
        "parent": {"resource": "keys", "columns": own},
        "duplicates": "keep",
    }
    named = set(_KEY.findall(str(dict(who.request))))
    if unknown := sorted(named - {*asked.keys}):
        raise ConfigError(
            f"api: there is no key {unknown[0]!r}",
            valid=", ".join(f"{{key.{k}}}" for k in asked.keys),
        )
    if lacking := sorted({*asked.keys} - named):
        raise ConfigError(
            f"api: the request does not name the key {lacking[0]!r}",
            fix=f"write {{key.{lacking[0]}}} into path, params, headers or body",
        )
    if not one and len(asked.keys) > 1:
        raise ConfigError(
            "api: keys of several columns are asked for one by one",
            fix="leave out keys_per_request",
        )
    try:
        return ResourceOptions.model_validate(filled)
    except ValidationError as error:
        raise ConfigError(f"api: {said_wrong(error)}") from None


def rows_of_api(asked: Asked, who: OfApi, keys: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """The records that have one of the keys: the other's key columns, then what is taken.

    Args:
        keys: the distinct ones, in the order of ``asked.on``; not empty.
        schema: of the answer.

    Raises:
        ApiUnavailable: a later try may succeed.
        ApiRefused: credentials or the request are not accepted.
        BadResponse: the answer is not what was promised.
        SchemaMismatch: a value has no exact place in its column.
        PermanentError: a key cannot be joined with others in one request.
    """
    from etl_platform.sources.api.declared import as_connection
    from etl_platform.sources.api.extraction import extract
    from etl_platform.sources.api.transport import open_transport

    name = who.source.system
    transport = open_transport(name, as_connection(who.connection, "api"))
    try:
        resource = resource_of(asked, who, schema)
        parents, alone = _groups(asked, who, keys), who.keys_per_request == 1
        requests = partial(_Alone, resource) if alone else None
        with extract(transport, resource, parents=parents, requests=requests) as found:
            table = found.reader().read_all()
            found.discard()
    finally:
        transport.close()
    return (table if alone else _answers(asked, who, keys, table)).select(schema.names)


def _answers(asked: Asked, who: OfApi, keys: pl.DataFrame, table: pa.Table) -> pa.Table:
    """The records of keys that their request asked for: an API may ignore what it was asked."""
    import polars as pl

    (other,) = asked.on.values()
    number = (pl.int_range(pl.len()) // who.keys_per_request).cast(pl.Int64).alias(_REQUEST)
    wanted = keys.rename({keys.columns[0]: other}).with_columns(number)
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    kept = found.join(wanted, on=[other, _REQUEST], how="semi", maintain_order="left")
    return kept.to_arrow().cast(table.schema)


class _Alone:
    """Requests for one key, of which 404 says that there is none."""

    def __init__(
        self, resource: ResourceOptions, parent: Parent | None, since: Scalar | None
    ) -> None:
        from etl_platform.sources.api.templates import RequestTemplate

        self._template = RequestTemplate(resource, parent, since)

    def build(self, step: Step) -> ApiRequest:
        """The request of one page."""
        from etl_platform.sources.api.fetching import NOT_FOUND

        request = self._template.build(step)
        return replace(request, answers=request.answers | {NOT_FOUND})


def _groups(asked: Asked, who: OfApi, keys: pl.DataFrame) -> Iterator[Parent]:
    others = [*asked.on.values()]
    if who.keys_per_request == 1:
        for row in keys.iter_rows():
            yield dict(zip(others, (_json(value) for value in row), strict=True))
        return
    for number, batch in enumerate(keys.iter_slices(who.keys_per_request)):
        values = [_json(value) for value in batch.to_series().to_list()]
        texts = [str(value) for value in values]
        if comma := next((text for text in texts if "," in text), None):
            raise PermanentError(
                f"the key {comma!r} holds a comma, by which keys of one request are separated",
                fix="ask for keys one by one: leave out keys_per_request",
            )
        lists = {others[0]: cast("JsonValue", values)}
        yield {others[0]: ",".join(texts), _LISTS: lists, _REQUEST: number}


def _parents(value: Any, *, whole: bool) -> Any:
    """The value with the placeholders of the API's templates."""
    if isinstance(value, str):
        only = _KEY.fullmatch(value)
        if only and whole:
            return f"{{parent.{_LISTS}.{only[1]}}}"
        return _KEY.sub(lambda place: f"{{parent.{place[1]}}}", value)
    if isinstance(value, dict):
        said = cast("dict[str, Any]", value)
        return {name: _parents(one, whole=whole) for name, one in said.items()}
    if isinstance(value, list):
        return [_parents(one, whole=whole) for one in cast("list[Any]", value)]
    return value


def _json(value: Any) -> JsonValue:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)
