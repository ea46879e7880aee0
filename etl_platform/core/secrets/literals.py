"""Credentials that stand in a definition themselves: refused, with the fix."""

from __future__ import annotations

import re
from collections.abc import Mapping

from etl_platform.core.errors import ConfigError
from etl_platform.core.redaction import HIDDEN, redact
from etl_platform.core.secrets.aws import SecretsClient
from etl_platform.core.secrets.references import SYNTAX, is_reference
from etl_platform.core.secrets.resolving import resolve

_CREDENTIALS = frozenset(
    {
        "access-key",
        "access-token",
        "api-key",
        "apikey",
        "auth-token",
        "authorization",
        "client-assertion",
        "client-secret",
        "cookie",
        "passwd",
        "password",
        "private-key",
        "proxy-authorization",
        "refresh-token",
        "secret",
        "secret-access-key",
        "secret-key",
        "subscription-key",
        "token",
        "x-access-token",
        "x-api-key",
        "x-auth-token",
    }
)
# `user:password@host` without a scheme, as addresses of brokers and proxies are written.
_BARE_PASSWORD = re.compile(r"(^|,)\s*[^\s:/@,]+:[^\s@,]+@")


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


def check_no_literal_credentials(given: Mapping[str, object], where: str, fix: str) -> None:
    """Refuse parameters or headers of a definition whose name says that their text is a secret.

    References pass, and templates, whose ``{...}`` is filled in later.

    Args:
        where: what they are, for the message: ``headers``.
        fix: where the secret belongs.

    Raises:
        ConfigError: with the name; the text is not repeated.
    """
    for name, value in given.items():
        if not isinstance(value, str) or not value or "{" in value or is_reference(value):
            continue
        if name.lower().replace("_", "-") in _CREDENTIALS:
            raise ConfigError(f"{where}: {name} is a credential in clear text", fix=fix)


def check_no_literal_secret(url: str) -> None:
    """Refuse a URL of a definition that holds a password, in its authority or its query.

    ``sqlite:///shop.db`` and ``postgresql://etl@127.0.0.1/shop`` pass, references too.

    Raises:
        ConfigError: with the redacted URL and the fix.
    """
    if is_reference(url):
        return
    shown = redact(url)
    if "://" not in url:
        shown = _BARE_PASSWORD.sub(rf"\1{HIDDEN}@", shown)
    if shown == url:
        return
    raise ConfigError(
        f"the URL {shown} holds a secret in clear text",
        valid=f"a URL without password, or a reference: {SYNTAX}",
        fix="put the whole URL in an environment variable and write env://ITS_NAME here",
    )
