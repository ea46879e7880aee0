"""Secrets of AWS Secrets Manager, asked for each time: a rotation is seen at the next use."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from etl_platform.core.errors import SecretError, TransientError
from etl_platform.core.secrets.references import SecretRef

_RETRYABLE = {"InternalServiceError", "RequestTimeout", "ServiceUnavailable", "ThrottlingException"}
# Whoever this process is to AWS is read once per client: it may have been changed since.
_WHO_ASKS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "UnrecognizedClientException",
}
_UNCONFIGURED = {
    "NoCredentialsError",
    "NoRegionError",
    "PartialCredentialsError",
    "ProfileNotFound",
}


class SecretsClient(Protocol):
    """The one method of boto3's ``secretsmanager`` client that is used."""

    def get_secret_value(self, **given: str) -> Mapping[str, object]: ...


def _by_boto3() -> SecretsClient:
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=10, read_timeout=20)
    return cast("SecretsClient", boto3.client("secretsmanager", config=config))


_lock = threading.Lock()
_make: Callable[[], SecretsClient] = _by_boto3
_client: tuple[object, SecretsClient] | None = None


def use_client(make: Callable[[], SecretsClient] | None) -> None:
    """Say how this process reaches Secrets Manager; ``None`` is boto3's own configuration.

    Nothing is connected to: a client is made when a secret is first needed.
    """
    global _make
    with _lock:
        _make = make or _by_boto3


def read(ref: SecretRef, client: SecretsClient | None = None) -> str:
    """A secret's text, or one field of its JSON.

    Raises:
        SecretError: there is none, or it may not be read, or it has no such field.
        TransientError: AWS could not be reached, or asked to slow down.
    """
    text = _value(ref, client).get("SecretString")
    if not isinstance(text, str):
        raise SecretError(f"{ref} does not resolve: the secret is binary", valid="a text secret")
    return text if ref.field is None else _field(ref, text)


def _value(ref: SecretRef, given: SecretsClient | None) -> Mapping[str, object]:
    from botocore.exceptions import BotoCoreError, ClientError

    asked = {"SecretId": ref.location}
    if ref.stage is not None:
        asked["VersionStage"] = ref.stage
    if ref.version is not None:
        asked["VersionId"] = ref.version
    try:
        try:
            return (given or _connected()).get_secret_value(**asked)
        except ClientError as error:
            if given is not None or _code(error) not in _WHO_ASKS:
                raise
            _forget()
            return _connected().get_secret_value(**asked)
    except ClientError as error:
        code = _code(error)
        if code in _RETRYABLE:
            raise TransientError(f"AWS Secrets Manager answered {code} for {ref}") from None
        raise SecretError(
            f"{ref} does not resolve: AWS answered {code}",
            fix="check the secret's name and version, the region, and that this process may "
            "secretsmanager:GetSecretValue (and kms:Decrypt)",
        ) from None
    except BotoCoreError as error:
        kind = type(error).__name__
        if kind in _UNCONFIGURED:
            raise SecretError(
                f"{ref} does not resolve: {kind}",
                fix="configure AWS credentials and region, or define a SecretsResource",
            ) from None
        raise TransientError(f"AWS Secrets Manager is not reachable for {ref}: {kind}") from None


def _code(error: object) -> str:
    response: Mapping[str, Mapping[str, object]] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", "unknown"))


def _connected() -> SecretsClient:
    """One client for all threads, made again when it would be another one."""
    global _client
    with _lock:
        environment = sorted(i for i in os.environ.items() if i[0].startswith("AWS_"))
        wanted = (_make, environment)
        if _client is None or _client[0] != wanted:
            # At level DEBUG botocore logs whole answers.
            logging.getLogger("botocore.parsers").setLevel(logging.INFO)
            _client = (wanted, _make())
        return _client[1]


def _forget() -> None:
    global _client
    with _lock:
        _client = None


def _field(ref: SecretRef, text: str) -> str:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError:
        raise SecretError(
            f"{ref} does not resolve: the secret is not JSON",
            fix="remove #field from the reference",
        ) from None
    if not isinstance(fields, dict) or ref.field not in fields:
        names = (
            sorted(map(str, cast("dict[object, object]", fields)))
            if isinstance(fields, dict)
            else []
        )
        raise SecretError(
            f"{ref} does not resolve: the secret has no such field",
            valid=", ".join(names) or "the secret's JSON is not an object",
        )
    value = cast("dict[str, object]", fields)[str(ref.field)]
    if value is None or value == "":
        raise SecretError(f"{ref} does not resolve: the field is empty")
    return value if isinstance(value, str) else json.dumps(value)
