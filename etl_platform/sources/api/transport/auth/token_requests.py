"""Asking the server that gives tokens (RFC 6749, sections 3.2 and 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, cast

import orjson

from etl_platform.core.errors import SecretError
from etl_platform.core.secrets import redact
from etl_platform.sources.api.messages import ApiRefused, ApiUnavailable
from etl_platform.sources.api.transport.auth.tokens import Token
from etl_platform.sources.api.transport.passage import Passage
from etl_platform.sources.api.transport.retries import is_transient
from etl_platform.sources.api.transport.urls import target_of
from etl_platform.sources.api.transport.wire import Answer


def token_request(
    passage: Passage,
    url: str,
    grant: str,
    fields: Mapping[str, str | None],
    *,
    client: tuple[str, str | None] | None = None,
    client_auth: Literal["basic", "post"] = "basic",
    secrets: Iterable[str],
) -> Token:
    """Ask for a token. Redirects are not followed: the request holds the client's secret.

    Args:
        passage: to the server.
        url: of the token endpoint.
        grant: ``grant_type``.
        fields: others of the form; those of None are left out.
        client: its id and its secret.
        client_auth: where these go.
        secrets: what no message may repeat.

    Raises:
        ApiRefused: no token is given, with the server's error code.
        ApiUnavailable: it could not be asked.
    """
    from authlib.oauth2.auth import ClientAuth
    from authlib.oauth2.rfc6749.parameters import prepare_token_request

    given = {name: value for name, value in fields.items() if value is not None}
    body = prepare_token_request(grant, **given)
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if client is not None:
        method = "none" if client[1] is None else f"client_secret_{client_auth}"
        if client_auth == "basic" and not "".join(map(str, client)).isascii():
            # Servers disagree on Latin-1, UTF-8 and percent signs here.
            raise SecretError("the client's id or secret is not ASCII", fix="client_auth: post")
        _, headers, body = ClientAuth(*client, method).prepare("POST", url, headers, body)
    target = target_of(url)
    lines = {name.lower(): str(value) for name, value in headers.items()}
    answer, _ = passage.exchange(target, "POST", lines, body.encode())
    return _token(answer, target.shown, secrets)


def _token(answer: Answer, where: str, secrets: Iterable[str]) -> Token:
    if is_transient(answer.status) or answer.status == 429:
        raise ApiUnavailable(f"{where} answered {answer.status} to the request for a token")
    try:
        found: object = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    fields = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    access, kind = fields.get("access_token"), str(fields.get("token_type", "bearer"))
    if answer.status != 200 or not isinstance(access, str) or kind.lower() != "bearer":
        code, more = fields.get("error"), fields.get("error_description", "")
        said = f"{code} {more}".strip() if code else f"token type {kind}" if access else "no token"
        raise ApiRefused(
            f"{where} gives no token: status {answer.status}, {redact(said[:300], secrets)}",
            fix="check the client's id, its secret, the grant and the scope",
        )
    expires, refresh = fields.get("expires_in"), fields.get("refresh_token")
    try:
        lifetime_s = None if expires is None else float(str(expires))
    except ValueError:
        lifetime_s = None
    return Token(access, lifetime_s, refresh if isinstance(refresh, str) else None)
