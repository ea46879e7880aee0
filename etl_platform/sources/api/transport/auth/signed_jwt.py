"""A bearer token that is signed here."""

from __future__ import annotations

from etl_platform.core.secrets import resolve
from etl_platform.sources.api.options import JwtAuth
from etl_platform.sources.api.transport.auth.signing import signed
from etl_platform.sources.api.transport.auth.tokens import Token, TokenFlow


class SignedJwt(TokenFlow):
    """Signs again before the last one expires."""

    def __init__(self, options: JwtAuth) -> None:
        super().__init__(options)
        self._options = options

    def secrets(self) -> tuple[str, ...]:
        return (resolve(self._options.key),)

    def fetch(self, refresh: str | None) -> Token:
        del refresh
        return Token(signed(self._options, self._options.audience), self._options.lifetime_s)
