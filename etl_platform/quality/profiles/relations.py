"""Keys and dependencies: how columns determine rows and each other."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from etl_platform.quality.profile import CandidateKey, ColumnProfile, Dependency

if TYPE_CHECKING:
    import polars as pl

_MOST_COLUMNS = 12
_MOST_PAIRS = 40
_SHOWN_PAIRS = 3
_SUPPORT = 2
_LEAST_ROWS = 100


def single_keys(
    columns: tuple[ColumnProfile, ...], rows: int, repeated: frozenset[str] = frozenset()
) -> list[CandidateKey]:
    """Columns without nulls in which every row has a value of its own, as far as is known.

    Args:
        repeated: columns that have a value twice in a sample.
    """
    if rows < 2:
        return []
    found: list[CandidateKey] = []
    for column in columns:
        if column.nulls or column.distinct is None or column.dtype.startswith("float"):
            continue
        if column.distinct_exact:
            if column.distinct == rows:
                found.append(CandidateKey(columns=(column.name,), evidence="exact"))
            continue
        twice = any(count > 1 for _, count in column.top) or column.name in repeated
        if not twice and column.distinct >= rows * (1 - column.distinct_error):
            found.append(CandidateKey(columns=(column.name,), evidence="estimated"))
    return found


def repeated_columns(sample: pl.DataFrame) -> frozenset[str]:
    """Columns that have a value twice in the sample."""
    return frozenset(n for n in sample.columns if sample[n].drop_nulls().is_duplicated().any())


def pair_keys(
    sample: pl.DataFrame, columns: tuple[ColumnProfile, ...], rows: int
) -> list[CandidateKey]:
    """Pairs of columns of which no two sampled rows have the same values, at most three.

    They must have enough combinations for all rows; those with the fewest come first, because they
    are the least likely to be different by chance.
    """
    import polars as pl

    if len(sample) < _LEAST_ROWS:
        return []
    sizes = {
        c.name: c.distinct
        for c in columns
        if not c.nulls and c.distinct and c.name in sample.columns and c.dtype[:5] != "float"
    }
    pairs = sorted(
        (pair for pair in combinations(sizes, 2) if sizes[pair[0]] * sizes[pair[1]] >= rows),
        key=lambda pair: sizes[pair[0]] * sizes[pair[1]],
    )
    found: list[CandidateKey] = []
    for a, b in pairs[:_MOST_PAIRS]:
        if len(found) == _SHOWN_PAIRS:
            break
        if sample.select(pl.struct(a, b).n_unique()).item() == len(sample):
            found.append(CandidateKey(columns=(a, b), evidence="sampled"))
    return found


def dependencies(sample: pl.DataFrame) -> list[Dependency]:
    """Columns whose value settles another column's value, in every row of the sample.

    Looked at are the 12 columns with the fewest values that are not constant; a value of the
    determining column must occur twice on average, so that chance shows nothing.
    """
    rows = len(sample)
    if rows < _LEAST_ROWS:
        return []
    sizes = {name: sample[name].n_unique() for name in sample.columns}
    names = sorted((n for n in sizes if 1 < sizes[n] <= rows // _SUPPORT), key=lambda n: sizes[n])
    names = sorted(names[:_MOST_COLUMNS], key=sample.columns.index)
    codes = _codes(sample, names)
    found: list[Dependency] = []
    for determinant in names:
        for dependent in names:
            if determinant == dependent or sizes[dependent] > sizes[determinant]:
                continue
            pairs = codes[determinant].cast(int) * rows + codes[dependent].cast(int)
            if pairs.n_unique() == sizes[determinant]:
                found.append(
                    Dependency(determinant=determinant, dependent=dependent, sampled_rows=rows)
                )
    return found


def _codes(sample: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Each value as a number; null is a value too."""
    import polars as pl

    return sample.select(pl.col(n).rank("dense").fill_null(0).cast(pl.UInt32) for n in names)
