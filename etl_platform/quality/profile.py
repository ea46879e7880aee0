"""What a batch or a table looks like, and how sure each number of it is."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from etl_platform.quality.profiles.markdown import summary_markdown
from etl_platform.quality.profiles.sketch import ProfileSketch
from etl_platform.quality.values import JsonValue

Level: TypeAlias = Literal["full", "basic", "off"]
"""``off``: what the files' statistics tell. ``basic``: everything for columns with few distinct
values; bounds, means, estimated distinct counts for the others. ``full``: everything for all."""

LevelChoice: TypeAlias = Literal["auto", "full", "basic", "off"]
"""``auto``: ``full`` where the values to sketch are at most five million, which takes about half a
second of processor time; else ``basic``, which takes no more than the rules do anyway."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class Histogram(_Part):
    """Rows in bins of equal width between the smallest and the largest finite value.

    Attributes:
        edges: one more than bins; numbers, or ISO 8601 text for dates and times. A bin holds its
            lower edge, the last one both.
        rows: per bin.
        error: each bin's share of all values is right within this (99.9 % confidence); 0 is exact.
    """

    edges: tuple[JsonValue, ...]
    rows: tuple[int, ...]
    error: float = 0.0


class Pattern(_Part):
    """A shape of texts (``A`` capital, ``a`` letter, ``9`` digit, ``+`` more than four of them)."""

    shape: str
    rows: int


class TextProfile(_Part):
    """Texts of a column; lengths are characters (bytes for binary) and exact.

    Attributes:
        patterns: most frequent shapes, with how many of the ``looked_at`` rows have them.
        looked_at: rows whose shape was taken.
        sampled: whether those are a sample: 4,096 rows in evenly spread runs of 128.
        untidy: of ``looked_at``, rows with blanks around the text or a placeholder such as ``n/a``.
    """

    min_length: int | None = None
    mean_length: float | None = None
    max_length: int | None = None
    patterns: tuple[Pattern, ...] = ()
    looked_at: int = 0
    sampled: bool = False
    untidy: int = 0


class TimeProfile(_Part):
    """Days that occur between the first and the last; exact. Gaps are (first, last) missing day.

    ``missing_days`` counts all days without a row; ``gaps`` are the five longest, longest first.
    """

    days: int
    missing_days: int
    gaps: tuple[tuple[str, str], ...] = ()


class NestedProfile(_Part):
    """Lists and maps by length, structs by field; exact.

    Attributes:
        fields: of a struct, each field with the number of rows in which it has no value.
    """

    min_length: int | None = None
    mean_length: float | None = None
    max_length: int | None = None
    empty: int = 0
    fields: tuple[tuple[str, int], ...] = ()


class ColumnProfile(_Part):
    """One column. Values of personal data are masked, and have neither bounds nor quantiles.

    Attributes:
        dtype: the lake type's name.
        nulls: number of null rows.
        distinct: number of distinct non-null values (NaN is one). None for nested columns.
        distinct_error: ``distinct`` is right within this share of itself (99.9 % confidence); 0
            when ``distinct_exact``.
        min, max: bounds of non-null values, NaN left out, as JSON can hold them; None for nested,
            binary, personal and all-null columns.
        bounds_exact: False when min and max are shortened text that only bounds the values.
        mean, std, skewness, kurtosis: of numbers (NaN left out) and, mean only, truth values (share
            of true); None when a value is infinite. ``std`` is that of a sample (n - 1), the others
            are those of the population, ``kurtosis`` is excess. Exact but for rounding.
        nan, infinite, zero, negative: rows with such numbers; None where that was not looked at.
        quantiles: pairs of share and value; days and times as ISO 8601 text.
        quantile_error: the share of rows up to a quantile's value is right within this (99.9 %
            confidence); 0 is exact.
        top: frequent values with their rows, most frequent first.
        top_error: each of these numbers is too small by at most this many rows.
        unlisted_rows: no other value has more rows than this; None when that is not known (basic
            profiles look for frequent values in a sample).
        pii: kind of personal data, see :class:`~etl_platform.quality.pii.PiiKind`.
    """

    name: str
    dtype: str
    nulls: int
    distinct: int | None = None
    distinct_exact: bool = False
    distinct_error: float = 0.0
    min: JsonValue = None
    max: JsonValue = None
    bounds_exact: bool = True
    mean: float | None = None
    std: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None
    nan: int | None = None
    infinite: int | None = None
    zero: int | None = None
    negative: int | None = None
    quantiles: tuple[tuple[float, JsonValue], ...] = ()
    quantile_error: float = 0.0
    histogram: Histogram | None = None
    top: tuple[tuple[JsonValue, int], ...] = ()
    top_error: int = 0
    unlisted_rows: int | None = None
    text: TextProfile | None = None
    time: TimeProfile | None = None
    nested: NestedProfile | None = None
    pii: str | None = None


class Correlation(_Part):
    """Pearson's r of two numeric columns over the ``rows`` in which both are finite; exact."""

    left: str
    right: str
    r: float
    rows: int


class CandidateKey(_Part):
    """Columns whose values may identify a row.

    ``evidence``: ``exact`` when every value was counted, ``estimated`` when the distinct count is
    that of the rows within its error, ``sampled`` when no sampled row repeats another.
    """

    columns: tuple[str, ...]
    evidence: Literal["exact", "estimated", "sampled"]


class Dependency(_Part):
    """In ``sampled_rows`` rows each value of one column always came with one value of the other."""

    determinant: str
    dependent: str
    sampled_rows: int


class ScorePart(_Part):
    """``met`` of ``of`` demands; ``weight`` is its share in the score before rescaling."""

    name: Literal["completeness", "validity", "uniqueness", "consistency"]
    weight: float
    met: float
    of: float

    @property
    def score(self) -> float:
        """0 to 100."""
        return 100 * self.met / self.of if self.of else 100.0


class Score(_Part):
    """Quality from 0 to 100: the weighted mean of the parts that could be judged.

    See :mod:`etl_platform.quality.profiles.score` for the parts and their weights.
    """

    total: float
    parts: tuple[ScorePart, ...]


class Profile(_Part):
    """A batch of rows, as staged, or several merged; ``size_bytes`` is that of the Parquet files.

    Attributes:
        correlations: of pairs of the first 24 numeric columns.
        sketch: what merging needs; kept in the profile's file, not in its JSON.
    """

    rows: int
    size_bytes: int
    columns: tuple[ColumnProfile, ...]
    level: Level = "basic"
    correlations: tuple[Correlation, ...] = ()
    keys: tuple[CandidateKey, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    score: Score | None = None
    sketch: ProfileSketch | None = None

    def column(self, name: str) -> ColumnProfile:
        """The profile of one column; KeyError when there is none of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @classmethod
    def merge(cls, profiles: Sequence[Profile]) -> Profile:
        """The profile of all rows of several full profiles; reads no data.

        Counts, moments, bounds, days, lengths and correlations are those of the rows together;
        distinct counts, quantiles and frequent values keep their stated errors.

        Raises:
            PermanentError: there is none, one has no sketches, or they are of another hash.
        """
        from etl_platform.quality.profiles.merging import merge_profiles

        return merge_profiles(profiles)

    def to_json(self) -> str:
        """Everything but the sketches."""
        return self.model_dump_json(exclude={"sketch"})

    @classmethod
    def from_json(cls, text: str) -> Profile:
        return cls.model_validate_json(text)

    def to_bytes(self) -> bytes:
        """The whole profile with its sketches: JSON, compressed by gzip."""
        return gzip.compress(self.model_dump_json().encode(), compresslevel=1, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> Profile:
        return cls.model_validate_json(gzip.decompress(data))

    def summary_markdown(self, max_columns: int = 50) -> str:
        """A table with one line per column; bars show the share of nulls and of the top value."""
        return summary_markdown(self, max_columns)
