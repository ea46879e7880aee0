"""From the address of a topic or a data stream to a table in the lake."""

from __future__ import annotations

import json

import pytest
import yaml

from etl_platform.core.errors import ConfigError
from etl_platform.core.secrets import resolve
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.generated import generated
from etl_platform_tests.components.streams import Feed
from etl_platform_tests.servers.aws import CREDENTIALS, REGION, KinesisServer
from etl_platform_tests.servers.kafka import KafkaServer, Message

pytestmark = pytest.mark.stored_instance


def messages(count: int) -> list[Message]:
    return [
        Message(
            json.dumps(
                {
                    "id": number,
                    "email": f"u{number}@example.org",
                    "at": "2024-01-01T00:00:00Z",
                    "share": number / 2,
                    "tags": ["a"],
                }
            ).encode(),
            b"k",
        )
        for number in range(count)
    ]


def check(project: Project, text: str, feed: Feed) -> None:
    stream = yaml.safe_load(text)["attributes"]["streams"]["clicks"]
    assert stream["decode"]["columns"] == {
        "id": "int64",
        "email": "string",
        "at": "timestamptz",
        "share": "float64",
    }
    assert stream["tags"] == {"pii": "email"}
    assert "in _rest, as JSON: tags" in text
    feed.catch_up()
    assert feed.ids() == list(range(20))
    assert project.rows("shop.clicks")[0]["_rest"] == '{"tags":["a"]}'


def test_a_topic_becomes_a_table(project: Project, kafka_server: KafkaServer) -> None:
    topic = kafka_server.create(name="clicks")
    try:
        kafka_server.produce(topic, messages(19))
        kafka_server.produce(topic, messages(20)[-1:])
        planned = generated(project, f"kafka://{kafka_server.address}/{topic}")
        (change,) = planned.changes
        check(project, change.after or "", Feed(project, kafka_server, topic))
    finally:
        kafka_server.delete(topic)


def test_an_address_without_a_topic_is_told_which_there_are(
    project: Project, kafka_server: KafkaServer
) -> None:
    topic = kafka_server.create(name="clicks.of-shop")
    try:
        with pytest.raises(ConfigError, match=r"clicks\.of-shop") as told:
            generated(project, f"kafka://{kafka_server.address}")
        assert f"etl add kafka://{kafka_server.address}/" in str(told.value)
        assert "__" not in str(told.value)
    finally:
        kafka_server.delete(topic)


def test_a_data_stream_becomes_a_table(
    project: Project, kinesis_server: KinesisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", resolve(CREDENTIALS["access_key_id"]))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", resolve(CREDENTIALS["secret_access_key"]))
    stream = kinesis_server.create(name="clicks")
    try:
        kinesis_server.produce(stream, messages(20))
        planned = generated(
            project, "kinesis://clicks", region=REGION, endpoint_url=kinesis_server.aws.address
        )
        (change,) = planned.changes
        check(project, change.after or "", Feed(project, None, stream))  # type: ignore[arg-type] - no Kafka
    finally:
        kinesis_server.delete(stream)
