"""Schema evolution: columns may be added and types widened; all else is refused, shown in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.errors import SchemaMismatch
from etl_platform.core.names import TableName
from etl_platform.core.types import widens_to

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Evolution:
    """How a table's schema must change so that a batch fits.

    ``schema`` is the table's schema afterwards; ``added`` the names of new columns, ``widened`` of
    columns whose existing files have a narrower type, ``narrower`` of columns in which the batch's
    files have a narrower type than the table.
    """

    schema: pa.Schema
    added: tuple[str, ...]
    widened: tuple[str, ...]
    narrower: tuple[str, ...]

    @property
    def changes_table(self) -> bool:
        return bool(self.added or self.widened)


def evolve(table: TableName, current: pa.Schema, incoming: pa.Schema) -> Evolution:
    """Merge the schema of a batch into that of a table.

    Raises:
        SchemaMismatch: a column is missing in the batch, or has a type that is neither the same,
            nor wider, nor narrower. The message lists every difference.
    """
    import pyarrow as pa

    fields: list[pa.Field[pa.DataType]] = []
    widened: list[str] = []
    narrower: list[str] = []
    differences: list[str] = []
    for field in current:
        if field.name not in incoming.names:
            differences.append(f"- {field.name}: {field.type} in the table, missing in the batch")
            continue
        new = incoming.field(field.name).type
        if new.equals(field.type):
            fields.append(field)
        elif widens_to(field.type, new):
            fields.append(pa.field(field.name, new))
            widened.append(field.name)
        elif widens_to(new, field.type):
            fields.append(field)
            narrower.append(field.name)
        else:
            differences.append(f"~ {field.name}: {field.type} in the table, {new} in the batch")
    folded = {name.lower(): name for name in current.names}
    added = [f for f in incoming if f.name not in current.names]
    differences.extend(
        f"~ {folded[field.name.lower()]}: named {field.name} in the batch"
        for field in added
        if field.name.lower() in folded
    )
    if differences:
        raise SchemaMismatch(
            f"{table}: the batch does not fit the table's columns:\n    "
            + "\n    ".join(differences),
            valid="the same columns, new columns, or wider types (int to bigint, float to double, "
            "date to timestamp, more digits)",
            fix="cast or restore the columns in the source query, or publish a replacement with "
            "schema_change='any' to give the table the batch's columns",
        )
    names = tuple(f.name for f in added)
    merged = pa.schema([*fields, *added])
    return Evolution(merged, names, tuple(widened), tuple(narrower))
