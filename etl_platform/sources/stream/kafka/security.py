"""Who the platform is to a broker: TLS and SASL, every secret by reference."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from etl_platform.core.secrets import SecretReference, is_reference, resolve

_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Tls(BaseModel):
    """An encrypted connection.

    Attributes:
        ca: PEM of the authorities that are trusted; the system's own where it is not said.
        certificate: PEM of the client's certificate, where the broker asks for one (mutual TLS).
        key: PEM of the key that belongs to it.
        key_password: opens the key, where it is encrypted.
        verify_hostname: whether the certificate has to be the broker's own.
    """

    model_config = _STRICT

    ca: SecretReference | None = None
    certificate: SecretReference | None = None
    key: SecretReference | None = None
    key_password: SecretReference | None = None
    verify_hostname: bool = True

    def settings(self) -> dict[str, str]:
        """Librdkafka's settings with the secrets in them; for its constructor only."""
        given = {
            "ssl.ca.pem": self.ca,
            "ssl.certificate.pem": self.certificate,
            "ssl.key.pem": self.key,
            "ssl.key.password": self.key_password,
        }
        found = {name: resolve(ref) for name, ref in given.items() if ref is not None}
        check = "https" if self.verify_hostname else "none"
        return found | {"ssl.endpoint.identification.algorithm": check}


class Sasl(BaseModel):
    """A name and a password: PLAIN (RFC 4616) or SCRAM (RFC 5802)."""

    model_config = _STRICT

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str
    password: SecretReference

    def settings(self) -> dict[str, str]:
        """Librdkafka's settings with the secrets in them; for its constructor only."""
        known = is_reference(self.username)
        return {
            "sasl.mechanisms": self.mechanism,
            "sasl.username": resolve(self.username) if known else self.username,
            "sasl.password": resolve(self.password),
        }


class KafkaSecurity(BaseModel):
    """TLS, SASL, or both. With neither the connection is plain and nameless."""

    model_config = _STRICT

    tls: Tls | None = None
    sasl: Sasl | None = None

    def settings(self) -> dict[str, str]:
        """Librdkafka's settings; the secrets are read now.

        Raises:
            SecretError: a reference does not resolve.
        """
        protocol = ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT")
        return {
            "security.protocol": protocol,
            **(self.tls.settings() if self.tls else {}),
            **(self.sasl.settings() if self.sasl else {}),
        }
