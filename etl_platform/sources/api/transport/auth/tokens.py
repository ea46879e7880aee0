"""Tokens that expire: kept by the process, renewed once for all its threads."""

from __future__ import annotations

import hashlib
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from pydantic import BaseModel

from etl_platform.sources.api.transport.auth.authentication import Credentials
from etl_platform.sources.api.transport.auth.fixed import bearer

_EARLY_SHARE, _EARLY_AT_MOST_S = 0.1, 60.0
_KEPT: dict[str, Keeper] = {}
_KEEPING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    Attributes:
        lifetime_s: from now; None when it is not said.
        refresh: the token that gets the next one, where the server changed it.
    """

    access: str = field(repr=False)
    lifetime_s: float | None
    refresh: str | None = field(default=None, repr=False)


class Keeper:
    """The token of one client, in memory only: all transports of the process share it."""

    def __init__(self) -> None:
        self.refresh: str | None = None
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None
        self._due_at = 0.0
        self._over_at = 0.0

    def credentials(self, flow: TokenFlow) -> Credentials:
        """Those that are valid; before they expire, one thread renews while others go on."""
        known, now = self._credentials, time.monotonic()
        if known is not None and now < self._due_at:
            return known
        if known is not None and now < self._over_at and self._lock.locked():
            return known
        with self._lock:
            if self._credentials is known or self._credentials is None:
                return self._fetched(flow)
            return self._credentials

    def renewed(self, refused: Credentials, flow: TokenFlow) -> Credentials:
        """Others than those; of many threads that were refused the same, the first one fetches."""
        with self._lock:
            if self._credentials is None or self._credentials == refused:
                return self._fetched(flow)
            return self._credentials

    def _fetched(self, flow: TokenFlow) -> Credentials:
        asked_at = time.monotonic()
        token = flow.fetch(self.refresh)
        lasts_s = float("inf") if token.lifetime_s is None else token.lifetime_s
        self._over_at = asked_at + lasts_s
        self._due_at = self._over_at - min(lasts_s * _EARLY_SHARE, _EARLY_AT_MOST_S)
        self.refresh = token.refresh or self.refresh
        self._credentials = bearer(token.access)
        return self._credentials


class TokenFlow(ABC):
    """A flow whose credentials are a token with an end.

    Args:
        options: tell one client from another, with the secrets that they point to.
    """

    def __init__(self, options: BaseModel) -> None:
        self._identity = f"{type(self).__name__}{options.model_dump_json()}"
        self._keeper: Keeper | None = None

    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """What the references hold now. A token got with others is not used again."""

    @abstractmethod
    def fetch(self, refresh: str | None) -> Token:
        """A new token.

        Args:
            refresh: the refresh token that came with the last one.
        """

    def credentials(self) -> Credentials:
        """A header with the token."""
        return self._kept().credentials(self)

    def renewed(self, refused: Credentials) -> Credentials | None:
        """A header with another token."""
        return self._kept().renewed(refused, self)

    def _kept(self) -> Keeper:
        if self._keeper is None:
            text = "\0".join((self._identity, *self.secrets()))
            key = hashlib.sha256(text.encode()).hexdigest()
            with _KEEPING:
                self._keeper = _KEPT.setdefault(key, Keeper())
        return self._keeper
