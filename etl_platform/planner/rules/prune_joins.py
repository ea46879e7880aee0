"""What one side of a join can hold bounds what is read of the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from etl_platform.core.names import TableName
from etl_platform.planner.draft import Draft
from etl_platform.planner.file_choice import FileChoice
from etl_platform.planner.keys import keys_of
from etl_platform.planner.pruning import kept, references_of, several
from etl_platform.planner.references import Reference

RULE = "prune through joins"
_ROUNDS = 3
_MANY_FILES = 8
_MUCH_SMALLER = 8


def prune_joins(draft: Draft) -> Draft:
    """Leave out files whose join keys lie outside of those that the other side still has.

    The smallest and largest key of the other side come from the bounds of its files, after its own
    filters left some of them out; a chain of joins is followed up to three links. Where a table
    still has many files and the other side is small and filtered, its keys themselves are looked
    up, and files without any of them left out. Applies to equalities of columns of one type in
    inner and semi joins, and to the side of an outer or anti join whose unmatched rows are dropped.

    Does not apply where a key's bounds are unknown in one of the other side's files.
    """
    import duckdb

    tables = set(several(draft))
    if not tables:
        return draft.unchanged(RULE, "no table has more than one file")
    found = draft.references or references_of(draft)
    if not any(place.links for table in tables for place in found.get(table, ())):
        return draft.unchanged(RULE, "no join on a column of a table with several files")
    try:
        with FileChoice(draft.snapshots, found, draft.bound) as choice:
            chosen = _rounds(choice, found, draft)
    except duckdb.Error as error:
        return draft.unchanged(RULE, f"a condition cannot be decided: {type(error).__name__}")
    return kept(draft, RULE, {table: chosen[table] for table in chosen if table in tables})


def _rounds(
    choice: FileChoice, found: Mapping[TableName, Sequence[Reference]], draft: Draft
) -> dict[TableName, frozenset[int]]:
    places = [place for same in found.values() for place in same]
    files = {id(place): choice.may_matter(place) for place in places}
    for _ in range(_ROUNDS):
        before = dict(files)
        for place in places:
            among = files[id(place)]
            if len(among) < 2:
                continue
            limits = [
                choice.within(link, place.table, files[id(link.other)])
                for link in place.links
                if _tells(link.other, files[id(link.other)], place, draft)
            ]
            if limits:
                files[id(place)] = choice.may_matter(place, among, limits)
        if files == before:
            break
    for place in places:
        _by_keys(choice, place, files, draft)
    return {
        table: frozenset[int]().union(*(files[id(place)] for place in same))
        for table, same in found.items()
    }


def _tells(other: Reference, theirs: Collection[int], place: Reference, draft: Draft) -> bool:
    """Whether the other side may hold fewer keys: it is filtered, or much smaller."""
    if other.conditions or len(theirs) < len(draft.snapshots[other.table].files):
        return True
    sizes = [draft.snapshots[table].size_bytes for table in (other.table, place.table)]
    return sizes[0] * _MUCH_SMALLER <= sizes[1]


def _by_keys(
    choice: FileChoice, place: Reference, files: dict[int, frozenset[int]], draft: Draft
) -> None:
    """Look up the keys of small sides while a reference still has many files."""
    for link in place.links:
        among, theirs = files[id(place)], files[id(link.other)]
        if len(among) < _MANY_FILES:
            return
        size = _bytes(draft, place.table, among)
        if _bytes(draft, link.other.table, theirs) * _MUCH_SMALLER > size:
            continue
        snapshot = draft.snapshots[link.other.table]
        keys = keys_of(snapshot, link.other, link.other_column, theirs, draft.bound)
        if keys is not None:
            limit = choice.holding(place.table, link.column, keys)
            files[id(place)] = choice.may_matter(place, among, [limit])


def _bytes(draft: Draft, table: TableName, files: Collection[int]) -> int:
    every = draft.snapshots[table].files
    return sum(every[place].size_bytes for place in files)
