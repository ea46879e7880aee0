"""One name for a table everywhere.

Asset key ``shop/orders`` = SQL ``shop.orders`` = folder ``<lake>/shop/orders``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from etl_platform.core.errors import ConfigError

DEFAULT_SCHEMA = "main"
QUARANTINE_SUFFIX = "__quarantine"
DEAD_LETTER_SUFFIX = "__dead_letter"
BAD_FILES_SUFFIX = "__bad_files"
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_MAX_LENGTH = 128


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A two-part, lower-case table name; both parts match ``[a-z_][a-z0-9_]*``.

    >>> TableName.parse("shop.orders").key
    ('shop', 'orders')
    >>> TableName.from_key(["orders"]).sql
    'main.orders'

    Raises:
        ConfigError: when a part is not a lower-case identifier.
    """

    schema: str
    name: str

    def __post_init__(self) -> None:
        for part in (self.schema, self.name):
            if len(part) > _MAX_LENGTH or not _IDENTIFIER.fullmatch(part):
                raise ConfigError(
                    f"{part!r} is not usable as a table name part in {self.schema!r}.{self.name!r}",
                    valid="lower-case letters, digits and underscores, not starting with a digit, "
                    f"at most {_MAX_LENGTH} characters",
                    fix=f"use {to_identifier(part)!r}",
                )

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read ``schema.name`` or ``schema/name``; one part lives in schema ``main``."""
        return cls.from_key(re.split(r"[./]", text.strip()))

    @classmethod
    def from_key(cls, key: Sequence[str]) -> TableName:
        """Read the parts of an asset key: one part (schema ``main``) or two."""
        if len(key) == 1:
            return cls(DEFAULT_SCHEMA, key[0])
        if len(key) == 2:
            return cls(key[0], key[1])
        raise ConfigError(
            f"table name {'/'.join(key)!r} has {len(key)} parts",
            valid="schema.name, or name alone for schema 'main'",
        )

    @property
    def key(self) -> tuple[str, str]:
        """The parts of the Dagster asset key."""
        return (self.schema, self.name)

    @property
    def sql(self) -> str:
        """The name in SQL; needs no quoting in any dialect that folds to lower case."""
        return f"{self.schema}.{self.name}"

    @property
    def path(self) -> str:
        """The folder below the lake's root."""
        return f"{self.schema}/{self.name}"

    @property
    def quarantine(self) -> TableName:
        """The table that holds this table's rejected rows."""
        return TableName(self.schema, self.name + QUARANTINE_SUFFIX)

    @property
    def dead_letter(self) -> TableName:
        """The table that holds the messages of a stream that did not become rows."""
        return TableName(self.schema, self.name + DEAD_LETTER_SUFFIX)

    @property
    def bad_files(self) -> TableName:
        """The table that tells of the files that did not become rows."""
        return TableName(self.schema, self.name + BAD_FILES_SUFFIX)

    @property
    def is_quarantine(self) -> bool:
        """Whether it holds what another table did not take: rows, messages, or names of files."""
        return self.name.endswith((QUARANTINE_SUFFIX, DEAD_LETTER_SUFFIX, BAD_FILES_SUFFIX))

    def __str__(self) -> str:
        return self.sql


def to_identifier(text: str) -> str:
    """Turn any source name into a valid part of a :class:`TableName`.

    >>> to_identifier("Order Details")
    'order_details'
    """
    folded = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")[:_MAX_LENGTH]
    if not folded:
        return "_"
    return f"_{folded}" if folded[0].isdigit() else folded
