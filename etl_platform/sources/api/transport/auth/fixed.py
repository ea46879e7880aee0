"""Credentials that only whoever keeps the secret changes: API key, basic, bearer."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from base64 import b64encode
from urllib.parse import quote_plus

from etl_platform.core.secrets import is_reference, resolve
from etl_platform.sources.api.options import ApiKeyAuth, BasicAuth, BearerAuth
from etl_platform.sources.api.transport.auth.authentication import Credentials


class _Fixed(ABC):
    """Resolves at the first request, and again when the server refuses what it got."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Credentials | None = None

    @abstractmethod
    def _resolved(self) -> Credentials: ...

    def credentials(self) -> Credentials:
        known = self._known
        if known is not None:
            return known
        with self._lock:
            if self._known is None:
                self._known = self._resolved()
            return self._known

    def renewed(self, refused: Credentials) -> Credentials | None:
        with self._lock:
            if self._known == refused:
                self._known = self._resolved()
            return None if self._known == refused else self._known


class ApiKey(_Fixed):
    """A key in a header or in the query."""

    def __init__(self, options: ApiKeyAuth) -> None:
        super().__init__()
        self._options = options

    def _resolved(self) -> Credentials:
        key, name = resolve(self._options.key), self._options.name
        if self._options.place == "query":
            return Credentials(params=((name, key),), secrets=(key, quote_plus(key)))
        return Credentials(headers=((name, self._options.prefix + key),), secrets=(key,))


class Basic(_Fixed):
    """User and password (RFC 7617), in UTF-8."""

    def __init__(self, options: BasicAuth) -> None:
        super().__init__()
        self._options = options

    def _resolved(self) -> Credentials:
        user, password = reference_or_text(self._options.username), resolve(self._options.password)
        pair = b64encode(f"{user}:{password}".encode()).decode()
        return Credentials(headers=(("Authorization", f"Basic {pair}"),), secrets=(password, pair))


class Bearer(_Fixed):
    """A token as it stands (RFC 6750)."""

    def __init__(self, options: BearerAuth) -> None:
        super().__init__()
        self._options = options

    def _resolved(self) -> Credentials:
        return bearer(resolve(self._options.token))


def bearer(token: str) -> Credentials:
    """The header of RFC 6750."""
    return Credentials(headers=(("Authorization", f"Bearer {token}"),), secrets=(token,))


def reference_or_text(text: str) -> str:
    """A user or the id of a client, which may be a secret or not."""
    return resolve(text) if is_reference(text) else text
