"""Samples that the database draws itself, so that only their rows are sent.

| | random | reservoir | systematic | stratified | blocks |
|---|---|---|---|---|---|
| PostgreSQL | BERNOULLI | BERNOULLI, cut | key modulo, row number | hash | SYSTEM |
| MariaDB, MySQL, SQLite | numbers, hash | numbers | number modulo | hash | ranges |
| DuckDB | bernoulli | reservoir | rowid modulo | hash | ranges |

Views and tables without a usable key are read to their end here, and sampled on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etl_platform.core.errors import ConfigError
from etl_platform.quality.sampling import totals
from etl_platform.quality.sampling.drawing import draw
from etl_platform.quality.sampling.pushdown import (
    numbers,
    random_rows,
    ranges,
    stratified,
    systematic,
    tablesample,
    using_sample,
)
from etl_platform.quality.sampling.source import Source
from etl_platform.quality.sampling.spec import Strategy

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.quality.sampling.design import Sample
    from etl_platform.quality.sampling.spec import SampleSpec
    from etl_platform.sources.database import Database, SourceTable


def sample(database: Database, table: SourceTable, spec: SampleSpec) -> Sample:
    """Sample a table of a database. Types without a place in the lake come as text.

    Raises:
        SourceUnavailable, PermanentError: as :func:`~etl_platform.sources.database.extract`.
        UnknownName: there is no column of the name ``spec.by``.
        ConfigError: strata cannot be drawn here, or there are too many.
    """
    if spec.by is not None:
        table.column(spec.by)
    source = Source.of(database, table)
    strategy, at = spec.strategy, source.at
    if at.hashed is None:
        return _streamed(source, spec)
    if strategy is Strategy.STRATIFIED:
        return stratified(source, spec, at.hashed)
    if strategy is Strategy.SYSTEMATIC and (at.number or source.kind == "postgresql"):
        return systematic(source, spec)
    if source.kind == "postgresql":
        return tablesample(source, spec)
    if source.kind == "duckdb" and strategy is not Strategy.BLOCKS:
        return using_sample(source, spec)
    if strategy is Strategy.RANDOM:
        return random_rows(source, spec, at.hashed)
    if at.number is None:
        return _streamed(source, spec)
    if strategy is Strategy.BLOCKS:
        return ranges(source, spec, at.number)
    return numbers(source, spec, at.number) or _streamed(source, spec)


def _streamed(source: Source, spec: SampleSpec) -> Sample:
    """Count, draw places in the order of reading, read all rows and keep those."""
    import pyarrow as pa

    from etl_platform.sources.database import Extraction, TypePolicy, count_rows, extract

    if spec.strategy is Strategy.STRATIFIED:
        raise ConfigError(
            f"{source.table.full_name} has no key by which rows could be drawn in strata",
            valid="random, reservoir, systematic or blocks",
        )
    policy = TypePolicy(unconstrained_numeric="string", unsupported="string")
    untyped = {c.name: "string" for c in source.table.columns if c.problem == "untyped"}
    extraction = Extraction(table=source.table, policy=policy, types=untyped, parallel=1)
    rows = count_rows(source.database, extraction)
    drawing = draw(spec, rows)
    kept: list[pa.RecordBatch] = []
    passed = 0
    reader = extract(source.database, extraction)
    for batch in reader:
        start, end = np.searchsorted(drawing.positions, [passed, passed + batch.num_rows])
        if end > start:
            here = drawing.positions[start:end] - passed
            kept.append(batch.take(pa.array(here, pa.int64())))
        passed += batch.num_rows
    data = pa.Table.from_batches(kept, reader.schema)
    words = f"all rows were read, {drawing.words} kept"
    return source.sample(
        spec,
        data,
        totals.counted(passed),
        words,
        drawing.probability,
        drawing.units,
        drawing.unit[: data.num_rows],
    )
