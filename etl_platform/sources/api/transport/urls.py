"""URLs as requests need them: an origin that decides who gets credentials, and the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from etl_platform.sources.api.messages import BadResponse

_PORTS = {"http": 80, "https": 443}
# What RFC 3986 lets stand in a path or a query, and '%' for what is quoted already.
_AS_IT_IS = "%/:@!$&'()*+,;=~-._?[]"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454): credentials never leave theirs."""

    scheme: bytes
    host: bytes
    port: int

    def __str__(self) -> str:
        return f"{self.scheme.decode()}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as the ``Host`` header says them; the scheme's own port is left out."""
        host = self.host.decode()
        host = f"[{host}]" if ":" in host else host
        return host if self.port == _PORTS[self.scheme.decode()] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, without credentials."""

    origin: Origin
    path: str
    query: str

    @property
    def path_and_query(self) -> bytes:
        """As the request's first line says it."""
        return (f"{self.path}?{self.query}" if self.query else self.path).encode("ascii")

    @property
    def url(self) -> str:
        """The whole of it."""
        return f"{self.origin}{self.path_and_query.decode()}"

    @property
    def shown(self) -> str:
        """For messages: queries may hold what is nobody's business."""
        return f"{self.origin}{self.path}"

    def with_query(self, more: Iterable[tuple[str, str]]) -> Target:
        """With parameters after those that are there."""
        added = urlencode(list(more))
        both = f"{self.query}&{added}" if self.query and added else self.query or added
        return Target(self.origin, self.path, both)

    def without_query(self, names: Iterable[str]) -> Target:
        """Without the parameters of these names."""
        gone = set(names)
        if not gone or not self.query:
            return self
        kept = [
            pair
            for pair in self.query.split("&")
            if unquote_plus(pair.partition("=")[0]) not in gone
        ]
        return Target(self.origin, self.path, "&".join(kept))


def target_of(url: str) -> Target:
    """Read an absolute URL; its fragment and its user are left out.

    Raises:
        BadResponse: it is not one of HTTP: a server's link or redirect points nowhere.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        host = (parts.hostname or "").encode("idna")
    except (ValueError, KeyError):
        host, port = b"", 0
        parts = urlsplit("")
    if not host:
        raise BadResponse(f"{url[:200]!r} is not a URL to follow", valid="http:// or https://")
    return Target(
        Origin(parts.scheme.encode(), host, port),
        quote(parts.path or "/", safe=_AS_IT_IS.replace("?", "")),
        quote(parts.query, safe=_AS_IT_IS),
    )
