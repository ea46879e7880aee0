"""The kinds of brokers there are, by the name under which a component declares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.sources.stream.protocol import Stream


def _kafka(connection: Mapping[str, Any], topic: str) -> Stream:
    from etl_platform.sources.stream.kafka import KafkaOptions, KafkaStream

    return KafkaStream(KafkaOptions.model_validate({**connection, "topic": topic}))


def _kinesis(connection: Mapping[str, Any], stream: str) -> Stream:
    from etl_platform.sources.stream.kinesis import KinesisOptions, KinesisStream

    return KinesisStream(KinesisOptions.model_validate({**connection, "stream": stream}))


BROKERS: dict[str, Callable[[Mapping[str, Any], str], Stream]] = {
    "kafka": _kafka,
    "kinesis": _kinesis,
}


def open_stream(kind: str, connection: Mapping[str, Any], topic: str) -> Stream:
    """One topic or stream of a broker; nothing is connected to and no secret is read yet.

    Args:
        connection: the broker's own options without the topic's name.

    Raises:
        ConfigError: an option is missing, unknown or unusable; values are not repeated.
        UnknownName: there is no such kind of broker.
    """
    from pydantic import ValidationError

    if kind not in BROKERS:
        raise UnknownName("kind of broker", kind, BROKERS)
    try:
        return BROKERS[kind](connection, topic)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg']}" for one in error.errors()
        )
        raise ConfigError(f"{kind} {topic!r}: {wrong}") from None
