"""Random aggregations over the tables of rollup_lake.py: about half of them a rollup can answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Subject:
    source: str
    keys: Sequence[str]
    filters: Sequence[str]
    measures: Sequence[str]


_FLIGHT_KEYS = (
    "f.carrier",
    "month",
    "origin",
    "coalesce(origin, '?')",
    "month % 3",
    "date_trunc('day', time_hour)",
    "date_trunc('month', time_hour)",
    "date_trunc('quarter', time_hour)",
    "CAST(time_hour AS DATE)",
    "extract(year FROM time_hour)",
    "dest",
    "CASE WHEN f.carrier < 'F' THEN 'low' ELSE origin END",
)
_FLIGHT_FILTERS = (
    "f.carrier IN ('UA', 'AA', 'B6')",
    "month BETWEEN 3 AND 9",
    "NOT (month > 5 OR origin = 'EWR')",
    "origin IS NOT NULL",
    "origin = 'JFK' AND distance > 500 AND dest IS NOT NULL",
    "origin = 'JFK' AND distance > 500 AND dest = 'LAX'",
    "time_hour >= '2013-06-01'",
    "date_trunc('day', time_hour) >= '2013-06-01'",
    "f.carrier LIKE 'A%'",
    "month = 77",
    "dep_delay > 3",
)
_FLIGHT_MEASURES = (
    "count(*)",
    "count(dep_delay)",
    "count(origin)",
    "count(DISTINCT f.carrier)",
    "approx_count_distinct(origin)",
    "sum(distance)",
    "sum(dep_delay)",
    "avg(dep_delay)",
    "min(dep_delay)",
    "max(arr_delay)",
    "max(f.carrier)",
    "count(*) FILTER (WHERE dep_delay > 15)",
    "sum(distance) FILTER (WHERE month > 4)",
    "sum(distance) / count(*)",
    "sum(distance) // count(*) + min(dep_delay)",
    "median(distance)",
)
_SUBJECTS = (
    _Subject("nyc.flights AS f", _FLIGHT_KEYS, _FLIGHT_FILTERS, _FLIGHT_MEASURES),
    _Subject(
        "nyc.flights AS f JOIN nyc.airlines AS a ON f.carrier = a.carrier",
        (*_FLIGHT_KEYS, "a.name", "upper(a.name)"),
        (*_FLIGHT_FILTERS, "a.name LIKE '%Air%'"),
        (*_FLIGHT_MEASURES, "min(a.name)", "count(DISTINCT a.name)"),
    ),
    _Subject(
        "nyc.flights AS f LEFT JOIN nyc.airlines AS a ON f.carrier = a.carrier AND month < 6",
        (*_FLIGHT_KEYS, "a.name"),
        (*_FLIGHT_FILTERS, "a.name IS NULL"),
        (*_FLIGHT_MEASURES, "count(a.name)"),
    ),
    _Subject(
        "nyc.fares",
        (
            "class",
            "refunded",
            "date_trunc('month', sold)",
            "CAST(sold AS DATE)",
            "date_trunc('week', sold)",
            "quarter(sold)",
        ),
        ("refunded", "class <> ''", "class IS NULL", "sold::DATE > '2024-02-10'", "price > 5"),
        (
            *("sum(price)", "avg(price)", "count(price)", "sum(points)", "avg(points)"),
            *("sum(small)", "avg(small)", "min(score)", "max(name)", "min(seen)", "count(*)"),
            *("max(class)", "sum(price) / count(price)", "sum(score)", "max(sold::DATE)"),
        ),
    ),
)


class Generator:
    """Texts of SELECTs, the same ones for one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def sql(self) -> str:
        """A statement whose rows, as a set, do not depend on how DuckDB computes it."""
        select, columns = self._select()
        form = self._random.random()
        if form < 0.7:
            if self._random.random() < 0.3:
                select += f" ORDER BY ALL LIMIT {self._random.randint(1, 9)}"
            return select
        if form < 0.85:
            return f"SELECT * FROM ({select}) AS t WHERE c0 IS NOT NULL"
        other, _ = self._select()
        last = f"c{columns - 1}"
        return (
            f"WITH one AS ({select}), two AS MATERIALIZED ( {other} ) "
            f"SELECT one.*, (SELECT count(*) FROM two) AS others FROM one WHERE {last} = {last}"
        )

    def _select(self) -> tuple[str, int]:
        subject = self._random.choice(_SUBJECTS)
        keys = self._some(subject.keys, 0, 3)
        measures = self._some(subject.measures, 0 if keys else 1, 4)
        filters = self._some(subject.filters, 0, 2)
        outputs = [f"{value} AS c{i}" for i, value in enumerate([*keys, *measures])]
        parts = [f"SELECT {', '.join(outputs)} FROM {subject.source}"]
        if filters:
            parts.append("WHERE " + " AND ".join(f"({one})" for one in filters))
        if keys:
            parts.append(self._grouped(keys))
            if measures and self._random.random() < 0.3:
                parts.append(f"HAVING {self._random.choice(('count(*) > 3', 'min(1) = 1'))}")
        return " ".join(parts), len(outputs)

    def _grouped(self, keys: Sequence[str]) -> str:
        every = ", ".join(keys)
        places = ", ".join(str(i) for i in range(1, len(keys) + 1))
        named = ", ".join(f"c{i}" for i in range(len(keys)))
        return "GROUP BY " + self._random.choice((every, places, named, "ALL"))

    def _some(self, values: Sequence[str], least: int, most: int) -> list[str]:
        return self._random.sample(values, self._random.randint(least, most))
