"""What is declared about a topic."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from etl_platform.core.errors import UnknownName
from etl_platform.core.secrets import check_no_literal_secret, is_reference, resolve_shown
from etl_platform.sources.stream.kafka.security import KafkaSecurity

Setting = str | int | float | bool

TUNED: dict[str, Setting] = {
    # What bounds memory: one queue of the consumer and one answer of each broker, whatever the
    # number of partitions. More is no faster; a small message weighs thrice its bytes there.
    "queued.max.messages.kbytes": 16_384,
    "queued.min.messages": 1_000_000,
    "fetch.message.max.bytes": 4 << 20,
    "fetch.max.bytes": 16 << 20,
    # As they come these two let the consumer wait while messages are there: 311,000 messages/s
    # became 755,000.
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 20,
}
"""Settings of librdkafka that make reading fast; ``settings`` may change them."""

CONSUMER_ONLY = frozenset(
    {
        *TUNED,
        "check.crcs",
        "client.rack",
        "fetch.error.backoff.ms",
        "fetch.min.bytes",
        "group.id",
    }
)
ALLOWED = CONSUMER_ONLY | {
    "broker.address.family",
    "broker.address.ttl",
    "client.dns.lookup",
    "client.id",
    "connections.max.idle.ms",
    "debug",
    "log_level",
    "metadata.max.age.ms",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.receive.buffer.bytes",
    "socket.timeout.ms",
}
"""Settings that may be given: none that holds a secret or changes what is read."""


class KafkaOptions(BaseModel):
    """A topic, where its brokers are, and who reads it.

    Attributes:
        bootstrap_servers: ``host:port,host:port``, or a reference such as ``env://KAFKA_SERVERS``.
        topic: its name.
        security: TLS and SASL.
        settings: further settings of librdkafka, of those in ``ALLOWED``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    bootstrap_servers: str = Field(min_length=1)
    topic: str = Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")
    security: KafkaSecurity = KafkaSecurity()
    settings: dict[str, Setting] = Field(default_factory=dict[str, Setting])

    @field_validator("bootstrap_servers")
    @classmethod
    def _without_secret(cls, given: str) -> str:
        check_no_literal_secret(given)
        return given

    @field_validator("settings")
    @classmethod
    def _allowed(cls, given: dict[str, Setting]) -> dict[str, Setting]:
        for name in given:
            if name not in ALLOWED:
                raise UnknownName("setting of Kafka", name, ALLOWED)
        return given

    def client_settings(self) -> dict[str, Setting]:
        """For librdkafka's constructors, secrets included, as they are now: never shown.

        Raises:
            SecretError: a reference does not resolve.
        """
        servers = self.bootstrap_servers
        return {
            "bootstrap.servers": resolve_shown(servers) if is_reference(servers) else servers,
            "client.id": self.settings.get("client.id", "etl_platform"),
            "log.connection.close": False,
            **self.security.settings(),
        }
