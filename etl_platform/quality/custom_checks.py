"""Checks in Python: those of a pandera schema, and functions that return the bad rows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError
from etl_platform.quality.confirmation import refused
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules import CustomRule, PythonRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import polars as pl
    import pyarrow as pa

_BATCH_ROWS = 65_536
_SAMPLE = 10


def run_custom(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: CustomRule
) -> tuple[int, tuple[int, ...]]:
    """Number of rows that the check refuses, and the positions of the first ten.

    An element-wise check sees batches of 65,536 rows. Any other check may compare rows with each
    other, so it sees its columns whole, as a lazy frame over the files.

    Raises:
        PermanentError: the check itself raised.
    """
    failed, positions, seen = 0, list[int](), 0
    for rows, bad in _results(con, facts, rule):
        count = int(bad.sum())
        if len(bad) != rows:  # one verdict on the whole
            return (rows if count else 0), ()
        if count:
            failed += count
            room = _SAMPLE - len(positions)
            positions += [seen + i for i in islice(bad.arg_true(), room)]
        seen += rows
    return failed, tuple(positions)


def run_function(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: PythonRule
) -> tuple[int, pa.Table | None]:
    """Number of rows that a function returns, and the first ten.

    The function sees a lazy frame over the files; its result is read as a stream.

    Raises:
        PermanentError: the function raised, or did not return a frame.
    """
    import polars as pl

    columns = ", ".join(quote(column) for column in rule.given) or "*"
    relation = con.sql(f"SELECT {columns} FROM {rule.scoped(facts)}")
    failed, first = 0, None
    try:
        result: object = rule.called(relation.pl(batch_size=_BATCH_ROWS, lazy=True))
        if not isinstance(result, pl.LazyFrame | pl.DataFrame):  # pyright: ignore[reportUnnecessaryIsInstance] # a user's function
            raise TypeError(f"it returned {type(result).__name__}, not a frame of the bad rows")
        for batch in result.lazy().collect_batches(engine="streaming"):
            failed += len(batch)
            if len(batch) and (first is None or len(first) < _SAMPLE):
                first = (batch if first is None else first.vstack(batch)).head(_SAMPLE)
    except Exception as error:
        raise PermanentError(
            f"rule {rule.name}: {rule.function} raised {type(error).__name__}: {error}",
            fix="repair the function; it gets a polars.LazyFrame and returns the bad rows",
        ) from error
    return failed, None if first is None else first.to_arrow()


def _results(
    con: duckdb.DuckDBPyConnection, facts: Facts, rule: CustomRule
) -> Iterator[tuple[int, pl.Series]]:
    import polars as pl

    columns = ", ".join(quote(column) for column in rule.columns)
    relation = con.sql(f"SELECT {columns} FROM {facts.relation}")
    if rule.pandera_check.element_wise and rule.column is not None:
        for batch in relation.to_arrow_reader(_BATCH_ROWS):
            yield batch.num_rows, _refused(rule, pl.DataFrame(batch).lazy())
        return
    with pl.Config() as config:
        # pandera collects inside: streaming keeps only the verdicts in memory.
        config.set_engine_affinity("streaming")
        yield facts.rows, _refused(rule, relation.pl(batch_size=_BATCH_ROWS, lazy=True))


def _refused(rule: CustomRule, frame: pl.LazyFrame) -> pl.Series:
    try:
        return refused(rule.pandera_check, frame, rule.column)
    except Exception as error:
        raise PermanentError(
            f"rule {rule.name}: the Python check {rule.pandera_check.name!r} raised "
            f"{type(error).__name__}: {error}",
            fix="repair the check; it gets PolarsData(lazyframe, key) and returns a lazy frame of "
            "booleans (or, element-wise, a value and returns a boolean)",
        ) from error
