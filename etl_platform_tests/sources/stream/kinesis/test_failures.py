"""Answers that fail, over HTTP: what passes is repeated, what does not is told without secrets."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest

from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.sources.stream import ReadLimits, StreamUnavailable
from etl_platform.sources.stream.kinesis import KinesisStream
from etl_platform_tests.servers import aws_shards
from etl_platform_tests.servers.aws import AwsFront, KinesisServer
from etl_platform_tests.servers.kafka import Message
from etl_platform_tests.sources.stream.kinesis.drained import drain, next_batch

SECRET = "wJalrXUtnFEMI-not-a-key"


@pytest.fixture
def filled(kinesis_server: KinesisServer) -> str:
    name = kinesis_server.create(2)
    kinesis_server.produce(name, [Message(b"%d" % n, b"k", n % 2) for n in range(60)])
    return name


def behind(server: KinesisServer, name: str, front: AwsFront, **options: object) -> KinesisStream:
    return KinesisStream(server.options(name, endpoint_url=front.address, **options))


def test_expired_iterators_slow_downs_and_broken_connections_change_nothing(
    kinesis_server: KinesisServer, aws_front: AwsFront, filled: str
) -> None:
    _, expected, _ = drain(KinesisStream(kinesis_server.options(filled)))
    stream = behind(kinesis_server, filled, aws_front)
    found = next_batch(stream, None)
    assert found is not None
    for failures in (
        [("GetRecords", "ExpiredIteratorException", 400)],
        [("GetRecords", "ProvisionedThroughputExceededException", 400)],
        [("GetShardIterator", "ProvisionedThroughputExceededException", 400)],
        [("ListShards", "LimitExceededException", 400), ("GetRecords", "InternalFailure", 500)],
        [("GetRecords", "", 0), ("GetShardIterator", "ServiceUnavailable", 503)],
    ):
        for operation, error, status in failures:
            aws_front.fail(operation, error, status, times=2)
        table = pa.Table.from_batches(stream.read(found[0])).sort_by("partition")
        assert table.equals(expected.sort_by("partition"))
        assert not any(aws_front.failures.values())


def test_an_iterator_that_expires_in_the_middle_goes_on_behind_the_last_message(
    kinesis_server: KinesisServer, aws_front: AwsFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_shards, "PAGE_BYTES", 10_000)
    name = kinesis_server.create(1)
    large = [Message(b"%d" % n + b"." * 900) for n in range(13)]
    kinesis_server.produce(name, large)
    stream = behind(kinesis_server, name, aws_front)
    found = next_batch(stream, None)
    assert found is not None
    reading = stream.read(found[0], ReadLimits(batch_rows=3))
    values = next(reading)["value"].to_pylist()
    aws_front.fail("GetRecords", "ExpiredIteratorException")
    for batch in reading:
        values += batch["value"].to_pylist()
    assert values == [one.value for one in large]
    assert not any(aws_front.failures.values())


def test_an_idle_shard_is_looked_at_again_when_its_iterator_expired(
    kinesis_server: KinesisServer, aws_front: AwsFront, filled: str
) -> None:
    stream = behind(kinesis_server, filled, aws_front)
    _, _, last = drain(stream)
    aws_front.fail("GetRecords", "ExpiredIteratorException", times=2)
    kinesis_server.produce(filled, [Message(b"60"), Message(b"61", b"k", 1)])
    _, found, _ = drain(stream, last)
    assert sorted(found["value"].to_pylist()) == [b"60", b"61"]


def test_being_asked_to_slow_down_for_ever_ends_when_the_time_is_up(
    kinesis_server: KinesisServer, aws_front: AwsFront, filled: str
) -> None:
    stream = behind(kinesis_server, filled, aws_front)
    found = next_batch(stream, None)
    assert found is not None
    aws_front.fail("GetRecords", "ProvisionedThroughputExceededException", times=1_000)
    with pytest.raises(StreamUnavailable, match=r"slow down.*\n.*5 reads and 2 MB"):
        list(stream.read(found[0], ReadLimits(idle_timeout_s=0.3)))
    with pytest.raises(StreamUnavailable, match="slow down"):
        stream.ends(0.3)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ResourceNotFoundException", "there is no such stream or shard"),
        ("AccessDeniedException", "not allowed"),
        ("UnrecognizedClientException", "no usable credentials"),
        ("ExpiredTokenException", "no usable credentials"),
        ("SomethingNewException", "refused to describe_stream_summary"),
    ],
)
def test_a_refusal_is_told_at_once(
    kinesis_server: KinesisServer, aws_front: AwsFront, error: str, told: str
) -> None:
    stream = behind(kinesis_server, "any", aws_front)
    aws_front.fail("DescribeStreamSummary", error)
    with pytest.raises(PermanentError, match=told):
        stream.ends(20)
    assert aws_front.asked["DescribeStreamSummary"] == 1


def test_a_server_that_is_not_there_is_waited_for_no_longer_than_asked(
    kinesis_server: KinesisServer,
) -> None:
    stream = KinesisStream(kinesis_server.options("any", endpoint_url="http://127.0.0.1:1"))
    with pytest.raises(StreamUnavailable, match=r"no answer.*127\.0\.0\.1:1|127\.0\.0\.1:1.*no"):
        stream.ends(0.2)


def test_no_secret_is_shown(
    kinesis_server: KinesisServer,
    aws_front: AwsFront,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("OWN_ID", "OWN_KEY", "OWN_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    stream = behind(
        kinesis_server,
        "any",
        aws_front,
        access_key_id="env://OWN_ID",
        secret_access_key="env://OWN_KEY",
        session_token="env://OWN_TOKEN",
    )
    aws_front.fail("DescribeStreamSummary", f"InvalidSignatureException: {SECRET}"[:25])
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(PermanentError, match="no usable credentials") as refused,
    ):
        stream.ends(20)
    shown = f"{stream!r} {stream.options!r} {stream.info!r} {refused.value!r} {refused.value}"
    assert SECRET not in shown + caplog.text


def test_without_credentials_the_error_says_so(
    kinesis_server: KinesisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = kinesis_server.options("any", access_key_id=None, secret_access_key=None)
    with pytest.raises(PermanentError, match="no usable credentials"):
        KinesisStream(options).ends(20)
    missing = kinesis_server.options(
        "any", access_key_id=None, secret_access_key=None, profile="never-made"
    )
    with pytest.raises(PermanentError, match="no usable credentials"):
        KinesisStream(missing).ends(20)


def test_half_a_key_and_a_key_in_clear_text_are_refused(kinesis_server: KinesisServer) -> None:
    with pytest.raises(ConfigError, match="half of an access key"):
        kinesis_server.options("any", secret_access_key=None)
    with pytest.raises(PermanentError, match="not a secret reference") as refused:
        kinesis_server.options("any", secret_access_key=SECRET)
    assert SECRET not in str(refused.value)
    with pytest.raises(ConfigError, match="both a profile and an access key"):
        kinesis_server.options("any", profile="p")
    with pytest.raises(ConfigError, match="clear text"):
        kinesis_server.options("any", endpoint_url=f"https://me:{SECRET}@127.0.0.1")


def test_a_stream_of_another_account_is_named_by_its_arn(
    kinesis_server: KinesisServer, filled: str
) -> None:
    arn = f"arn:aws:kinesis:eu-central-1:123456789012:stream/{filled}"
    stream = KinesisStream(kinesis_server.options(arn))
    assert stream.info.name == filled
    _, found, _ = drain(stream)
    assert found.num_rows == 60
