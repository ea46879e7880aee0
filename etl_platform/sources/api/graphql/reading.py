"""Answers of GraphQL: its errors come with status 200, and may come beside data."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Any, Literal, cast

from etl_platform.core.secrets import redact
from etl_platform.sources.api.messages import ApiResponse, ApiUnavailable, BadResponse
from etl_platform.sources.api.records.reading import Page, PageReader

_TRANSIENT = frozenset(
    {
        "INTERNAL_SERVER_ERROR",
        "MAX_COST_EXCEEDED",
        "RATE_LIMITED",
        "SERVICE_UNAVAILABLE",
        "THROTTLED",
        "TIMEOUT",
    }
)
"""``extensions.code`` of errors that a later call may not meet (Apollo's and Shopify's words)."""
_SHOWN = 3


class GraphQLReader:
    """Looks for errors before the records are read.

    Args:
        inner: reads the records.
        partial: what becomes of an answer that has data and errors.

    Attributes:
        told: messages of errors that were accepted, with the number of answers that had them.
    """

    def __init__(self, inner: PageReader, partial: Literal["refuse", "accept"] = "refuse") -> None:
        self._inner = inner
        self._partial = partial
        self._lock = Lock()
        self.told: dict[str, int] = {}

    def read(self, response: ApiResponse) -> Page:
        """The records of an answer.

        Raises:
            BadResponse: it has errors, or no data.
            ApiUnavailable: its errors say that a later call may do.
        """
        # The errors stand in the document; parsing it twice would cost as much as reading it.
        page = None if b'"errors"' in response.body else self._inner.read(response)
        if page is not None:
            return page
        import orjson

        try:
            answer = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            return self._inner.read(response)  # which says what is wrong with it
        errors = list(_errors(answer))
        if errors:
            self._judge(errors, response.url, has_data=_has_data(answer))
        return self._inner.read(response)

    def _judge(self, errors: list[dict[str, Any]], url: str, *, has_data: bool) -> None:
        messages = [_text(one) for one in errors]
        if has_data and self._partial == "accept":
            with self._lock:
                for message in messages:
                    self.told[message] = self.told.get(message, 0) + 1
            return
        shown = "; ".join(messages[:_SHOWN])
        if len(messages) > _SHOWN:
            shown += f"; and {len(messages) - _SHOWN} more"
        codes = {(one.get("extensions") or {}).get("code") for one in errors}
        if codes and codes <= _TRANSIENT:
            raise ApiUnavailable(f"{url} answered with errors: {shown}")
        beside = "data and errors" if has_data else "errors and no data"
        raise BadResponse(
            f"{url} answered with {beside}: {shown}",
            fix="correct the query; or, where a part of the data will do, declare partial: accept"
            if has_data
            else "correct the query, its variables, or what the credentials may see",
        )


def _errors(answer: object) -> Iterator[dict[str, Any]]:
    if not isinstance(answer, dict):
        return
    found = cast("dict[str, Any]", answer).get("errors")
    for one in found if isinstance(found, list) else []:
        yield one if isinstance(one, dict) else {"message": str(one)}


def _has_data(answer: dict[str, Any]) -> bool:
    data = answer.get("data")
    return isinstance(data, dict) and any(one is not None for one in data.values())


def _text(error: dict[str, Any]) -> str:
    at = ".".join(str(one) for one in error.get("path") or ())
    message = redact(str(error.get("message", error)))[:300]
    return f"{at}: {message}" if at else message
