"""What sends the requests of an API."""

from __future__ import annotations

from pathlib import Path

from etl_platform.core.settings import get_settings
from etl_platform.sources.api.messages import Transport
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.transport.auth import authentication_of
from etl_platform.sources.api.transport.client import HttpTransport
from etl_platform.sources.api.transport.limits import open_budget
from etl_platform.sources.api.transport.passage import Passage
from etl_platform.sources.api.transport.urls import target_of
from etl_platform.sources.api.transport.wire import Wire

__all__ = ["open_transport"]


def open_transport(
    name: str, options: ConnectionOptions, *, folder: Path | None = None
) -> Transport:
    """What sends requests of the API ``name``; connects to nothing yet and resolves no reference.

    Args:
        name: of the API. All processes of the machine share the budget of its name and server.
        options: what is declared about it.
        folder: where its budget's file is; in the folder of temporary files by default.

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
    home = target_of(options.base_url).origin
    place = folder or Path(get_settings().temp_dir) / "apis"
    budget = open_budget(name, str(home), options.limits, place)
    passage = Passage(wire, budget, home, options.retry.total_s)
    return HttpTransport(name, options, authentication_of(options.auth, passage), passage)
