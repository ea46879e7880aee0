"""A model's header in the terms that every component's assets share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from etl_platform.components.options import AssetOptions
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    from etl_platform.quality import Contract
    from etl_platform.transforms.sql_models import Model

# The one option that each shorthand stands for.
_SHORT_FORMS = {"schedule": "cron", "freshness": "fail_after"}
_SHARED = (
    *("contract", "description", "owners", "group", "tags", "automation", "profile", "anomalies"),
    "requires",
    *_SHORT_FORMS,
)


def header_options(model: Model) -> AssetOptions:
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


def with_key(contract: Contract, model: Model) -> Contract:
    """The contract, and that the key of an incremental model is one: its runs rely on it."""
    from etl_platform.quality import Contract

    columns = [*model.key]
    if model.materialization != "incremental" or not columns:
        return contract
    (unique,) = Contract.parse({"rules": [{"rule": "unique", "columns": columns}]}).rules
    if any(rule.name == unique.name for rule in contract.rules):
        return contract
    return Contract(rules=(*contract.rules, unique))


def check_view(model: Model, options: AssetOptions, contract: Contract, where: str) -> None:
    """Refuse what a view cannot keep: it has no rows that could be set aside or measured.

    Raises:
        ConfigError: a rule sets rows aside, or anomalies are to be looked for.
    """
    if model.materialization != "view":
        return
    aside = [rule.name for rule in contract.rules if rule.action == "quarantine"]
    if aside:
        raise ConfigError(
            f"{where}: rule {aside[0]!r} sets rows aside, which a view cannot",
            valid="action: block or warn",
            fix="add the condition to the view, or leave out 'materialization'",
        )
    if options.anomalies is not None:
        raise ConfigError(
            f"{where}: a view has no rows of its own in which anomalies could be looked for",
            fix="leave out 'anomalies', or 'materialization'",
        )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
