"""The pass over rows: sketches of the columns whose values are too many to be counted."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import quote
from etl_platform.quality.counts import plain
from etl_platform.quality.profiles.column import Column
from etl_platform.quality.profiles.comoments import MOST_COLUMNS, CoMoments, CoMomentSums
from etl_platform.quality.profiles.days import DAY_US, Days
from etl_platform.quality.profiles.distinct import DistinctSketch
from etl_platform.quality.profiles.frequent import FrequentTracker
from etl_platform.quality.profiles.hashing import (
    as_integers,
    as_numbers,
    from_arrow,
    hashes,
    lengths_of,
    present_of,
)
from etl_platform.quality.profiles.moments import Moments
from etl_platform.quality.profiles.quantiles import QuantileSketch
from etl_platform.quality.profiles.sketch import ColumnSketch, Family
from etl_platform.quality.values import JsonValue, json_safe

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

# So that what is computed from a column of a batch stays in the processor's cache.
_BATCH_ROWS = 20_480


@dataclass(slots=True)
class ColumnPass:
    """What is gathered of one column, batch by batch; ``bounded`` when its bounds are known."""

    family: Family
    bounded: bool = False
    nulls: int = 0
    distinct: DistinctSketch = field(default_factory=DistinctSketch.empty)
    frequent: FrequentTracker = field(default_factory=FrequentTracker)
    quantiles: QuantileSketch | None = None
    moments: Moments = field(default_factory=Moments)
    lengths: Moments = field(default_factory=Moments)
    days: Days = field(default_factory=Days)
    low: Any = None
    high: Any = None
    nan: int = 0
    infinite: int = 0
    zero: int = 0
    negative: int = 0
    shortest: int | None = None
    longest: int | None = None

    def add(self, batch: pa.Array[Any], *, sketched: bool = True) -> NDArray[np.float64] | None:
        """Take a batch in; returns its numbers with NaN for nulls, for the correlations."""
        import numpy as np
        import pyarrow as pa

        if not sketched:
            return _with_gaps(batch, as_numbers(present_of(batch)))
        self.nulls += batch.null_count
        present = present_of(batch)
        keys = hashes(present)
        self.distinct.add(keys)

        def value_at(place: int) -> JsonValue:
            return json_safe(plain([present[place]])[0])

        self.frequent.add(keys, value_at)
        if self.family in (Family.TEXT, Family.BINARY):
            self._add_lengths(present)
        if not self.family.is_ordered or not len(present):
            return np.full(len(batch), np.nan) if self.family.is_number else None
        numbers = as_numbers(present)
        if not self.bounded:
            self._add_bounds(present)
        finite = numbers[np.isfinite(numbers)] if self.family is Family.FLOAT else numbers
        if self.family is Family.FLOAT:
            self.nan += int(np.isnan(numbers).sum())
            self.infinite += int(np.isinf(numbers).sum())
        if self.quantiles is None:
            self.quantiles = QuantileSketch()
        self.quantiles.add(finite)
        if not self.family.is_number:
            days = as_integers(present)
            self.days = self.days.merge(
                Days.of(days if pa.types.is_date(present.type) else days // DAY_US)
            )
            return None
        self.moments = self.moments.merge(Moments.of(finite))
        self.zero += int((numbers == 0).sum())
        self.negative += int((numbers < 0).sum())
        return _with_gaps(batch, numbers)

    def _add_lengths(self, present: pa.Array[Any]) -> None:
        import numpy as np

        lengths = lengths_of(present)
        if len(lengths):
            self.lengths = self.lengths.merge(Moments.of(lengths.astype(np.float64)))
            low, high = int(lengths.min()), int(lengths.max())
            self.shortest = low if self.shortest is None else min(low, self.shortest)
            self.longest = high if self.longest is None else max(high, self.longest)

    def _add_bounds(self, present: pa.Array[Any]) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_floating(present.type):
            present = present.filter(pc.invert(pc.is_nan(present)))
        if not len(present):
            return
        ends: Any = pc.min_max(present)
        low, high = ends["min"], ends["max"]
        if self.low is None or _less(low, self.low):
            self.low = low
        if self.high is None or _less(self.high, high):
            self.high = high

    def finish(self, base: ColumnSketch) -> Column:
        """The column; bounds of ``base`` that the files told stay."""
        found: dict[str, Any] = {
            "nulls": self.nulls,
            "frequent": self.frequent.result(),
            "nan": self.nan,
            "infinite": self.infinite,
            "zero": self.zero,
            "negative": self.negative,
            "shortest": self.shortest,
            "longest": self.longest,
        }
        if self.family.is_number:
            found["moments"] = self.moments
        elif self.family in (Family.DATE, Family.TIMESTAMP):
            found["days"] = self.days
        else:
            found["lengths"] = self.lengths
        if base.low is None and self.low is not None:
            low, high = plain([self.low, self.high])
            found |= {"low": json_safe(low), "high": json_safe(high), "bounds_exact": True}
        return Column(base.model_copy(update=found), None, self.distinct.settle(), self.quantiles)


def _less(a: Any, b: Any) -> bool:
    return a.as_py() < b.as_py()


def _with_gaps(batch: pa.Array[Any], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np
    import pyarrow as pa

    if not batch.null_count:
        return numbers
    filled = np.full(len(batch), np.nan)
    filled[from_arrow(batch.is_valid().cast(pa.uint8())).view(np.bool_)] = numbers
    return filled


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What the pass over rows reads.

    Attributes:
        sketched: columns that are sketched; the first 24 numeric ones are read for correlations.
        bounded: those of them whose bounds the files tell.
        personal: columns of personal data, which are not correlated.
        bad: of rules that look at nothing but columns read anyway: SQL that is true for a bad row.
    """

    schema: pa.Schema
    sketched: tuple[str, ...]
    bounded: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    bad: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def correlated(self) -> tuple[str, ...]:
        numeric = [
            f.name
            for f in self.schema
            if Family.of(f.type).is_number and f.name not in self.personal
        ][:MOST_COLUMNS]
        return tuple(numeric) if len(numeric) > 1 else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, in the order of the table."""
        wanted = {*self.sketched, *self.correlated}
        return tuple(f.name for f in self.schema if f.name in wanted)


@dataclass(frozen=True, slots=True)
class RowPass:
    """What the pass over rows found; ``bad`` are rows by the name of the rule."""

    columns: Mapping[str, ColumnPass] = field(default_factory=dict[str, ColumnPass])
    comoments: CoMoments | None = None
    bad: Mapping[str, int] = field(default_factory=dict[str, int])


def pass_over_rows(con: duckdb.DuckDBPyConnection, relation: str, plan: RowPlan) -> RowPass:
    """Read the columns of a plan once.

    Memory is bounded by a few batches: while one is worked on, DuckDB prepares the next.
    """
    import numpy as np

    names, numeric, chosen = plan.columns, plan.correlated, set(plan.sketched)
    if not names:
        return RowPass()
    passes = {
        n: ColumnPass(Family.of(plan.schema.field(n).type), bounded=n in plan.bounded)
        for n in names
    }
    bad = dict.fromkeys(plan.bad, 0)
    sums = CoMomentSums(numeric)
    read = (quote(n) if n in chosen else f"{quote(n)}::DOUBLE" for n in names)
    wanted = ", ".join((*read, *(f"({sql})" for sql in plan.bad.values())))
    reader = con.sql(f"SELECT {wanted} FROM {relation}").to_arrow_reader(_BATCH_ROWS)
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(next, reader, None)
        while (batch := waiting.result()) is not None:
            waiting = ahead.submit(next, reader, None)
            numbers: dict[str, NDArray[np.float64] | None] = {
                name: passes[name].add(column, sketched=name in chosen)
                for name, column in zip(names, batch.columns[: len(names)], strict=True)
            }
            for rule, marks in zip(bad, batch.columns[len(names) :], strict=True):
                bad[rule] += marks.true_count
            found = [n for n in map(numbers.get, numeric) if n is not None]
            if found:
                sums.add(np.stack(found))
    sketched = {name: passes[name] for name in names if name in chosen}
    return RowPass(sketched, sums.result(), bad)
