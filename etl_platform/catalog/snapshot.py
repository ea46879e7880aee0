"""What a search reads: flat files that are mapped, written beside Chroma by the indexer.

Importing chromadb takes longer than a whole cold search may, and its client is not made for many
processes on one folder. So Chroma keeps the records, and every indexing writes a *generation*: a
folder of arrays that never changes. ``CURRENT`` names the newest and is replaced in one rename; a
reader that has mapped a generation keeps it, also when the files are gone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from etl_platform.catalog.documents import Document
from etl_platform.catalog.lexical import Forward, Inverted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CURRENT = "CURRENT"
_KEPT = 3
_ARRAYS = (
    "vectors",
    "body_offsets",
    "terms",
    "term_offsets",
    "rows",
    "weights",
    "row_offsets",
    "idf",
    "updated_at",
)


@dataclass(frozen=True)
class Snapshot:
    """One generation, mapped. All arrays have one row for each document, in one order."""

    model: str
    ids: list[str]
    fingerprints: list[str]
    vocabulary: list[str]
    vectors: NDArray[np.float32]
    bodies: NDArray[np.uint8]
    body_offsets: NDArray[np.int64]
    forward: Forward
    inverted: Inverted
    updated_at: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.body_offsets) - 1

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each term."""
        return {term: number for number, term in enumerate(self.vocabulary)}

    def document(self, row: int) -> Document:
        """The document of a row."""
        start, end = int(self.body_offsets[row]), int(self.body_offsets[row + 1])
        return Document.of(self.bodies[start:end].tobytes())


def open_newest(folder: Path) -> Snapshot | None:
    """The newest generation; None before the first."""
    while True:
        try:
            name = (folder / _CURRENT).read_text()
        except FileNotFoundError:
            return None
        try:
            return _open(folder / name)
        except FileNotFoundError:
            if (folder / _CURRENT).read_text() == name:
                raise
            # The writer went on by several generations since the name was read.


def _open(place: Path) -> Snapshot:
    import numpy as np

    meta: dict[str, Any] = json.loads((place / "meta.json").read_bytes())
    read: dict[str, Any] = {}
    for name in _ARRAYS:
        read[name] = np.load(place / f"{name}.npy", mmap_mode="r")
    size = (place / "bodies.bin").stat().st_size
    bodies: Any = np.memmap(place / "bodies.bin", np.uint8, "r") if size else np.zeros(0, np.uint8)
    return Snapshot(
        model=meta["model"],
        ids=_lines(place / "ids.txt"),
        fingerprints=_lines(place / "fingerprints.txt"),
        vocabulary=_lines(place / "vocabulary.txt"),
        vectors=read["vectors"],
        bodies=bodies,
        body_offsets=read["body_offsets"],
        forward=Forward(read["terms"], read["term_offsets"]),
        inverted=Inverted(read["rows"], read["weights"], read["row_offsets"], read["idf"]),
        updated_at=read["updated_at"],
    )


def write(folder: Path, snapshot: Snapshot) -> None:
    """Write a generation and make it the newest; only whoever holds the lock may."""
    import numpy as np

    place = folder / uuid4().hex
    place.mkdir(parents=True)
    arrays = {
        "vectors": snapshot.vectors,
        "body_offsets": snapshot.body_offsets,
        "terms": snapshot.forward.terms,
        "term_offsets": snapshot.forward.offsets,
        "rows": snapshot.inverted.rows,
        "weights": snapshot.inverted.weights,
        "row_offsets": snapshot.inverted.offsets,
        "idf": snapshot.inverted.idf,
        "updated_at": snapshot.updated_at,
    }
    for name, array in arrays.items():
        np.save(place / f"{name}.npy", np.ascontiguousarray(array))
    (place / "bodies.bin").write_bytes(snapshot.bodies.tobytes())
    (place / "ids.txt").write_text("\n".join(snapshot.ids))
    (place / "fingerprints.txt").write_text("\n".join(snapshot.fingerprints))
    (place / "vocabulary.txt").write_text("\n".join(snapshot.vocabulary))
    meta = {"model": snapshot.model, "documents": len(snapshot)}
    (place / "meta.json").write_text(json.dumps(meta))
    name = folder / f"{_CURRENT}.new"
    name.write_text(place.name)
    name.replace(folder / _CURRENT)
    _forget(folder, place)


def _forget(folder: Path, newest: Path) -> None:
    """Delete all but the newest generations: one that was just named can still be opened."""
    places = [p for p in folder.iterdir() if p.is_dir() and p != newest]
    places.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for place in places[_KEPT - 1 :]:
        shutil.rmtree(place, ignore_errors=True)


def _lines(path: Path) -> list[str]:
    text = path.read_text()
    return text.split("\n") if text else []
