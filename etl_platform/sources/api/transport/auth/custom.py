"""A class of the user's own."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from etl_platform.core.errors import ConfigError
from etl_platform.sources.api.options import CustomAuth
from etl_platform.sources.api.transport.auth.authentication import Authentication


def custom(options: CustomAuth) -> Authentication:
    """Import the class and give it its options.

    Raises:
        ConfigError: there is no such class, or it is none that authenticates.
    """
    module, _, name = options.class_.partition(":")
    try:
        made = getattr(import_module(module), name)(**options.options)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"the class {options.class_} cannot be made: {error}", valid="module:Class"
        ) from error
    if not all(callable(getattr(made, method, None)) for method in ("credentials", "renewed")):
        raise ConfigError(
            f"{options.class_} does not authenticate",
            valid="a class with the methods credentials() and renewed(refused)",
        )
    return cast("Authentication", made)
