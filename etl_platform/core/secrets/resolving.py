"""Reading what a reference points to. What was read is hidden from then on."""

from __future__ import annotations

import os
from pathlib import Path

from etl_platform.core.errors import SecretError
from etl_platform.core.redaction import remember
from etl_platform.core.secrets import aws as secrets_manager
from etl_platform.core.secrets.references import SecretRef, SecretScheme


def resolve(ref: str, aws: secrets_manager.SecretsClient | None = None) -> str:
    """Read the secret that a reference points to, now: nothing is kept between two calls.

    Args:
        ref: the reference.
        aws: a boto3 ``secretsmanager`` client; the process's own when it is not given, see
            :func:`~.aws.use_client`.

    Raises:
        SecretError: malformed, or nothing there.
        TransientError: AWS could not be reached or asked to slow down.
    """
    value = resolve_shown(ref, aws)
    remember(value)
    return value


def resolve_shown(ref: str, aws: secrets_manager.SecretsClient | None = None) -> str:
    """Read what is no secret, such as the address of a broker: messages may repeat it.

    Raises:
        SecretError, TransientError: as :func:`resolve`.
    """
    parsed = SecretRef.parse(ref)
    match parsed.scheme:
        case SecretScheme.ENV:
            return _from_environment(parsed)
        case SecretScheme.FILE:
            return _from_file(parsed)
        case SecretScheme.AWS:
            return secrets_manager.read(parsed, aws)


def _from_environment(ref: SecretRef) -> str:
    value = os.environ.get(ref.location)
    if not value:
        raise SecretError(
            f"{ref} does not resolve: the environment variable is not set",
            fix=f"set {ref.location} where this process runs",
        )
    return value


def _from_file(ref: SecretRef) -> str:
    try:
        value = Path(ref.location).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SecretError(
            f"{ref} does not resolve: {error.strerror}",
            fix="check that the file exists and that this process may read it",
        ) from None
    except UnicodeDecodeError:
        raise SecretError(f"{ref} does not resolve: the file is not UTF-8 text") from None
    if not value:
        raise SecretError(f"{ref} does not resolve: the file is empty")
    return value
