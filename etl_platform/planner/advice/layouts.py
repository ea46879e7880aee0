"""By which column a table's files should be split or sorted, after the queries of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etl_platform.core.names import TableName
from etl_platform.planner.advice.knowledge import TableKnowledge, knowledge
from etl_platform.planner.advice.suggestion import Suggestion
from etl_platform.planner.advice.what_if import File, WhatIf, partitions, sorted_files
from etl_platform.planner.advice.workload import Use
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.conditions import columns_of

_LEAST_SAVED = 0.3
_MOST_QUERIES = 0.5
_ROWS_PER_PARTITION = 1_000
_FILES_TO_SORT = 4
_AS_GOOD = 0.9
_START_S = 0.03


@dataclass(frozen=True, slots=True)
class _Layout:
    """A table as it could be, and what the queries would read of it."""

    kind: str
    column: str
    files: int
    now: float
    then: float
    whole: float
    seconds: float
    filtered: int


def layouts(uses: Sequence[Use], catalog: Catalog, least_runs: int = 3) -> list[Suggestion]:
    """For each table the partitioning or sort order that saves the runs most bytes.

    A column counts when at least half of the runs on the table filter by it. What a run would read
    is asked of files as they would be (one per value of the profile, or equal parts of the sorted
    rows) with the very conditions that choose files in its plan; runs that would lose what they
    have now count against it. Suggested from 30 % fewer bytes on, where a partition has at least
    1,000 rows, and a sorted table at least 4 files. A table without profile is left alone.

    Args:
        uses: the queries.
        catalog: profiles and the log.
        least_runs: on the table, to conclude anything.
    """
    by_table: dict[TableName, list[Use]] = {}
    for use in uses:
        for table in use.inputs:
            by_table.setdefault(table, []).append(use)
    found: list[Suggestion] = []
    what_if = WhatIf()
    try:
        for table, same in sorted(by_table.items()):
            runs = sum(use.asked.runs for use in same)
            known = knowledge(catalog, [same[0].inputs[table]])[table]
            if runs < least_runs or known.profile is None:
                continue
            best = _best(_layouts(what_if, known, same))
            if best is not None and best.now - best.then >= _LEAST_SAVED * best.now > 0:
                found.append(_suggestion(known, best, runs))
    finally:
        what_if.close()
    return sorted(found, key=lambda one: -one.saved_bytes)


def _best(found: Sequence[_Layout]) -> _Layout | None:
    """The one that reads least; partitions where they are nearly as good, since they stay."""
    ordered = sorted(found, key=lambda one: one.then)
    if not ordered:
        return None
    saved = ordered[0].now - ordered[0].then
    for one in ordered:
        if one.kind == "partition" and one.now - one.then >= _AS_GOOD * saved:
            return one
    return ordered[0]


def _layouts(what_if: WhatIf, known: TableKnowledge, uses: Sequence[Use]) -> list[_Layout]:
    assert known.profile is not None
    runs = sum(use.asked.runs for use in uses)
    found: list[_Layout] = []
    columns = {
        column
        for use in uses
        for place in use.places.get(known.name, ())
        for condition in place.conditions
        for column in columns_of(condition)
    }
    for column in sorted(columns):
        profile, kind = known.profile_of(column.lower()), known.columns.get(column.lower(), "")
        filtering = sum(
            use.asked.runs for use in uses if all(use.conditions(known.name, column) or [[]])
        )
        if profile is None or filtering < _MOST_QUERIES * runs:
            continue
        rows = known.profile.rows
        split = partitions(profile, kind, rows)
        if column.lower() not in known.partition_by and len(split) * _ROWS_PER_PARTITION <= rows:
            found += _asked(what_if, known, uses, column, "partition", split, filtering)
        if known.files_total >= _FILES_TO_SORT and not known.partition_by:
            split = sorted_files(profile, kind, rows, known.files_total)
            found += _asked(what_if, known, uses, column, "sort", split, filtering)
    return found


def _asked(
    what_if: WhatIf,
    known: TableKnowledge,
    uses: Sequence[Use],
    column: str,
    layout: str,
    files: Sequence[File],
    filtering: int,
) -> list[_Layout]:
    import duckdb

    if len(files) < 2 or known.snapshot is None:
        return []
    whole, kind = known.snapshot.size_bytes, known.columns[column.lower()]
    now = then = seconds = total = 0.0
    for use in uses:
        try:
            shares = [
                what_if.share(files, kind, conditions, use.bound)
                for conditions in use.conditions(known.name, column)
            ]
        except duckdb.Error:
            return []  # a condition cannot be evaluated over values that the profile has as text
        read = whole * min(1.0, sum(shares)) if shares else float(whole)
        before, runs = use.inputs[known.name].size_bytes, use.asked.runs
        now, then, total = now + runs * before, then + runs * read, total + runs * whole
        of_all = (before - read) / max(use.plan.size_bytes, 1)
        seconds += runs * max(0.0, use.asked.seconds - _START_S) * of_all
    return [_Layout(layout, column, len(files), now, then, total, seconds, filtering)]


_WRITE: Mapping[str, str] = {
    "partition": "partition_by: [{column}]  in the header of the model that makes the table, or "
    'partition_by=("{column}",) where it is staged',
    "sort": "ORDER BY {column}  at the end of the model's SELECT, or append the rows in that order",
}


def _suggestion(known: TableKnowledge, best: _Layout, runs: int) -> Suggestion:
    share = best.then / best.whole
    of = "partitions, one per value in the profile" if best.kind == "partition" else "sorted files"
    return Suggestion(
        kind="partition" if best.kind == "partition" else "sort",
        table=known.name.sql,
        what=f"{best.kind} {known.name} by {best.column}",
        queries=runs,
        bytes_now=round(best.now),
        bytes_then=round(best.then),
        seconds=best.seconds,
        share=share,
        how=f"{best.filtered} of {runs} runs filter by {best.column}; of {best.files} {of}, their "
        f"conditions leave {share:.1%} of the rows, now {best.now / best.whole:.1%} of the bytes; "
        "seconds in proportion to bytes, from what the runs took",
        write=_WRITE[best.kind].format(column=best.column),
    )
