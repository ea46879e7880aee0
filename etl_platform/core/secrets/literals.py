"""Credentials that stand in a definition themselves: refused, with the fix."""

from __future__ import annotations

import re

from etl_platform.core.errors import ConfigError
from etl_platform.core.redaction import HIDDEN, redact
from etl_platform.core.secrets.aws import SecretsClient
from etl_platform.core.secrets.references import SYNTAX, is_reference
from etl_platform.core.secrets.resolving import resolve

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
