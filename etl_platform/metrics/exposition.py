"""The endpoint: numbers are gathered now and then in the background, and served as they are.

A scrape costs the sending of a text, whatever the number of tables. How old the text is, and
whether the newest look failed, are metrics themselves.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from etl_platform.core.errors import ConfigError, EtlError

_log = logging.getLogger(__name__)


class Source(Protocol):
    """What gives families of metrics."""

    def collect(self) -> Iterable[Metric]:
        """Every family, with its samples as they are now."""
        ...


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen, and how the looking itself went."""

    families: tuple[Metric, ...] = ()
    refreshed_at: float = 0.0
    seconds: float = 0.0
    failures: int = 0
    up: bool = False

    def collect(self) -> Iterator[Metric]:
        """All families and those about the gathering itself."""
        yield from self.families
        up = GaugeMetricFamily("etl_metrics_up", "Whether the newest look succeeded.")
        up.add_metric([], self.up)
        at = GaugeMetricFamily(
            "etl_metrics_refreshed_timestamp_seconds", "When the newest good look ended."
        )
        at.add_metric([], self.refreshed_at)
        took = GaugeMetricFamily("etl_metrics_refresh_seconds", "How long it took.")
        took.add_metric([], self.seconds)
        failed = CounterMetricFamily("etl_metrics_refresh_failures", "Looks that failed.")
        failed.add_metric([], self.failures)
        yield from (up, at, took, failed)


class Exposition:
    """What sources said at the newest look.

    When a look fails, what the one before said is still served, ``etl_metrics_up`` is 0 and
    ``etl_metrics_refreshed_timestamp_seconds`` stays behind: alert on both.

    Texts are made by the look, in each form that was asked for before: that of a thousand tables
    takes longer than a scrape should.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._look = _Look()
        self._texts: dict[str, bytes] = {}
        self._encoders: dict[str, Callable[[_Look], bytes]] = {}
        self._lock = threading.Lock()

    def gather(self) -> None:
        """Ask all sources, and raise what any of them raises."""
        began = time.perf_counter()
        families = tuple(family for source in self._sources for family in source.collect())
        seconds = time.perf_counter() - began
        self._tell(_Look(families, time.time(), seconds, self._look.failures, up=True))

    def refresh(self) -> bool:
        """Ask all sources; whether all of them answered."""
        try:
            self.gather()
        except Exception as error:  # noqa: BLE001 # of any driver; the endpoint has to go on
            # Only the platform's own errors are known to hold no secret.
            told = error if isinstance(error, EtlError) else ""
            _log.warning("metrics could not be gathered: %s %s", type(error).__name__, told)
            self._tell(replace(self._look, failures=self._look.failures + 1, up=False))
            return False
        return True

    def collect(self) -> Iterator[Metric]:
        """All families of the newest look and those about the gathering itself."""
        return self._look.collect()

    def text(self, accept: str = "") -> tuple[str, bytes]:
        """Content type and text, OpenMetrics where ``accept`` says so."""
        encode, content_type = choose_encoder(accept)
        with self._lock:
            found = self._texts.get(content_type)
            if found is None:
                found = self._texts[content_type] = encode(self._look)
                self._encoders[content_type] = encode
        return content_type, found

    def _tell(self, look: _Look) -> None:
        texts = {kind: encode(look) for kind, encode in tuple(self._encoders.items())}
        with self._lock:
            self._look, self._texts = look, texts


def serve(exposition: Exposition, host: str, port: int) -> ThreadingHTTPServer:
    """Listen; ``serve_forever`` answers. Port 0 takes a free one.

    Raises:
        ConfigError: the address cannot be listened at.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] not in ("/", "/metrics"):
                self.send_error(404, "metrics are at /metrics")
                return
            content_type, text = exposition.text(self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - of the base
            _log.debug(format, *args)

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise ConfigError(
            f"nothing can listen at {host}:{port}: {error.strerror or error}",
            fix="choose another --port",
        ) from error


def keep_fresh(exposition: Exposition, every_s: float, stopped: threading.Event) -> None:
    """Look again and again until stopped, ``every_s`` seconds after the end of each look."""
    while not stopped.wait(every_s):
        exposition.refresh()
