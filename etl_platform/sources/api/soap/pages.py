"""Operations of SOAP as requests and answers like any other: arguments in JSON, records in JSON."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from etl_platform.sources.api.messages import ApiRequest, ApiResponse, BadResponse
from etl_platform.sources.api.pagination.protocol import Step
from etl_platform.sources.api.records.reading import Page, PageReader
from etl_platform.sources.api.soap.options import SoapOptions
from etl_platform.sources.api.soap.service import SoapService


class _Requests(Protocol):
    def build(self, step: Step) -> ApiRequest: ...


def soap_resource(options: SoapOptions, other: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of :class:`~etl_platform.sources.api.resources.ResourceOptions`: the arguments are
    the body, and become an envelope before they are sent."""
    return {
        **other,
        "path": options.address or "/",
        "method": "POST",
        "body": dict(options.arguments),
        "repeatable": True,
    }


class SoapRequests:
    """Makes envelopes of what other requests hold as JSON.

    Args:
        inner: fills in the arguments, as the body; what it would write into the query (the page's
            number, where no argument has a place for it) is an argument as well.
    """

    def __init__(self, inner: _Requests, service: SoapService) -> None:
        self._inner = inner
        self._service = service

    def build(self, step: Step) -> ApiRequest:
        """The request of one page.

        Raises:
            ConfigError: the operation does not take these arguments.
        """
        filled = self._inner.build(step)
        arguments: dict[str, Any] = json.loads(filled.body) if filled.body else {}
        made = self._service.request(arguments | dict(filled.params))
        return replace(made, headers={**_own(filled.headers), **made.headers})


class SoapReader:
    """Reads answers as JSON: elements are fields, repeated ones lists.

    Times are ISO 8601, decimals their digits as text (so that none is lost; declare the column as
    decimal), bytes base64.

    Args:
        inner: reads the records of that JSON.
    """

    def __init__(self, inner: PageReader, service: SoapService) -> None:
        self._inner = inner
        self._service = service

    def read(self, response: ApiResponse) -> Page:
        """The records of an answer.

        Raises:
            ApiRefused, ApiUnavailable: a fault.
            BadResponse: it is not what the WSDL says.
        """
        found = self._service.result(response)
        if found is None:
            return Page(response, [])
        try:
            body = json.dumps(found, default=_written, ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise BadResponse(f"{response.url}: {error}") from error
        page = self._inner.read(replace(response, body=body.encode()))
        return replace(page, response=response)


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    made_here = {"content-type", "accept", "soapaction"}
    return {name: text for name, text in headers.items() if name.lower() not in made_here}


def _written(value: object) -> str:
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        import isodate

        return isodate.duration_isoformat(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
