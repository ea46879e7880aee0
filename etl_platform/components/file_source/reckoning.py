"""What a load changes: entries of the ledger, rows that go, objects that are bad."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.sources.files.agreement import FILE_COLUMN
from etl_platform.sources.files.ledger import Entry
from etl_platform.sources.files.units import Outcome

if TYPE_CHECKING:
    from etl_platform.lakehouse.replacing import Replaced
    from etl_platform.sources.files.discovery import Looked
    from etl_platform.sources.files.ingested import Ingested

REWRITTEN = "it was loaded, and is written again: rewritten is refuse"


@dataclass
class Reckoning:
    """The consequences of one load.

    Attributes:
        entries: of objects that were looked at, for the ledger.
        bad: objects that are not among the rows, with the reason.
        gone: keys that the ledger is to forget.
        rewritten: how many objects were loaded before.
        stale: keys whose rows in the table go.
    """

    entries: list[Entry] = field(default_factory=list[Entry])
    bad: list[Outcome] = field(default_factory=list[Outcome])
    gone: list[str] = field(default_factory=list[str])
    rewritten: int = 0
    stale: list[str] = field(default_factory=list[str])

    @property
    def digest(self) -> str:
        """What tells this load from another one that began alike."""
        told = hashlib.blake2b(digest_size=16)
        for one in self.entries:
            told.update(f"{one.key}\0{one.etag}\0{one.reason}\n".encode())
        for key in self.gone:
            told.update(f"{key}\n".encode())
        return told.hexdigest()

    def replaced(self, folder: Path) -> Replaced | None:
        """The rows that go; None where none do.

        Args:
            folder: for the file that names them.
        """
        return _of(self.stale, folder / "replaced.parquet") if self.stale else None

    def rejected_before(self, folder: Path) -> Replaced:
        """The rows of the quarantine that go: of these objects, whichever version was judged."""
        keys = [*self.gone, *(one.key for one in self.entries if one.reason is None)]
        return _of(keys, folder / "judged.parquet")


def _of(keys: Sequence[str], path: Path) -> Replaced:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from etl_platform.lakehouse.replacing import Replaced

    pq.write_table(pa.table({FILE_COLUMN: pa.array(keys, pa.string())}), path)
    return Replaced(FILE_COLUMN, str(path))


def was_loaded(before: Entry | None) -> bool:
    """Whether some version of an object was good."""
    return before is not None and (before.rows > 0 or before.reason is None)


def reckon(
    looked: Looked, ingested: Ingested, rewritten: str, part: str | None = None
) -> Reckoning:
    """Work out what follows from what was found and read.

    Objects that changed while they were read are in no list: the next look finds them.

    Args:
        rewritten: ``replace``, ``append`` or ``refuse``.
        part: the partition that all objects belong to.
    """
    found = Reckoning()
    before = {one.info.key: one.before for one in looked.news}
    bad = list(ingested.bad)
    if rewritten == "refuse":
        bad += [
            Outcome(one.info.key, one.info.etag, one.info.size_bytes, 0, REWRITTEN)
            for one in looked.news
            if was_loaded(one.before)
        ]
    for one in ingested.loaded:
        old = before.get(one.key)
        rows = one.rows
        if old is not None and old.rows:
            if rewritten == "append":
                rows += old.rows
            else:
                found.stale.append(one.key)
        found.rewritten += old is not None and old.reason is None
        found.entries.append(Entry(one.key, one.etag, one.size_bytes, rows, None, part))
    for one in bad:
        old = before.get(one.key)
        # The last good version of an object stays until there is a better one.
        rows = 0 if old is None else old.rows
        found.entries.append(Entry(one.key, one.etag, one.size_bytes, rows, one.why, part))
    for entry in looked.gone:
        found.gone.append(entry.key)
        if entry.rows:
            found.stale.append(entry.key)
    found.entries.sort(key=lambda one: one.key)
    found.bad = sorted(bad, key=lambda one: one.key)
    return found
