"""An OAuth2 server for tests: authlib's, on loopback, in a thread of the test process.

Load the fixture with ``pytest_plugins = ["etl_platform_tests.servers.oauth"]`` in the top-level
``conftest.py``. It knows one client, one user and one service account, and gives tokens for client
credentials, refresh tokens and signed assertions. :meth:`OAuthServer.allows` says whether the
token of a request is good: the ``allowed`` of an API's server.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerGrant
from flask import Flask, Response
from joserfc.jwk import Key, RSAKey
from werkzeug.serving import make_server

from etl_platform_tests.servers.http import Seen

CLIENT, SECRET, SERVICE = "warehouse", "client secret &=% more", "robot@example.org"


@dataclass
class _Client(ClientMixin):
    client_id: str
    secret: str

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str) -> str:
        return scope or ""

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in {"client_secret_basic", "client_secret_post"}

    def check_grant_type(self, grant_type: str) -> bool:
        return True


@dataclass
class _Granted(TokenMixin):
    client_id: str
    refresh: str
    used: bool = False

    def check_client(self, client: _Client) -> bool:
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        return ""


@dataclass
class OAuthServer:
    """A running server.

    Attributes:
        token_url: where tokens are given.
        key: of the service account, to sign with.
        lifetime_s: that the next tokens have.
        requests: for tokens, by grant.
        failing: so many requests for tokens are answered 503.
        slow_s: before a token is given.
        rotates: whether each use of a refresh token gives another one.
        tokens: that were given, with their end on the monotonic clock.
    """

    token_url: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048))
    lifetime_s: int = 3600
    failing: int = 0
    slow_s: float = 0.0
    rotates: bool = True
    client: _Client = field(default_factory=lambda: _Client(CLIENT, SECRET))
    requests: Counter[str] = field(default_factory=Counter[str])
    tokens: dict[str, float] = field(default_factory=dict[str, float])
    grants: dict[str, _Granted] = field(default_factory=dict[str, _Granted])

    def allows(self, seen: Seen) -> bool:
        """Whether a request has a token that was given and has not expired."""
        kind, _, token = seen.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and self.tokens.get(token, 0.0) > time.monotonic()

    def expire(self) -> None:
        """All tokens are over before their time."""
        self.tokens.clear()

    def refresh_token(self) -> str:
        """One that a user agreed to."""
        token = f"refresh-{len(self.grants)}-of-a-user"
        self.grants[token] = _Granted(self.client.client_id, token)
        return token

    def reset(self) -> None:
        """Forget all tokens and settings."""
        # Tokens are kept by their URL while a process lives: each test has its own.
        url = f"{self.token_url.partition('?')[0]}?test={uuid4().hex}"
        fresh = OAuthServer(url, self.key)
        for name, value in vars(fresh).items():
            setattr(self, name, value)

    def saved(self, token: dict[str, object], request: object) -> None:
        """Remember a token that is given."""
        self.tokens[str(token["access_token"])] = time.monotonic() + self.lifetime_s
        refresh = token.get("refresh_token")
        if refresh is not None:
            self.grants[str(refresh)] = _Granted(self.client.client_id, str(refresh))


@pytest.fixture(scope="module")
def _oauth_of_module() -> Iterator[OAuthServer]:
    from flask import request

    oauth = OAuthServer()
    app = Flask("oauth")
    authority = AuthorizationServer(
        app,
        query_client=lambda client_id: oauth.client if client_id == CLIENT else None,
        save_token=oauth.saved,
    )
    number = iter(range(1, 1_000_000))
    authority.register_token_generator(
        "default",
        BearerTokenGenerator(
            lambda *_, **__: f"access-{next(number)}-token",
            lambda *_, **__: f"refresh-{next(number)}-rotated",
            lambda *_: oauth.lifetime_s,
        ),
    )
    authority.register_grant(_Credentials)
    authority.register_grant(_refreshing(oauth))
    authority.register_grant(_asserting(oauth))

    def token() -> Response:
        oauth.requests[request.form.get("grant_type", "")] += 1
        if oauth.failing:
            oauth.failing -= 1
            return Response("busy", 503)
        time.sleep(oauth.slow_s)
        return authority.create_token_response()

    app.add_url_rule("/token", view_func=token, methods=["POST"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    oauth.token_url = f"http://127.0.0.1:{server.server_port}/token"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield oauth
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def oauth_server(_oauth_of_module: OAuthServer, monkeypatch: pytest.MonkeyPatch) -> OAuthServer:
    """A server that has forgotten the tokens of the test before."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # no TLS on loopback
    _oauth_of_module.reset()
    return _oauth_of_module


class _Credentials(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")


def _refreshing(oauth: OAuthServer) -> type[grants.RefreshTokenGrant]:
    class Refreshing(grants.RefreshTokenGrant):
        @property
        def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:  # noqa: N802 - authlib's name
            return oauth.rotates

        def authenticate_refresh_token(self, refresh_token: str) -> _Granted | None:
            found = oauth.grants.get(refresh_token)
            return None if found is None or found.used else found

        def authenticate_user(self, refresh_token: _Granted) -> str:
            return "user"

        def revoke_old_credential(self, refresh_token: _Granted) -> None:
            refresh_token.used = oauth.rotates

    return Refreshing


def _asserting(oauth: OAuthServer) -> type[JWTBearerGrant]:
    class Asserting(JWTBearerGrant):
        def resolve_issuer_client(self, issuer: str) -> _Client | None:
            return oauth.client if issuer == SERVICE else None

        def resolve_client_public_key(self, client: _Client) -> Key:
            return RSAKey.import_key(oauth.key.as_dict(private=False))

        def get_audiences(self) -> list[str]:
            return [oauth.token_url]

        def authenticate_user(self, subject: str) -> str:
            return subject

        def has_granted_permission(self, client: _Client, user: str) -> bool:
            return True

    return Asserting
