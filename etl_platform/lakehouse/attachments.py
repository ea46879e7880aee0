"""Files that belong to a version of a table and are not its data, such as what it was loaded from.

An attachment is written first, under a name that no other has, and an annotation of a commit names
it: it belongs to that version and to those after it, until a commit names another one. Readers of
Delta do not look into folders whose names begin with an underscore.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

from etl_platform.core.names import TableName
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.opening import open_snapshot
from etl_platform.lakehouse.root import Root

FOLDER = "_attachments"
_PREFIX = "attachment:"


def annotation(kind: str) -> str:
    """The annotation whose value names the attachment of this kind."""
    return f"{_PREFIX}{kind}"


def attach(root: Root, table: TableName, file: Path) -> str:
    """Have a file in the lake, where it never changes. Returns its name, for the annotation."""
    name = f"{uuid.uuid4().hex}{file.suffix}"
    root.store.upload(f"{table.path}/{FOLDER}/{name}", file, if_none_match=True)
    return name


def fetch(root: Root, table: TableName, name: str, target: Path) -> None:
    """Copy an attachment to this machine.

    Raises:
        ObjectMissing: it was removed with the versions that named it.
    """
    root.store.download(f"{table.path}/{FOLDER}/{name}", target)


def detach(root: Root, table: TableName, names: Iterable[str]) -> None:
    """Remove attachments that no commit names."""
    root.store.delete(f"{table.path}/{FOLDER}/{name}" for name in names)


def attached(snapshot: Snapshot) -> set[str]:
    """The names of a version's attachments."""
    notes = snapshot.annotations()
    return {value for name, value in notes.items() if name.startswith(_PREFIX)}


def forget_attachments(
    root: Root, table: TableName, kept: Iterable[int], newest: float
) -> list[str]:
    """Delete attachments that no kept version names; returns paths below the table's folder.

    Args:
        newest: seconds since 1970: later ones stay, since their commit may be on its way.
    """
    below = f"{table.path}/"
    old = [
        one.key
        for one in root.store.list(f"{below}{FOLDER}/")
        if one.modified.timestamp() <= newest
    ]
    if not old:
        return []
    wanted: set[str] = set()
    for version in kept:
        snapshot = open_snapshot(root, table, version)
        wanted |= attached(snapshot) if snapshot is not None else set()
    removed = [key for key in old if key.rpartition("/")[2] not in wanted]
    root.store.delete(removed)
    return [key.removeprefix(below) for key in removed]
