"""Tokens and assertions that are signed here (RFC 7515, 7519)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from etl_platform.core.errors import SecretError
from etl_platform.core.secrets import resolve
from etl_platform.sources.api.options import JwtAuth, OAuth2JwtBearer

if TYPE_CHECKING:
    from joserfc.jwk import Key


def signed(options: JwtAuth | OAuth2JwtBearer, audience: str | None) -> str:
    """A JWT with the declared claims, ``iat``, ``exp`` and a ``jti`` of its own.

    Raises:
        SecretError: the key is none that the algorithm can sign with.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError

    now = int(time.time())
    named = {"iss": options.issuer, "sub": options.subject, "aud": audience}
    claims: Mapping[str, object] = {
        "jti": uuid4().hex,
        **options.claims,
        **{name: value for name, value in named.items() if value is not None},
        "iat": now,
        "exp": now + options.lifetime_s,
    }
    header = {"typ": "JWT", "alg": options.algorithm}
    if options.key_id is not None:
        header["kid"] = options.key_id
    try:
        key = _key(resolve(options.key), options.algorithm)
        return jwt.encode(header, dict(claims), key, algorithms=[options.algorithm])
    except (JoseError, ValueError, TypeError) as error:
        raise SecretError(
            f"{options.key} holds no key to sign {options.algorithm} with: {type(error).__name__}",
            valid="a private key in PEM or JWK; for HS* a text of at least 14 bytes",
        ) from None


def _key(text: str, algorithm: str) -> Key:
    from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey, import_key

    if text.lstrip().startswith("{"):
        import json

        return import_key(json.loads(text))
    kinds = {"HS": OctKey, "RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}
    return kinds[algorithm[:2]].import_key(text)
