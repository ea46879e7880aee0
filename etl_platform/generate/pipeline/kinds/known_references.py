"""References to what an address held in the clear resolve while its source is looked at."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager


@contextmanager
def known_references(values: Mapping[str, str]) -> Generator[None]:
    """Set ``values`` by name in the environment; names that it has keep what they have."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]
