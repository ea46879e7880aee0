"""OAuth2 in the name of a user who agreed once."""

from __future__ import annotations

from etl_platform.core.secrets import resolve
from etl_platform.sources.api.options import OAuth2RefreshToken
from etl_platform.sources.api.transport.auth.fixed import reference_or_text
from etl_platform.sources.api.transport.auth.token_requests import token_request
from etl_platform.sources.api.transport.auth.tokens import Token, TokenFlow
from etl_platform.sources.api.transport.passage import Passage


class RefreshToken(TokenFlow):
    """RFC 6749, section 6."""

    def __init__(self, options: OAuth2RefreshToken, passage: Passage) -> None:
        super().__init__(options)
        self._options = options
        self._passage = passage

    def secrets(self) -> tuple[str, ...]:
        options = self._options
        secret = "" if options.client_secret is None else resolve(options.client_secret)
        return (reference_or_text(options.client_id), secret, resolve(options.refresh_token))

    def fetch(self, refresh: str | None) -> Token:
        options = self._options
        client_id, client_secret, first = self.secrets()
        used = refresh or first
        return token_request(
            self._passage,
            options.token_url,
            "refresh_token",
            {"refresh_token": used, "scope": options.scope, **options.parameters},
            client=(client_id, client_secret or None),
            client_auth=options.client_auth,
            secrets=[client_secret, first, used],
        )
