"""Rule tables as people keep them: YAML, or CSV with a column of conditions and one of outcomes."""

from __future__ import annotations

import csv
import io
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from etl_platform.core.errors import ConfigError, UnknownName

Outcome: TypeAlias = "str | int | float | bool | None"
MOST = 1_000
_COLUMNS = ("when", "then")


class Rule(BaseModel):
    """One row: where the condition is true, and no earlier one was, this is the outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    when: str = Field(description="A condition.")
    then: Outcome = Field(description="The outcome.")


def rules_from_csv(text: str, where: str) -> list[tuple[str, Rule]]:
    """Read rules with the place of each (``file:line``); further columns are for people.

    Raises:
        UnknownName: there is no column of that name.
        ConfigError: a row without a condition, or with more or fewer fields than the header.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    found: list[tuple[str, Rule]] = []
    header: list[str] = []
    try:
        for row in reader:
            place = f"{where}:{reader.line_num}"
            if not header:
                header = [name.strip() for name in row]
                for name in _COLUMNS:
                    if name not in header:
                        raise UnknownName("column", name, header, where=place)
                continue
            if not any(field.strip() for field in row):
                continue
            if len(row) != len(header):
                raise ConfigError(
                    f"{place}: {len(row)} fields under a header of {len(header)}",
                    fix='put conditions that hold a comma into "quotes"',
                )
            values = dict(zip(header, row, strict=True))
            if not values["when"].strip():
                raise ConfigError(
                    f"{place}: there is no condition", fix="use 'default' for the rest"
                )
            found.append((place, Rule(when=values["when"], then=values["then"].strip() or None)))
    except csv.Error as error:
        raise ConfigError(f"{where}:{reader.line_num}: {error}") from None
    return found
