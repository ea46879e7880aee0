"""The designs as statements that a database runs; each returns the sample with its design."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from etl_platform.quality.sampling import totals
from etl_platform.quality.sampling.design import Clusters, Strata
from etl_platform.quality.sampling.drawing import BLOCK_ROWS, allocation, series
from etl_platform.quality.sampling.spec import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from etl_platform.quality.sampling.design import Sample
    from etl_platform.quality.sampling.drawing import Whole
    from etl_platform.quality.sampling.source import Source
    from etl_platform.quality.sampling.spec import SampleSpec

_MOST_NUMBERS = 50_000
_SERIES = "etl_series"


def tablesample(source: Source, spec: SampleSpec) -> Sample:
    """PostgreSQL's own: BERNOULLI reads all pages and keeps rows, SYSTEM reads some pages whole.

    https://www.postgresql.org/docs/current/sql-select.html, "TABLESAMPLE".
    """
    known = source.known()
    wanted, share = spec.rows_of(known.rows), spec.share_of(known.rows)
    if spec.strategy is Strategy.RESERVOIR:
        share = _enough(wanted, known.rows)
    share = float(np.float32(share * 100)) / 100  # the server takes it as a real
    if spec.strategy is Strategy.BLOCKS:
        clause = f"TABLESAMPLE SYSTEM ({share * 100:.9g}) REPEATABLE ({spec.seed})"
        page = "((t.tableoid::bigint << 31) | (t.ctid::text::point)[0]::bigint)"
        data, pages = source.read(clause, page)
        unit = np.unique(pages, return_inverse=True)[1].astype(np.int64)
        sizes = np.bincount(unit)
        rows = known.or_estimated(lambda: totals.estimated_rows_of_clusters(sizes, share))
        clusters = Clusters(len(sizes), share, "pages")
        return source.sample(spec, data, rows, clause, share, clusters, unit)
    clause = f"TABLESAMPLE BERNOULLI ({share * 100:.9g}) REPEATABLE ({spec.seed})"
    data, _ = source.read(clause)
    rows = known.or_estimated(lambda: totals.estimated_rows(data.num_rows, share))
    if spec.strategy is Strategy.RANDOM:
        return source.sample(spec, data, rows, clause, share)
    order = np.random.default_rng(spec.seed).permutation(data.num_rows)
    words = f"{clause}, of which {wanted:,} were kept"
    return source.sample(spec, _taken(data, np.sort(order[:wanted])), rows, words)


def using_sample(source: Source, spec: SampleSpec) -> Sample:
    """DuckDB's own: https://duckdb.org/docs/stable/sql/samples."""
    rows = source.known().rows
    share = spec.share_of(rows)
    size = f"bernoulli({share * 100:.12g}%)"
    if spec.strategy is Strategy.RESERVOIR:
        size = f"reservoir({spec.rows_of(rows)} ROWS)"
    clause = f"TABLESAMPLE {size} REPEATABLE ({spec.seed})"
    data, _ = source.read(clause)
    return source.sample(spec, data, totals.counted(rows), clause, share)


def random_rows(source: Source, spec: SampleSpec, hashed: Callable[[int], str]) -> Sample:
    """Each row with the same probability: by numbers that an index finds, or by hash of each."""
    known, number = source.known(), source.at.number
    share = spec.share_of(known.rows)
    limit = f"WHERE {hashed(spec.seed)} <= {source.at.limit(share)}" if share < 1 else ""
    words = f"rows whose hash is below {share:.4g} of its range" if share < 1 else "all rows"
    if number is not None and share < 1:
        low, high = source.bounds()
        span = high - low + 1
        if share * span <= _MOST_NUMBERS:
            rng = np.random.default_rng(spec.seed)
            count = int(rng.binomial(span, share))
            drawn = np.sort(rng.choice(span, count, replace=False)) + low
            limit = f"WHERE {_among(number, drawn)}"
            words = f"{count:,} of {span:,} keys"
    data, _ = source.read(limit)
    rows = known.or_estimated(lambda: totals.estimated_rows(data.num_rows, share))
    return source.sample(spec, data, rows, words, share)


def numbers(source: Source, spec: SampleSpec, number: str) -> Sample | None:
    """Exactly so many rows: numbers in random order, until enough of them are those of rows.

    None where that would be too many numbers.
    """
    known = source.known()
    wanted = spec.rows_of(known.rows)
    low, high = source.bounds()
    span = high - low + 1
    tries = min(span, math.ceil(span * _enough(wanted, min(known.rows, span))))
    if tries > _MOST_NUMBERS:
        return None
    drawn = np.random.default_rng(spec.seed).choice(span, tries, replace=False) + low
    data, found = source.read(f"WHERE {_among(number, np.sort(drawn))}", number)
    by_number = np.argsort(drawn)
    turns = by_number[np.searchsorted(drawn, found, sorter=by_number)]
    kept = np.sort(np.argsort(turns)[:wanted])
    share = tries / max(1, span)
    rows = known.or_estimated(lambda: totals.estimated_rows(data.num_rows, share))
    return source.sample(spec, _taken(data, kept), rows, f"{len(kept):,} rows by random keys")


def systematic(source: Source, spec: SampleSpec) -> Sample:
    """By a number's remainder, or by the place in the order of reading."""
    known, number = source.known(), source.at.number
    period, starts = series(spec, known.rows)
    listed = ", ".join(map(str, starts.tolist()))
    if number is not None:
        place = f"((({number} % {period}) + {period}) % {period})"
        data, remainders = source.read(f"WHERE {place} IN ({listed})", place)
        words = f"keys modulo {period:,}: {len(starts)} remainders at random"
    else:
        numbered = f"row_number() OVER () % {period} AS {_SERIES}"
        name = f"(SELECT *, {numbered} FROM {source.name})"
        data, remainders = source.read(f"WHERE {_SERIES} IN ({listed})", _SERIES, name=name)
        words = f"every {period:,}th row from {len(starts)} random starts"
    unit = np.searchsorted(starts, remainders).astype(np.int64)
    share, sizes = len(starts) / period, np.bincount(unit, minlength=len(starts))
    rows = known.or_estimated(lambda: totals.rows_of_equal_draws(sizes, share))
    clusters = Clusters(len(starts), share, "series")
    return source.sample(spec, data, rows, words, share, clusters, unit)


def ranges(source: Source, spec: SampleSpec, number: str) -> Sample:
    """Ranges of numbers with about 100 rows each, found by an index."""
    known = source.known()
    low, high = source.bounds()
    span = max(1, high - low + 1)
    width = max(1, round(BLOCK_ROWS * span / max(1, known.rows)))
    blocks = -(-span // width)
    count = max(1, min(blocks, round(blocks * spec.share_of(known.rows))))
    rng = np.random.default_rng(spec.seed)
    chosen = np.sort(rng.choice(blocks, count, replace=False)).astype(np.int64)
    conditions = " OR ".join(
        f"{number} BETWEEN {low + block * width} AND {low + (block + 1) * width - 1}"
        for block in chosen.tolist()
    )
    data, found = source.read(f"WHERE {conditions}", number)
    unit = np.searchsorted(chosen, (found - low) // width).astype(np.int64)
    share, sizes = count / blocks, np.bincount(unit, minlength=count)
    rows = known.or_estimated(lambda: totals.rows_of_equal_draws(sizes, share))
    words = f"{count:,} of {blocks:,} ranges of {width:,} keys"
    return source.sample(spec, data, rows, words, share, Clusters(count, share, "ranges"), unit)


def stratified(source: Source, spec: SampleSpec, hashed: Callable[[int], str]) -> Sample:
    """Rows by hash, with a limit of its own in each stratum, whose rows are counted before."""
    by = f"t.{source.quote(spec.by or '')}"
    groups = source.asked(f"SELECT {by}, count(*) FROM {source.name} t GROUP BY {by}")
    sizes = tuple(int(size) for _, size in groups)
    params = {f"etl_value_{i}": value for i, (value, _) in enumerate(groups) if value is not None}
    names = [
        ":" + name if (name := f"etl_value_{i}") in params else None for i in range(len(sizes))
    ]

    def case(results: list[str]) -> str:
        whens = (
            f"WHEN {by} IS NULL THEN {result}"
            if name is None
            else f"WHEN {by} = {name} THEN {result}"
            for name, result in zip(names, results, strict=True)
        )
        return f"CASE {' '.join(whens)} END"

    limits = case([source.at.limit(share) for share in allocation(spec, sizes)])
    stratum = case([str(number) for number in range(len(sizes))])
    data, unit = source.read(f"WHERE {hashed(spec.seed)} <= {limits}", stratum, params)
    words = f"{len(sizes)} strata by {spec.by!r}, rows by hash in each"
    rows = totals.counted(sum(sizes))
    return source.sample(spec, data, rows, words, None, Strata(sizes), unit)


def _enough(wanted: int, rows: int) -> float:
    """A share of the rows that gives fewer than wanted once in a million times."""
    return min(1.0, (wanted + 5 * math.sqrt(wanted) + 10) / max(1, rows))


def _among(number: str, drawn: Whole) -> str:
    return f"{number} IN ({', '.join(map(str, drawn.tolist())) or 'NULL'})"


def _taken(data: pa.Table, places: Whole) -> pa.Table:
    import pyarrow as pa

    return data.take(pa.array(places, pa.int64()))
