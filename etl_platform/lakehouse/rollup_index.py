"""Which tables may be rollups: names in a folder of the lake, so that nobody has to list tables.

The folder only tells where to look. What a table is, its own newest commit says: a note that is
left behind by a table that is gone, or is no rollup any more, changes nothing.
"""

from __future__ import annotations

from etl_platform.core.names import TableName
from etl_platform.lakehouse.root import Root

_FOLDER = "_rollups/"


def declare(root: Root, table: TableName) -> None:
    """Note that a table is about to become a rollup."""
    root.store.put(f"{_FOLDER}{table.sql}", b"")


def declared(root: Root) -> list[TableName]:
    """The tables that were noted, sorted; not all of them need exist."""
    notes = root.store.list(_FOLDER)
    return sorted(TableName.parse(note.key.removeprefix(_FOLDER)) for note in notes)
