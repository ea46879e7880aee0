"""One request over one connection: deadlines, sizes, TLS and proxies, and no knowledge of APIs.

httpcore is what httpx stands on. It is used directly because httpx writes each URL, with the keys
in its query, into the log, and because its time limits are those of one read: a server that sends
a byte a minute never meets them.
"""

from __future__ import annotations

import ssl
import threading
import time
import urllib.request
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore

from etl_platform.core.errors import ConfigError
from etl_platform.sources.api.messages import ApiRefused, ApiUnavailable, BadResponse
from etl_platform.sources.api.transport.urls import Origin, Target

_KEEP_ALIVE_S = 30.0
_OPEN_S = 20.0
_DEADLINE = threading.local()


class BrokenOff(ApiUnavailable):
    """The exchange did not end.

    Args:
        sent: whether the server may have acted on the request.
    """

    def __init__(self, what: str, *, sent: bool) -> None:
        self.sent = sent
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status.

    Attributes:
        headers: by lower-case name; several of one name joined by ``", "``.
        body: decompressed.
        answered_at: of the monotonic clock, when the first byte had come.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    answered_at: float


class Wire:
    """Connections to any server; safe for threads.

    Args:
        verify: true, or a file of authorities in PEM.
        timeout_s: from the start of an exchange to its last byte.
        connections: that are open to one proxy or to all servers at the same time.
    """

    def __init__(
        self,
        *,
        verify: bool | str,
        timeout_s: float,
        max_body_bytes: int,
        max_decoded_bytes: int,
        connections: int,
    ) -> None:
        self._verify = verify
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._max_decoded_bytes = max_decoded_bytes
        self._connections = connections
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}
        self._proxies: dict[Origin, str | None] = {}
        self._lock = threading.Lock()

    def exchange(
        self,
        target: Target,
        method: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes | None,
    ) -> Answer:
        """Send one request and read its answer to the end. Redirects are answers too.

        Raises:
            BrokenOff: no connection, no answer in time, or an answer that ends too early.
            BadResponse: more bytes than allowed, or a compression that was not asked for.
            ApiRefused: the server's certificate is not signed by a known authority, or a header
                holds what HTTP cannot carry.
        """
        where = target.shown
        _DEADLINE.at = time.monotonic() + self._timeout_s
        request = httpcore.Request(
            method,
            httpcore.URL(
                scheme=target.origin.scheme,
                host=target.origin.host,
                port=target.origin.port,
                target=target.path_and_query,
            ),
            headers=headers,
            content=body,
            extensions={"timeout": {"connect": _OPEN_S, "pool": self._timeout_s}},
        )
        try:
            response = self._pool(target.origin).handle_request(request)
            try:
                answered_at = time.monotonic()
                joined = _joined(response.headers)
                encoding = joined.get("content-encoding", "identity").lower().strip()
                content = self._read(response.iter_stream(), encoding, where)
            finally:
                response.close()
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError) as error:
            raise _no_connection(where, error) from None
        except httpcore.PoolTimeout:
            raise BrokenOff(f"{where}: no connection became free in time", sent=False) from None
        except httpcore.TimeoutException:
            raise BrokenOff(
                f"{where} did not answer completely within {self._timeout_s:g} s", sent=True
            ) from None
        except httpcore.RemoteProtocolError as error:
            # Other texts of h11 repeat what came, which may repeat what was sent.
            text = str(error)
            known = text.startswith(("peer closed connection", "Server disconnected"))
            said = text if known else "what came is not HTTP"
            raise BrokenOff(f"{where} broke off: {said}", sent=True) from None
        except httpcore.NetworkError as error:
            said = str(error) or type(error).__name__
            raise BrokenOff(f"{where} broke off: {said}", sent=True) from None
        except httpcore.LocalProtocolError:
            # h11's text would show the header's value, which may be the credential.
            raise ApiRefused(
                f"{where}: a header or the body is not what HTTP can carry",
                fix="look for line breaks and control characters in secrets and headers",
            ) from None
        return Answer(response.status, joined, content, answered_at)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _read(self, stream: Iterable[bytes], encoding: str, where: str) -> bytes:
        if encoding in {"identity", ""}:
            limit = min(self._max_body_bytes, self._max_decoded_bytes)
            return _bounded(stream, limit, where)
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            raise BadResponse(f"{where} answered in the encoding {encoding!r}", valid="gzip")
        return self._decompressed(stream, where)

    def _decompressed(self, stream: Iterable[bytes], where: str) -> bytes:
        arrived, decoded, parts = 0, 0, list[bytes]()
        unpack = zlib.decompressobj(wbits=47)  # gzip or zlib, as its first bytes say
        try:
            for chunk in stream:
                arrived += len(chunk)
                _check_size(arrived, self._max_body_bytes, where, "")
                while chunk:
                    part = unpack.decompress(chunk, self._max_decoded_bytes - decoded + 1)
                    decoded += len(part)
                    _check_size(decoded, self._max_decoded_bytes, where, " after decompression")
                    parts.append(part)
                    chunk = unpack.unconsumed_tail
                    if unpack.eof and unpack.unused_data:  # another member follows (RFC 1952)
                        chunk, unpack = unpack.unused_data, zlib.decompressobj(wbits=47)
        except zlib.error:
            raise BrokenOff(
                f"{where}: the body is not the gzip that it is said to be", sent=True
            ) from None
        if arrived and not unpack.eof:
            raise BrokenOff(f"{where}: the compressed body ends too early", sent=True)
        return b"".join(parts)

    def _pool(self, origin: Origin) -> httpcore.ConnectionPool:
        proxy = self._proxies.get(origin, "")
        if proxy == "":
            proxy = self._proxies[origin] = _proxy(origin)
        pool = self._pools.get(proxy)
        if pool is not None:
            return pool
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = httpcore.ConnectionPool(
                    ssl_context=_tls(self._verify),
                    proxy=None if proxy is None else _proxy_of(proxy),
                    max_connections=self._connections,
                    max_keepalive_connections=self._connections,
                    keepalive_expiry=_KEEP_ALIVE_S,
                    network_backend=_Punctual(),
                )
            return self._pools[proxy]


class _PunctualStream(httpcore.NetworkStream):
    """A stream whose every wait ends with the exchange that it is part of."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _DEADLINE.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return self._stream.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = _DEADLINE.at - time.monotonic()
        if left <= 0:
            raise httpcore.WriteTimeout
        self._stream.write(buffer, left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _PunctualStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Punctual(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return _PunctualStream(super().connect_tcp(*args, **options))


def _bounded(stream: Iterable[bytes], limit: int, where: str) -> bytes:
    arrived, parts = 0, list[bytes]()
    for chunk in stream:
        arrived += len(chunk)
        _check_size(arrived, limit, where, "")
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_size(size: int, limit: int, where: str, when: str) -> None:
    if size > limit:
        raise BadResponse(
            f"{where} answered with more than {limit:,} bytes{when}",
            fix="ask for smaller pages, or raise the connection's size limit",
        )


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined


def _no_connection(where: str, error: Exception) -> ApiUnavailable | ApiRefused:
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ApiRefused(
            f"{where}: the certificate does not hold: {cause.verify_message}",
            fix="write the file of the authority that signed it as the connection's verify",
        )
    return BrokenOff(f"{where} cannot be reached: {error or type(error).__name__}", sent=False)


def _tls(verify: bool | str) -> ssl.SSLContext:
    if not isinstance(verify, str):
        import httpx

        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=verify)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the file of authorities {verify} is not usable: {error}", valid="certificates in PEM"
        ) from None


def _proxy(origin: Origin) -> str | None:
    """The proxy that the environment names for a server (``HTTPS_PROXY``, ``NO_PROXY``, ...)."""
    host = f"{origin.host.decode()}:{origin.port}"
    if urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    found = proxies.get(origin.scheme.decode()) or proxies.get("all")
    return found if found is None or "://" in found else f"http://{found}"


def _proxy_of(url: str) -> httpcore.Proxy:
    import httpx

    parsed = httpx.Proxy(url)
    return httpcore.Proxy(
        url=httpcore.URL(
            scheme=parsed.url.raw_scheme,
            host=parsed.url.raw_host,
            port=parsed.url.port,
            target=parsed.url.raw_path,
        ),
        auth=parsed.raw_auth,
        ssl_context=parsed.ssl_context,
    )
