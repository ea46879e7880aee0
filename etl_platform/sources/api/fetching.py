"""Single pages: from the spool or the server, read and found sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from etl_platform.sources.api.messages import ApiRequest, ApiResponse, Transport
from etl_platform.sources.api.pagination.protocol import Step
from etl_platform.sources.api.records.reading import Page, PageReader
from etl_platform.sources.api.spool import Spool

NOT_FOUND = 404


class Requests(Protocol):
    """Makes the request of each page; ``templates.RequestTemplate`` is REST's."""

    def build(self, step: Step) -> ApiRequest:
        """The request, without credentials."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page, and the request that it answers.

    Attributes:
        fresh: the server gave it now; False: it was kept by a run before.
    """

    request: ApiRequest
    page: Page
    fresh: bool = True


@dataclass
class Fetcher:
    """Answers from the spool or the server, read and found sound before they are kept.

    Attributes:
        requests: sent to the server.
        from_spool: answers that need not be asked for again.
    """

    transport: Transport
    reader: PageReader
    spool: Spool
    requests: int = 0
    from_spool: int = 0
    _lock: Lock = field(default_factory=Lock)

    def page(self, request: ApiRequest) -> Fetched:
        """One page.

        Raises:
            ApiRefused, ApiUnavailable, BadResponse: as the transport and the reader raise them.
        """
        kept = self.spool.get(request)
        if kept is not None:
            with self._lock:
                self.from_spool += 1
            return Fetched(request, self._read(kept), fresh=False)
        with self._lock:
            self.requests += 1
        response = self.transport.send(request)
        page = self._read(response)
        if response.status != 304:
            self.spool.put(request, response)
        return Fetched(request, page)

    def again(self, request: ApiRequest) -> Page:
        """A page that was read before, from the spool."""
        kept = self.spool.get(request)
        assert kept is not None  # what was read is kept as long as this extraction
        return self._read(kept)

    def _read(self, response: ApiResponse) -> Page:
        # 404 is here only what stands behind the last page; 204 has no content, 304 no news.
        if response.status in (NOT_FOUND, 204, 304):
            return Page(response, [])
        return self.reader.read(response)
