"""The columns that all files of a table are held to, and how they may grow with what files have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from etl_platform.core.errors import SchemaMismatch
from etl_platform.core.types import lake_schema, widens_to
from etl_platform.sources.files.inference import common_type

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.files.models import Inferred

FILE_COLUMN = "_file"
"""Text column of every table of files: the key of the row's object."""


class Agreement:
    """Columns in the lake's types; may be used by many threads.

    Args:
        known: the table's columns, without the platform's own; None where there is no table.
        grows: whether columns may be added to the table's, and theirs become wider.
    """

    def __init__(self, known: pa.Schema | None, *, grows: bool = True) -> None:
        self._known = {} if known is None else {one.name: one.type for one in known}
        self._grows = grows or known is None
        self._schema = known
        self._lock = Lock()

    @property
    def schema(self) -> pa.Schema | None:
        """The columns until now; None before any are known."""
        return self._schema

    def begin(self, samples: Sequence[Inferred]) -> None:
        """Agree on what some files have; those that do not go with the others have no say."""
        if not samples:
            return
        if self._schema is None:
            # What most of them have: one file that is something else, or damaged, decides nothing.
            names = Counter(_names(one) for one in samples)
            types = Counter(_types(one) for one in samples)
            samples = sorted(samples, key=lambda one: (-names[_names(one)], -types[_types(one)]))
        for one in samples:
            try:
                self.grow(one)
            except SchemaMismatch:
                continue

    def grow(self, found: Inferred) -> pa.Schema:
        """Take in what a file has, and return the columns that it is to be read with.

        A column without values in the file says nothing of its type.

        Raises:
            SchemaMismatch: its columns do not go with those of the others, or may not come.
            UnsupportedType: the lake has no place for one.
        """
        import pyarrow as pa

        schema = lake_schema(found.schema)
        if FILE_COLUMN in schema.names:
            raise SchemaMismatch(f"a column is named {FILE_COLUMN}, which is the platform's own")
        with self._lock:
            fields = {} if self._schema is None else {f.name: f.type for f in self._schema}
            if fields and not any(name in fields for name in schema.names):
                raise SchemaMismatch("none of its columns is one of the others'")
            for field in schema:
                kind = fields.get(field.name)
                if kind is None:
                    if not self._grows:
                        raise SchemaMismatch(f"column {field.name!r} is new")
                    fields[field.name] = field.type
                elif found.confidence.get(field.name):
                    fields[field.name] = self._joined(field.name, kind, field.type)
            self._schema = pa.schema(list(fields.items()))
            return self._schema

    def _joined(self, name: str, kind: pa.DataType, other: pa.DataType) -> pa.DataType:
        if kind.equals(other):
            return kind
        before = self._known.get(name)
        if before is None:
            joined = common_type(kind, other)
            if joined is None:
                raise SchemaMismatch(f"column {name!r} is {other}, and {kind} in other files")
            return joined
        if self._grows and widens_to(kind, other):
            return other
        # What else it may hold is seen when it is read: whole numbers fit a column of doubles.
        return kind


def _names(found: Inferred) -> tuple[str, ...]:
    return tuple(found.schema.names)


def _types(found: Inferred) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, str(one.type)) for one in found.schema)
