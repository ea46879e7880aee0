"""The address of an API, without what is secret in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from etl_platform.core.errors import ConfigError
from etl_platform.core.secrets import check_no_literal_credentials, is_reference, remember
from etl_platform.generate.pipeline.model import Ask, Secret
from etl_platform.generate.pipeline.yaml_text import Yaml


@dataclass(frozen=True)
class ApiAddress:
    """Origin, path and query; ``auth`` refers to what was secret, ``values`` hold it."""

    origin: str
    path: str
    params: Mapping[str, str]
    auth: Mapping[str, Yaml] | None
    secrets: tuple[Secret, ...]
    values: Mapping[str, str]


def address_of(ask: Ask) -> ApiAddress:
    """Take an address apart.

    Raises:
        ConfigError: it is a reference, or more than one secret is in it.
    """
    if is_reference(ask.uri):
        raise ConfigError(
            "the address of an API is no secret", fix="give it as it is, its key in the query"
        )
    parts = urlsplit(ask.uri)
    host = parts.netloc.rpartition("@")[2]
    prefix = ask.secret.removesuffix("_URL")
    auth: dict[str, Yaml] | None = None
    secrets: list[Secret] = []
    values: dict[str, str] = {}
    if parts.username is not None:
        name = f"{prefix}_PASSWORD"
        values[name] = unquote(parts.password or "")
        secrets.append(Secret(f"env://{name}", f"the password of {unquote(parts.username)}"))
        auth = {
            "type": "basic",
            "username": unquote(parts.username),
            "password": f"env://{name}",
        }
    params: dict[str, str] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if not _secret(key, value):
            params[key] = value
            continue
        if auth is not None:
            raise ConfigError("the address holds more than one secret")
        name = f"{prefix}_KEY"
        values[name] = value
        secrets.append(Secret(f"env://{name}", f"the value of {key}"))
        auth = {"type": "api_key", "key": f"env://{name}", "name": key, "place": "query"}
    for value in values.values():
        remember(value)
    return ApiAddress(
        f"{parts.scheme}://{host}", parts.path or "/", params, auth, tuple(secrets), values
    )


def _secret(name: str, value: str) -> bool:
    if name.lower() in ("token", "key", "sig", "signature"):
        return bool(value)
    try:
        check_no_literal_credentials({name: value}, "", "")
    except ConfigError:
        return True
    return False
