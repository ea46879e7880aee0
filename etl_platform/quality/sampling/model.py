"""What a sample tells of a table, and how sure it is: frozen, and kept as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from etl_platform.quality.sampling.spec import Strategy
from etl_platform.quality.values import JsonValue

CONFIDENCE = 0.95


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Part):
    """One statistic of the whole table, estimated from the sample.

    Attributes:
        value: the best guess; None where the sample allows none.
        low: lower end of the interval, or a bound that ``note`` explains; None: nothing is claimed.
        high: upper end.
        confidence: 0.95 where ``low`` to ``high`` is a confidence interval, 1.0 where the value was
            counted, None where no interval is claimed.
        method: how value and interval were computed.
        note: why there is no interval, or what ``low`` and ``high`` are.
    """

    value: JsonValue
    low: JsonValue = None
    high: JsonValue = None
    confidence: float | None = None
    method: str
    note: str | None = None


class SampledQuantile(_Part):
    """The value below or at which a share ``q`` of the non-null values lie."""

    q: float
    estimate: Estimate


class SampledValue(_Part):
    """A value that is frequent in the sample, and its share of all rows."""

    value: JsonValue
    share: Estimate


class SampledColumn(_Part):
    """What the sample tells of one column.

    Attributes:
        seen: non-null values in the sample.
        nulls: share of rows without a value.
        distinct: distinct values in the whole table.
        mean, total: of numbers (of truth values: share and count of true ones).
        stddev: without interval.
        quantiles: of numbers, dates and moments.
        top: at most ten values with the most rows of the sample.
        low_seen, high_seen: of the sample: the table's own may lie beyond.
        pii: kind of personal data; its values are masked and its numbers left out.
    """

    name: str
    dtype: str
    seen: int
    nulls: Estimate
    distinct: Estimate | None = None
    mean: Estimate | None = None
    total: Estimate | None = None
    stddev: Estimate | None = None
    quantiles: tuple[SampledQuantile, ...] = ()
    top: tuple[SampledValue, ...] = ()
    low_seen: JsonValue = None
    high_seen: JsonValue = None
    pii: str | None = None


class SampledProfile(_Part):
    """A profile computed from some of the rows; every statistic says how sure it is.

    Attributes:
        strategy: how the rows were chosen; ``seed`` gives the same again.
        design: the same in words, with what was done where.
        sampled_rows: rows in the sample.
        sampled_units: pages, row groups, ranges or series in it, where those were chosen.
        rows: of the whole table.
    """

    table: str
    strategy: Strategy
    seed: int
    design: str
    sampled_rows: int
    sampled_units: int | None
    rows: Estimate
    columns: tuple[SampledColumn, ...]

    def column(self, name: str) -> SampledColumn:
        """One column's statistics; KeyError when there is none of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_json(self) -> str:
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> SampledProfile:
        return cls.model_validate_json(text)
