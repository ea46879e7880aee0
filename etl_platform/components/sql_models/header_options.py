"""A model's header in the terms that every component's assets share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from etl_platform.components.options import AssetOptions
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    from etl_platform.transforms.sql_models import SqlModel

# The one option that each shorthand stands for.
_SHORT_FORMS = {"schedule": "cron", "freshness": "fail_after"}
_SHARED = (
    *("contract", "description", "owners", "group", "tags", "automation", "profile", "anomalies"),
    *_SHORT_FORMS,
)


def header_options(model: SqlModel) -> AssetOptions:
    """Read the asset options of a model's header.

    Raises:
        ConfigError: an option has a wrong value, with the file.
    """
    said = {name: getattr(model.header, name) for name in _SHARED}
    values: dict[str, object] = {}
    for name, value in said.items():
        if not value:
            continue
        short = _SHORT_FORMS.get(name)
        values[name] = {short: value} if short and isinstance(value, str) else _plain(value)
    try:
        return AssetOptions.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{model.path}: option {option!r}: {message}") from error


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
