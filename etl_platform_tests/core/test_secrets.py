"""Secret references: read when used, from where they point, never shown by an error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from etl_platform.core.errors import ConfigError, SecretError, TransientError
from etl_platform.core.secrets import (
    SecretRef,
    check_no_literal_secret,
    is_reference,
    redact,
    reference_or_literal,
    resolve,
)

SECRET = "s3cr3t-Hunter2"


@pytest.fixture(scope="module")
def aws_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    client = boto3.client("secretsmanager")
    yield client
    for secret in client.list_secrets()["SecretList"]:
        client.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)


def test_an_environment_variable_is_read_when_resolved_and_not_before(monkeypatch):
    reference = "env://SHOP_URL"
    assert SecretRef.parse(reference).location == "SHOP_URL"
    with pytest.raises(SecretError, match="SHOP_URL"):
        resolve(reference)
    monkeypatch.setenv("SHOP_URL", SECRET)
    assert resolve(reference) == SECRET


def test_a_file_is_read_without_its_final_line_break(tmp_path):
    path = tmp_path / "shop secret"
    path.write_text(f"{SECRET}\n")
    assert resolve(f"file://{path}") == SECRET


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"])
def test_a_file_without_usable_text_is_an_error(tmp_path, content):
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(SecretError, match="does not resolve"):
        resolve(f"file://{path}")


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SecretError, match="nowhere"):
        resolve(f"file://{tmp_path}/nowhere")


def test_a_whole_aws_secret_and_a_field_of_one_resolve_through_boto3s_own_settings(aws):
    aws.create_secret(Name="prod/shop", SecretString=json.dumps({"url": SECRET, "port": 5432}))
    aws.create_secret(Name="prod/plain", SecretString=SECRET)
    assert resolve("aws-secret://prod/plain") == SECRET
    assert resolve("aws-secret://prod/shop#url") == SECRET
    assert resolve("aws-secret://prod/shop#port", aws=aws) == "5432"


def test_aws_errors_name_the_secret_and_its_fields_but_never_its_value(aws):
    aws.create_secret(Name="prod/shop", SecretString=json.dumps({"url": SECRET}))
    aws.create_secret(Name="prod/plain", SecretString=SECRET)
    for reference, told in {
        "aws-secret://prod/missing": "ResourceNotFoundException",
        "aws-secret://prod/shop#password": "url",
        "aws-secret://prod/plain#url": "not JSON",
    }.items():
        with pytest.raises(SecretError, match=told) as caught:
            resolve(reference, aws=aws)
        assert SECRET not in str(caught.value)


def test_an_unreachable_aws_is_worth_a_retry(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(TransientError, match="prod/shop"):
        resolve("aws-secret://prod/shop")


@pytest.mark.parametrize(
    "text", [SECRET, "vault://x", "env://", "file://relative", "env://A#field", "", "://"]
)
def test_a_malformed_reference_is_refused_without_repeating_it(text):
    with pytest.raises(SecretError) as caught:
        SecretRef.parse(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x.db",
        "postgresql://user@127.0.0.1/db",
        "postgresql://127.0.0.1:5432/db?sslmode=require",
        "postgresql://user@[::1]:5432/db",
        "env://SHOP_URL",
        "file:///run/secrets/shop",
    ],
)
def test_a_definition_may_hold_a_url_without_password_or_a_reference(url):
    check_no_literal_secret(url)
    assert is_reference(url) or reference_or_literal(url) == url


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{SECRET}@127.0.0.1/db",
        f"postgresql://user:a@b/{SECRET}@127.0.0.1/db",
        f"postgresql://127.0.0.1/db?user=u&password={SECRET}",
        f"mysql+pymysql://:{SECRET}@h/db",
        f"https://api.example.com/?api_key={SECRET}&x=1",
    ],
)
def test_a_literal_password_in_a_url_is_refused_and_not_shown(url):
    with pytest.raises(ConfigError, match="env://") as caught:
        check_no_literal_secret(url)
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError):
        reference_or_literal(url)


def test_redact_hides_credentials_and_leaves_the_rest_of_the_text():
    text = f"cannot reach postgresql://etl:{SECRET}@db:5432/shop and password={SECRET}; user=etl"
    assert redact(text) == (
        "cannot reach postgresql://etl:***@db:5432/shop and password=***; user=etl"
    )
    assert redact(f"it said {SECRET}!", known=[SECRET]) == "it said ***!"
    assert redact("at 12:30 mail a@b.c about http://host:80/x") == (
        "at 12:30 mail a@b.c about http://host:80/x"
    )
