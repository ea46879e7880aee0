"""Which indexes a use of a table could profit from, less those that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from etl_platform.sources.database.advice.model import Index, Key, Table
from etl_platform.sources.database.advice.usage import Usage

SMALL_TABLE_ROWS = 1_000
"""Tables of fewer rows get no index: they are read in a few pages."""
_LONGEST_KEY = 4
_LONGEST_INCLUDE = 5
_NARROW = 3
"""Tables of up to so many columns may stand whole in an index, as the two ways of a pair do."""


def candidates(usages: Iterable[Usage]) -> tuple[Index, ...]:
    """Candidates of one statement, without those that begin an index which exists already.

    For each use: columns compared with values, then with other tables' columns, then one range
    (a B-tree is searched by leading equalities and one range after them), then the order.
    """
    found: dict[Index, None] = {}
    for use in usages:
        if use.table.rows is not None and use.table.rows < SMALL_TABLE_ROWS:
            continue
        for keys in _key_lists(use):
            shortened = keys[:_LONGEST_KEY]
            if shortened and not exists(use.table, shortened):
                found[Index(use.table.id, tuple(shortened))] = None
    return tuple(found)


def _key_lists(use: Usage) -> Iterator[list[Key]]:
    equal, joined = use.equal, [key for key in use.joined if key not in use.equal]
    ranges = [key for key in use.ranges if key not in equal]
    for key in (*equal, *joined, *ranges, *use.either):
        yield [key]
    yield list(equal)
    for last in ranges:
        yield [*equal, last]
    for join in joined:
        yield [join, *equal]
        yield [*equal, join]
        for last in ranges:
            yield [join, *equal, last]
    yield [*joined, *equal]
    if use.ordered:
        yield [*equal, *(key for key in use.ordered if key not in equal)]


def exists(table: Table, keys: Sequence[Key]) -> bool:
    """Whether an index of the table begins with these keys, equalities in any order aside."""
    names = tuple(key.column for key in keys)
    return any(
        not index.partial and index.columns[: len(names)] == names for index in table.indexes
    )


def covering(index: Index, usages: Iterable[Usage]) -> Index | None:
    """The index with what else the statement reads of the table; None where that is too much.

    Too much are many columns, and all those of a table that has more than a few: such an index is
    a second copy of the table, written twice for every row.
    """
    uses = [use for use in usages if use.table.id == index.table]
    more = tuple(
        key for key in dict.fromkeys(key for use in uses for key in use.read)
        if key not in index.keys
    )  # fmt: skip
    if not 0 < len(more) <= _LONGEST_INCLUDE:
        return None
    columns = uses[0].table.columns
    if len(columns) > _NARROW and {*columns} <= {key.column for key in (*index.keys, *more)}:
        return None
    return Index(index.table, index.keys, more)
