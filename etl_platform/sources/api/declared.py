"""What is written about an API, checked; errors name what is wrong and repeat no value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from etl_platform.core.errors import ConfigError
from etl_platform.core.secrets import is_reference, resolve_shown

if TYPE_CHECKING:
    from etl_platform.sources.api.options import ConnectionOptions

_ANYWHERE = "http://api.invalid"
"""Stands for an address that is only known where the API is used (RFC 6761, section 6.4)."""


def as_connection(
    connection: Mapping[str, Any], where: str, *, used: bool = True
) -> ConnectionOptions:
    """The options of a connection. ``base_url`` may be a reference, because it differs from one
    environment to the next, and a token's address a path below it.

    Args:
        where: what errors call it.
        used: whether the address is needed now; if not, a reference is not resolved.

    Raises:
        ConfigError: an option is missing, unknown or unusable.
        SecretError: the reference to the address does not resolve.
    """
    from etl_platform.sources.api.options import ConnectionOptions

    said = dict(connection)
    base_url = said.get("base_url")
    if isinstance(base_url, str) and is_reference(base_url):
        said["base_url"] = resolve_shown(base_url) if used else _ANYWHERE
    auth = said.get("auth")
    if isinstance(auth, dict) and str(auth.get("token_url", "")).startswith("/"):
        root = str(said.get("base_url", "")).rstrip("/")
        said["auth"] = {**auth, "token_url": root + str(auth["token_url"])}
    try:
        return ConnectionOptions.model_validate(said)
    except ValidationError as error:
        raise ConfigError(f"{where}: {said_wrong(error)}") from None


def said_wrong(error: ValidationError) -> str:
    """What does not fit and where, without the values: one may be a secret."""
    return "; ".join(
        f"{'.'.join(str(at) for at in one['loc'])}: {one['msg']}" if one["loc"] else one["msg"]
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    )
