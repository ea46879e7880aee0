"""The tables outside the lake that a table was loaded into: files in ``_destinations`` beside it.

A load changes nothing in the table, so there is no commit that could tell. One file per
destination, replaced by every load; readers of Delta and :meth:`Lake.vacuum` leave folders alone
whose names begin with an underscore.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from etl_platform.core.names import TableName
from etl_platform.lakehouse.origin import External
from etl_platform.lakehouse.root import Root

FOLDER = "_destinations"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a table was loaded into last, and from which version.

    ``columns`` maps the columns there to those of the table in the lake.
    """

    target: External
    columns: Mapping[str, str]
    version: int


def note_destination(root: Root, table: TableName, destination: Destination) -> None:
    """Keep that ``table`` was loaded there; readers see the old file or the new one.

    Raises ``OSError`` when a lake's folder cannot be written to, ``StoreUnavailable`` when its
    bucket does not answer.
    """
    target = destination.target
    body = {
        "target": [target.system, target.kind, target.name],
        "columns": dict(destination.columns),
        "version": destination.version,
    }
    name = sha256(str(target).encode()).hexdigest()[:16]
    root.store.put(f"{table.path}/{FOLDER}/{name}.json", json.dumps(body).encode())


def destinations_of(root: Root, table: TableName) -> tuple[Destination, ...]:
    """Every table that ``table`` was ever loaded into, by name."""
    found: list[Destination] = []
    for file in root.store.list(f"{table.path}/{FOLDER}/"):
        body: dict[str, Any] = json.loads(root.store.read(file.key))
        found.append(Destination(External(*body["target"]), body["columns"], body["version"]))
    return tuple(sorted(found, key=lambda one: str(one.target)))
