"""Which partial aggregates count, and for which windows: duplicates and late ones left out."""

from __future__ import annotations

from collections.abc import Mapping

from etl_platform.transforms.windows.panes import (
    AFTER,
    BATCH,
    COUNTS,
    ID,
    PANE,
    WindowEnds,
    floor_to,
    marks,
)
from etl_platform.transforms.windows.partials import earliest
from etl_platform.transforms.windows.spec import WindowSpec


def judged_sql(
    spec: WindowSpec, partials: str, before_us: Mapping[int, int | None], through: int | None
) -> str:
    """A SELECT of partial rows, ``_after`` set, with ``_kept``: whether it is no duplicate.

    Batches that are not finished (not in ``before_us``), or come after ``through``, are left out.
    Where late events update results, ``_after`` stays NULL: every window takes them.
    """
    kept = "true"
    if spec.deduplicate is not None:
        first = earliest(BATCH, spec.deduplicate)
        kept = f"({ID} IS NULL OR ({COUNTS} AND {first} = {BATCH}))"
    limit = "" if through is None else f" AND {BATCH} <= {through}"
    late = "NULL::BIGINT" if spec.late == "update" else f"_before - {spec.lateness_us}"
    return (
        f"SELECT p.* EXCLUDE ({AFTER}), coalesce({AFTER}, {late}) AS {AFTER}, {kept} AS _kept "
        f"FROM {partials} AS p LEFT JOIN {marks(before_us)} AS marks USING ({BATCH}) "
        f"WHERE ({AFTER} IS NOT NULL OR marks.{BATCH} IS NOT NULL){limit}"
    )


def contributions_sql(
    spec: WindowSpec, partials: str, before_us: Mapping[int, int | None], through: int | None
) -> str:
    """A SELECT of partial rows with the windows ``_start`` to ``_end`` that each counts for."""
    judged = judged_sql(spec, partials, before_us, through)
    every, size = spec.every_us, spec.size_us
    if spec.kind == "hopping":
        start = f"{floor_to(PANE, every)} - hop * {every}"
        hops = f", range({-(-size // every)}) AS hops(hop)"
    else:
        start, hops = PANE, ""
    return (
        f"SELECT * FROM (SELECT *, {start} AS _start, _start + {size} AS _end "
        f"FROM ({judged}) AS judged{hops} WHERE _kept) "
        f"WHERE _end >= {PANE} + {spec.pane_us} AND ({AFTER} IS NULL OR _end > {AFTER})"
    )


def baked_after(spec: WindowSpec) -> str:
    """SQL: ``_after`` as one of the few values that differ in effect; NULL when no window takes it.

    Rows of batches with different watermarks fall together, unless these kept them from some of
    the windows of a pane.
    """
    ends = WindowEnds(spec)
    if spec.late == "update":
        return f"{ends.lowest} - 1"
    return (
        f"CASE WHEN {AFTER} IS NULL OR {AFTER} < {ends.lowest} THEN {ends.lowest} - 1 "
        f"WHEN {AFTER} < {ends.highest} THEN {ends.next_after(AFTER)} - 1 END"
    )
