"""A profile from a sample: every statistic with its interval, or with the reason for none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from etl_platform.quality.dtypes import name_of
from etl_platform.quality.masking import kinds_of
from etl_platform.quality.pii import PiiKind, mask
from etl_platform.quality.profiles.sketch import Family
from etl_platform.quality.sampling import intervals, totals
from etl_platform.quality.sampling.design import Clusters
from etl_platform.quality.sampling.distinct import distinct
from etl_platform.quality.sampling.model import (
    Estimate,
    SampledColumn,
    SampledProfile,
    SampledQuantile,
    SampledValue,
)
from etl_platform.quality.sampling.variance import Drawn
from etl_platform.quality.values import json_safe

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_platform.quality.sampling.design import Sample

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_TOP = 10


def sampled_profile(sample: Sample) -> SampledProfile:
    """Estimate the table's statistics from a sample, by the design it was drawn with.

    Nested and binary columns have a share of nulls only; personal values are masked.
    """
    drawn = Drawn(sample)
    data = sample.data
    pii = kinds_of(data.slice(0, 1_000))
    units = sample.design.units
    return SampledProfile(
        table=sample.table,
        strategy=sample.design.strategy,
        seed=sample.design.seed,
        design=sample.design.words,
        sampled_rows=data.num_rows,
        sampled_units=units.drawn if isinstance(units, Clusters) else None,
        rows=sample.design.rows,
        columns=tuple(
            _column(drawn, field, data.column(field.name), pii.get(field.name))
            for field in data.schema
        ),
    )


def _column(
    drawn: Drawn, field: pa.Field[Any], values: pa.ChunkedArray[Any], pii: PiiKind | None
) -> SampledColumn:
    import pyarrow as pa
    import pyarrow.compute as pc

    flat: pa.Array[Any] = pa.concat_arrays(values.chunks) if values.num_chunks else _none(field)
    present = flat.is_valid().to_numpy(zero_copy_only=False).astype(np.float64)
    everywhere = np.ones(drawn.rows)
    found = SampledColumn(
        name=field.name,
        dtype=name_of(field.type),
        seen=int(present.sum()),
        nulls=intervals.share(drawn, 1 - present, everywhere),
        pii=None if pii is None else pii.value,
    )
    family = Family.of(field.type)
    if family in (Family.NESTED, Family.BINARY) or not found.seen:
        return found
    more: dict[str, object] = {}
    if family.is_ordered and pii is None:
        more |= _measured(drawn, flat, present, family)
    elif family is Family.BOOLEAN:
        ones = np.asarray(pc.cast(flat, pa.float64()).fill_null(0.0))
        more = {"mean": intervals.share(drawn, ones, present), "total": totals.total(drawn, ones)}
    return found.model_copy(update=more | _counted(drawn, flat, pii))


def _none(field: pa.Field[Any]) -> pa.Array[Any]:
    import pyarrow as pa

    return pa.nulls(0, field.type)


def _measured(
    drawn: Drawn, flat: pa.Array[Any], present: NDArray[np.float64], family: Family
) -> dict[str, object]:
    """Mean, total, standard deviation of numbers; quantiles of all that stands on an axis."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if family.is_number:
        numbers = pc.cast(flat, pa.float64(), safe=False).fill_null(0.0).to_numpy()
    else:
        whole = pa.int32() if pa.types.is_date32(flat.type) else pa.int64()
        numbers = pc.cast(flat, whole).fill_null(0).to_numpy()
    finite = np.isfinite(numbers) & (present > 0)
    found: dict[str, object] = {}
    if family.is_number:
        y, x = np.where(finite, numbers, 0.0).astype(np.float64), finite.astype(np.float64)
        mean = intervals.mean(drawn, y, x)
        found = {"mean": mean, "total": totals.total(drawn, y)}
        if isinstance(mean.value, float):
            squares = drawn.ratio(np.where(finite, (y - mean.value) ** 2, 0.0), x).value
            found["stddev"] = intervals.unclaimed(
                math.sqrt(squares), "of the sample", "no interval is claimed"
            )
    rows = np.flatnonzero(finite)
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    if len(rows):
        ordered = intervals.Ordered(drawn, rows)
        found["quantiles"] = tuple(
            SampledQuantile(q=q, estimate=_quantile(drawn, q, ordered, flat)) for q in QUANTILES
        )
        found["low_seen"] = json_safe(flat[int(rows[0])].as_py())
        found["high_seen"] = json_safe(flat[int(rows[-1])].as_py())
    return found


def _quantile(drawn: Drawn, q: float, ordered: intervals.Ordered, flat: pa.Array[Any]) -> Estimate:
    found = intervals.quantile_positions(drawn, q, ordered)

    def at(position: int) -> object:
        return flat[int(ordered.rows[position])].as_py()

    if found.why is not None:
        return Estimate(value=json_safe(at(found.here)), method=found.method, note=found.why)
    return Estimate(
        value=json_safe(at(found.here)),
        low=json_safe(at(found.low)),
        high=json_safe(at(found.high)),
        confidence=intervals.CONFIDENCE,
        method=found.method,
    )


def _counted(drawn: Drawn, flat: pa.Array[Any], pii: PiiKind | None) -> dict[str, object]:
    """Distinct values, and the shares of the most frequent ones."""
    coded = flat.dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(coded.dictionary))
    everywhere = np.ones(drawn.rows)
    top: list[SampledValue] = []
    for code in np.argsort(-counts, kind="stable")[:_TOP]:
        if counts[code] < 2:
            break
        value = json_safe(coded.dictionary[int(code)].as_py())
        share = intervals.share(drawn, (codes == code).astype(np.float64), everywhere)
        shown = value if pii is None or value is None else mask(value, pii)
        top.append(SampledValue(value=shown, share=share))
    return {"distinct": distinct(drawn, counts), "top": tuple(top)}
