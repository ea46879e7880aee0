"""Sending the requests of one API: credentials, places in its budget, redirects and retries."""

from __future__ import annotations

from urllib.parse import urlencode

from etl_platform.core.secrets import redact
from etl_platform.sources.api.messages import (
    ApiRefused,
    ApiRequest,
    ApiResponse,
    ApiUnavailable,
    BadResponse,
)
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.transport.answers import check_answer
from etl_platform.sources.api.transport.auth import Authentication, Credentials
from etl_platform.sources.api.transport.redirects import is_redirect, redirected
from etl_platform.sources.api.transport.retries import (
    PUT_OFF,
    Again,
    Trial,
    is_transient,
    retry_after_s,
    retrying,
)
from etl_platform.sources.api.transport.urls import Target, target_of
from etl_platform.sources.api.transport.wire import Answer, BrokenOff, Wire

_ACCEPT = "application/json"
_AGENT = "etl_platform"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_REDIRECTS = 10
_RENEWALS = 2
_SHOWN_BODY = 300


class HttpTransport:
    """The :class:`~etl_platform.sources.api.messages.Transport` of real servers.

    Args:
        name: of the API, for messages and for its budget.
        options: what is declared about it.
        auth: adds credentials, to requests to the API's own origin only.
        wire: sends.
    """

    def __init__(
        self, name: str, options: ConnectionOptions, auth: Authentication, wire: Wire
    ) -> None:
        self._name = name
        self._options = options
        self._auth = auth
        self._wire = wire
        self._base = options.base_url.rstrip("/")
        self._home = target_of(options.base_url).origin
        self._headers = {"user-agent": _AGENT, "accept": _ACCEPT} | {
            key.lower(): value for key, value in options.headers.items()
        }

    def send(self, request: ApiRequest) -> ApiResponse:
        """The answer to one request; see the protocol."""
        return retrying(self._options.retry, self._attempt, request, trial=Trial())

    def close(self) -> None:
        """Let go of connections."""
        self._wire.close()

    def _attempt(self, request: ApiRequest, trial: Trial) -> ApiResponse:
        target, method, body = self._target(request), request.method.upper(), request.body
        repeatable = request.repeatable or method in _SAFE
        for _ in range(_REDIRECTS + 1):
            at_home = target.origin == self._home
            credentials = self._auth.credentials() if at_home else Credentials()
            try:
                answer = self._exchange(target, method, request, body, credentials)
            except BrokenOff as error:
                if error.sent and not repeatable:
                    raise
                raise Again(error) from None
            if answer.status == 401 and at_home and trial.renewals < _RENEWALS:
                trial.renewals += 1
                if self._auth.renewed(credentials) is not None:
                    continue
            if is_redirect(answer):
                target, method, body = redirected(
                    answer, target, method, body, self._auth.credentials().secrets
                )
                continue
            return self._judged(answer, target, request, credentials, repeatable=repeatable)
        raise BadResponse(f"{target.shown}: more than {_REDIRECTS} redirects in a row")

    def _exchange(
        self,
        target: Target,
        method: str,
        request: ApiRequest,
        body: bytes | None,
        credentials: Credentials,
    ) -> Answer:
        headers = {"host": target.origin.authority, "accept-encoding": "gzip"}
        if target.origin == self._home:
            headers |= self._headers
            headers |= {key.lower(): value for key, value in request.headers.items()}
            headers |= {key.lower(): value for key, value in credentials.headers}
            target = target.without_query(key for key, _ in credentials.params)
            target = target.with_query(credentials.params)
        else:
            # Whatever was declared was declared for the API's own server.
            headers |= {"user-agent": _AGENT, "accept": self._accept(request)}
        if body is not None or method not in _SAFE:
            headers["content-length"] = str(len(body or b""))
        lines = [(key.encode(), value.encode()) for key, value in headers.items()]
        return self._wire.exchange(target, method, lines, body)

    def _judged(
        self,
        answer: Answer,
        target: Target,
        request: ApiRequest,
        credentials: Credentials,
        *,
        repeatable: bool,
    ) -> ApiResponse:
        where, status = target.shown, answer.status
        spoken = status in request.answers
        if not spoken and (status == PUT_OFF or (is_transient(status) and repeatable)):
            after_s = retry_after_s(answer)
            said = "" if after_s is None else f" and asks to wait {after_s:g} s"
            error = ApiUnavailable(f"{where} answered {status}{said}")
            raise Again(error, put_off=status == PUT_OFF)
        if status >= 400 and not spoken:
            shown = redact(
                answer.body[:_SHOWN_BODY].decode("utf-8", "replace"), credentials.secrets
            )
            kind = ApiUnavailable if is_transient(status) else ApiRefused
            raise kind(f"{where} answered {status}: {shown}")
        try:
            check_answer(answer, self._accept(request), where)
        except BadResponse as error:
            if repeatable:
                raise Again(error) from None
            raise
        return ApiResponse(
            target.without_query(key for key, _ in credentials.params).url,
            status,
            answer.headers,
            _without_keys(answer.body, credentials),
        )

    def _accept(self, request: ApiRequest) -> str:
        for key, value in request.headers.items():
            if key.lower() == "accept":
                return value
        return self._headers["accept"]

    def _target(self, request: ApiRequest) -> Target:
        absolute = request.url.lower().startswith(("http://", "https://"))
        url = request.url if absolute else f"{self._base}/{request.url.lstrip('/')}"
        return target_of(url).with_query(request.params)


def _without_keys(body: bytes, credentials: Credentials) -> bytes:
    """Links to other pages often repeat the query, and with it the key."""
    for pair in credentials.params:
        body = body.replace(urlencode([pair]).encode(), urlencode([(pair[0], "***")]).encode())
    return body
