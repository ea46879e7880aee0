"""What zeep gets its documents and answers by: the API's own transport instead of requests."""

from __future__ import annotations

from pathlib import Path

import requests
from zeep.transports import Transport as ZeepTransport

from etl_platform.core.errors import PermanentError
from etl_platform.sources.api.messages import ApiRequest, ApiResponse, Transport

_REMOTE = ("http://", "https://")
_ACCEPT = "text/xml, application/xml, application/wsdl+xml, application/xsd+xml, text/plain"


class ThroughApi(ZeepTransport):
    """Loads descriptions and what they import. Sends nothing else: that goes with the pages.

    Args:
        root: where the description is; one from a server may not name files of this machine.
    """

    def __init__(self, transport: Transport, root: str) -> None:
        super().__init__()
        self._transport = transport
        self._root = root

    def load(self, url: str) -> bytes:
        """The bytes of a document.

        Raises:
            PermanentError: a server's description names a file.
            ApiRefused, ApiUnavailable, BadResponse: as the transport raises them.
        """
        if url.lower().startswith(_REMOTE):
            return self._transport.send(ApiRequest(url, headers={"Accept": _ACCEPT})).body
        if self._root.lower().startswith(_REMOTE):
            raise PermanentError(f"{self._root} imports {url}, a file of this machine")
        return Path(url.removeprefix("file://")).expanduser().read_bytes()


def as_reply(response: ApiResponse) -> requests.Response:
    """An answer in the form that zeep reads."""
    reply = requests.Response()
    reply.status_code = response.status
    reply.headers.update(response.headers)
    reply.encoding = "utf-8"
    reply._content = response.body  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # no setter
    return reply
