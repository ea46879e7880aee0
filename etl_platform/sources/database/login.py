"""The URL that a database is used with now, and the pool of connections that were made with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine


@dataclass(slots=True)
class Login:
    """Shared by threads. A pool whose URL is no longer the current one is closed.

    Connections of it that are in use work on until they are given back, and are closed then.
    """

    url: URL | None = field(default=None, repr=False)
    _engine: Engine | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def engine(self, url: URL, make: Callable[[URL], Engine]) -> Engine:
        """The engine of this URL, made when it is another one than before."""
        # The maker may look at :attr:`url`.
        self.renew(url)
        with self._lock:
            if self._engine is None:
                self._engine = make(url)
            return self._engine

    def renew(self, url: URL) -> URL:
        """Go on with this URL."""
        with self._lock:
            stale = self._engine if self.url != url else None
            if stale is not None:
                self._engine = None
            self.url = url
        if stale is not None:
            stale.dispose()
        return url

    def close(self) -> None:
        """Close connections that are not in use; the next use opens new ones."""
        with self._lock:
            engine = self._engine
        if engine is not None:
            engine.dispose()
