"""Requests and responses of an API, and what sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from etl_platform.core.errors import PermanentError, TransientError


class ApiRefused(PermanentError):
    """The server answered that this request will not do, now or later."""


class ApiUnavailable(TransientError):
    """The server stayed silent, broke off or failed until the time for it was over."""


class BadResponse(PermanentError):
    """An answer that is not what was promised: its content type, size, JSON or schema."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request, without credentials: those are the transport's.

    Attributes:
        url: absolute, or a path below the API's base URL.
        params: names and values of the query, in order, not yet quoted.
        body: already encoded; its type is in ``headers``.
        repeatable: whether sending it twice does no harm. GET and HEAD always are; a POST that
            only asks (GraphQL queries, SOAP reads, searches) says so here.
        answers: statuses of failures that are answers all the same: SOAP's faults come with 500.
    """

    url: str
    method: str = "GET"
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    repeatable: bool = False
    answers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A complete answer with a status below 400, or one that the request takes for an answer.

    Attributes:
        url: where it came from, after redirects, without credentials.
        headers: by lower-case name; several of one name joined by ``", "``.
        body: decompressed.
        retries: times that it was asked for in vain.
        waited_s: seconds until its turn came, within the API's limits.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    retries: int = 0
    waited_s: float = 0.0


class Transport(Protocol):
    """Sends requests of one API: within its budgets, with its credentials, again where that helps.

    May be called from several threads at the same time.
    """

    def send(self, request: ApiRequest) -> ApiResponse:
        """The answer to one request.

        Raises:
            ApiRefused: a status that no retry changes (400, 401 after renewal, 403, 404, ...).
            BadResponse: too large, broken beyond retries, not the promised content type.
            ApiUnavailable: retries and their time are used up, or the circuit is open.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
