"""The rows of a step, and what somebody outside of the lake says of their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.duck import sealed
from etl_platform.core.errors import PermanentError
from etl_platform.core.types import duckdb_type, lake_schema
from etl_platform.transforms.enrichment.asked import Asked
from etl_platform.transforms.segments import unbound

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_SHOWN = 3


def enriched(frame: pl.LazyFrame, *, asked: str) -> pl.LazyFrame:
    """The rows with the columns that were asked for.

    Only the distinct keys, and what was found for them, are held in memory. A key with a null in it
    is nobody's key.

    Args:
        frame: the rows, read twice.
        asked: an :class:`Asked` as JSON.

    Raises:
        PermanentError: a key has several rows there, or none though it has to; columns there have
            other types than was declared.
        SourceUnavailable: who is asked does not answer; a later try may succeed.
    """
    question = Asked.model_validate_json(asked)
    own = [*question.on]
    keys = frame.select(own).unique().collect(engine="streaming")
    found = _found(question, keys.drop_nulls())
    there = [f"_key {i}" for i in range(len(own))]
    if question.expect == "many_to_one":
        _one_each(question, found.select(there))
    if question.missing == "fail":
        lost = keys.join(found, left_on=own, right_on=there, how="anti")
        if lost.height:
            raise PermanentError(
                f"{lost.height:,} keys are not in {question.source}, such as {_examples(lost)}",
                fix="add them there, or say what becomes of such rows: missing: null or drop",
            )
    how = "inner" if question.missing == "drop" else "left"
    return frame.join(found.lazy(), left_on=own, right_on=there, how=how, coalesce=True)


def _found(question: Asked, keys: pl.DataFrame) -> pl.DataFrame:
    """What there is for the keys: columns ``_key 0`` and so on with the keys' types, then those."""
    if question.refresh_s is None or question.who.kind == "files":
        return _asked_for(question, keys)
    import polars as pl

    from etl_platform.transforms.enrichment.kept import Kept

    own = keys.columns
    named = keys.rename({name: f"_key {i}" for i, name in enumerate(own)})
    kept = Kept(question, named.columns)
    known, unknown = kept.split(named)
    if known is not None and not unknown.height:
        return known
    found = _asked_for(question, unknown.rename(dict(zip(named.columns, own, strict=True))))
    kept.add(unknown, found)
    return found if known is None else pl.concat([known, found])


def _asked_for(question: Asked, keys: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    table = _rows(question, keys)
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    columns: list[pl.Series] = []
    for i, (own, other) in enumerate(question.on.items()):
        wanted, given = keys.get_column(own).dtype, found.get_column(other)
        if keys.height and wanted != given.dtype and not _same_kind(wanted, given.dtype):
            raise PermanentError(
                f"{own} is {wanted}, and {other} of {question.source} is {given.dtype}",
                fix="cast the column in a step before",
            )
        columns.append(given.cast(wanted).alias(f"_key {i}"))
    return pl.DataFrame([*columns, *(found.get_column(name) for name in question.columns)])


def _rows(question: Asked, keys: pl.DataFrame) -> pa.Table:
    """The other's key columns and what is taken, for all keys that are there."""
    from etl_platform.transforms.enrichment.api import rows_of_api
    from etl_platform.transforms.enrichment.asked import OfApi, OfDatabase
    from etl_platform.transforms.enrichment.database import rows_of_database
    from etl_platform.transforms.enrichment.files import rows_of_files

    who, schema = question.who, answer_schema(question)
    if not keys.height:
        return schema.empty_table()
    if isinstance(who, OfDatabase):
        table = rows_of_database(question, who, keys)
        _check_types(question, table)
        return table
    if isinstance(who, OfApi):
        return rows_of_api(question, who, keys, schema)
    return rows_of_files(question, who, keys, schema)


def answer_schema(question: Asked) -> pa.Schema:
    """The other's key columns and what is taken, as declared."""
    with sealed() as con:
        kinds = {**question.keys, **question.columns}
        return lake_schema(con.sql(f"SELECT * FROM {unbound(kinds)}").to_arrow_table().schema)


def _same_kind(one: pl.DataType, other: pl.DataType) -> bool:
    return one.is_integer() and other.is_integer()


def _check_types(question: Asked, table: pa.Table) -> None:
    schema = lake_schema(table.schema)
    for name, declared in question.columns.items():
        given = duckdb_type(schema.field(name).type)
        if given != declared:
            raise PermanentError(
                f"columns: {name} of {question.source} is {given}, declared is {declared}",
                fix=f"declare {name}: {given}, and cast it in a step behind",
            )


def _one_each(question: Asked, keys: pl.DataFrame) -> None:
    twice = keys.filter(keys.is_duplicated()).unique()
    if twice.height:
        raise PermanentError(
            f"{twice.height:,} keys have more than one row in {question.source}, "
            f"such as {_examples(twice)}",
            fix="ask a view that has one row for each, or expect: many_to_many",
        )


def _examples(keys: pl.DataFrame) -> str:
    rows = keys.sort(keys.columns).head(_SHOWN).rows()
    return ", ".join(str(row[0] if len(row) == 1 else row) for row in rows)
