"""TLS, SASL, and secrets that are shown nowhere."""

from __future__ import annotations

import logging
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from etl_platform.core.errors import PermanentError, SecretError, UnknownName
from etl_platform.sources.stream import Range, StreamUnavailable
from etl_platform.sources.stream.kafka import KafkaOptions, KafkaSecurity, KafkaStream, Sasl, Tls
from etl_platform_tests.servers.gateway import gateway
from etl_platform_tests.servers.kafka import KafkaServer, Message, free_port, serving

PASSWORD = "tr0ub4dor&3"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for loopback that signs itself, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[KafkaServer, Tls]]:
    """A broker behind TLS that knows one client certificate; ``events`` has two messages."""
    cert, key = certificate(tmp_path, "broker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_REQUIRED
    own, shown = free_port(), free_port()
    client = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(cert),
        "ssl.certificate.location": str(cert),
        "ssl.key.location": str(key),
    }
    with serving(tmp_path, port=own, advertised=shown) as plain, gateway(own, shown, context):
        server = KafkaServer(plain.address, client)
        server.create(1, "events")
        server.produce("events", [Message(b"1"), Message(b"2")])
        tls = Tls(ca=f"file://{cert}", certificate=f"file://{cert}", key=f"file://{key}")
        yield server, tls


def opened(server: KafkaServer, **security: object) -> KafkaStream:
    return KafkaStream(
        KafkaOptions(
            bootstrap_servers=server.address,
            topic="events",
            security=KafkaSecurity.model_validate(security),
        )
    )


def test_a_topic_is_read_over_mutual_tls(encrypted: tuple[KafkaServer, Tls]) -> None:
    server, tls = encrypted
    stream = opened(server, tls=tls)
    assert stream.ends(10).partitions["0"].latest == 1
    (batch,) = stream.read((Range("0", None, 1),))
    assert batch.column("value").to_pylist() == [b"1", b"2"]
    stream.close()


def test_a_broker_that_is_not_trusted_is_not_spoken_to(
    encrypted: tuple[KafkaServer, Tls], tmp_path: Path
) -> None:
    server, tls = encrypted
    stranger, _ = certificate(tmp_path, "stranger")
    stream = opened(server, tls=tls.model_copy(update={"ca": f"file://{stranger}"}))
    with pytest.raises(PermanentError, match="certificate is not trusted"):
        stream.ends(1)
    stream.close()


def test_a_plain_client_of_an_encrypted_port_is_told_where_to_look(
    encrypted: tuple[KafkaServer, Tls],
) -> None:
    stream = opened(encrypted[0])
    with pytest.raises(StreamUnavailable, match=r"TLS or not"):
        stream.ends(0.5)
    stream.close()


def test_a_user_that_the_broker_does_not_know_is_refused_and_no_secret_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    sasl = Sasl(mechanism="SCRAM-SHA-256", username="etl", password="env://KAFKA_PASSWORD")
    caplog.set_level(logging.DEBUG)
    with serving(tmp_path, "--authentication") as server:
        stream = opened(server, sasl=sasl)
        with pytest.raises(PermanentError, match="refused the credentials") as refused:
            stream.ends(1)
        stream.close()
    assert "etl_platform.kafka" in {record.name for record in caplog.records}
    shown = f"{refused.value!r} {stream!r} {stream.options!r} {stream.info!r} {caplog.text}"
    assert PASSWORD not in shown


def test_what_is_told_to_librdkafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SERVERS", "one:9093,two:9093")
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    options = KafkaOptions.model_validate(
        {
            "bootstrap_servers": "env://KAFKA_SERVERS",
            "topic": "events",
            "security": {
                "tls": {"verify_hostname": False},
                "sasl": {"mechanism": "PLAIN", "username": "u", "password": "env://KAFKA_PASSWORD"},
            },
        }
    )
    told = options.client_settings()
    assert told["bootstrap.servers"] == "one:9093,two:9093"
    assert told["security.protocol"] == "SASL_SSL"
    assert (told["sasl.mechanisms"], told["sasl.username"]) == ("PLAIN", "u")
    assert told["sasl.password"] == PASSWORD
    assert told["ssl.endpoint.identification.algorithm"] == "none"


def test_a_secret_in_the_place_of_its_reference_is_refused_and_not_repeated() -> None:
    with pytest.raises(SecretError) as refused:
        Sasl(username="u", password=PASSWORD)
    assert PASSWORD not in str(refused.value)


def test_a_reference_is_resolved_when_it_is_used() -> None:
    sasl = Sasl(username="u", password="env://NOT_SET_HERE")
    stream = opened(KafkaServer("127.0.0.1:1"), sasl=sasl)
    with pytest.raises(SecretError, match="NOT_SET_HERE"):
        stream.ends(1)


@pytest.mark.parametrize(
    "name", ["sasl.password", "auto.offset.reset", "isolation.level", "fetch.wait.max.m"]
)
def test_a_setting_that_holds_a_secret_or_changes_what_is_read_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match=f"unknown setting of Kafka '{name}'"):
        KafkaOptions(bootstrap_servers="b:1", topic="t", settings={name: "x"})


@pytest.mark.parametrize("topic", ["", "a b", "x" * 250])
def test_a_name_that_no_topic_can_have_is_refused(topic: str) -> None:
    with pytest.raises(ValidationError):
        KafkaOptions(bootstrap_servers="b:1", topic=topic)
