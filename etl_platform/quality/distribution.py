"""How far apart the values of one column are in two profiles: PSI and KS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from etl_platform.quality.profile import ColumnProfile, Profile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from etl_platform.quality.profiles.column import Column
    from etl_platform.quality.profiles.quantiles import Ranked

_PSI_BINS = 10
_KS_RANKS = 100
_MOST_CATEGORIES = 50


@dataclass(frozen=True, slots=True)
class Distance:
    """``psi`` is 0 or more, ``ks`` 0 to 1; None where they have no meaning or were not measured.

    ``ks_by_chance`` is what two samples of one population pass once in 1,000 times. ``basis`` says
    what was compared: rows between quantiles, rows per value, or rows per bin of the histogram.
    """

    psi: float | None = None
    ks: float | None = None
    ks_by_chance: float = 1.0
    basis: Literal["quantiles", "values", "histogram"] | None = None


def distance(before: Profile, after: Profile, name: str) -> Distance:
    """Compare a column that both profiles have.

    Numbers of full profiles: PSI over the deciles of the earlier one (a value that fills a decile
    is a bin of its own), KS over the hundredths of both; each exact for counted columns, otherwise
    within the quantiles' stated error. Texts and truth values: PSI over the 50 most frequent values
    and the rest. Of basic profiles the histograms and listed values are compared.
    """
    a, b = before.column(name), after.column(name)
    old, new = _thawed(before, name), _thawed(after, name)
    if old is not None and new is not None:
        ranked = old.ranked(), new.ranked()
        if ranked[0] is not None and ranked[1] is not None:
            return _of_ranked(ranked[0], ranked[1])
        return _of_categories(_categories(old), _categories(new))
    if a.histogram is not None and b.histogram is not None:
        return _of_histograms(a, b)
    return _of_categories(_listed(a, before.rows), _listed(b, after.rows))


def _thawed(profile: Profile, name: str) -> Column | None:
    from etl_platform.quality.profiles.column import Column

    kept = profile.sketch.columns if profile.sketch is not None else ()
    found = next((column for column in kept if column.name == name), None)
    return None if found is None else Column.thaw(found)


def _of_ranked(old: Ranked, new: Ranked) -> Distance:
    import numpy as np

    from etl_platform.quality.anomalies.drift import ks, ks_critical, psi

    deciles = old.quantiles([n / _PSI_BINS for n in range(1, _PSI_BINS)])
    heavy = {v for v, following in pairwise(deciles) if v == following}
    bins = _edges({*deciles, *(float(np.nextafter(v, np.inf)) for v in heavy)})
    ranks = [n / _KS_RANKS for n in range(1, _KS_RANKS)]
    points = {*old.quantiles(ranks), *new.quantiles(ranks)}
    fine = _edges({*points, *(float(np.nextafter(v, np.inf)) for v in points)})
    return Distance(
        psi=psi(old.histogram(bins), new.histogram(bins)),
        ks=ks(old.histogram(fine), new.histogram(fine)),
        ks_by_chance=ks_critical(old.n, new.n),
        basis="quantiles",
    )


def _edges(inner: set[float]) -> NDArray[np.float64]:
    import numpy as np

    return np.array([-np.inf, *sorted(inner), np.inf])


@dataclass(frozen=True, slots=True)
class _Categories:
    """Rows by value, of ``present`` rows; ``complete`` when every value is listed."""

    rows: Mapping[str, int]
    present: int
    complete: bool


def _categories(column: Column) -> _Categories:
    """By hashes, which stand for the values: those of personal data are not kept."""
    fields = column.fold().fields
    frequent = fields.frequent
    if frequent is None:
        return _Categories({}, fields.present, complete=False)
    rows = {str(v.key): v.rows for v in frequent.values}
    return _Categories(rows, fields.present, complete=frequent.unlisted == 0)


def _listed(column: ColumnProfile, rows: int) -> _Categories:
    listed = {str(value): count for value, count in column.top}
    return _Categories(listed, rows - column.nulls, complete=column.unlisted_rows == 0)


def _of_categories(old: _Categories, new: _Categories) -> Distance:
    import numpy as np

    from etl_platform.quality.anomalies.drift import psi

    most = {
        value: max(side.rows.get(value, 0) for side in (old, new))
        for value in {*old.rows, *new.rows}
    }
    # What a side does not list may still have rows there: then it is among the others of both.
    known = [
        value
        for value in sorted(most, key=lambda value: (-most[value], value))[:_MOST_CATEGORIES]
        if all(value in side.rows or side.complete for side in (old, new))
    ]
    if not known:
        return Distance()
    counts = [np.array([float(side.rows.get(value, 0)) for value in known]) for side in (old, new)]
    shown = [
        np.append(of, max(side.present - of.sum(), 0.0))
        for of, side in zip(counts, (old, new), strict=True)
    ]
    return Distance(psi=psi(shown[0], shown[1]), basis="values")


def _of_histograms(a: ColumnProfile, b: ColumnProfile) -> Distance:
    from etl_platform.quality.anomalies.drift import ks, ks_critical, psi, rebinned

    assert a.histogram is not None
    assert b.histogram is not None
    edges_old, edges_new = _numbers(a.histogram.edges), _numbers(b.histogram.edges)
    if min(len(edges_old), len(edges_new)) < 3:
        return Distance()
    onto = sorted({*edges_old, *edges_new})
    old = rebinned(edges_old, a.histogram.rows, onto)
    new = rebinned(edges_new, b.histogram.rows, onto)
    rows = sum(a.histogram.rows), sum(b.histogram.rows)
    return Distance(psi(old, new), ks(old, new), ks_critical(*rows), "histogram")


def _numbers(edges: tuple[object, ...]) -> list[float]:
    """The edges; none of them when they are not numbers."""
    found = [float(edge) for edge in edges if isinstance(edge, int | float)]
    return found if len(found) == len(edges) else []
