"""The columns of a resource: declared, or as its records show them, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.api.records.inferring import DigitsNeeded, columns_from, shape_of
from etl_platform.sources.api.records.shape import Shape
from etl_platform.sources.stream.formats.columns import Column, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.api.resources import ResourceOptions

_Columns = tuple[Column, ...]


class FoundColumns:
    """Takes records in any number of parts; the columns do not depend on those.

    Args:
        known: the table's schema.
    """

    def __init__(self, resource: ResourceOptions, known: pa.Schema | None) -> None:
        self._all = None if resource.columns is None else columns_of(resource.columns)
        self._some = columns_of(resource.types) if resource.types else ()
        self._known = known
        self._shape = Shape(fields={})

    def add(self, records: Sequence[bytes]) -> None:
        """Take in more records.

        Raises:
            BadResponse: one cannot be read without loss.
        """
        if self._all is None:
            self._shape.join(shape_of(records))

    def so_far(self) -> _Columns:
        """The columns as they are now; none where that cannot be told yet."""
        if self._all is not None:
            return self._all
        try:
            return columns_from(self._shape, self._some, self._known)[0]
        except (DigitsNeeded, SchemaMismatch):
            return ()

    def final(
        self, everything: Callable[[], Iterable[Sequence[bytes]]]
    ) -> tuple[_Columns, tuple[str, ...]]:
        """The columns in the end, and the fields that are left out for want of values.

        Args:
            everything: gives all records again, where the digits of their numbers matter.

        Raises:
            SchemaMismatch: values have no exact place.
        """
        if self._all is not None:
            return self._all, ()
        try:
            return columns_from(self._shape, self._some, self._known)
        except DigitsNeeded:
            exact = Shape(fields={})
            for records in everything():
                exact.join(shape_of(records, exactly=True))
            return columns_from(exact, self._some, self._known)
