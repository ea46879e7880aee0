"""Sending the requests of one API: credentials, places in its budget, redirects and retries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from etl_platform.core.secrets import HIDDEN, redact
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
from etl_platform.sources.api.transport.circuit import Circuit
from etl_platform.sources.api.transport.limits.told import Told, told_by
from etl_platform.sources.api.transport.passage import Passage
from etl_platform.sources.api.transport.redirects import carries, is_redirect, redirected
from etl_platform.sources.api.transport.retries import (
    BUSY,
    PUT_OFF,
    Again,
    Trial,
    is_transient,
    retry_after_s,
    retrying,
)
from etl_platform.sources.api.transport.urls import Target, target_of
from etl_platform.sources.api.transport.wire import Answer, BrokenOff

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
        passage: to servers.
    """

    def __init__(
        self, name: str, options: ConnectionOptions, auth: Authentication, passage: Passage
    ) -> None:
        self._options = options
        self._auth = auth
        self._passage = passage
        self._circuit = Circuit(name, options.retry.circuit_failures, options.retry.circuit_open_s)
        self._base = options.base_url.rstrip("/")
        self._home = passage.home
        self._secrets: tuple[str, ...] = ()
        self._headers = {"user-agent": _AGENT, "accept": _ACCEPT} | {
            key.lower(): value for key, value in options.headers.items()
        }

    def send(self, request: ApiRequest) -> ApiResponse:
        """The answer to one request; see the protocol."""
        trial = Trial()
        answer = retrying(self._options.retry, self._attempt, request, trial=trial)
        return replace(answer, retries=trial.failed + trial.put_off, waited_s=trial.waited_s)

    def close(self) -> None:
        """Let go of connections."""
        self._passage.close()

    def _attempt(self, request: ApiRequest, trial: Trial) -> ApiResponse:
        target, method, body = self._target(request), request.method.upper(), request.body
        repeatable = request.repeatable or method in _SAFE
        for _ in range(_REDIRECTS + 1):
            self._circuit.check()
            try:
                answer, credentials = self._sent(target, method, request, body, trial)
            except BrokenOff as error:
                self._circuit.failed(error.what)
                if error.sent and not repeatable:
                    raise
                raise Again(error) from None
            if is_redirect(answer):
                target, method, body = redirected(answer, target, method, body, credentials.secrets)
                continue
            return self._judged(answer, target, request, credentials, trial, repeatable=repeatable)
        raise BadResponse(f"{target.shown}: more than {_REDIRECTS} redirects in a row")

    def _sent(
        self, target: Target, method: str, request: ApiRequest, body: bytes | None, trial: Trial
    ) -> tuple[Answer, Credentials]:
        if target.origin != self._home:
            if carries(target.url, self._secrets):
                raise ApiRefused(
                    f"a link of the API leads to {target.origin} with the credential in it",
                    fix=f"if {target.origin} is the API's own server, write it as base_url",
                )
            nobody = Credentials()
            return self._exchange(target, method, request, body, nobody, trial), nobody
        with self._passage.place() as waited_s:
            trial.waited_s += waited_s
            credentials = self._credentials()
            answer = self._exchange(target, method, request, body, credentials, trial)
            for _ in range(_RENEWALS):
                if answer.status != 401:
                    break
                renewed = self._renewed(credentials)
                if renewed is None:
                    break
                credentials = renewed
                answer = self._exchange(target, method, request, body, credentials, trial)
            return answer, credentials

    def _credentials(self) -> Credentials:
        try:
            credentials = self._auth.credentials()
        except ApiUnavailable as error:  # of the server that gives tokens
            raise Again(error) from None
        self._secrets = credentials.secrets
        return credentials

    def _renewed(self, refused: Credentials) -> Credentials | None:
        try:
            return self._auth.renewed(refused)
        except ApiUnavailable as error:
            raise Again(error) from None

    def _exchange(
        self,
        target: Target,
        method: str,
        request: ApiRequest,
        body: bytes | None,
        credentials: Credentials,
        trial: Trial,
    ) -> Answer:
        if target.origin == self._home:
            headers = self._headers | {key.lower(): text for key, text in request.headers.items()}
            headers |= {key.lower(): text for key, text in credentials.headers}
            target = target.without_query(key for key, _ in credentials.params)
            target = target.with_query(credentials.params)
        else:
            # Whatever was declared was declared for the API's own server.
            headers = {"user-agent": _AGENT, "accept": self._accept(request)}
        if body is None and method not in _SAFE:
            body = b""
        answer, waited_s = self._passage.exchange(target, method, headers, body)
        trial.waited_s += waited_s
        return answer

    def _judged(
        self,
        answer: Answer,
        target: Target,
        request: ApiRequest,
        credentials: Credentials,
        trial: Trial,
        *,
        repeatable: bool,
    ) -> ApiResponse:
        where, status = target.shown, answer.status
        spoken = status in request.answers
        if status < 500 or spoken:
            self._circuit.succeeded()
        else:
            self._circuit.failed(f"{where} answered {status}")
        if status >= 400 and not spoken:
            raise self._failure(answer, where, credentials, trial, repeatable=repeatable)
        try:
            if request.method.upper() != "HEAD":
                check_answer(answer, self._accept(request), where)
        except BadResponse as error:
            if repeatable:
                raise Again(error) from None
            raise
        return ApiResponse(
            target.without_query(key for key, _ in credentials.params).url,
            status,
            _without_keys(answer.headers, credentials),
            _without_key(answer.body, credentials),
        )

    def _failure(
        self,
        answer: Answer,
        where: str,
        credentials: Credentials,
        trial: Trial,
        *,
        repeatable: bool,
    ) -> Exception:
        status = answer.status
        put_off = status == PUT_OFF
        if not put_off and not is_transient(status):
            return ApiRefused(f"{where} answered {status}: {_shown(answer, credentials)}")
        wait_s = retry_after_s(answer)
        if wait_s is None and put_off:
            wait_s = _reset_s(told_by(answer.headers))
        if put_off or status == BUSY:
            self._passage.budget.pause(
                self._options.retry.first_wait_s if wait_s is None else wait_s
            )
        if wait_s is None:
            error = ApiUnavailable(f"{where} answered {status}: {_shown(answer, credentials)}")
        else:
            error = ApiUnavailable(f"{where} answered {status} and asks to wait {wait_s:g} s")
            if trial.spent_s + wait_s > self._options.retry.total_s:
                return error
        if put_off or repeatable:
            return Again(error, put_off=put_off, paused=wait_s is not None)
        return error

    def _accept(self, request: ApiRequest) -> str:
        for key, value in request.headers.items():
            if key.lower() == "accept":
                return value
        return self._headers["accept"]

    def _target(self, request: ApiRequest) -> Target:
        absolute = request.url.lower().startswith(("http://", "https://"))
        url = request.url if absolute else f"{self._base}/{request.url.lstrip('/')}"
        return target_of(url).with_query(request.params)


def _shown(answer: Answer, credentials: Credentials) -> str:
    text = answer.body[:_SHOWN_BODY].decode("utf-8", "replace")
    return redact(text, credentials.secrets)


def _reset_s(told: Told | None) -> float | None:
    return told.reset_s if told is not None and told.left <= 0 else None


def _without_key(body: bytes, credentials: Credentials) -> bytes:
    """Links to other pages often repeat the query, and with it the key."""
    for pair in credentials.params:
        body = body.replace(urlencode([pair]).encode(), urlencode([(pair[0], HIDDEN)]).encode())
    return body


def _without_keys(headers: Mapping[str, str], credentials: Credentials) -> Mapping[str, str]:
    if not credentials.params:
        return headers
    return {
        name: _without_key(value.encode(), credentials).decode() for name, value in headers.items()
    }
