"""What changed in a source's columns since they were last known: told before a row is read."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from etl_platform.core.errors import PermanentError, UnsupportedType
from etl_platform.core.types import lake_type, widens_to
from etl_platform.sources.database.policy import target_columns
from etl_platform.sources.database.reflection import reflect

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pyarrow as pa

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.policy import TypePolicy
    from etl_platform.sources.database.tables import SourceColumn, SourceTable

Change = Literal["added", "removed", "widened", "retyped"]


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column that is not as it was known. Types are those of the lake, as text; a type of the
    source's own words where the lake has no place for it."""

    column: str
    change: Change
    before: str | None
    now: str | None

    def __str__(self) -> str:
        match self.change:
            case "added":
                return f"+ {self.column}: {self.now}, new in the source"
            case "removed":
                return f"- {self.column}: {self.before}, no longer in the source"
            case _:
                return f"~ {self.column}: {self.before}, now {self.now} in the source"

    @property
    def fits(self) -> bool:
        """Whether a table can take it without losing anything."""
        return self.change in ("added", "widened")


def live_table(database: Database, table: SourceTable) -> SourceTable:
    """The table as the database describes it now.

    Raises:
        PermanentError: it is gone.
        SourceUnavailable: the database does not answer.
    """
    found = reflect(database, [table.schema] if table.schema else None, [glob.escape(table.name)],
                    views=table.kind == "view")  # fmt: skip
    for one in found:
        if one.full_name == table.full_name:
            return one
    raise PermanentError(
        f"{table.full_name} no longer exists in database {database.name!r}",
        fix="restore it; or, if it was renamed or dropped for good, refresh the definitions: "
        "dg utils refresh-defs-state",
    )


def lake_types(
    columns: Collection[SourceColumn], policy: TypePolicy, declared: Mapping[str, str]
) -> dict[str, pa.DataType | str]:
    """The lake's type of each column; the source's own words where it has none."""
    found: dict[str, pa.DataType | str] = {}
    for column in columns:
        try:
            (target,) = target_columns([column], policy, declared, column.name)
            found[column.name] = lake_type(target.type, column.name)
        except UnsupportedType:
            found[column.name] = column.source_type
    return found


def compare(
    known: Mapping[str, pa.DataType | str], now: Mapping[str, pa.DataType | str]
) -> tuple[ColumnDrift, ...]:
    """What changed from ``known`` to ``now``, in the columns' order.

    A type all of whose values are values of the known one is no change: they fit.
    """
    found: list[ColumnDrift] = []
    for name, before in known.items():
        after = now.get(name)
        if after is None:
            found.append(ColumnDrift(name, "removed", str(before), None))
        elif change := _change(before, after):
            found.append(ColumnDrift(name, change, str(before), str(after)))
    found += [
        ColumnDrift(name, "added", None, str(after))
        for name, after in now.items()
        if name not in known
    ]
    return tuple(found)


def _change(before: pa.DataType | str, after: pa.DataType | str) -> Change | None:
    if before == after:
        return None
    if isinstance(before, str) or isinstance(after, str):
        return "retyped"
    if widens_to(after, before):
        return None
    return "widened" if widens_to(before, after) else "retyped"
