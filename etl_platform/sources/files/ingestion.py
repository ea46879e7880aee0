"""Objects -> rows on this machine, small ones together, several at a time.

Every object is held to the columns that all share. One that does not fit is looked at on its own:
it may be written in another way, or have a column more. What then is still wrong is told, and
nothing of that object is among the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError, SchemaMismatch
from etl_platform.core.objects import ObjectChanged, ObjectInfo, ObjectMissing, ObjectStore
from etl_platform.sources.files.agreement import FILE_COLUMN, Agreement
from etl_platform.sources.files.detection import detect
from etl_platform.sources.files.errors import BadFile
from etl_platform.sources.files.formats.parquet_copies import (
    LARGE_BYTES,
    checked_rows,
    is_plain,
)
from etl_platform.sources.files.grouping import groups, kind_of, side_by_side
from etl_platform.sources.files.inference import infer
from etl_platform.sources.files.ingested import Ingested
from etl_platform.sources.files.models import FileFormat, Inferred
from etl_platform.sources.files.options import FileOptions
from etl_platform.sources.files.reading import read
from etl_platform.sources.files.sampling import sample
from etl_platform.sources.files.together import SMALL_BYTES, read_together
from etl_platform.sources.files.units import Outcome, Unit, Units

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLES = 8
_FETCHED_AT_ONCE = 8


@dataclass
class Ingestion:
    """Reads the objects of one load.

    Args:
        columns: what all objects are held to; grows as they are read.
        units: where rows are kept.
    """

    store: ObjectStore
    options: FileOptions
    columns: Agreement
    units: Units
    _forms: dict[str, FileFormat] = field(default_factory=dict[str, FileFormat])

    def run(self, objects: Sequence[ObjectInfo]) -> Ingested:
        """Read all of them.

        Raises:
            StoreUnavailable: the store does not answer; what was read whole is kept.
        """
        found = Ingested()
        found.units = self.units.kept({one.key: one for one in objects})
        done = {one.key for unit in found.units for one in unit.outcomes}
        found.reused = len(done)
        left = [one for one in objects if one.key not in done]
        self._begin(left, found.units)
        for units, changed in side_by_side(self._read, groups(left)):
            found.units += units
            found.changed += changed
        found.units.sort(key=lambda one: one.outcomes[0].key)
        return found

    def _begin(self, objects: Sequence[ObjectInfo], kept: Sequence[Unit]) -> None:
        """Agree on columns from a few objects, and on how those of each kind of name are read."""
        for unit in kept:
            if (schema := unit.schema) is not None:
                self.columns.begin([_stated(schema)])
        kinds: dict[str, list[ObjectInfo]] = {}
        for one in objects:
            kinds.setdefault(kind_of(one), []).append(one)
        samples: list[Inferred] = []
        for kind, members in kinds.items():
            step = max(len(members) // _SAMPLES, 1)
            forms: list[FileFormat] = []
            for one in members[::step][:_SAMPLES]:
                try:
                    form, inferred = self._look(one)
                except PermanentError:
                    continue  # Told when it is read.
                forms.append(form)
                samples.append(inferred)
            if forms:
                usual = Counter(map(_way, forms)).most_common(1)[0][0]
                self._forms[kind] = next(one for one in forms if _way(one) == usual)
        self.columns.begin(samples)

    def _read(self, group: Sequence[ObjectInfo]) -> tuple[list[Unit], list[ObjectInfo]]:
        """The units of a large object, or of small ones whose names are of one kind."""
        form, schema = self._forms.get(kind_of(group[0])), self.columns.schema
        units: list[Unit] = []
        doubtful: list[tuple[ObjectInfo, PermanentError | None]] = []
        if form is None or schema is None:
            doubtful = [(info, None) for info in group]
        elif group[0].size_bytes > SMALL_BYTES:
            for info in group:
                try:
                    units.append(self._unit(info, form, schema))
                except PermanentError as error:
                    doubtful.append((info, error))
        else:
            with self.units.begin() as draft:
                good: list[Outcome] = []
                for part in read_together(
                    self.store, group, form, schema, threads=_FETCHED_AT_ONCE
                ):
                    if part.batch.num_rows:
                        draft.write(_with_keys(part.batch, part.rows))
                    good += [_outcome(info, rows) for info, rows in part.rows]
                    doubtful += part.bad
                if good:
                    units.append(draft.keep(good))
        bad: list[Outcome] = []
        changed: list[ObjectInfo] = []
        for info, error in doubtful:
            try:
                units.append(self._alone(info, form, schema, error))
            except (ObjectChanged, ObjectMissing):
                changed.append(info)
            except PermanentError as reason:
                bad.append(_bad(info, reason))
        if bad:
            with self.units.begin() as draft:
                units.append(draft.keep(bad))
        return units, changed

    def _alone(
        self,
        info: ObjectInfo,
        form: FileFormat | None,
        schema: pa.Schema | None,
        error: PermanentError | None,
    ) -> Unit:
        """Read an object as it is itself, where that goes with the others.

        Args:
            form, schema, error: how it was read in vain, and what came of it.

        Raises:
            PermanentError: it is bad; or changed, or gone.
        """
        if isinstance(error, ObjectChanged | ObjectMissing):
            raise error
        own, inferred = self._look(info)
        if form is not None and error is not None and not _headers_agree(own, form):
            # Names that were made up are no columns of the table.
            raise error
        try:
            wanted = self.columns.grow(inferred)
        except SchemaMismatch as mismatch:
            raise error or mismatch from None
        if (
            error is not None
            and form is not None
            and _way(own) == _way(form)
            and (schema is not None and wanted.equals(schema))
        ):
            raise error
        return self._unit(info, own, wanted)

    def _unit(self, info: ObjectInfo, form: FileFormat, schema: pa.Schema) -> Unit:
        """One object as one unit."""
        if (
            form.format == "parquet"
            and form.compression == "none"
            and info.size_bytes > LARGE_BYTES
            and (unit := self._copy(info, form, schema)) is not None
        ):
            return unit
        with self.units.begin() as draft:
            rows = 0
            for batch in read(self.store, info, form, schema):
                draft.write(_with_keys(batch, ((info, batch.num_rows),)))
                rows += batch.num_rows
            return draft.keep([_outcome(info, rows)])

    def _copy(self, info: ObjectInfo, form: FileFormat, schema: pa.Schema) -> Unit | None:
        """The Parquet file itself as a unit, where its rows are what reading it would give."""
        own = infer(sample(self.store, info, 0), form).schema
        if not is_plain(own, schema):
            return None
        with self.units.begin() as draft:
            rows = checked_rows(draft.copy(self.store, info), schema)
            return None if rows is None else draft.keep([_outcome(info, rows)])

    def _look(self, info: ObjectInfo) -> tuple[FileFormat, Inferred]:
        found = sample(self.store, info)
        form = detect(found, self.options)
        return form, infer(found, form)


def _way(form: FileFormat) -> tuple[object, ...]:
    """What reading depends on, without how sure it is."""
    return (
        form.format,
        form.compression,
        form.encoding,
        form.dialect,
        form.names if (form.dialect is not None and not form.dialect.header) else (),
    )


def _headers_agree(one: FileFormat, other: FileFormat) -> bool:
    if one.dialect is None or other.dialect is None:
        return True
    return one.dialect.header == other.dialect.header


def _outcome(info: ObjectInfo, rows: int) -> Outcome:
    return Outcome(info.key, info.etag, info.size_bytes, rows)


def _bad(info: ObjectInfo, error: PermanentError) -> Outcome:
    if isinstance(error, BadFile):
        column = "" if error.column is None else f"column {error.column!r}: "
        return Outcome(
            info.key, info.etag, info.size_bytes, 0, f"{column}{error.reason}", error.line
        )
    return Outcome(info.key, info.etag, info.size_bytes, 0, error.what)


def _with_keys(batch: pa.RecordBatch, rows: Sequence[tuple[ObjectInfo, int]]) -> pa.RecordBatch:
    """The batch with each row's key, where ``rows`` tells how many each object has, in order."""
    import numpy as np
    import pyarrow as pa

    keys = pa.array([info.key for info, _ in rows], pa.string())
    places = np.repeat(np.arange(len(rows), dtype=np.int32), [count for _, count in rows])
    column = keys.take(pa.array(places, pa.int32()))
    schema = batch.schema.append(pa.field(FILE_COLUMN, pa.string()))
    return pa.RecordBatch.from_arrays([*batch.columns, column], schema=schema)


def _stated(schema: pa.Schema) -> Inferred:
    """The columns of what was read before, without the last, which is the platform's."""
    import pyarrow as pa

    plain = pa.schema(list(schema)[:-1])
    return Inferred(plain, dict.fromkeys(plain.names, 1.0), {}, 0)
