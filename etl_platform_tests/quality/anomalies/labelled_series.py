"""Series whose faults are known, because they were put there: by family and seed.

Sizes of faults are in standard deviations of the family's own noise, or shares of the value. An
alert within an event's steps finds it; an alert elsewhere is false. An event of a lasting change
ends seven steps after it began (fourteen for a changed variance): later it is the new normal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY, HOUR = 86_400.0, 3_600.0
START = 1_672_617_600.0  # a Monday
ADAPTS = 7
CLEAN = 40
"""Steps at the beginning without a fault."""


@dataclass(frozen=True)
class Labelled:
    """``events`` are first and last index in which an alert is right; ``ignored`` those that are
    neither right nor wrong."""

    times: Floats
    values: Floats
    events: tuple[tuple[int, int], ...]
    ignored: frozenset[int] = field(default_factory=frozenset)


Family = Callable[[np.random.Generator], Labelled]


def _days(count: int) -> Floats:
    return START + DAY * np.arange(count)


def _places(rng: np.random.Generator, count: int, first: int, last: int, apart: int) -> list[int]:
    """Steps at random, at least ``apart`` from each other."""
    found: list[int] = []
    for place in rng.permutation(np.arange(first, last)).tolist():
        if all(abs(place - other) >= apart for other in found):
            found.append(place)
        if len(found) == count:
            break
    return sorted(found)


def _with_spikes(
    rng: np.random.Generator,
    times: Floats,
    values: Floats,
    sigma: float,
    *,
    count: int = 5,
    first: int = CLEAN,
    least: float = 7.0,
) -> Labelled:
    changed = values.copy()
    places = _places(rng, count, first, len(values), 8)
    for place in places:
        changed[place] += rng.choice([-1, 1]) * rng.uniform(least, 2 * least) * sigma
    return Labelled(times, changed, tuple((p, p) for p in places))


def _with_factors(
    rng: np.random.Generator, times: Floats, values: Floats, count: int, first: int
) -> Labelled:
    """Part of a load is lost, or it is loaded twice; whole numbers stay whole."""
    changed = values.copy()
    busy = np.flatnonzero(values > 0.3 * np.median(values[values > 0]))
    places = [p for p in _places(rng, 4 * count, first, len(values), 8) if p in set(busy.tolist())][
        :count
    ]
    for place in places:
        factor = rng.uniform(0.2, 0.5) if rng.random() < 0.7 else 2.0
        changed[place] = np.round(changed[place] * factor)
    return Labelled(times, changed, tuple((p, p) for p in sorted(places)))


def spikes(rng: np.random.Generator) -> Labelled:
    return _with_spikes(rng, _days(240), 1000 + 20 * rng.normal(size=240), 20)


def constant(rng: np.random.Generator) -> Labelled:
    level = float(rng.integers(5, 5000))
    values = np.full(200, level)
    places = _places(rng, 4, CLEAN, 200, 12)
    for place in places:
        values[place] += np.round(max(1, level * rng.uniform(0.01, 0.5))) * rng.choice([-1, 1])
    return Labelled(_days(200), values, tuple((p, p) for p in places))


def trend(rng: np.random.Generator) -> Labelled:
    slope = rng.uniform(-1, 1) * 10
    values = 5000 + slope * np.arange(240) + 20 * rng.normal(size=240)
    return _with_spikes(rng, _days(240), values, 20)


def weekly_season(rng: np.random.Generator) -> Labelled:
    week = np.array([1.0, 1.02, 1.01, 1.05, 1.1, 0.6, 0.5]) * 1000
    values = np.tile(week, 40)[:240] + 20 * rng.normal(size=240)
    return _with_spikes(rng, _days(240), values, 20)


def daily_season(rng: np.random.Generator) -> Labelled:
    hours = 24 * 24
    day = 500 + 400 * np.sin(2 * np.pi * (np.arange(24) - 8) / 24)
    values = np.tile(day, 24) + 20 * rng.normal(size=hours)
    times = START + HOUR * np.arange(hours)
    return _with_spikes(rng, times, values, 20, count=8, first=24 * 5)


def level_shift(rng: np.random.Generator) -> Labelled:
    values = 1000 + 20 * rng.normal(size=240)
    places = _places(rng, 3, CLEAN, 232, 50)
    for place in places:
        values[place:] += rng.choice([-1, 1]) * rng.uniform(6, 12) * 20
    return Labelled(_days(240), values, tuple((p, p + ADAPTS - 1) for p in places))


def variance_change(rng: np.random.Generator) -> Labelled:
    place = int(rng.integers(100, 160))
    noise = rng.normal(size=240)
    noise[place:] *= rng.uniform(5, 8)
    return Labelled(_days(240), 1000 + 20 * noise, ((place, place + 2 * ADAPTS - 1),))


def missing_data(rng: np.random.Generator) -> Labelled:
    """Days without a point, and days of which a part is missing."""
    week = np.array([1.0, 1.02, 1.01, 1.05, 1.1, 0.6, 0.5]) * 1000
    values = np.tile(week, 40)[:240] + 20 * rng.normal(size=240)
    places = _places(rng, 6, CLEAN, 234, 12)
    kept, faults = np.full(240, True), np.full(240, False)
    for n, place in enumerate(places):
        if n % 2:
            values[place] *= rng.uniform(0.3, 0.7)
            faults[place] = True
        else:
            gone = int(rng.integers(1, 4))
            kept[place : place + gone] = False
            faults[place + gone] = True
    found = np.flatnonzero(faults[kept]).tolist()
    return Labelled(_days(240)[kept], values[kept], tuple((p, p) for p in found))


def slow_drift(rng: np.random.Generator) -> Labelled:
    place, length = int(rng.integers(90, 130)), 60
    values = 1000 + 20 * rng.normal(size=240)
    ramp = np.clip((np.arange(240) - place) / length, 0, 1)
    values += rng.choice([-1, 1]) * rng.uniform(10, 18) * 20 * ramp
    return Labelled(_days(240), values, ((place, place + length + ADAPTS),))


def heavy_tails(rng: np.random.Generator) -> Labelled:
    values = 1000 + 20 * rng.standard_t(3, size=240)
    return _with_spikes(rng, _days(240), values, 20, least=15)


def intermittent(rng: np.random.Generator) -> Labelled:
    values = rng.poisson(0.6, size=240).astype(float)
    places = _places(rng, 4, CLEAN, 240, 12)
    for place in places:
        values[place] = rng.integers(12, 40)
    return Labelled(_days(240), values, tuple((p, p) for p in places))


def yearly_growth(rng: np.random.Generator) -> Labelled:
    week = np.array([1.0, 1.02, 1.01, 1.05, 1.1, 0.6, 0.5])
    level = 10_000 * np.exp(np.log(rng.uniform(2, 5)) * np.arange(365) / 365)
    values = np.round(level * np.tile(week, 53)[:365] * np.exp(0.03 * rng.normal(size=365)))
    return _with_factors(rng, _days(365), values, 6, CLEAN)


def random_walk(rng: np.random.Generator) -> Labelled:
    values = 10_000 + np.cumsum(20 * rng.normal(size=240))
    return _with_spikes(rng, _days(240), values, 20, least=10)


def null_share(rng: np.random.Generator) -> Labelled:
    """A share near zero, of a few thousand rows; a fault loses a tenth of the values or more."""
    values = rng.binomial(4000, 0.004, size=240) / 4000
    places = _places(rng, 4, CLEAN, 240, 12)
    for place in places:
        values[place] = rng.uniform(0.1, 1.0)
    return Labelled(_days(240), values, tuple((p, p) for p in places))


@cache
def _flights() -> tuple[Floats, Floats]:
    """Flights per local day and per local hour of 2013."""
    import polars as pl

    path = files("etl_platform.demo").joinpath("data", "flights.parquet")
    frame = pl.read_parquet(str(path), columns=["year", "month", "day", "hour"])
    day = pl.date("year", "month", "day")
    hours = (day - pl.date(2013, 1, 1)).dt.total_days() * 24 + pl.col("hour")
    counted = frame.select(hours.alias("at")).group_by("at").len()
    per_hour = np.zeros(365 * 24)
    per_hour[counted["at"].to_numpy()] = counted["len"].to_numpy()
    return per_hour.reshape(365, 24).sum(axis=1), per_hour


_HOLIDAYS = (
    *("01-01", "01-02", "05-26", "05-27", "07-03", "07-04", "07-05", "09-01", "09-02", "11-27"),
    *("11-28", "11-29", "11-30", "12-01", "12-24", "12-25", "12-26", "12-31"),
)
_NEW_YEAR = np.datetime64("2013-01-01")


def _holidays(first_day: int, per_day: int) -> frozenset[int]:
    days = [int((np.datetime64(f"2013-{h}") - _NEW_YEAR).astype(int)) for h in _HOLIDAYS]
    return frozenset(
        (day - first_day) * per_day + step
        for day in days
        for step in range(per_day)
        if day >= first_day
    )


def flights_per_day(rng: np.random.Generator) -> Labelled:
    """The real year; holidays, on which fewer fly, are neither faults nor usual."""
    values, _ = _flights()
    times = 1_356_998_400.0 + DAY * np.arange(365)
    made = _with_factors(rng, times, values, 8, CLEAN)
    faults = {place for place, _ in made.events}
    return Labelled(times, made.values, made.events, _holidays(0, 1) - faults)


def flights_per_hour(rng: np.random.Generator) -> Labelled:
    """Four weeks of the real year; hours of the night have none."""
    _, values = _flights()
    first = int(rng.integers(0, 330))
    part = values[first * 24 : (first + 35) * 24]
    times = 1_356_998_400.0 + DAY * first + HOUR * np.arange(len(part))
    made = _with_factors(rng, times, part, 8, 24 * 8)
    faults = {place for place, _ in made.events}
    return Labelled(times, made.values, made.events, _holidays(first, 24) - faults)


FAMILIES: Mapping[str, Family] = {
    family.__name__: family
    for family in (
        flights_per_day,
        flights_per_hour,
        constant,
        spikes,
        trend,
        weekly_season,
        daily_season,
        level_shift,
        variance_change,
        missing_data,
        slow_drift,
        heavy_tails,
        intermittent,
        yearly_growth,
        random_walk,
        null_share,
    )
}
