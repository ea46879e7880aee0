"""Objects that were read, kept on this machine until their rows are published.

A unit holds the rows of some objects and tells which versions they were; it is whole or not there.
After a crash the next load takes the units that are there instead of reading their objects again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.objects import ObjectChanged, ObjectInfo, ObjectStore
from etl_platform.core.types import lake_schema
from etl_platform.sources.files.agreement import FILE_COLUMN

if TYPE_CHECKING:
    import pyarrow as pa

_LOCK = "lock"
_COPY = ".parquet"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one version of an object.

    Attributes:
        rows: how many it gave.
        reason, line: what is wrong with it; None for a good one.
    """

    key: str
    etag: str
    size_bytes: int
    rows: int = 0
    reason: str | None = None
    line: int | None = None

    @property
    def why(self) -> str | None:
        """The reason, with its line."""
        if self.reason is None or self.line is None:
            return self.reason
        return f"line {self.line}: {self.reason}"

    def is_of(self, info: ObjectInfo | None) -> bool:
        """Whether this is the version that a listing tells of."""
        return info is not None and self.etag == info.etag and self.size_bytes == info.size_bytes


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows of some objects: an Arrow file, the copy of one Parquet object, or none: all are bad.

    Attributes:
        stale: keys whose rows in the file are not those that are wanted any more.
    """

    rows: Path | None
    outcomes: tuple[Outcome, ...]
    stale: frozenset[str] = field(default_factory=frozenset[str])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, without those of stale objects."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.rows is None:
            return
        if self.is_copy:
            yield from self._copied(self.rows)
            return
        with pa.memory_map(str(self.rows)) as source, pa.ipc.open_file(source) as file:
            for number in range(file.num_record_batches):
                batch = file.get_batch(number)
                if self.stale:
                    stale = pa.array(sorted(self.stale), pa.string())
                    files = batch.column(batch.num_columns - 1)
                    batch = batch.filter(pc.invert(pc.is_in(files, value_set=stale)))
                yield batch

    @property
    def is_copy(self) -> bool:
        """Whether the rows are a Parquet file as it was found, without the object's key."""
        return self.rows is not None and self.rows.suffix == _COPY

    def _copied(self, path: Path) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyarrow import parquet

        schema = self.schema
        assert schema is not None
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                key = pa.repeat(pa.scalar(self.outcomes[0].key, pa.string()), batch.num_rows)
                table = pa.Table.from_batches([batch]).append_column(schema.names[-1], key)
                yield from table.cast(schema).to_batches()

    @property
    def schema(self) -> pa.Schema | None:
        """The columns of the rows, the object's key as the last."""
        import pyarrow as pa

        if self.rows is None:
            return None
        if self.is_copy:
            from pyarrow import parquet

            own = lake_schema(parquet.read_schema(self.rows).remove_metadata())
            return own.append(pa.field(FILE_COLUMN, pa.string()))
        with pa.memory_map(str(self.rows)) as source, pa.ipc.open_file(source) as file:
            return file.schema


@dataclass(frozen=True, slots=True)
class Units:
    """The units of one load.

    Attributes:
        name: the same for this load and for those that go on with it after a crash.
    """

    folder: Path
    name: str

    @classmethod
    @contextmanager
    def open(cls, folder: Path, table: str, state: str) -> Generator[Units]:
        """The units of a table's next load; what an earlier one left that was cut off is there.

        Another process that has them open keeps them: this one then gets a place of its own.

        Args:
            state: what the load goes on from. Units of another state are removed.
        """
        own = folder / _short(table)
        own.mkdir(parents=True, exist_ok=True)
        handle = os.open(own / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            place = folder / uuid.uuid4().hex
            place.mkdir()
            try:
                yield cls(place, place.name)
            finally:
                shutil.rmtree(place, ignore_errors=True)
            return
        try:
            begins = f"{_short(state)}-"
            found = None
            for other in own.iterdir():
                if other.name.startswith(begins):
                    found = other
                elif other.is_dir():
                    shutil.rmtree(other, ignore_errors=True)
            if found is None:
                found = own / f"{begins}{uuid.uuid4().hex}"
                found.mkdir()
            yield cls(found, found.name)
        finally:
            os.close(handle)

    def kept(self, wanted: Mapping[str, ObjectInfo]) -> list[Unit]:
        """What was read before and is still wanted, each object at most once.

        Bad ones are read again: somebody may have declared what was missing.
        """
        found: list[Unit] = []
        seen: set[str] = set()
        for told in sorted(self.folder.glob("*.json")):
            outcomes = [Outcome(*one) for one in json.loads(told.read_text())]
            good = [
                one
                for one in outcomes
                if one.reason is None and one.is_of(wanted.get(one.key)) and one.key not in seen
            ]
            seen |= {one.key for one in good}
            files = [told.with_suffix(kind) for kind in (".arrow", _COPY)]
            if good:
                stale = {one.key for one in outcomes} - {one.key for one in good}
                there = next((one for one in files if one.exists()), None)
                found.append(Unit(there, tuple(good), frozenset(stale)))
            else:
                told.unlink()
                for rows in files:
                    rows.unlink(missing_ok=True)
        for other in self.folder.glob("*.part"):
            other.unlink()
        return found

    @contextmanager
    def begin(self) -> Generator[Draft]:
        """Write a unit; it is gone when the block ends before it is kept."""
        draft = Draft(self.folder / uuid.uuid4().hex)
        try:
            yield draft
        finally:
            draft.close()

    def remove(self) -> None:
        """Their rows are published: nobody needs them any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Draft:
    """A unit that is being written: batches of one schema, then :meth:`keep`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._copied = False

    def copy(self, store: ObjectStore, info: ObjectInfo) -> Path:
        """Take a Parquet object as it is instead of batches; returns the copy for a look at it.

        Raises:
            ObjectChanged: the object was written again meanwhile.
        """
        store.download(info.key, self._part, if_match=info.etag)
        self._copied = True
        now = store.head(info.key)  # A file may be written in place while it is copied.
        if now is None or now.etag != info.etag:
            raise ObjectChanged(f"{info.key} is another object by now")
        return self._part

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; the last column is the key of their object."""
        import pyarrow as pa

        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(str(self._part), batch.schema, options=options)
        self._writer.write_batch(batch)

    def keep(self, outcomes: Sequence[Outcome]) -> Unit:
        """The unit is whole; ``outcomes`` tell of every object in it."""
        rows = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            rows = self._path.with_suffix(".arrow")
            self._part.replace(rows)
        elif self._copied:
            rows = self._path.with_suffix(_COPY)
            self._part.replace(rows)
        told = self._path.with_suffix(".told")
        told.write_text(json.dumps([_told(one) for one in outcomes]))
        told.replace(self._path.with_suffix(".json"))
        return Unit(rows, tuple(outcomes))

    def close(self) -> None:
        """Remove what was not kept."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._part.unlink(missing_ok=True)


def unit_schemas(units: Iterable[Unit]) -> list[pa.Schema]:
    """The different schemas of units, without the column of keys."""
    import pyarrow as pa

    found: list[pa.Schema] = []
    for unit in units:
        schema = unit.schema
        if schema is not None:
            plain = pa.schema(list(schema)[:-1])
            if not any(plain.equals(one) for one in found):
                found.append(plain)
    return found


def _told(one: Outcome) -> list[object]:
    return [one.key, one.etag, one.size_bytes, one.rows, one.reason, one.line]


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
