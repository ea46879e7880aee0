"""Clients of a topic's brokers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import EtlError
from etl_platform.core.secrets import redact
from etl_platform.sources.stream.kafka.failures import ALL_DOWN, TIMED_OUT, failure, is_refusal
from etl_platform.sources.stream.kafka.options import CONSUMER_ONLY, TUNED, KafkaOptions

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka.admin import AdminClient

_LOG = logging.getLogger("etl_platform.kafka")
# Its own log repeats a failed connection twenty times a second; each is logged once here.
_QUIET = {"log_level": 2}


@dataclass(slots=True)
class Connection:
    """Makes clients for a topic and remembers what went wrong beside their calls.

    librdkafka connects in the background: a wrong password makes no call fail, calls only wait
    until their time is up. The reason is told by callback, and kept here as ``trouble``.
    """

    options: KafkaOptions
    trouble: KafkaError | None = field(default=None, init=False, repr=False)

    def consumer(self) -> Consumer:
        """A consumer of exact positions: no group is joined and nothing is committed.

        Raises:
            SecretError: a reference does not resolve.
        """
        from confluent_kafka import Consumer

        # Any: callbacks are among librdkafka's settings, and its annotations forget them.
        settings: dict[str, Any] = {
            # The constructor wants a group; its name means nothing where none is joined.
            "group.id": "etl_platform",
            **_QUIET,
            **TUNED,
            **self.options.settings,
            **self.options.client_settings(),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": False,
            "error_cb": self._remember,
        }
        return Consumer(settings, logger=_LOG)

    def admin(self) -> AdminClient:
        """A client for questions about the topic.

        Raises:
            SecretError: a reference does not resolve.
        """
        from confluent_kafka.admin import AdminClient

        given = {k: v for k, v in self.options.settings.items() if k not in CONSUMER_ONLY}
        settings: dict[str, Any] = {
            **_QUIET,
            **given,
            **self.options.client_settings(),
            "error_cb": self._remember,
        }
        return AdminClient(settings, logger=_LOG)

    def failure(self, error: KafkaError | None, doing: str) -> EtlError:
        """What to raise for an error, or for silence, with the reason that was told beside it.

        Args:
            error: what a call or a message reported; None when it only took too long.
            doing: when it happened, as ``while reading``.
        """
        told = self.trouble
        vague = error is None or error.name() in TIMED_OUT
        if told is not None and (vague or is_refusal(told)):
            error = told
        return failure(error, f"topic {self.options.topic!r} at {self.address}", doing)

    @property
    def address(self) -> str:
        """The servers as they were declared."""
        return redact(self.options.bootstrap_servers)

    def _remember(self, error: KafkaError) -> None:
        # What follows a reason, such as that all brokers are down, tells less than the reason.
        told = self.trouble
        if told is not None and (error.name() == ALL_DOWN or is_refusal(told)):
            return
        if self.trouble is None or error.name() != self.trouble.name():
            _LOG.warning("%s: %s", self.address, redact(error.str()))
        self.trouble = error
