"""Clients of Kinesis: who asks, how long an answer may take."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from etl_platform.sources.stream.kinesis.failures import failure
from etl_platform.sources.stream.kinesis.options import KinesisOptions

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.loaders import Loader

CONNECTIONS = 16
"""How many requests of a client are on their way at the same time."""


@lru_cache(maxsize=1)
def _descriptions() -> Loader:
    """AWS's descriptions of its services: reading them is most of what a client costs."""
    from botocore.loaders import create_loader

    return create_loader()


def _moment(value: object) -> datetime:
    """A time in UTC; botocore's own in local time takes half of the time of reading a message."""
    from botocore.utils import parse_timestamp

    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return parse_timestamp(value)


def connect(options: KinesisOptions, answer_timeout_s: float) -> BaseClient:
    """A client that repeats nothing by itself; its key is resolved now, nothing is asked yet.

    Raises:
        SecretError: a reference does not resolve.
        PermanentError: there is no such profile, or no region.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    timeout_s = max(answer_timeout_s, 0.5)
    config = Config(
        connect_timeout=min(timeout_s, 10.0),
        read_timeout=timeout_s,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        user_agent_extra="etl_platform",
    )
    key_id, key, token = options.credentials()
    try:
        session = Session(profile=options.profile)
        session.register_component("data_loader", _descriptions())
        answers = session.get_component("response_parser_factory")
        answers.set_parser_defaults(timestamp_parser=_moment)
        return session.create_client(
            "kinesis",
            region_name=options.region,
            endpoint_url=options.endpoint_url,
            config=config,
            aws_access_key_id=key_id,
            aws_secret_access_key=key,
            aws_session_token=token,
        )
    except BotoCoreError as error:
        raise failure(error, f"stream {options.name!r}", "to connect") from None
