"""The columns of a target as the target itself describes them, and as SQLAlchemy writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.load import Target

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy.types import TypeEngine


TEMPORARY = "temporary"
"""Key in a table's ``info``: whether only its connection sees it."""


def declared_type(text: str) -> TypeEngine[Any]:
    """A type in the database's own words, as its catalog wrote them."""
    return _declared_class()(text)


@cache
def _declared_class() -> Callable[[str], TypeEngine[Any]]:
    # Made when it is first needed: loading definitions imports this module without SQLAlchemy.
    from sqlalchemy.types import UserDefinedType

    class Declared(UserDefinedType[Any]):
        cache_ok = True

        def __init__(self, text: str) -> None:
            self.text = text

        def get_col_spec(self, **_: object) -> str:
            return self.text

    return Declared


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """One column that a load may fill.

    Attributes:
        declared: its type in the database's own words.
        wire: the lake type in which values are sent, None when any is taken as it is.
        cast: sent as text into a stage and cast by the database from there.
        max_length: characters of text that it holds.
    """

    name: str
    declared: str
    wire: pa.DataType | None
    nullable: bool = True
    has_default: bool = False
    cast: bool = False
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class TargetTable:
    """A table as it is now. ``unique`` are the column sets that a unique index covers."""

    target: Target
    columns: tuple[TargetColumn, ...]
    unique: tuple[frozenset[str], ...] = ()

    def column(self, name: str) -> TargetColumn | None:
        return next((c for c in self.columns if c.name == name), None)

    def only(self, names: tuple[str, ...]) -> tuple[TargetColumn, ...]:
        """These columns, in this order; those that do not exist are left out."""
        found = {column.name: column for column in self.columns}
        return tuple(found[name] for name in names if name in found)


def sql_table(
    target: Target, columns: tuple[TargetColumn, ...], *, temporary: bool = False
) -> sa.Table:
    """The table for SQLAlchemy's statements: every name quoted, every type as it is declared."""
    import sqlalchemy as sa

    return sa.Table(
        quoted(target.name),
        sa.MetaData(),
        *(sa.Column(quoted(c.name), declared_type(c.declared)) for c in columns),
        schema=quoted(target.schema) if target.schema is not None else None,
        prefixes=["TEMPORARY"] if temporary else [],
        info={TEMPORARY: temporary},
    )


def new_table(
    target: Target, columns: list[tuple[str, TypeEngine[Any]]], key: tuple[str, ...]
) -> sa.Table:
    """A table that does not exist yet; the key is its primary key."""
    import sqlalchemy as sa

    return sa.Table(
        quoted(target.name),
        sa.MetaData(),
        *(
            sa.Column(
                quoted(name),
                kind,
                primary_key=name in key,
                nullable=name not in key,
                autoincrement=False,
            )
            for name, kind in columns
        ),
        schema=quoted(target.schema) if target.schema is not None else None,
    )


def quoted(name: str) -> sa.quoted_name:
    """A name that SQLAlchemy always quotes."""
    import sqlalchemy as sa

    return sa.quoted_name(name, quote=True)
