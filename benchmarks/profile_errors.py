"""The error of every statistic of a full profile of TPC-H SF1 beside the error that it states.

``python -m benchmarks profile_errors`` profiles lineitem and orders and works each statistic out
exactly, column by column. Of each kind of statistic the worst error of a column is printed: ranks
and bins as shares of the rows, distinct counts and moments relative to the truth, rows as rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.tpch import source

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from etl_platform.quality import ColumnProfile, Profile

_TABLES = ("lineitem", "orders")
# Different orders of adding six million doubles differ in their last digits.
_ROUNDING = 1e-9
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True, slots=True)
class Finding:
    """How far a statistic is from the truth, and how far it says it may be."""

    column: str
    statistic: str
    error: float
    stated: float

    @property
    def within(self) -> bool:
        return self.error <= self.stated + _ROUNDING


def _profile(table: str) -> Profile:
    import pyarrow.parquet as pq

    from etl_platform.core.duck import connect
    from etl_platform.core.names import TableName
    from etl_platform.core.staged import DataFile, Staged
    from etl_platform.core.types import lake_schema
    from etl_platform.quality.profiling import profile_staged

    path = source(table)
    file = pq.ParquetFile(path)
    one = DataFile(path.name, str(path), file.metadata.num_rows, path.stat().st_size, {}, {})
    staged = Staged(TableName("tpch", table), lake_schema(file.schema_arrow), (one,))
    with connect() as con:
        return profile_staged(con, staged, "full")


def _column(found: ColumnProfile, values: pl.Series) -> list[Finding]:
    import polars as pl

    present = values.drop_nulls()
    distinct = present.n_unique()
    errors = {
        "nulls": (abs(found.nulls - values.null_count()), 0.0),
        "distinct": (abs((found.distinct or 0) - distinct) / distinct, found.distinct_error),
    } | _frequent(found, present)
    if present.dtype.is_numeric():
        errors |= _numbers(found, present.cast(pl.Float64).to_numpy())
    elif present.dtype == pl.Date and found.time is not None:
        days = present.to_physical().to_numpy()
        span = int(days.max() - days.min()) + 1
        errors["days"] = (abs(found.time.days - distinct), 0.0)
        errors["missing days"] = (abs(found.time.missing_days - (span - distinct)), 0.0)
        errors |= _ranks(found, days.astype(float), _days)
    elif found.text is not None:
        errors |= _lengths(found, present.str.len_chars())
    if found.min is not None and found.bounds_exact:
        ends = str(present.min()), str(present.max())
        wrong = (str(found.min), str(found.max)) != ends and not present.dtype.is_numeric()
        errors["bounds"] = (float(wrong), 0.0)
    return [Finding(found.name, name, *pair) for name, pair in errors.items()]


def _frequent(found: ColumnProfile, present: pl.Series) -> dict[str, tuple[float, float]]:
    if found.pii is not None:
        return {}
    counts = present.value_counts(sort=True)
    head = {str(value): rows for value, rows in counts.head(10_000).iter_rows()}
    least = int(counts.to_series(1)[min(9_999, len(counts) - 1)])
    listed = {str(value): rows for value, rows in found.top}
    short = [head.get(value, least) - rows for value, rows in listed.items()]
    others = [rows for value, rows in head.items() if value not in listed]
    above = max(0, max(others, default=0) - (found.unlisted_rows or 0))
    return {
        "rows of top values": (max(map(abs, short), default=0), float(found.top_error)),
        "rows of unlisted values": (float(above), 0.0),
    }


def _numbers(found: ColumnProfile, values: NDArray[np.float64]) -> dict[str, tuple[float, float]]:
    away = values - values.mean()
    m2, m3, m4 = (float((away**power).mean()) for power in (2, 3, 4))
    n = len(values)
    exact: dict[str, tuple[object, float]] = {
        "mean": (found.mean, float(values.mean())),
        "std": (found.std, (m2 * n / (n - 1)) ** 0.5),
        "min": (found.min, float(values.min())),
        "max": (found.max, float(values.max())),
        "zero": (found.zero, float((values == 0).sum())),
        "negative": (found.negative, float((values < 0).sum())),
    }
    if m2:
        exact["skewness"] = found.skewness, m3 / m2**1.5
        exact["kurtosis"] = found.kurtosis, m4 / m2**2 - 3
    errors = {
        name: (abs(float(str(said)) - true) / max(1.0, abs(true)), 0.0)
        for name, (said, true) in exact.items()
    }
    return errors | _ranks(found, values, lambda value: float(str(value)))


def _days(value: object) -> float:
    from datetime import date

    return float((date.fromisoformat(str(value)) - date(1970, 1, 1)).days)


def _ranks(
    found: ColumnProfile, values: NDArray[np.float64], number: Callable[[object], float]
) -> dict[str, tuple[float, float]]:
    """The share of rows at or below a quantile's value should enclose the share asked for."""
    import numpy as np

    ordered, n = np.sort(values), len(values)
    worst = 0.0
    for rank, value in found.quantiles:
        below, upto = (np.searchsorted(ordered, number(value), side) / n for side in _SIDES)
        worst = max(worst, below - rank, rank - upto)
    errors = {"ranks of quantiles": (worst, found.quantile_error)}
    if found.histogram is not None and len(found.histogram.rows) > 1:
        # Edges of days fall between days: they are shown as the day they fall on.
        edges = np.linspace(ordered[0], ordered[-1], len(found.histogram.edges))
        exact = np.histogram(ordered, edges)[0]
        worst = float(np.abs(exact - np.array(found.histogram.rows)).max() / n)
        errors["shares of bins"] = (worst, found.histogram.error)
    return errors


def _lengths(found: ColumnProfile, lengths: pl.Series) -> dict[str, tuple[float, float]]:
    text = found.text
    if text is None:
        return {}
    pairs = (
        (text.min_length, lengths.min()),
        (text.mean_length, lengths.mean()),
        (text.max_length, lengths.max()),
    )
    return {"lengths": (max(abs(float(str(a)) - float(str(b))) for a, b in pairs), 0.0)}


def _correlations(profile: Profile, path: str) -> list[Finding]:
    import duckdb

    found: list[Finding] = []
    for pair in profile.correlations:
        sql = f"SELECT corr({pair.left}::DOUBLE, {pair.right}::DOUBLE) FROM '{path}'"
        exact = duckdb.execute(sql).fetchall()[0][0]
        found.append(Finding(f"{pair.left}, {pair.right}", "correlation", abs(pair.r - exact), 0.0))
    return found


def findings(table: str) -> list[Finding]:
    """Every statistic of a table's profile beside the exact one."""
    import polars as pl

    profile, path = _profile(table), str(source(table))
    found: list[Finding] = []
    for column in profile.columns:
        values = pl.scan_parquet(path).select(column.name).collect().to_series()
        found += _column(column, values)
    return found + _correlations(profile, path)


def main(runs: int) -> None:
    """Profile each table ``runs`` times, because quantiles are sketched by chance, and print."""
    wrong = 0
    for name in _TABLES:
        table = Table(title=f"Errors of the profile of {name}, SF1", title_justify="left")
        for heading in ("column", "statistic", "error", "stated", ""):
            table.add_column(heading, justify="right" if heading in ("error", "stated") else "left")
        worst: dict[tuple[str, str], Finding] = {}
        for finding in (f for _ in range(runs) for f in findings(name)):
            key = finding.column, finding.statistic
            if key not in worst or worst[key].error < finding.error:
                worst[key] = finding
        for f in worst.values():
            verdict = "" if f.within else "BEYOND"
            table.add_row(f.column, f.statistic, f"{f.error:.2g}", f"{f.stated:.2g}", verdict)
        Console(width=110).print(table)
        beyond = sum(not f.within for f in worst.values())
        wrong += beyond
        print(f"{name}: {len(worst)} statistics, {beyond} beyond the stated error")
    if wrong:
        raise SystemExit(1)
