"""Merging what is kept of a column besides counts and sketches."""

from __future__ import annotations

from etl_platform.quality.profiles.bounds import higher, lower
from etl_platform.quality.profiles.sketch import ColumnSketch, NestedSketch

_MOST_SHAPES = 20


def merge_fields(a: ColumnSketch, b: ColumnSketch) -> ColumnSketch:
    """What two columns have in common but counts and sketches, over the rows of both."""
    pii = a.pii or b.pii
    shapes = dict(a.shapes)
    for form, rows in b.shapes:
        shapes[form] = shapes.get(form, 0) + rows
    ordered = sorted(shapes.items(), key=lambda item: (-item[1], item[0]))[:_MOST_SHAPES]
    low, low_exact = lower(a, b)
    high, high_exact = higher(a, b)
    return a.model_copy(
        update={
            "dtype": b.dtype,
            "rows": a.rows + b.rows,
            "nulls": a.nulls + b.nulls,
            "low": None if pii else low,
            "high": None if pii else high,
            "bounds_exact": low_exact and high_exact,
            "pii": pii,
            "moments": a.moments.merge(b.moments) if a.moments and b.moments else None,
            "nan": a.nan + b.nan,
            "infinite": a.infinite + b.infinite,
            "zero": a.zero + b.zero,
            "negative": a.negative + b.negative,
            "frequent": a.frequent.merge(b.frequent) if a.frequent and b.frequent else None,
            "lengths": a.lengths.merge(b.lengths) if a.lengths and b.lengths else None,
            "shortest": _least(a.shortest, b.shortest),
            "longest": _most(a.longest, b.longest),
            "days": a.days.merge(b.days) if a.days and b.days else None,
            "shapes": tuple(ordered),
            "looked_at": a.looked_at + b.looked_at,
            "untidy": a.untidy + b.untidy,
            "nested": _merge_nested(a.nested, b.nested),
        }
    )


def _merge_nested(a: NestedSketch | None, b: NestedSketch | None) -> NestedSketch | None:
    if a is None or b is None:
        return a or b
    fields = dict(a.fields)
    for name, rows in b.fields:
        fields[name] = fields.get(name, 0) + rows
    return NestedSketch(
        elements=a.elements + b.elements,
        shortest=_least(a.shortest, b.shortest),
        longest=_most(a.longest, b.longest),
        empty=a.empty + b.empty,
        fields=tuple(fields.items()),
    )


def _least(a: int | None, b: int | None) -> int | None:
    return min((x for x in (a, b) if x is not None), default=None)


def _most(a: int | None, b: int | None) -> int | None:
    return max((x for x in (a, b) if x is not None), default=None)
