"""A topic of Kafka or a stream of Kinesis -> a source of one table, from some messages."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, unquote, urlsplit

from etl_platform.core.errors import ConfigError
from etl_platform.core.inert import one_line
from etl_platform.core.names import to_identifier
from etl_platform.core.secrets import remember
from etl_platform.generate.pipeline.inert import exact
from etl_platform.generate.pipeline.kinds.known_references import known_references
from etl_platform.generate.pipeline.kinds.messages import Sampled, sampled
from etl_platform.generate.pipeline.model import Ask, Secret, Source
from etl_platform.generate.pipeline.yaml_text import At, Yaml

TYPE = "etl_platform.StreamSourceComponent"
_MOST_MESSAGES = 500
_EACH = 200
_MOST_TOPICS = 50


def describe_kafka(ask: Ask) -> Source:
    """Read the last messages of ``kafka://host:9092,host:9092/topic``.

    Raises:
        ConfigError: the address names no topic: it tells which there are.
        StreamUnavailable, PermanentError: as the broker raises them.
    """
    parts = urlsplit(ask.uri)
    user, at, servers = parts.netloc.rpartition("@")
    topic = unquote(parts.path.strip("/"))
    if not servers or "/" in topic:
        raise ConfigError(
            "the address names no broker and topic", valid="kafka://host:9092,host:9092/topic"
        )
    connection: dict[str, Yaml] = {"bootstrap_servers": exact(servers)}
    secrets: tuple[Secret, ...] = ()
    values: dict[str, str] = {}
    if at:
        name, _, password = user.partition(":")
        variable = f"{ask.secret.removesuffix('_URL')}_PASSWORD"
        values[variable] = unquote(password)
        remember(values[variable])
        secrets = (Secret(f"env://{variable}", f"the password of {unquote(name)}"),)
        mechanism = parse_qs(parts.query).get("mechanism", ["SCRAM-SHA-512"])[0]
        sasl: dict[str, Yaml] = {
            "mechanism": mechanism,
            "username": unquote(name),
            "password": f"env://{variable}",
        }
        security: dict[str, Yaml] = {"sasl": sasl}
        if "tls" in parse_qs(parts.query, keep_blank_values=True):
            security = {"tls": {}, **security}
        connection["security"] = security
    with known_references(values):
        if not topic:
            raise _without_topic(servers, connection, ask.budget_s)
        found = _look("kafka", connection, topic, ask.budget_s)
    return _source(ask, "kafka", connection, topic, found, secrets)


def describe_kinesis(ask: Ask) -> Source:
    """Read the first messages of ``kinesis://stream``; the key is AWS's own configuration's.

    Raises:
        ConfigError: the address names no stream.
        StreamUnavailable, PermanentError: as Kinesis raises them.
    """
    parts = urlsplit(ask.uri)
    if not parts.netloc or parts.path.strip("/") or "@" in parts.netloc:
        raise ConfigError("the address names no stream", valid="kinesis://stream, --region")
    given = {"region": ask.region, "endpoint_url": ask.endpoint_url}
    connection: dict[str, Yaml] = {key: value for key, value in given.items() if value is not None}
    found = _look("kinesis", connection, parts.netloc, ask.budget_s)
    secret = Secret("AWS's own configuration", "a key that may read the stream")
    return _source(ask, "kinesis", connection, parts.netloc, found, (secret,))


def _without_topic(servers: str, connection: Mapping[str, Yaml], budget_s: float) -> ConfigError:
    """What to say to an address of brokers alone."""
    from etl_platform.sources.stream.kafka import KafkaOptions
    from etl_platform.sources.stream.kafka.client import Connection
    from etl_platform.sources.stream.kafka.topics import topics

    # Asked is the cluster; options are those of a topic.
    options = KafkaOptions.model_validate({**connection, "topic": "any"})
    found = topics(Connection(options), budget_s)
    shown = ", ".join(map(one_line, found[:_MOST_TOPICS]))
    more = f" and {len(found) - _MOST_TOPICS:,} more" if len(found) > _MOST_TOPICS else ""
    first = quote(found[0], safe="") if found else "topic"
    return ConfigError(
        "the address names no topic",
        valid=f"{shown}{more}" if found else "the brokers have none yet",
        fix=f"one command for each topic: etl add kafka://{servers}/{first} --name "
        f"{to_identifier(found[0]) if found else 'topic'}",
    )


def _look(kind: str, connection: Mapping[str, Yaml], topic: str, budget_s: float) -> Sampled:
    from etl_platform.sources.stream import Range, ReadLimits
    from etl_platform.sources.stream.brokers import open_stream

    stream = open_stream(kind, connection, topic)
    try:
        ends = stream.ends(budget_s)
        ranges: list[Range] = []
        for name, end in ends.partitions.items():
            through = end.latest if end.until is None else end.until
            if through is None or end.earliest is None:
                continue
            # Positions count messages in Kafka only.
            after = max(end.earliest - 1, through - _EACH) if kind == "kafka" else None
            ranges.append(Range(name, after, through))
        values: list[bytes] = []
        if ranges:
            limits = ReadLimits(batch_rows=_MOST_MESSAGES, idle_timeout_s=max(1.0, budget_s))
            for batch in stream.read(tuple(ranges), limits):
                taken = batch.column("value").to_pylist()
                values += [one for one in taken if one is not None]
                if len(values) >= _MOST_MESSAGES:
                    break
    finally:
        stream.close()
    return sampled(values[:_MOST_MESSAGES], len(ends.partitions))


def _source(
    ask: Ask,
    kind: str,
    connection: Mapping[str, Yaml],
    topic: str,
    found: Sampled,
    secrets: tuple[Secret, ...],
) -> Source:
    table = to_identifier(topic)
    stream: dict[str, Yaml] = {"topic": topic, "decode": found.decode}
    if found.personal:
        stream["tags"] = {"pii": "-".join(sorted(set(found.personal.values())))}
    attributes: dict[str, Yaml] = {
        "target_schema": str(ask.existing.get("target_schema") or ask.name),
        kind: connection,
        "defaults": {"freshness": {"fail_after": "2h", "warn_after": "1h"}},
        "streams": {table: stream},
    }
    notes: dict[At, tuple[str, ...]] = {
        (): (
            "A sensor cuts batches and requests their runs. Messages that are no rows are kept,",
            "whole and with the reason, as dead letters.",
        ),
        ("attributes", "streams", table): found.notes,
    }
    return Source(ask.name, TYPE, attributes, notes, secrets=secrets, told=found.told)
