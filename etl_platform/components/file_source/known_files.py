"""The ledger of a table: kept beside it, and named by the commit that loaded its objects."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConcurrentWrite
from etl_platform.lakehouse.attachments import annotation, attach, fetch
from etl_platform.sources.files.ledger import Entry, read_ledger, write_ledger

if TYPE_CHECKING:
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake

LEDGER_NOTE = annotation("files")
"""Annotation of a commit: the name of the ledger that tells what its table holds."""
_SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """What the newest version of a table says of its objects, as of when this was opened.

    Attributes:
        name: of the ledger in the lake; None where nothing was loaded yet.
        path: its copy on this machine.
        folder: for files that last as long as this is open.
    """

    lake: Lake
    table: TableName
    name: str | None
    path: Path | None
    folder: Path

    @classmethod
    @contextmanager
    def open(cls, lake: Lake, table: TableName) -> Generator[KnownFiles]:
        """Fetch the ledger.

        Raises:
            ObjectMissing: somebody removed it.
        """
        place = Path(lake.settings.temp_dir)
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix="files-") as folder:
            name = lake.annotation(table, LEDGER_NOTE)
            path = None if name is None else _fetched(lake, table, name, Path(folder))
            yield cls(lake, table, name, path, Path(folder))

    @property
    def state(self) -> str:
        """What a load goes on from."""
        return self.name or "nothing"

    @property
    def newest(self) -> Path:
        """The ledger that was written last."""
        return self.folder / f"next{_SUFFIX}"

    def follow(
        self, before: Mapping[str, str], entries: Sequence[Entry], gone: Sequence[str]
    ) -> Mapping[str, str]:
        """The annotation of a commit that loads these objects into the table.

        Raises:
            ConcurrentWrite: another load was published since this was opened: some objects may be
                in the table already.
        """
        if before.get(LEDGER_NOTE) != self.name:
            raise ConcurrentWrite(
                f"{self.table}: another run has loaded files meanwhile",
                fix="run again: it loads what is then left",
            )
        return self._written(self.path, entries, gone)

    def anew(self, entries: Sequence[Entry]) -> Mapping[str, str]:
        """The annotation of a commit that replaces the whole table."""
        return self._written(None, entries, ())

    def follow_in_part(
        self, before: Mapping[str, str], entries: Sequence[Entry], part: str
    ) -> Mapping[str, str]:
        """The annotation of a commit that replaces one partition, whatever others did meanwhile."""
        name, path = before.get(LEDGER_NOTE), self.path
        if name != self.name:
            path = None if name is None else _fetched(self.lake, self.table, name, self.folder)
        gone = [one.key for one in read_ledger(path, part)]
        return self._written(path, entries, gone)

    def _written(
        self, before: Path | None, entries: Sequence[Entry], gone: Sequence[str]
    ) -> Mapping[str, str]:
        write_ledger(before, entries, gone, self.newest)
        return {LEDGER_NOTE: attach(self.lake.root, self.table, self.newest)}


def _fetched(lake: Lake, table: TableName, name: str, folder: Path) -> Path:
    path = folder / name
    fetch(lake.root, table, name, path)
    return path
