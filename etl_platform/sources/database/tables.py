"""What a database says about its tables: plain data that is stored as a component's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from etl_platform.core.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable

Problem = Literal["unconstrained_numeric", "unsupported", "untyped"]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class SourceColumn:
    """One column.

    ``source_type`` is the type in the database's own words. ``arrow_type`` is the lossless type of
    the lake as text (see :mod:`.arrow_text`), or None where there is none: ``problem`` then says
    why, and a :class:`~.policy.TypePolicy` or a declared type decides what happens.
    """

    name: str
    source_type: str
    arrow_type: str | None
    nullable: bool = True
    comment: str | None = None
    problem: Problem | None = None


@dataclass(frozen=True, config=_STRICT)
class ForeignKey:
    """Columns that refer to the columns of another table, pairwise."""

    columns: tuple[str, ...]
    referred_schema: str | None
    referred_table: str
    referred_columns: tuple[str, ...]


@dataclass(frozen=True, config=_STRICT)
class SourceTable:
    """One table or view. ``schema`` is None where the database has no schemas (SQLite).

    ``estimated_rows`` comes from the database's own statistics; None when it has none.
    """

    schema: str | None
    name: str
    columns: tuple[SourceColumn, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None
    estimated_rows: int | None = None
    kind: Literal["table", "view"] = "table"

    @property
    def full_name(self) -> str:
        """``schema.name`` as people write it: for messages and patterns, never for SQL."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    def column(self, name: str) -> SourceColumn:
        """Find a column.

        Raises:
            UnknownName: with the nearest column's name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownName("column", name, (c.name for c in self.columns), where=self.full_name)

    def to_json(self) -> str:
        return _ONE.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> SourceTable:
        """Read what :meth:`to_json` wrote; raises pydantic's ``ValidationError``."""
        return _ONE.validate_json(text)


_ONE = TypeAdapter(SourceTable)
_MANY = TypeAdapter(tuple[SourceTable, ...])


def tables_to_json(tables: Iterable[SourceTable]) -> str:
    """Write reflected tables, for example as a component's state."""
    return _MANY.dump_json(tuple(tables), indent=1).decode()


def tables_from_json(text: str | bytes) -> tuple[SourceTable, ...]:
    """Read what :func:`tables_to_json` wrote; raises pydantic's ``ValidationError``."""
    return _MANY.validate_json(text)
