"""Kafka: topics of any broker that speaks its protocol."""

from etl_platform.sources.stream.kafka.options import KafkaOptions
from etl_platform.sources.stream.kafka.security import KafkaSecurity, Sasl, Tls
from etl_platform.sources.stream.kafka.stream import KafkaStream

__all__ = ["KafkaOptions", "KafkaSecurity", "KafkaStream", "Sasl", "Tls"]
