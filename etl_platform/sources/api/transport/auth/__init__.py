"""How requests say who asks: one module for each flow."""

from __future__ import annotations

from etl_platform.sources.api.options import (
    ApiKeyAuth,
    AuthOptions,
    BasicAuth,
    BearerAuth,
    CustomAuth,
    JwtAuth,
    OAuth2ClientCredentials,
    OAuth2JwtBearer,
    OAuth2RefreshToken,
)
from etl_platform.sources.api.transport.auth.authentication import (
    Authentication,
    Credentials,
    Nobody,
)
from etl_platform.sources.api.transport.auth.client_credentials import ClientCredentials
from etl_platform.sources.api.transport.auth.custom import custom
from etl_platform.sources.api.transport.auth.fixed import ApiKey, Basic, Bearer
from etl_platform.sources.api.transport.auth.jwt_bearer import JwtBearer
from etl_platform.sources.api.transport.auth.refresh_token import RefreshToken
from etl_platform.sources.api.transport.auth.signed_jwt import SignedJwt
from etl_platform.sources.api.transport.passage import Passage

__all__ = ["Authentication", "Credentials", "authentication_of"]


def authentication_of(options: AuthOptions | None, passage: Passage) -> Authentication:
    """What adds the credentials of a connection; resolves no reference yet."""
    match options:
        case None:
            return Nobody()
        case ApiKeyAuth():
            return ApiKey(options)
        case BasicAuth():
            return Basic(options)
        case BearerAuth():
            return Bearer(options)
        case JwtAuth():
            return SignedJwt(options)
        case OAuth2ClientCredentials():
            return ClientCredentials(options, passage)
        case OAuth2RefreshToken():
            return RefreshToken(options, passage)
        case OAuth2JwtBearer():
            return JwtBearer(options, passage)
        case CustomAuth():
            return custom(options)
