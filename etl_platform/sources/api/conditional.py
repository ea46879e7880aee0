"""Asking only for what changed since the last answer (RFC 9110, section 13)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from etl_platform.sources.api.fetching import Requests
from etl_platform.sources.api.messages import ApiRequest, ApiResponse
from etl_platform.sources.api.pagination.protocol import Step

_ETAG, _DATE = "etag ", "date "


def validator_of(response: ApiResponse) -> str | None:
    """What tells this answer from later ones: its ETag or its date; a text to be kept as it is."""
    if "etag" in response.headers:
        return _ETAG + response.headers["etag"]
    if "last-modified" in response.headers:
        return _DATE + response.headers["last-modified"]
    return None


@dataclass(frozen=True, slots=True)
class ConditionalRequests:
    """The same requests; the first page's only if something changed.

    Attributes:
        validator: as :func:`validator_of` gave it.
        first: where the first page is.
    """

    requests: Requests
    validator: str
    first: Step

    def build(self, step: Step) -> ApiRequest:
        """The request, with ``If-None-Match`` or ``If-Modified-Since`` for the first page."""
        request = self.requests.build(step)
        if step != self.first:
            return request
        name = "If-None-Match" if self.validator.startswith(_ETAG) else "If-Modified-Since"
        value = self.validator.removeprefix(_ETAG).removeprefix(_DATE)
        return replace(request, headers={**request.headers, name: value})
