"""References to secrets, resolved at the moment of use and never when definitions load.

Three places can hold a secret::

    env://SHOP_URL                  an environment variable
    file:///run/secrets/shop        a file, without its final line break
    aws-secret://prod/shop#url      a secret of AWS Secrets Manager, or one field of its JSON

No error raised here carries what was read.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, cast
from urllib.parse import unquote

from pydantic import AfterValidator

from etl_platform.core.errors import ConfigError, SecretError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HIDDEN = "***"
_SYNTAX = "env://NAME, file:///absolute/path or aws-secret://name#field"
_SECRET_WORD = r"(?:password|passwd|pwd|secret|token|api_?key|access_?key|signature|sig)"
# The password may itself hold '@' or '/': the last '@' of the word ends it.
_URL_PASSWORD = re.compile(
    r"([a-z][a-z0-9+.\-]*://[^\s:/@?#]*):([^\s@]*(?:@[^\s@]*)*)@", re.IGNORECASE
)
_ASSIGNMENT = re.compile(rf"(\b[\w\-]*{_SECRET_WORD}[\w\-]*\s*=\s*)([^\s&;'\"]+)", re.IGNORECASE)
_RETRYABLE_AWS = {"ThrottlingException", "InternalServiceError", "RequestTimeout"}


class SecretScheme(StrEnum):
    """Where a reference points."""

    ENV = "env"
    FILE = "file"
    AWS = "aws-secret"


class SecretsClient(Protocol):
    """The one method of boto3's ``secretsmanager`` client that is used."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, object]: ...  # noqa: N803  # boto3's name


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret lives; holds no secret, so it may be shown.

    >>> SecretRef.parse("aws-secret://prod/shop#url")
    SecretRef(scheme=<SecretScheme.AWS: 'aws-secret'>, location='prod/shop', field='url')
    """

    scheme: SecretScheme
    location: str
    field: str | None = None

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read a reference.

        Raises:
            SecretError: when the text is not a reference. The text itself is not repeated, because
                a secret pasted in the place of its reference is the usual reason.
        """
        scheme, separator, rest = text.strip().partition("://")
        if not separator or scheme not in {member.value for member in SecretScheme}:
            raise SecretError("this text is not a secret reference", valid=_SYNTAX)
        location, _, field = rest.partition("#")
        ref = cls(SecretScheme(scheme), unquote(location), field or None)
        if not ref.location or (ref.scheme is SecretScheme.FILE and ref.location[0] != "/"):
            raise SecretError(f"{scheme}:// does not say where the secret is", valid=_SYNTAX)
        if ref.field and ref.scheme is not SecretScheme.AWS:
            raise SecretError(f"{scheme}:// takes no #field", valid=_SYNTAX)
        return ref

    def __str__(self) -> str:
        return f"{self.scheme}://{self.location}" + (f"#{self.field}" if self.field else "")


def _reference(text: str) -> str:
    SecretRef.parse(text)
    return text


SecretReference = Annotated[str, AfterValidator(_reference)]
"""An option that takes ``env://NAME``, ``file:///path`` or ``aws-secret://name#field``, never the
secret itself."""


def is_reference(text: str) -> bool:
    """Whether the text starts like a secret reference."""
    return text.strip().partition("://")[0] in {member.value for member in SecretScheme}


def resolve(ref: str, aws: SecretsClient | None = None) -> str:
    """Read the secret that a reference points to.

    Args:
        ref: the reference.
        aws: a boto3 ``secretsmanager`` client; made from boto3's own defaults when it is needed.

    Raises:
        SecretError: malformed, or nothing there.
        TransientError: AWS could not be reached or asked to slow down.
    """
    parsed = SecretRef.parse(ref)
    match parsed.scheme:
        case SecretScheme.ENV:
            return _from_environment(parsed)
        case SecretScheme.FILE:
            return _from_file(parsed)
        case SecretScheme.AWS:
            return _from_aws(parsed, aws)


def reference_or_literal(text: str, aws: SecretsClient | None = None) -> str:
    """Resolve a reference, or take a URL as it stands when it holds no password.

    Raises:
        ConfigError: the URL holds a password.
        SecretError: the reference does not resolve.
    """
    if is_reference(text):
        return resolve(text, aws)
    check_no_literal_secret(text)
    return text


def check_no_literal_secret(url: str) -> None:
    """Refuse a URL of a definition that holds a password, in its authority or its query.

    ``sqlite:///shop.db`` and ``postgresql://etl@127.0.0.1/shop`` pass, references too.

    Raises:
        ConfigError: with the redacted URL and the fix.
    """
    if is_reference(url) or redact(url) == url:
        return
    raise ConfigError(
        f"the URL {redact(url)} holds a secret in clear text",
        valid=f"a URL without password, or a reference: {_SYNTAX}",
        fix="put the whole URL in an environment variable and write env://ITS_NAME here",
    )


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Hide the credentials of URLs and ``password=...`` pairs in any text.

    Args:
        text: what is about to be shown.
        known: secrets that must not appear in any form of quoting, hidden wherever they occur.

    >>> redact("cannot reach postgresql://etl:pa@ss@db/shop")
    'cannot reach postgresql://etl:***@db/shop'
    """
    for secret in sorted({s for s in known if s}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    return _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)


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


def _from_aws(ref: SecretRef, aws: SecretsClient | None) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = aws or _aws_client()
        answer = client.get_secret_value(SecretId=ref.location)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        if code in _RETRYABLE_AWS:
            raise TransientError(f"AWS Secrets Manager answered {code} for {ref}") from None
        raise SecretError(
            f"{ref} does not resolve: AWS answered {code}",
            fix="check the secret's name, the region and secretsmanager:GetSecretValue",
        ) from None
    except BotoCoreError as error:
        kind = type(error).__name__
        if kind in {"NoCredentialsError", "NoRegionError", "PartialCredentialsError"}:
            raise SecretError(
                f"{ref} does not resolve: {kind}", fix="configure AWS credentials and region"
            ) from None
        raise TransientError(f"AWS Secrets Manager is not reachable for {ref}: {kind}") from None
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise SecretError(f"{ref} does not resolve: the secret is binary", valid="a text secret")
    return text if ref.field is None else _field(ref, text)


def _aws_client() -> SecretsClient:
    import boto3

    return cast("SecretsClient", boto3.client("secretsmanager"))


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
    return str(cast("dict[str, object]", fields)[str(ref.field)])
