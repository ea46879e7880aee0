from __future__ import annotations

import numpy as np
import pytest

from etl_platform.quality.profiles.quantiles import Counted, QuantileSketch

RANKS = np.linspace(0.01, 0.99, 33).tolist()


def _worst(sketch: QuantileSketch, values: np.ndarray) -> float:
    ordered = np.sort(values)
    upto = np.searchsorted(ordered, sketch.quantiles(RANKS), side="right") / len(ordered)
    return float(np.abs(upto - RANKS).max())


@pytest.mark.parametrize("order", ["shuffled", "ascending", "descending"])
@pytest.mark.parametrize("batch", [1_000, 16_384, 20_480, 100_003])
def test_quantiles_are_within_the_stated_error_whatever_the_batches(order, batch):
    values = np.random.default_rng(3).lognormal(size=250_000)
    if order != "shuffled":
        values = np.sort(values)[:: 1 if order == "ascending" else -1]
    sketch = QuantileSketch()
    for start in range(0, len(values), batch):
        sketch.add(values[start : start + batch])
    assert sketch.n == len(values)
    assert sketch.quantiles([0.0, 1.0]) == [values.min(), values.max()]
    assert _worst(sketch, values) <= sketch.rank_error


def test_sketches_of_parts_merge_into_one_of_the_whole():
    values = np.random.default_rng(4).normal(size=300_000)
    parts: list[QuantileSketch] = []
    for part in np.array_split(values, 7):
        sketch = QuantileSketch()
        for batch in np.array_split(part, 2):
            sketch.add(batch)
        parts.append(QuantileSketch.from_bytes(sketch.to_bytes()))
    merged = QuantileSketch.merge(parts)
    assert merged.n == len(values)
    assert _worst(merged, values) <= merged.rank_error


def test_counted_values_answer_exactly_and_fold_into_a_sketch_within_its_error():
    rng = np.random.default_rng(5)
    values, rows = np.unique(rng.integers(0, 5_000, 700_000).astype(np.float64), return_counts=True)
    counted, sketch = Counted.of(values, rows), QuantileSketch()
    sketch.add_counted(counted)
    whole = np.repeat(values, rows)
    assert counted.quantiles([0.25]) == [np.quantile(whole, 0.25, method="inverted_cdf")]
    assert sketch.n == len(whole)
    edges = np.linspace(0, 5_000, 11)
    expected, found = np.array(counted.histogram(edges)), np.array(sketch.histogram(edges))
    assert expected.sum() == len(whole)
    assert np.abs(expected - found).max() <= sketch.histogram_error * len(whole)
