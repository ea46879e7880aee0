"""What is kept of a column so that profiles can be merged without reading data again."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from etl_platform.quality.profiles.comoments import CoMoments
from etl_platform.quality.profiles.days import Days
from etl_platform.quality.profiles.frequent import Frequent
from etl_platform.quality.profiles.hashing import HASH_NAME
from etl_platform.quality.profiles.moments import Moments
from etl_platform.quality.values import JsonValue

if TYPE_CHECKING:
    import pyarrow as pa


class Family(StrEnum):
    """What a column's values can be asked."""

    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    BINARY = "binary"
    NESTED = "nested"

    @classmethod
    def of(cls, kind: pa.DataType) -> Family:
        from pyarrow import types as t

        tests = (
            (t.is_nested, cls.NESTED),
            (t.is_boolean, cls.BOOLEAN),
            (t.is_integer, cls.INTEGER),
            (t.is_floating, cls.FLOAT),
            (t.is_decimal, cls.DECIMAL),
            (t.is_date, cls.DATE),
            (t.is_timestamp, cls.TIMESTAMP),
            (t.is_string, cls.TEXT),
        )
        return next((family for test, family in tests if test(kind)), cls.BINARY)

    @property
    def is_number(self) -> bool:
        return self in (Family.INTEGER, Family.FLOAT, Family.DECIMAL)

    @property
    def is_ordered(self) -> bool:
        """Whether values stand on an axis: numbers, days, moments."""
        return self.is_number or self in (Family.DATE, Family.TIMESTAMP)


class NestedSketch(BaseModel):
    """Lists and maps by their lengths, structs by the rows in which each field has a value."""

    model_config = ConfigDict(frozen=True)

    elements: int = 0
    shortest: int | None = None
    longest: int | None = None
    empty: int = 0
    fields: tuple[tuple[str, int], ...] = ()


class ColumnSketch(BaseModel):
    """One column; at most 64 KiB as JSON.

    Either every value with its rows is kept (``counts``), from which all else follows exactly, or
    sketches of bounded size are. Of personal data only hashes, masked values and shapes are kept.

    Attributes:
        counts: distinct non-null values and their rows, as an Arrow IPC file.
        distinct: the smallest hashes, see :class:`~.distinct.DistinctSketch`.
        quantiles: serialized KLL sketch of the finite numbers, days or microseconds.
        moments: of the finite numbers.
        lengths: of texts in characters, of binary values in bytes.
        shapes: of texts, with the rows looked at that have them, most frequent first.
        looked_at: rows whose shapes were counted; fewer than all when sampled.
        untidy: of those, rows that hold a placeholder or blanks around the text.
    """

    model_config = ConfigDict(
        frozen=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
        ser_json_inf_nan="constants",
    )

    name: str
    dtype: str
    family: Family
    rows: int
    nulls: int
    low: JsonValue = None
    high: JsonValue = None
    bounds_exact: bool = True
    pii: str | None = None
    counts: bytes | None = None
    distinct: bytes | None = None
    quantiles: bytes | None = None
    moments: Moments | None = None
    nan: int = 0
    infinite: int = 0
    zero: int = 0
    negative: int = 0
    frequent: Frequent | None = None
    lengths: Moments | None = None
    shortest: int | None = None
    longest: int | None = None
    days: Days | None = None
    shapes: tuple[tuple[str, int], ...] = ()
    looked_at: int = 0
    untidy: int = 0
    nested: NestedSketch | None = None

    @property
    def present(self) -> int:
        return self.rows - self.nulls


class ProfileSketch(BaseModel):
    """All columns of a profile, and the sums that their correlations come from."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    hash_name: str = HASH_NAME
    columns: tuple[ColumnSketch, ...]
    comoments: CoMoments | None = None
