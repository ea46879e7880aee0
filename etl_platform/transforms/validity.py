"""Columns by which a snapshot keeps what was true before: a dimension of type 2."""

from __future__ import annotations

from collections.abc import Mapping

from etl_platform.core.errors import ConfigError

VALID_FROM, VALID_TO = "valid_from", "valid_to"
"""From when a row was so, inclusive, and until when, exclusive: null as long as it is. Both are
TIMESTAMP WITH TIME ZONE: the moment of the run that saw it."""
KIND = "TIMESTAMP WITH TIME ZONE"


def with_validity(columns: Mapping[str, str], where: str) -> dict[str, str]:
    """The columns of a snapshot's table, of those that its SELECT gives.

    Raises:
        ConfigError: it gives one of that name itself.
    """
    taken = [name for name in columns if name.lower() in (VALID_FROM, VALID_TO)]
    if taken:
        raise ConfigError(
            f"{where}: a snapshot adds the column {taken[0]!r} itself",
            fix="give the column of the SELECT another name",
        )
    return {**columns, VALID_FROM: KIND, VALID_TO: KIND}
