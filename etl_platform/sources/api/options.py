"""What is declared about an API: where it is, how it lets in, and how much it bears."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from etl_platform.core.errors import ConfigError
from etl_platform.core.secrets import (
    SecretReference,
    check_no_literal_credentials,
    check_no_literal_secret,
)

_HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+")]
_Claim = str | int | bool | list[str]
_SIGNED_BY = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"
]
_FIX = "write auth: with a reference to the secret"


class _Options(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )


class ApiKeyAuth(_Options):
    """A key that each request carries.

    Attributes:
        key: reference to it.
        name: of the header or of the query's parameter.
        place: where it goes. Logs of servers and proxies show queries: prefer a header.
        prefix: what stands before the key in a header, for example ``"Token "``.
    """

    type: Literal["api_key"] = "api_key"
    key: SecretReference
    name: str = Field(default="X-API-Key", pattern=r"^[A-Za-z0-9_.$-]+$")
    place: Literal["header", "query"] = "header"
    prefix: str = ""


class BasicAuth(_Options):
    """User and password (RFC 7617). The user may be a reference too."""

    type: Literal["basic"] = "basic"
    username: str
    password: SecretReference


class BearerAuth(_Options):
    """A token that somebody else made (RFC 6750)."""

    type: Literal["bearer"] = "bearer"
    token: SecretReference


class JwtAuth(_Options):
    """A bearer token that is signed here, anew before it expires (RFC 7519).

    Attributes:
        key: reference to the private key in PEM or JWK, or to the shared key of ``HS*``.
        algorithm: how it signs.
        key_id: ``kid`` of the token's header.
        claims: other claims, as they stand.
        lifetime_s: seconds from ``iat`` to ``exp``.
    """

    type: Literal["jwt"] = "jwt"
    key: SecretReference
    algorithm: _SIGNED_BY = "RS256"
    key_id: str | None = None
    issuer: str
    subject: str | None = None
    audience: str | None = None
    claims: dict[str, _Claim] = Field(default_factory=dict[str, _Claim])
    lifetime_s: int = Field(default=300, ge=10, le=86_400)


class _OAuth2(_Options):
    token_url: _HttpUrl
    scope: str | None = None
    parameters: dict[str, str] = Field(default_factory=dict[str, str])
    """Other fields of the token request: ``audience``, ``resource``, ..."""

    @field_validator("parameters")
    @classmethod
    def _no_credentials(cls, given: dict[str, str]) -> dict[str, str]:
        check_no_literal_credentials(given, "parameters", _FIX)
        return given

    @field_validator("token_url")
    @classmethod
    def _no_secret(cls, value: str) -> str:
        check_no_literal_secret(value)
        return value


class OAuth2ClientCredentials(_OAuth2):
    """A token for the client itself (RFC 6749, section 4.4). The id may be a reference too."""

    type: Literal["oauth2_client_credentials"] = "oauth2_client_credentials"
    client_id: str
    client_secret: SecretReference
    client_auth: Literal["basic", "post"] = "basic"


class OAuth2RefreshToken(_OAuth2):
    """A token in the name of a user who agreed once (RFC 6749, section 6).

    A server that changes the refresh token at each use is followed while the process lives;
    nothing is written, so the reference must stay good for the next process.
    """

    type: Literal["oauth2_refresh_token"] = "oauth2_refresh_token"
    client_id: str
    client_secret: SecretReference | None = None
    refresh_token: SecretReference
    client_auth: Literal["basic", "post"] = "basic"


class OAuth2JwtBearer(_OAuth2):
    """A token for an assertion that is signed here (RFC 7523), as service accounts do.

    Attributes:
        audience: ``aud`` of the assertion; the token URL where it is not said.
    """

    type: Literal["oauth2_jwt_bearer"] = "oauth2_jwt_bearer"
    key: SecretReference
    algorithm: _SIGNED_BY = "RS256"
    key_id: str | None = None
    issuer: str
    subject: str | None = None
    audience: str | None = None
    claims: dict[str, _Claim] = Field(default_factory=dict[str, _Claim])
    lifetime_s: int = Field(default=300, ge=10, le=3600)


class CustomAuth(_Options):
    """A class of yours: see ``sources/api/transport/auth`` for what it has to do.

    Attributes:
        class_: ``module:Class``; in YAML ``class``.
        options: its keyword arguments. References arrive as references.
    """

    type: Literal["custom"] = "custom"
    class_: str = Field(alias="class", pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    options: dict[str, str] = Field(default_factory=dict[str, str])

    @field_validator("options")
    @classmethod
    def _no_credentials(cls, given: dict[str, str]) -> dict[str, str]:
        check_no_literal_credentials(given, "options", "write a reference, and resolve it there")
        return given


AuthOptions = Annotated[
    ApiKeyAuth
    | BasicAuth
    | BearerAuth
    | JwtAuth
    | OAuth2ClientCredentials
    | OAuth2RefreshToken
    | OAuth2JwtBearer
    | CustomAuth,
    Field(discriminator="type"),
]


class LimitOptions(_Options):
    """What all processes of this machine together may ask of the API.

    Attributes:
        per_second: requests that begin in any second.
        per_minute: requests that begin in any minute.
        concurrent: requests that are under way at the same time.
    """

    per_second: int | None = Field(default=None, ge=1, le=100_000)
    per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    concurrent: int = Field(default=10, ge=1, le=1000)


class RetryOptions(_Options):
    """How long a request that fails is tried again.

    Attributes:
        attempts: times that it is sent, without those that the server put off with 429.
        total_s: seconds after which it is given up, without waiting for a place in the budget.
        first_wait_s: before the second time; doubled each time, and scattered.
        longest_wait_s: between two times, where the server names none.
        circuit_failures: attempts failed in a row, of all threads, that open the circuit.
        circuit_open_s: seconds that the circuit stays open.
    """

    attempts: int = Field(default=6, ge=1, le=100)
    total_s: float = Field(default=300.0, gt=0)
    first_wait_s: float = Field(default=0.5, ge=0)
    longest_wait_s: float = Field(default=30.0, ge=0)
    circuit_failures: int = Field(default=20, ge=1)
    circuit_open_s: float = Field(default=30.0, ge=0)


class ConnectionOptions(_Options):
    """An API.

    Attributes:
        base_url: what the paths of requests follow. Credentials go to its scheme, host and port
            only, wherever links and redirects point.
        headers: of every request to it; none of them a credential. ``Accept`` says which content
            types are promised.
        auth: how it lets in.
        limits: what it bears.
        retry: what is tried again.
        timeout_s: seconds from sending a request to the last byte of its answer.
        max_body_bytes: of one answer as it arrives.
        max_decoded_bytes: of one answer after decompression.
        verify: true, or the file of the authorities (PEM) that sign the server's certificate.
    """

    base_url: str = Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    auth: AuthOptions | None = None
    limits: LimitOptions = LimitOptions()
    retry: RetryOptions = RetryOptions()
    timeout_s: float = Field(default=60.0, gt=0)
    max_body_bytes: int = Field(default=64 << 20, ge=1)
    max_decoded_bytes: int = Field(default=256 << 20, ge=1)
    verify: Literal[True] | str = True

    @field_validator("verify", mode="before")
    @classmethod
    def _verified(cls, value: object) -> object:
        if value is False:
            raise ConfigError(
                "verify: false would accept any server's certificate",
                valid="true, or a file of authorities in PEM",
                fix="write the file of the authority that signed the server's certificate",
            )
        return value

    @model_validator(mode="after")
    def _no_credentials(self) -> Self:
        check_no_literal_secret(self.base_url)
        if urlsplit(self.base_url).username is not None:
            raise ConfigError(
                "base_url holds a user", fix="write auth: {type: basic, username: ..., ...}"
            )
        check_no_literal_credentials(self.headers, "headers", _FIX)
        return self
