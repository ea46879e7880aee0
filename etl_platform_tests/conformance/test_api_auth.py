"""Every flow of authentication, against authlib's OAuth2 server and an API that checks."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Barrier

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from etl_platform.core.errors import ConfigError, SecretError
from etl_platform.core.settings import Settings
from etl_platform.sources.api.messages import ApiRefused, ApiRequest, ApiUnavailable, Transport
from etl_platform.sources.api.options import (
    ApiKeyAuth,
    AuthOptions,
    BasicAuth,
    BearerAuth,
    ConnectionOptions,
    CustomAuth,
    JwtAuth,
    LimitOptions,
    OAuth2ClientCredentials,
    OAuth2JwtBearer,
    OAuth2RefreshToken,
    RetryOptions,
)
from etl_platform.sources.api.transport import open_transport
from etl_platform.sources.api.transport.auth import Credentials, tokens
from etl_platform_tests.servers.http import Fault, HttpServer, Seen
from etl_platform_tests.servers.http_pages import Pages
from etl_platform_tests.servers.oauth import CLIENT, SECRET, SERVICE, OAuthServer

ASKED = ApiRequest("/page/items")
KEY = "a key of the API & more"


@pytest.fixture(autouse=True)
def environment(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    oauth_server: OAuthServer,
    http_server: HttpServer,
) -> None:
    del settings  # budgets are in a folder of the test's own
    monkeypatch.setenv("API_KEY", KEY)
    monkeypatch.setenv("CLIENT_SECRET", SECRET)
    monkeypatch.setenv("SIGNING_KEY", oauth_server.key.as_pem(private=True).decode())
    monkeypatch.setenv("REFRESH_TOKEN", oauth_server.refresh_token())
    http_server.pages["items"] = Pages([{"id": 1}])


@contextmanager
def opened(server: HttpServer, auth: AuthOptions, **given: object) -> Generator[Transport]:
    retry = RetryOptions(first_wait_s=0.01, longest_wait_s=0.05, attempts=3)
    options = ConnectionOptions.model_validate(
        {"base_url": server.url(), "auth": auth, "retry": retry} | given
    )
    with closing(open_transport("api", options)) as transport:
        yield transport


def client_credentials(oauth: OAuthServer, client_auth: str = "basic") -> OAuth2ClientCredentials:
    return OAuth2ClientCredentials.model_validate(
        {
            "token_url": oauth.token_url,
            "client_id": CLIENT,
            "client_secret": "env://CLIENT_SECRET",
            "client_auth": client_auth,
            "scope": "read",
        }
    )


def refresh_token(oauth: OAuthServer) -> OAuth2RefreshToken:
    return OAuth2RefreshToken(
        token_url=oauth.token_url,
        client_id=CLIENT,
        client_secret="env://CLIENT_SECRET",
        refresh_token="env://REFRESH_TOKEN",
    )


def jwt_bearer(oauth: OAuthServer) -> OAuth2JwtBearer:
    return OAuth2JwtBearer(
        token_url=oauth.token_url, key="env://SIGNING_KEY", issuer=SERVICE, subject="someone"
    )


FLOWS = {
    "client credentials in the header": client_credentials,
    "client credentials in the body": lambda oauth: client_credentials(oauth, "post"),
    "refresh token": refresh_token,
    "signed assertion": jwt_bearer,
}
flows = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
Flow = Callable[[OAuthServer], AuthOptions]


@flows
def test_a_token_is_got_once_and_renewed_when_the_api_refuses_it(
    http_server: HttpServer, oauth_server: OAuthServer, flow: Flow
) -> None:
    http_server.allowed = oauth_server.allows
    with opened(http_server, flow(oauth_server)) as transport:
        for _ in range(3):
            assert transport.send(ASKED).status == 200
        assert oauth_server.requests.total() == 1
        oauth_server.expire()
        assert transport.send(ASKED).status == 200
    assert oauth_server.requests.total() == 2
    assert [seen.headers["authorization"][:14] for seen in http_server.requests] == [
        "Bearer access-"
    ] * 5


def test_a_token_is_renewed_before_it_expires(
    http_server: HttpServer, oauth_server: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_EARLY_SHARE", 0.9)  # of ten seconds, so that no machine is late
    refused = 0

    def allowed(seen: Seen) -> bool:
        nonlocal refused
        refused += not oauth_server.allows(seen)
        return oauth_server.allows(seen)

    http_server.allowed = allowed
    http_server.latency_s = 0.01
    oauth_server.lifetime_s = 10
    with opened(http_server, client_credentials(oauth_server)) as transport:
        while oauth_server.requests.total() < 2:
            assert transport.send(ASKED).status == 200
    assert refused == 0


def test_ten_threads_that_are_refused_together_renew_once(
    http_server: HttpServer, oauth_server: OAuthServer
) -> None:
    http_server.allowed = oauth_server.allows
    with opened(http_server, client_credentials(oauth_server)) as transport:
        transport.send(ASKED)
        oauth_server.expire()
        oauth_server.slow_s = 0.1  # so that all of them are refused before there is a new one
        together = Barrier(10)

        def send(_: int) -> int:
            together.wait()
            return transport.send(ASKED).status

        with ThreadPoolExecutor(10) as threads:
            assert list(threads.map(send, range(10))) == [200] * 10
    assert oauth_server.requests.total() == 2


def test_transports_of_a_process_share_a_token_until_the_secret_changes(
    http_server: HttpServer, oauth_server: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_server.allowed = oauth_server.allows
    for _ in range(2):
        with opened(http_server, client_credentials(oauth_server)) as transport:
            transport.send(ASKED)
    assert oauth_server.requests.total() == 1
    oauth_server.client.secret = "rotated"
    monkeypatch.setenv("CLIENT_SECRET", "rotated")
    with opened(http_server, client_credentials(oauth_server)) as transport:
        transport.send(ASKED)
    assert oauth_server.requests.total() == 2


def test_a_rotated_refresh_token_is_followed(
    http_server: HttpServer, oauth_server: OAuthServer
) -> None:
    http_server.allowed = oauth_server.allows
    with opened(http_server, refresh_token(oauth_server)) as transport:
        for _ in range(3):
            oauth_server.expire()
            assert transport.send(ASKED).status == 200
    assert sum(granted.used for granted in oauth_server.grants.values()) == 3


def test_a_token_server_that_is_busy_is_asked_again(
    http_server: HttpServer, oauth_server: OAuthServer
) -> None:
    http_server.allowed = oauth_server.allows
    oauth_server.failing = 2
    with opened(http_server, client_credentials(oauth_server)) as transport:
        assert transport.send(ASKED).status == 200
        oauth_server.expire()
        oauth_server.failing = 100
        with pytest.raises(ApiUnavailable, match="503 to the request for a token"):
            transport.send(ASKED)


def test_a_client_that_is_not_known_is_told_why_without_its_secret(
    http_server: HttpServer, oauth_server: OAuthServer, caplog: pytest.LogCaptureFixture
) -> None:
    oauth_server.client.secret = "another"
    caplog.set_level(logging.DEBUG)
    with (
        opened(http_server, client_credentials(oauth_server)) as transport,
        pytest.raises(ApiRefused, match="invalid_client") as caught,
    ):
        transport.send(ASKED)
    pair = b64encode(f"{CLIENT}:{SECRET}".encode("latin-1")).decode()
    for text in (str(caught.value), repr(transport), caplog.text):
        assert SECRET not in text
        assert pair not in text
    assert not http_server.requests


FIXED: dict[str, tuple[AuthOptions, Callable[[Seen], bool]]] = {
    "key in a header": (
        ApiKeyAuth(key="env://API_KEY", name="X-Key", prefix="Key "),
        lambda seen: seen.headers.get("x-key") == f"Key {KEY}",
    ),
    "key in the query": (
        ApiKeyAuth(key="env://API_KEY", name="key", place="query"),
        lambda seen: seen.query.get("key") == KEY,
    ),
    "basic": (
        BasicAuth(username="me", password="env://API_KEY"),
        lambda seen: (
            seen.headers.get("authorization") == "Basic " + b64encode(f"me:{KEY}".encode()).decode()
        ),
    ),
    "bearer": (
        BearerAuth(token="env://API_KEY"),
        lambda seen: seen.headers.get("authorization") == f"Bearer {KEY}",
    ),
    "class": (
        CustomAuth.model_validate(
            {"class": f"{__name__}:OwnAuth", "options": {"header": "X-Own", "key": KEY}}
        ),
        lambda seen: seen.headers.get("x-own") == KEY[::-1],
    ),
}


class OwnAuth:
    def __init__(self, header: str, key: str) -> None:
        self._credentials = Credentials(headers=((header, key[::-1]),), secrets=(key[::-1],))

    def credentials(self) -> Credentials:
        return self._credentials

    def renewed(self, refused: Credentials) -> None:
        return None


@pytest.mark.parametrize(("auth", "allowed"), FIXED.values(), ids=FIXED.keys())
def test_fixed_credentials_arrive_and_are_never_shown(
    http_server: HttpServer,
    caplog: pytest.LogCaptureFixture,
    auth: AuthOptions,
    allowed: Callable[[Seen], bool],
) -> None:
    caplog.set_level(logging.DEBUG)
    http_server.allowed = allowed
    echo = {"Content-Type": "application/json"}
    http_server.answers["/echo"] = (400, echo, f'{{"got": "{KEY} {KEY[::-1]}"}}'.encode())
    with opened(http_server, auth) as transport:
        answer = transport.send(ASKED)
        assert answer.status == 200
        with pytest.raises(ApiRefused, match="answered 400") as caught:
            transport.send(ApiRequest("/echo"))
    secret = KEY[::-1] if isinstance(auth, CustomAuth) else KEY
    for text in (str(caught.value), answer.url, repr(transport), caplog.text):
        assert secret not in text
    assert "key" not in answer.url


def test_a_fixed_credential_that_was_rotated_is_read_again_when_it_is_refused(
    http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = KEY
    http_server.allowed = lambda seen: seen.headers.get("authorization") == f"Bearer {good}"
    with opened(http_server, BearerAuth(token="env://API_KEY")) as transport:
        transport.send(ASKED)
        good = "rotated"
        with pytest.raises(ApiRefused, match="answered 401"):
            transport.send(ASKED)
        monkeypatch.setenv("API_KEY", "rotated")
        assert transport.send(ASKED).status == 200


def test_a_jwt_is_signed_with_its_claims_and_again_before_it_expires(
    http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "a shared key of at least 32 bytes")
    auth = JwtAuth(
        key="env://API_KEY",
        algorithm="HS256",
        issuer="etl",
        audience="api",
        key_id="k1",
        claims={"role": "reader"},
    )
    with opened(http_server, auth) as transport:
        transport.send(ASKED)
        transport.send(ASKED)
    tokens = {
        seen.headers["authorization"].removeprefix("Bearer ") for seen in http_server.requests
    }
    (token,) = tokens
    read = jwt.decode(token, OctKey.import_key("a shared key of at least 32 bytes"))
    assert read.header == {"typ": "JWT", "alg": "HS256", "kid": "k1"}
    expected = {"iss": "etl", "aud": "api", "role": "reader"}
    assert {name: read.claims[name] for name in expected} == expected
    assert read.claims["exp"] - read.claims["iat"] == 300


def test_a_key_that_cannot_sign_is_refused_without_being_shown(http_server: HttpServer) -> None:
    auth = JwtAuth(key="env://API_KEY", algorithm="RS256", issuer="etl")
    with (
        opened(http_server, auth) as transport,
        pytest.raises(SecretError, match="no key to sign RS256 with") as caught,
    ):
        transport.send(ASKED)
    assert KEY not in str(caught.value)


def test_a_class_that_is_not_there_is_named(http_server: HttpServer) -> None:
    auth = CustomAuth.model_validate({"class": "etl_platform.core.names:Nothing"})
    with (
        pytest.raises(ConfigError, match="names:Nothing cannot be made"),
        opened(http_server, auth),
    ):
        pass


@flows
def test_credentials_go_to_the_apis_own_host_and_port_only(
    http_server: HttpServer, other_http_server: HttpServer, oauth_server: OAuthServer, flow: Flow
) -> None:
    http_server.allowed = oauth_server.allows
    other_http_server.pages["items"] = Pages([{"id": 2}])
    http_server.elsewhere = other_http_server.address
    http_server.planned.append(Fault.ELSEWHERE)
    with opened(http_server, flow(oauth_server), headers={"X-Team": "ours"}) as transport:
        assert b'"id": 2' in transport.send(ASKED).body  # a redirect
        link = ApiRequest(other_http_server.url("/page/items"))
        assert b'"id": 2' in transport.send(link).body  # a link of the API's answer
    for seen in other_http_server.requests:
        assert set(seen.headers) == {"accept", "accept-encoding", "host", "user-agent"}
    assert len(other_http_server.requests) == 2


@pytest.mark.parametrize("quoted", [False, True])
def test_a_redirect_that_carries_the_key_away_is_not_followed(
    http_server: HttpServer, other_http_server: HttpServer, quoted: bool
) -> None:
    key = KEY.replace(" ", "%20").replace("&", "%26") if quoted else KEY.replace(" ", "+")
    location = f"{other_http_server.address}/page/items?key={key}"
    http_server.answers["/moved"] = (302, {"Location": location}, b"")
    auth = ApiKeyAuth(key="env://API_KEY", name="key", place="query")
    with (
        opened(http_server, auth) as transport,
        pytest.raises(ApiRefused, match="with the credential in the address") as caught,
    ):
        transport.send(ApiRequest("/moved"))
    assert not other_http_server.requests
    assert KEY not in str(caught.value)


def test_links_that_repeat_the_key_come_back_without_it_and_work(http_server: HttpServer) -> None:
    auth = ApiKeyAuth(key="env://API_KEY", name="key", place="query")
    http_server.allowed = lambda seen: seen.query.get("key") == KEY
    link = http_server.url("/page/items?page=1&key=a+key+of+the+API+%26+more")
    headers = {"Content-Type": "application/json", "Link": f'<{link}>; rel="next"'}
    http_server.answers["/first"] = (200, headers, f'{{"next": "{link}"}}'.encode())
    with opened(http_server, auth) as transport:
        answer = transport.send(ApiRequest("/first"))
        assert b"API" not in answer.body
        assert "API" not in answer.headers["link"]
        followed = answer.headers["link"].partition(">")[0].removeprefix("<")
        assert transport.send(ApiRequest(followed)).status == 200
        away = followed.replace(http_server.address, "http://127.0.0.1:9").replace(
            "%2A%2A%2A", "a+key%20of the API %26 more"
        )
        with pytest.raises(ApiRefused, match="with the credential in it"):
            transport.send(ApiRequest(away))
    assert list(http_server.requests[-1].query) == ["page", "key"]


def test_requests_for_tokens_take_their_turn_when_the_api_gives_them_itself(
    http_server: HttpServer,
) -> None:
    body = b'{"access_token": "t", "token_type": "Bearer", "expires_in": 60}'
    http_server.answers["/token"] = (200, {"Content-Type": "application/json"}, body)
    auth = OAuth2ClientCredentials(
        token_url=http_server.url("/token"),
        client_id=CLIENT,
        client_secret="env://CLIENT_SECRET",
        parameters={"audience": "us"},
    )
    limits = LimitOptions(per_second=2, concurrent=1)
    with opened(http_server, auth, limits=limits) as transport:
        for _ in range(3):
            transport.send(ASKED)
    assert http_server.most_in(1.0) == 2
    assert http_server.most_at_once == 1
    assert b"audience=us" in http_server.requests[0].body
