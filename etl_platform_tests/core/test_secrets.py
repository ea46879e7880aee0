"""Secret references: read when used, from where they point, never shown by an error."""

from __future__ import annotations

import base64
import json
import logging
import re
import subprocess
import sys
from urllib.parse import quote, quote_plus

import boto3
import pytest

from etl_platform.core.errors import (
    ConfigError,
    EtlError,
    PermanentError,
    SecretError,
    TransientError,
)
from etl_platform.core.secrets import (
    SecretRef,
    check_no_literal_secret,
    is_reference,
    redact,
    reference_or_literal,
    resolve,
    use_client,
)
from etl_platform.resources import SecretsResource
from etl_platform.sources.api.options import ConnectionOptions
from etl_platform.sources.api.resources import ResourceOptions
from etl_platform.sources.stream.brokers import open_stream
from etl_platform.sources.stream.formats.avro.registry import RegistryOptions
from etl_platform_tests.servers.aws import AwsServer

SECRET = "s3cr3t-Hunter2"


@pytest.fixture
def aws(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_server.address)
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


def test_a_rotated_aws_secret_is_seen_at_the_next_use_and_its_versions_are_kept(aws):
    first = aws.create_secret(Name="prod/shop", SecretString=json.dumps({"url": SECRET}))
    assert resolve("aws-secret://prod/shop#url") == SECRET
    aws.put_secret_value(SecretId="prod/shop", SecretString=json.dumps({"url": "its successor"}))
    assert resolve("aws-secret://prod/shop#url") == "its successor"
    assert resolve("aws-secret://prod/shop?stage=AWSPREVIOUS#url") == SECRET
    assert resolve(f"aws-secret://prod/shop?version={first['VersionId']}#url") == SECRET
    with pytest.raises(SecretError, match=r"prod/shop\?stage=AWSPENDING does not resolve"):
        resolve("aws-secret://prod/shop?stage=AWSPENDING")


@pytest.mark.parametrize(
    "text",
    [
        "env://A",
        "file:///run/secrets/a b",
        "aws-secret://prod/shop",
        "aws-secret://prod/shop?stage=AWSPREVIOUS#url",
        "aws-secret://arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf#a%23b",
    ],
)
def test_a_reference_reads_as_it_was_written(text):
    assert str(SecretRef.parse(text)) == text


def test_a_dagster_resource_says_where_secrets_manager_is(aws, monkeypatch):
    aws.create_secret(Name="prod/plain", SecretString=SECRET)
    endpoint = aws.meta.endpoint_url
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("THE_KEY_ID", "test")
    monkeypatch.setenv("THE_KEY", "test")
    with pytest.raises(SecretError, match="SecretsResource"):
        resolve("aws-secret://prod/plain")
    try:
        SecretsResource(
            region_name="eu-central-1",
            endpoint_url=endpoint,
            aws_access_key_id="env://THE_KEY_ID",
            aws_secret_access_key="env://THE_KEY",
        )
        assert resolve("aws-secret://prod/plain") == SECRET
    finally:
        use_client(None)


def test_an_unreachable_aws_is_worth_a_retry(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(TransientError, match="prod/shop"):
        resolve("aws-secret://prod/shop")


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "vault://x",
        "env://",
        "file://relative",
        "env://A#field",
        "",
        "://",
        f"aws-secret://shop?{SECRET}",
        f"aws-secret://shop?key={SECRET}",
        "aws-secret://shop?stage=",
        f"aws-secret://shop?stage=AWSPREVIOUS&version={SECRET}",
        "aws-secret://?stage=AWSPREVIOUS",
    ],
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
        f"user:{SECRET}@broker:9092",
        f"broker:9092,user:{SECRET}@broker:9093",
    ],
)
def test_a_literal_password_in_a_url_is_refused_and_not_shown(url):
    with pytest.raises(ConfigError, match="env://") as caught:
        check_no_literal_secret(url)
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError):
        reference_or_literal(url)


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"X-Auth-Token": SECRET}},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"base_url": f"https://etl:{SECRET}@api.example.com"},
        {"auth": {"type": "bearer", "token": SECRET}},
        {"auth": {"type": "basic", "username": "etl", "password": SECRET}},
        {"auth": {"type": "custom", "class": "m:C", "options": {"api_key": SECRET}}},
        {
            "auth": {
                "type": "oauth2_client_credentials",
                "token_url": "https://a.example.com",
                "client_id": "etl",
                "client_secret": "env://A",
                "parameters": {"password": SECRET},
            }
        },
    ],
)
def test_a_literal_credential_of_an_api_is_refused_with_the_fix(given):
    with pytest.raises(EtlError, match=r"env://|auth:|reference") as caught:
        ConnectionOptions.model_validate({"base_url": "https://api.example.com", **given})
    assert SECRET not in str(caught.value)


def test_parameters_of_an_api_hold_templates_and_words_but_no_credentials():
    params = {"page_token": "{cursor}", "api_key": "env://A", "token": "{cursor}", "state": "open"}
    assert ResourceOptions(path="/orders", params=params).params == params
    with pytest.raises(ConfigError, match="params: api_key is a credential") as caught:
        ResourceOptions(path="/orders", params={"api_key": SECRET})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "security",
    [
        {"sasl": {"username": "etl", "password": SECRET}},
        {"tls": {"key": f"-----BEGIN PRIVATE KEY-----{SECRET}"}},
        {"tls": {"key_password": SECRET}},
    ],
)
def test_a_literal_credential_of_a_broker_or_registry_is_refused(security):
    with pytest.raises(SecretError, match="env://") as caught:
        open_stream("kafka", {"bootstrap_servers": "b:9092", "security": security}, "clicks")
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError, match="env://"):
        open_stream("kafka", {"bootstrap_servers": f"etl:{SECRET}@b:9092"}, "clicks")
    with pytest.raises(SecretError, match="env://"):
        open_stream("kinesis", {"access_key_id": "A", "secret_access_key": SECRET}, "clicks")
    with pytest.raises(SecretError, match="env://"):
        RegistryOptions.model_validate({"url": "http://r", "token": SECRET})


def test_what_was_resolved_is_hidden_in_errors_logs_and_tracebacks(monkeypatch, caplog):
    secret = "p@ss wo/rd:ünd-7f3"
    monkeypatch.setenv("SHOP_PASSWORD", secret)
    resolve("env://SHOP_PASSWORD")
    forms = [secret, quote(secret, safe=""), quote_plus(secret), repr(secret), json.dumps(secret)]
    forms.append(base64.b64encode(secret.encode()).decode())
    for form in forms:
        hidden = redact(f"login with {form} failed")
        assert re.fullmatch(r"login with ['\"]?\*\*\*['\"=]* failed", hidden)
    assert secret not in str(PermanentError(f"no login with {secret}", fix=f"not {secret}"))
    log = logging.getLogger("shop")
    log.warning("no login with %s", secret)
    try:
        raise RuntimeError(f"connection string: user=etl {secret}")
    except RuntimeError:
        log.exception("no login")
    assert "connection string: user=etl ***" in caplog.text
    assert "7f3" not in caplog.text


def test_an_error_that_nobody_catches_is_printed_without_secrets(tmp_path):
    (tmp_path / "secret").write_text("correct-horse-battery")
    code = (
        "import threading\n"
        "from etl_platform.core.secrets import resolve\n"
        f"def fail(): raise RuntimeError(resolve('file://{tmp_path}/secret'))\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "fail()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.count("RuntimeError: ***") == 2, done.stderr
    assert done.returncode == 1
    assert "horse" not in done.stderr


def test_a_short_secret_hides_no_ordinary_words(monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "shop12")
    resolve("env://SHOP_PASSWORD")
    assert redact("shop12 is not in workshop123") == "*** is not in workshop123"
    monkeypatch.setenv("SHOP_PASSWORD", "etl")
    resolve("env://SHOP_PASSWORD")
    assert redact("the etl command") == "the etl command"


def test_redact_hides_headers_and_settings_of_drivers():
    for text in (
        f"sasl.password={SECRET}",
        f"password='{SECRET} x'",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"authorization: Basic {SECRET}",
    ):
        assert SECRET not in redact(text)
    assert redact("design = 3, primary_key = id") == "design = 3, primary_key = id"


def test_redact_hides_credentials_and_leaves_the_rest_of_the_text():
    text = f"cannot reach postgresql://etl:{SECRET}@db:5432/shop and password={SECRET}; user=etl"
    assert redact(text) == (
        "cannot reach postgresql://etl:***@db:5432/shop and password=***; user=etl"
    )
    assert redact(f"it said {SECRET}!", known=[SECRET]) == "it said ***!"
    assert redact("at 12:30 mail a@b.c about http://host:80/x") == (
        "at 12:30 mail a@b.c about http://host:80/x"
    )
