"""What sends the requests of an API."""

from __future__ import annotations

from etl_platform.sources.api.messages import Transport
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.transport.auth import authentication_of
from etl_platform.sources.api.transport.client import HttpTransport
from etl_platform.sources.api.transport.wire import Wire

__all__ = ["open_transport"]


def open_transport(name: str, options: ConnectionOptions) -> Transport:
    """What sends requests of the API ``name``; connects to nothing yet.

    Raises:
        ConfigError: an option cannot be used.
    """
    wire = Wire(
        verify=options.verify,
        timeout_s=options.timeout_s,
        max_body_bytes=options.max_body_bytes,
        max_decoded_bytes=options.max_decoded_bytes,
        connections=options.limits.concurrent,
    )
    return HttpTransport(name, options, authentication_of(options.auth), wire)
