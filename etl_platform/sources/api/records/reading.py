"""From one answer to its records, each the text of one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from etl_platform.sources.api.messages import ApiResponse, BadResponse
from etl_platform.sources.api.records.document import Document, items, kind, written
from etl_platform.sources.api.records.paths import Path, path

if TYPE_CHECKING:
    import msgspec

VALUE = "value"
"""The field of records that are no objects themselves: ``["a", "b"]`` has two of them."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, complete and sound.

    Attributes:
        records: each one JSON object (UTF-8), in order.
        document: for pagination; None where the answer is no JSON (SOAP, 304).
    """

    response: ApiResponse
    records: Sequence[bytes]
    document: Document | None = None


class PageReader(Protocol):
    """Makes records of an answer. Called from several threads at the same time.

    :class:`JsonReader` is REST's. GraphQL adds its errors, SOAP writes its structures as JSON.
    """

    def read(self, response: ApiResponse) -> Page:
        """The records of a complete answer; the same answer always gives the same ones.

        Raises:
            BadResponse: it is not what was promised. It is not kept, and ends the extraction.
        """
        ...


class JsonReader:
    """JSON with the records at one place.

    Args:
        select: where; None finds it (``ResourceOptions.select``).
        schema: JSON Schema that each answer has to meet.
    """

    def __init__(self, select: str | None = None, schema: Mapping[str, Any] | None = None) -> None:
        self._path = path(select) if select is not None else None
        self._validator = _validator(schema) if schema is not None else None

    def read(self, response: ApiResponse) -> Page:
        """See :class:`PageReader`."""
        document = Document(response.body, response.url)
        if self._validator is not None:
            _validate(self._validator, document)
        if self._path is None:
            return Page(response, _found(document), document)
        return Page(response, _selected(document, self._path), document)


def _selected(document: Document, at: Path) -> list[bytes]:
    if at.names is None:
        return _matches(document, at)
    raw = document.raw(at.names)
    if raw is None:
        raise BadResponse(
            f"{document.where}: nothing at select: {at.text}",
            valid=f"the answer has {', '.join(document.top()) or 'no fields'}",
            fix="correct select, or look at what the API says instead of its records",
        )
    what = kind(raw)
    if what == "[":
        return _items(raw)
    if what == "{":
        return _matches(document, at) if at.each else [bytes(raw)]
    if what == "n":
        return []
    raise BadResponse(f"{document.where}: select: {at.text} is neither a list nor an object")


def _matches(document: Document, at: Path) -> list[bytes]:
    """The records of a path that is more than a chain of names; of lists, their items."""
    found: list[bytes] = []
    for match in document.matches(at):
        records: list[Any] = match if isinstance(match, list) else [match]
        found += [_object(written(one)) for one in records]
    return found


def _found(document: Document) -> list[bytes]:
    if document.is_list():
        raw = document.raw(())
        return _items(raw) if raw is not None else []
    top = document.top()
    lists = {name: raw for name, raw in top.items() if kind(raw) == "["}
    if len(lists) > 1:
        lists = {name: raw for name, raw in lists.items() if _holds_objects(raw)}
    if len(lists) == 1:
        return _items(next(iter(lists.values())))
    if len(lists) > 1 or not top:
        raise BadResponse(
            f"{document.where}: where the records are cannot be told",
            valid=", ".join(f"$.{name}" for name in lists) or "an object or a list",
            fix="declare select",
        )
    return [bytes(one) for one in [document.raw(())] if one is not None]


def _holds_objects(raw: msgspec.Raw) -> bool:
    inner = items(raw)
    return bool(inner) and kind(inner[0]) == "{"


def _items(raw: msgspec.Raw) -> list[bytes]:
    found = [bytes(one) for one in items(raw)]
    return found if all(one[0] == 123 for one in found) else [_object(one) for one in found]


def _object(text: bytes) -> bytes:
    return text if text[:1] == b"{" else b'{"%s":%s}' % (VALUE.encode(), text)


def _validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(dict(schema))
    return kind(dict(schema))


def _validate(validator: Any, document: Document) -> None:
    error = next(iter(validator.iter_errors(document.parsed)), None)
    if error is not None:
        shown = json.dumps(error.instance, ensure_ascii=False, default=str)[:100]
        raise BadResponse(
            f"{document.where}: the answer breaks its schema at {error.json_path}: "
            f"{error.message[:200]}",
            valid=f"{error.validator}: {error.validator_value}"[:200],
            fix=f"it holds {shown}; correct response_schema if the API changed",
        )
