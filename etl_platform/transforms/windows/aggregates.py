"""Aggregates in parts: computed from rows, merged in any order and grouping, finished at the end.

All parts are integers, extremes or sets, so that merging is associative and commutative to the last
bit: however a stream was cut, in whatever order its batches ran and were compacted, the results are
the same. That is why neither floats nor sketches that draw lots (KLL) or that depend on the order
of merges (theta, HyperLogLog's estimate, t-digest) are kept here.

- Floats are added as fixed-point numbers with 53 binary places (1.1e-16); NaN, infinities and
  what is not below 2^64 are remembered apart, the last as infinite.
- Distinct values are counted by their 2,048 smallest hashes (k minimum values, Bar-Yossef et al.
  2002): exact below that, then within 7.3 % with 99.9 % confidence.
- Quantiles come from rows per logarithmic bucket (DDSketch: Masson, Rim, Lee, VLDB 2019): each is
  within 1 % of a value of that rank, for magnitudes from 1e-12 to 5e21; smaller ones count as 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.quality.profiles.distinct import KEPT
from etl_platform.transforms.windows.spec import Aggregate

_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT",
                    "USMALLINT", "UINTEGER", "UBIGINT"})  # fmt: skip
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_UNIT = float(2**53)
_LARGE = float(2**64)
_HASHES = float(2**63)
_RELATIVE_ERROR = 0.01
_GAMMA = (1 + _RELATIVE_ERROR) / (1 - _RELATIVE_ERROR)
_ZERO_BUCKET = 1_400
_LOWEST, _HIGHEST = -1_381, 2_500


@dataclass(frozen=True, slots=True)
class Part:
    """A column of the partial aggregates.

    Attributes:
        name: the column.
        of_rows: SQL aggregate over rows of the stream's table.
        merged: SQL aggregate over the column itself.
        buckets: whether it is a list of buckets, whose equal ones have still to be added up.
    """

    name: str
    of_rows: str
    merged: str
    buckets: bool = False


def parts(aggregate: Aggregate, kinds: Mapping[str, str]) -> tuple[Part, ...]:
    """The columns that an aggregate is kept in.

    Args:
        kinds: DuckDB type texts of the rows' columns.

    Raises:
        UnknownName: there is no such column.
        ConfigError: its type cannot be aggregated so.
    """
    name, function = aggregate.name, aggregate.function
    if aggregate.column is None:
        return (_added(name, "count(*)"),)
    kind = _kind(aggregate, kinds)
    value = quote(aggregate.column)
    if function == "count":
        return (_added(name, f"count({value})"),)
    if function in ("min", "max"):
        return (Part(name, f"{function}({value})", f"{function}({quote(name)})"),)
    if function == "distinct":
        hashed = f"(md5_number_lower({value}::VARCHAR) >> 1)::BIGINT"
        some = f"FILTER ({value} IS NOT NULL)"
        flat = f"flatten(list({quote(name)}))"
        return (
            Part(
                name,
                f"list_sort(list(DISTINCT {hashed}) {some})[1:{KEPT}]",
                f"list_sort(list_distinct({flat}))[1:{KEPT}]",
            ),
        )
    _check_number(aggregate, kind)
    if function == "quantiles":
        counted = f"histogram({_bucket(value)}) FILTER ({_is_number(value, kind)})"
        listed = f"map_entries({counted}::MAP(INTEGER, BIGINT))"
        return (Part(name, listed, f"flatten(list({quote(name)}))", buckets=True),)
    total = name if function == "sum" else f"{name}__sum"
    found = _sums(total, value, kind)
    return found if function == "sum" else (*found, _added(f"{name}__rows", f"count({value})"))


def outputs(aggregate: Aggregate, kinds: Mapping[str, str]) -> tuple[str, ...]:
    """SQL over merged parts of one window, for each of ``aggregate.outputs``.

    Lists of buckets are answered from ``<name>__<index of the rank>``, the bucket of each rank.
    """
    name, function = quote(aggregate.name), aggregate.function
    if function == "sum":
        return (_total(aggregate.name, _kind(aggregate, kinds)),)
    if function == "avg":
        total = _total(f"{aggregate.name}__sum", _kind(aggregate, kinds))
        rows = quote(f"{aggregate.name}__rows")
        return (f"CASE WHEN {rows} > 0 THEN ({total})::DOUBLE / {rows} END",)
    if function == "distinct":
        spread = f"({name}[{KEPT}]::DOUBLE / {_HASHES!r})"
        estimate = f"round({KEPT - 1} / {spread})::BIGINT"
        kept = f"coalesce(len({name}), 0)"
        return (f"CASE WHEN {kept} < {KEPT} THEN {kept} ELSE {estimate} END",)
    if function == "quantiles":
        return tuple(
            _value_of(quote(f"{aggregate.name}__{index}")) for index in range(len(aggregate.ranks))
        )
    return (name,)


def bucket_of_rank(rank: float) -> str:
    """SQL aggregate over (bucket, upto, total): the bucket that holds the value of a rank.

    That is the smallest value that at least this share of the rows does not exceed.
    """
    return f"min(bucket) FILTER (upto >= greatest(1, ceil({rank!r} * total - 1e-9)))"


def _kind(aggregate: Aggregate, kinds: Mapping[str, str]) -> str:
    assert aggregate.column is not None
    if aggregate.column not in kinds:
        raise UnknownName(f"column of aggregate {aggregate.name!r}", aggregate.column, kinds)
    return kinds[aggregate.column]


def _check_number(aggregate: Aggregate, kind: str) -> None:
    if kind not in _WHOLE | _FLOATS and not kind.startswith("DECIMAL"):
        raise ConfigError(
            f"aggregate {aggregate.name!r}: {aggregate.function} of {aggregate.column!r}, "
            f"which is {kind}",
            valid="whole numbers, decimals, FLOAT and DOUBLE",
            fix="count, min, max and distinct take any type",
        )


def _added(name: str, of_rows: str) -> Part:
    return Part(name, of_rows, f"sum({quote(name)})::BIGINT")


def _sums(name: str, value: str, kind: str) -> tuple[Part, ...]:
    column = quote(name)
    if kind in _WHOLE:
        return (Part(name, f"sum({value})::DECIMAL(38, 0)", f"sum({column})"),)
    if kind not in _FLOATS:
        return (Part(name, f"sum({value})", f"sum({column})"),)
    usual = f"{value} > -{_LARGE!r} AND {value} < {_LARGE!r}"
    fixed = f"sum(CASE WHEN {usual} THEN ({value}::DOUBLE * {_UNIT!r})::HUGEINT ELSE 0 END)"
    # NaN is the largest of all in DuckDB, so it is asked for first.
    odd = (
        f"bit_or(CASE WHEN isnan({value}) THEN 4 WHEN {value} >= {_LARGE!r} THEN 1 "
        f"WHEN {value} <= -{_LARGE!r} THEN 2 ELSE 0 END) FILTER ({value} IS NOT NULL)"
    )
    mark = f"{name}__odd"
    return (
        Part(name, f"{fixed}::DECIMAL(38, 0)", f"sum({column})"),
        Part(mark, f"({odd})::INTEGER", f"bit_or({quote(mark)})"),
    )


def _total(name: str, kind: str) -> str:
    if kind not in _FLOATS:
        return quote(name)
    odd = quote(f"{name}__odd")
    return (
        f"CASE WHEN {odd} IS NULL THEN NULL WHEN {odd} = 0 "
        f"THEN {quote(name)}::DOUBLE / {_UNIT!r} WHEN {odd} = 1 THEN 'inf'::DOUBLE "
        f"WHEN {odd} = 2 THEN '-inf'::DOUBLE ELSE 'nan'::DOUBLE END"
    )


def _is_number(value: str, kind: str) -> str:
    return f"{value} IS NOT NULL" + (f" AND NOT isnan({value})" if kind in _FLOATS else "")


def _bucket(value: str) -> str:
    size = f"abs({value}::DOUBLE)"
    index = f"ceil(ln({size}) / {math.log(_GAMMA)!r})"
    place = f"(least({index}, {_HIGHEST}) + {_ZERO_BUCKET})::INTEGER"
    tiny = _GAMMA**_LOWEST
    return f"CASE WHEN {size} < {tiny!r} THEN 0 WHEN {value} > 0 THEN {place} ELSE -{place} END"


def _value_of(bucket: str) -> str:
    scale = 2 / (_GAMMA + 1)
    return (
        f"CASE WHEN {bucket} IS NULL THEN NULL WHEN {bucket} = 0 THEN 0.0::DOUBLE "
        f"ELSE sign({bucket}) * {scale!r} * pow({_GAMMA!r}, abs({bucket}) - {_ZERO_BUCKET}) END"
    )
