"""The keys that a small, filtered side of a join holds: the one look at data while planning."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.core.sessions import session
from etl_platform.planner.conditions import parameters_of
from etl_platform.planner.references import Reference

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.lakehouse.log import Snapshot

MOST_KEYS = 1_000
MOST_BYTES = 16 * 1024 * 1024
_KEPT = 64
_found: OrderedDict[tuple[str, str], pa.Table | None] = OrderedDict()
_lock = Lock()


def keys_of(
    snapshot: Snapshot,
    reference: Reference,
    column: str,
    files: Collection[int],
    params: Mapping[str, object],
) -> pa.Table | None:
    """The distinct values of a column among the rows that a reference can use, as column ``key``.

    Looks into at most 16 MiB of files, and only where a condition leaves some rows out. None when
    there are more than 1,000 values, or the files are too many to look. What was found is
    remembered: a version of a table does not change.

    Raises:
        duckdb.Error: a condition cannot be evaluated, or a file is gone.
    """
    chosen = tuple(snapshot.files[place] for place in sorted(files))
    if not reference.conditions or sum(file.size_bytes for file in chosen) > MOST_BYTES:
        return None
    where = " AND ".join(condition.sql() for condition in reference.conditions)
    names = {name for condition in reference.conditions for name in parameters_of(condition)}
    bound = {name: params[name] for name in sorted(names)}
    sql = (
        f"SELECT DISTINCT {quote(column)} AS key FROM {snapshot.relation_sql(chosen)} "
        f"WHERE {where} AND key IS NOT NULL LIMIT {MOST_KEYS + 1}"
    )
    known = (sql, repr(bound))
    with _lock:
        if known in _found:
            _found.move_to_end(known)
            return _found[known]
    with session() as con:
        keys = con.sql(sql, params=bound).to_arrow_table()
    answer = keys if len(keys) <= MOST_KEYS else None
    with _lock:
        _found[known] = answer
        while len(_found) > _KEPT:
            _found.popitem(last=False)
    return answer
