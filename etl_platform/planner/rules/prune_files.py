"""Files without rows that matter are not read."""

from __future__ import annotations

from dataclasses import replace

from etl_platform.planner.draft import Draft
from etl_platform.planner.file_choice import FileChoice
from etl_platform.planner.pruning import kept, references_of, several

RULE = "prune files"


def prune_files(draft: Draft) -> Draft:
    """Leave out files by their partition values and by the bounds that the log has of them.

    A file is left out when no place of the statement that names its table can use a row of it: for
    each, some condition in WHERE, ON, a filtering subquery around it, or HAVING on a group's key
    is not true for any value between the file's bounds. Conditions are comparisons, BETWEEN, IN,
    IS NULL, LIKE 'prefix%' and their combinations, of a column (or its day, year or the like) with
    constants and parameters.

    Does not apply to tables of one file, and to tables that are read somewhere without condition,
    through LATERAL, PIVOT, TABLESAMPLE, positional or as-of joins.
    """
    import duckdb

    tables = several(draft)
    if not tables:
        return draft.unchanged(RULE, "no table has more than one file")
    found = references_of(draft)
    draft = replace(draft, references=found)
    asked = {
        table: places
        for table, places in found.items()
        if table in tables and all(place.conditions for place in places)
    }
    if not asked:
        return draft.unchanged(RULE, "no condition that bounds of files can decide")
    try:
        with FileChoice(draft.snapshots, asked, draft.bound) as choice:
            chosen = {
                table: frozenset[int]().union(*(choice.may_matter(place) for place in places))
                for table, places in asked.items()
            }
    except duckdb.Error as error:
        return draft.unchanged(RULE, f"a condition cannot be decided: {type(error).__name__}")
    return kept(draft, RULE, chosen)
