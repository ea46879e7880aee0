"""Which topics a cluster has."""

from __future__ import annotations

from etl_platform.sources.stream.kafka.client import Connection


def topics(connection: Connection, timeout_s: float) -> list[str]:
    """Names of the topics that may be described, sorted; those that Kafka keeps for itself not.

    Raises:
        StreamUnavailable: no answer in time.
        PermanentError: the brokers refuse.
        SecretError: a reference does not resolve.
    """
    from confluent_kafka import KafkaException

    consumer = connection.consumer()
    try:
        cluster = consumer.list_topics(timeout=timeout_s)
    except KafkaException as error:
        consumer.consume(1, timeout=0.1)  # the callback tells why
        raise connection.failure(error.args[0], "when asked for its topics") from None
    finally:
        consumer.close()
    return sorted(name for name in cluster.topics if not name.startswith("__"))
