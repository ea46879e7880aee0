"""librdkafka's errors in the platform's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from etl_platform.core.errors import EtlError, PermanentError
from etl_platform.core.secrets import redact
from etl_platform.sources.stream.protocol import PositionsLost, StreamUnavailable

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

TIMED_OUT = frozenset({"_TIMED_OUT", "_TIMED_OUT_QUEUE", "_WAIT_COORD", "REQUEST_TIMED_OUT"})
PARTITION_END = "_PARTITION_EOF"
ALL_DOWN = "_ALL_BROKERS_DOWN"
UNKNOWN_TOPIC = "UNKNOWN_TOPIC_OR_PART"
_DENIED = frozenset({"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED"})
_FORBIDDEN = frozenset(
    {"TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED"}
)
_ABSENT = frozenset({UNKNOWN_TOPIC, "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "TOPIC_EXCEPTION"})
_GONE = frozenset({"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"})
_UNREADABLE = frozenset({"_BAD_MSG", "_BAD_COMPRESSION", "_NOT_IMPLEMENTED"})


def is_refusal(error: KafkaError) -> bool:
    """Whether it tells that trying again is no use; a call may only report that it took long."""
    return error.name() in _DENIED or _untrusted(error)


def failure(error: KafkaError | None, topic: str, doing: str) -> EtlError:
    """What to raise.

    Args:
        error: librdkafka's; None when there was no answer at all.
        topic: the topic and its servers, without secrets.
        doing: when it happened, as ``while reading``.
    """
    reason = redact(error.str()) if error is not None else "no answer in time"
    name = error.name() if error is not None else ""
    if name in _DENIED:
        return PermanentError(
            f"{topic}: the broker refused the credentials ({reason})",
            fix="check security.sasl: mechanism, username, and what password refers to",
        )
    if error is not None and _untrusted(error):
        return PermanentError(
            f"{topic}: the broker's certificate is not trusted ({reason})",
            fix="check security.tls: the authority in ca, and the names in the certificate",
        )
    for names, tell in _TOLD:
        if name in names:
            return tell(topic, reason)
    return StreamUnavailable(
        f"{topic}: the broker does not answer {doing} ({reason})",
        fix="check that the brokers run, can be reached from here, and that security says what "
        "their port speaks (TLS or not)",
    )


def _untrusted(error: KafkaError) -> bool:
    # A broker that stops in the middle of a handshake is reported with the same code.
    return error.name() == "_SSL" and "certificate" in error.str().lower()


def _forbidden(topic: str, reason: str) -> EtlError:
    return PermanentError(
        f"{topic}: not allowed ({reason})", fix="let this user describe and read the topic"
    )


def _absent(topic: str, reason: str) -> EtlError:
    return PermanentError(
        f"{topic}: there is no such topic or partition ({reason})",
        fix="check the topic's name and the servers, or create the topic",
    )


def _gone(topic: str, reason: str) -> EtlError:
    return PositionsLost(
        f"{topic}: messages were gone before they could be read ({reason})",
        fix="keep messages for longer (retention.ms, retention.bytes), or start the stream anew",
    )


def _unreadable(topic: str, reason: str) -> EtlError:
    return PermanentError(
        f"{topic}: what the broker sent cannot be read ({reason})",
        fix="read the position with another client to see whether the broker's data is damaged",
    )


_TOLD: tuple[tuple[frozenset[str], Callable[[str, str], EtlError]], ...] = (
    (_FORBIDDEN, _forbidden),
    (_ABSENT, _absent),
    (_GONE, _gone),
    (_UNREADABLE, _unreadable),
)
