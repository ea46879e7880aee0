"""References to secrets, resolved at the moment of use and never when definitions load.

Three places can hold a secret::

    env://SHOP_URL                          an environment variable
    file:///run/secrets/shop                a file, without its final line break
    aws-secret://prod/shop#url              AWS Secrets Manager: a secret, or a field of its JSON
    aws-secret://prod/shop?stage=AWSPREVIOUS#url    by stage; ?version= takes a version's id

No error raised here carries what was read, and what was read is hidden from then on, see
:mod:`etl_platform.core.redaction`.
"""

from __future__ import annotations

from etl_platform.core.redaction import HIDDEN, hide, redact, remember
from etl_platform.core.secrets.aws import SecretsClient, use_client
from etl_platform.core.secrets.literals import (
    check_no_literal_credentials,
    check_no_literal_secret,
    reference_or_literal,
)
from etl_platform.core.secrets.references import (
    SecretRef,
    SecretReference,
    SecretScheme,
    is_reference,
)
from etl_platform.core.secrets.resolving import resolve, resolve_shown

__all__ = [
    "HIDDEN",
    "SecretRef",
    "SecretReference",
    "SecretScheme",
    "SecretsClient",
    "check_no_literal_credentials",
    "check_no_literal_secret",
    "hide",
    "is_reference",
    "redact",
    "reference_or_literal",
    "remember",
    "resolve",
    "resolve_shown",
    "use_client",
]
