"""What the Delta log tells of each file's values, column by column, without opening a file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.lakehouse.log import Snapshot

_OWN_FILE = re.compile(r"[0-9a-f]{32}/")
_EXACT_DIGITS = 15


def file_bounds(snapshot: Snapshot, columns: Iterable[str]) -> pa.Table:
    """One row per file of the snapshot, in the order of ``snapshot.files``.

    Columns are ``file`` (its place in that order), ``rows``, and for each i-th wanted column
    ``lo_<i>`` and ``hi_<i>`` (of the column's type) and ``nulls_<i>``, null where nothing is known.
    No value that is not null lies outside of the bounds, NaN included:

    * bounds of files that others wrote are left out, since writers differ in what they say of NaN
      and cut moments and texts as they like;
    * decimals of more than 15 digits have been through a double on their way from the log, so
      their bounds are left out too.

    A partition column has its one value as both bounds.
    """
    import numpy as np
    import pyarrow as pa

    actions, known = snapshot.actions, snapshot.bounds
    made: dict[str, Any] = {
        "file": pa.array(np.arange(len(actions))),
        "rows": actions["num_records"],
    }
    for i, name in enumerate(columns):
        if name not in known:
            known[name] = _bounds(snapshot, name)
        made[f"lo_{i}"], made[f"hi_{i}"], made[f"nulls_{i}"] = known[name]
    return pa.table(made)


def _bounds(snapshot: Snapshot, name: str) -> tuple[Any, Any, Any]:
    """Smallest and largest value and the count of nulls, each an array over the files."""
    import pyarrow as pa
    import pyarrow.compute as pc

    actions, kind = snapshot.actions, snapshot.schema.field(name).type
    if name in snapshot.partition_by:
        value = _field(actions, "partition", name)
        typed = pa.nulls(len(actions), kind) if value is None else value.cast(kind)
        rows = actions["num_records"].combine_chunks()
        return typed, typed, pc.if_else(pc.is_null(typed), rows, pa.scalar(0, pa.int64()))
    paths: list[str] = actions["path"].to_pylist()  # pyright: ignore[reportAssignmentType] - not null
    own = pa.array([bool(_OWN_FILE.match(path)) for path in paths])
    low, high, nulls = (
        _bound(actions, part, name, kind, own) for part in ("min", "max", "null_count")
    )
    return low, high, nulls


def _bound(actions: pa.Table, part: str, name: str, kind: pa.DataType, own: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted: Any = pa.int64() if part == "null_count" else kind
    found = _field(actions, part, name)
    if found is None or found.type != wanted:
        return pa.nulls(len(actions), wanted)
    if part == "null_count":
        return found
    usable = own
    if pa.types.is_decimal(kind) and kind.precision > _EXACT_DIGITS:
        limit = pa.scalar(10 ** (_EXACT_DIGITS - kind.scale) if kind.scale < 15 else 0)
        usable = pc.and_(own, pc.less(pc.abs(found.cast(pa.float64())), limit.cast(pa.float64())))
    return pc.if_else(usable, found, pa.scalar(None, wanted))


def _field(actions: pa.Table, part: str, name: str) -> Any:
    import pyarrow.compute as pc

    if part not in actions.column_names:
        return None
    column = actions[part].combine_chunks()
    if column.type.get_field_index(name) < 0:
        return None
    return pc.struct_field(column, name)
