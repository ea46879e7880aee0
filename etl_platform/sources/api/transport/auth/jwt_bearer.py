"""OAuth2 with an assertion that is signed here."""

from __future__ import annotations

from etl_platform.core.secrets import resolve
from etl_platform.sources.api.options import OAuth2JwtBearer
from etl_platform.sources.api.transport.auth.signing import signed
from etl_platform.sources.api.transport.auth.token_requests import token_request
from etl_platform.sources.api.transport.auth.tokens import Token, TokenFlow
from etl_platform.sources.api.transport.passage import Passage

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class JwtBearer(TokenFlow):
    """RFC 7523, section 2.1."""

    def __init__(self, options: OAuth2JwtBearer, passage: Passage) -> None:
        super().__init__(options)
        self._options = options
        self._passage = passage

    def secrets(self) -> tuple[str, ...]:
        return (resolve(self._options.key),)

    def fetch(self, refresh: str | None) -> Token:
        del refresh  # another assertion is as good
        options = self._options
        assertion = signed(options, options.audience or options.token_url)
        return token_request(
            self._passage,
            options.token_url,
            _GRANT,
            {"assertion": assertion, "scope": options.scope, **options.parameters},
            secrets=[assertion],
        )
