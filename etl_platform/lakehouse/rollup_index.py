"""Which tables may be rollups: names in a folder of the lake, so that nobody has to list tables.

The folder only tells where to look. What a table is, its own newest commit says: a file that is
left behind by a table that is no rollup any more changes nothing.
"""

from __future__ import annotations

from pathlib import Path

from etl_platform.core.names import TableName

_FOLDER = "_rollups"


def declare(root: str, table: TableName) -> None:
    """Note that a table is about to become a rollup; lakes in buckets keep no such notes."""
    if "://" in root:
        return
    folder = Path(root) / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / table.sql).touch()


def declared(root: str) -> list[TableName]:
    """The tables that were noted and exist, sorted."""
    folder = Path(root) / _FOLDER
    if not folder.is_dir():
        return []
    tables = [TableName.parse(note.name) for note in sorted(folder.iterdir())]
    return [t for t in tables if (Path(root) / t.path / "_delta_log").exists()]
