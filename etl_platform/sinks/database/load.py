"""What a load is to do, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from etl_platform.core.errors import ConfigError


class LoadMode(StrEnum):
    """How the lake's rows meet the rows of the target."""

    APPEND = "append"
    """The rows are added."""
    REPLACE = "replace"
    """The rows become the whole table; readers see the old rows until all new ones are there."""
    UPSERT = "upsert"
    """A row replaces the one with the same key, or is added."""
    DELETE_INSERT = "delete_insert"
    """Rows that share their key columns with a new row are deleted, then the new ones added: the
    key need not be unique (a day, a tenant)."""
    SCD2 = "scd2"
    """A changed row closes the current version of its key and adds another: slowly changing
    dimension, type 2."""


_WITHOUT_KEY = frozenset({LoadMode.APPEND, LoadMode.REPLACE})
UNIQUE_KEY = frozenset({LoadMode.UPSERT, LoadMode.SCD2})
"""Modes in which two new rows with one key would contradict each other."""


@dataclass(frozen=True, slots=True)
class Target:
    """A table of a database by its own names; ``schema`` None is the connection's default."""

    name: str
    schema: str | None = None

    def __post_init__(self) -> None:
        if not self.name or self.schema == "":
            raise ConfigError(f"a table needs a name, got {self}", valid="schema.table, or table")

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class History:
    """The columns of a target that keeps versions.

    A version holds from ``valid_from`` (inclusive) to ``valid_to`` (exclusive, NULL while it is
    current). ``close_missing``: keys without a row in the load are closed, which is right when
    every load brings all rows.
    """

    valid_from: str = "valid_from"
    valid_to: str = "valid_to"
    close_missing: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """One load of one target.

    Args:
        target: the table; created when it does not exist.
        mode: how the rows meet those already there.
        batch: identity of these rows. It is written into the target in the same transaction, and
            a batch that is there already is not loaded again.
        key: columns by which rows are recognised; also the primary key of a table that is created.
        keep_before: how long the rows that this load changes or removes are kept, so that it can
            be reverted; None keeps none.
        history: columns of ``scd2``.
        moment: when the rows became valid (``scd2``).
        run_id: recorded with the batch.

    Raises:
        ConfigError: the mode needs a key, or the load could not be reverted.
    """

    target: Target
    mode: LoadMode
    batch: str
    key: tuple[str, ...] = ()
    keep_before: timedelta | None = None
    history: History = field(default_factory=History)
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    run_id: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in _WITHOUT_KEY and not self.key:
            raise ConfigError(
                f"{self.target}: mode {self.mode} needs a key",
                fix="name the columns that identify a row",
            )
        if self.mode is LoadMode.APPEND and self.keep_before is not None and not self.key:
            raise ConfigError(
                f"{self.target}: appended rows without a key cannot be told from others later, so "
                "this load could not be reverted",
                fix="name the key columns, or do not keep a before-image",
            )
        if not self.batch:
            raise ConfigError(f"{self.target}: a load needs the identity of its batch")
        if self.moment.tzinfo is None:
            raise ConfigError(f"{self.target}: the moment {self.moment} has no time zone")
