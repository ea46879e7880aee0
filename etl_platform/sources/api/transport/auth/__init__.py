"""How requests say who asks: one module for each flow."""

from __future__ import annotations

from etl_platform.sources.api.options import (
    ApiKeyAuth,
    AuthOptions,
    BasicAuth,
    BearerAuth,
)
from etl_platform.sources.api.transport.auth.authentication import (
    Authentication,
    Credentials,
    Nobody,
)
from etl_platform.sources.api.transport.auth.fixed import ApiKey, Basic, Bearer

__all__ = ["Authentication", "Credentials", "authentication_of"]


def authentication_of(options: AuthOptions | None) -> Authentication:
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
        case _:
            raise NotImplementedError(options.type)
