"""The history of queries as what was asked, how often, and how long it took."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from etl_platform.core.errors import PermanentError
from etl_platform.metastore.records import PastQuery
from etl_platform.planner.advice.suggestion import Asked
from etl_platform.query.parameters import replayed


def asked(past: Iterable[PastQuery]) -> list[Asked]:
    """Queries of one text and parameters together; answers from a kept result are left out."""
    runs: dict[tuple[str, str], list[float]] = {}
    for one in past:
        if not one.cached and one.status == "ok":
            runs.setdefault((one.sql, one.params), []).append(one.seconds)
    found: list[Asked] = []
    for (sql, params), seconds in runs.items():
        try:
            found.append(Asked(sql, len(seconds), statistics.mean(seconds), replayed(params)))
        except PermanentError:
            continue  # a parameter that cannot be read back
    return found
