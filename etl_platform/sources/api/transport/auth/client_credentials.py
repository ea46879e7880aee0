"""OAuth2 for the client itself."""

from __future__ import annotations

from etl_platform.core.secrets import resolve
from etl_platform.sources.api.options import OAuth2ClientCredentials
from etl_platform.sources.api.transport.auth.fixed import reference_or_text
from etl_platform.sources.api.transport.auth.token_requests import token_request
from etl_platform.sources.api.transport.auth.tokens import Token, TokenFlow
from etl_platform.sources.api.transport.passage import Passage


class ClientCredentials(TokenFlow):
    """RFC 6749, section 4.4."""

    def __init__(self, options: OAuth2ClientCredentials, passage: Passage) -> None:
        super().__init__(options)
        self._options = options
        self._passage = passage

    def secrets(self) -> tuple[str, ...]:
        return (reference_or_text(self._options.client_id), resolve(self._options.client_secret))

    def fetch(self, refresh: str | None) -> Token:
        del refresh  # RFC 6749, section 4.4.3: none should come with it
        options = self._options
        client_id, client_secret = self.secrets()
        return token_request(
            self._passage,
            options.token_url,
            "client_credentials",
            {"scope": options.scope, **options.parameters},
            client=(client_id, client_secret),
            client_auth=options.client_auth,
            secrets=[client_secret],
        )
