"""The tables outside the lake that a table was loaded into: files in ``_destinations`` beside it.

A load changes nothing in the table, so there is no commit that could tell. One file per
destination, replaced by every load; readers of Delta and :meth:`Lake.vacuum` leave folders alone
whose names begin with an underscore.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from etl_platform.core.names import TableName
from etl_platform.lakehouse.origin import External

FOLDER = "_destinations"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a table was loaded into last, and from which version.

    ``columns`` maps the columns there to those of the table in the lake.
    """

    target: External
    columns: Mapping[str, str]
    version: int


def note_destination(root: str, table: TableName, destination: Destination) -> None:
    """Keep that ``table`` was loaded there; raises ``OSError`` when the file cannot be written."""
    folder = _folder(root, table)
    folder.mkdir(parents=True, exist_ok=True)
    target = destination.target
    body = {
        "target": [target.system, target.kind, target.name],
        "columns": dict(destination.columns),
        "version": destination.version,
    }
    file = folder / f"{sha256(str(target).encode()).hexdigest()[:16]}.json"
    # Readers see the old file or the new one.
    draft = folder / f"{uuid.uuid4().hex}.part"
    draft.write_text(json.dumps(body), encoding="utf-8")
    draft.replace(file)


def destinations_of(root: str, table: TableName) -> tuple[Destination, ...]:
    """Every table that ``table`` was ever loaded into, by name."""
    found: list[Destination] = []
    for file in _folder(root, table).glob("*.json"):
        body: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found.append(Destination(External(*body["target"]), body["columns"], body["version"]))
    return tuple(sorted(found, key=lambda one: str(one.target)))


def _folder(root: str, table: TableName) -> Path:
    return Path(root) / table.path / FOLDER
