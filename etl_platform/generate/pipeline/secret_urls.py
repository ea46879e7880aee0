"""An address with a password -> a reference that may stand in a file."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

from etl_platform.core.errors import ConfigError
from etl_platform.core.secrets import check_no_literal_secret, is_reference, redact, remember
from etl_platform.generate.pipeline.model import Ask, Secret


@contextmanager
def referenced(ask: Ask) -> Generator[tuple[str, tuple[Secret, ...]]]:
    """What a definition says instead of the address, and what is to be set for it.

    Within the context the reference resolves, also before anybody has set it. An address without a
    secret stands as it is.

    Raises:
        ConfigError: the variable holds another address.
    """
    if is_reference(ask.uri):
        yield ask.uri, ()
        return
    try:
        check_no_literal_secret(ask.uri)
    except ConfigError:
        pass
    else:
        yield ask.uri, ()
        return
    remember(ask.uri)
    shown = redact(ask.uri)
    held = os.environ.get(ask.secret)
    if held not in (None, ask.uri):
        raise ConfigError(
            f"the environment's {ask.secret} holds another address than {shown}",
            fix="name another variable with --secret, or unset this one",
        )
    os.environ[ask.secret] = ask.uri
    try:
        reference = f"env://{ask.secret}"
        yield reference, (Secret(reference, f"the whole address {shown}, with its password"),)
    finally:
        if held is None:
            del os.environ[ask.secret]
