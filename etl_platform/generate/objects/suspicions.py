"""What somebody should look at before a table is loaded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from etl_platform.generate.objects.grouping import Group
from etl_platform.generate.objects.looking import Looked
from etl_platform.generate.objects.model import Partition

if TYPE_CHECKING:
    import pyarrow as pa

_FEW = 10
_SMALL = 20


def of_objects(group: Group, files: Sequence[Looked], drawn: Collection[str]) -> list[str]:
    """Damage by its likely extent, objects that hold the same, and one that is far too small.

    Args:
        drawn: keys of the objects that were drawn at random.
    """
    told: list[str] = []
    bad = sum(one.problem is not None for one in files if one.info.key in drawn)
    if bad and len(drawn) < group.objects:
        told.append(
            f"{bad} of {len(drawn)} objects drawn at random cannot be read: perhaps "
            f"{round(group.objects * bad / len(drawn)):,} of all {group.objects:,}"
        )
    same: dict[tuple[str, int], list[str]] = {}
    for one in files:
        same.setdefault((one.info.etag, one.info.size_bytes), []).append(one.info.key)
    most = max(same.values(), key=len, default=[])
    if len(most) > 1:
        told.append(f"{len(most)} of {len(files)} looked-at objects hold the same bytes: "
                    f"{most[0]}, {most[1]}{', ...' if len(most) > 2 else ''}")  # fmt: skip
    least, mean = group.smallest, group.size_bytes / group.objects
    if group.objects >= _FEW and least.size_bytes * _SMALL < mean:
        told.append(
            f"{least.key} has {least.size_bytes:,} bytes, {mean / least.size_bytes:,.0f} times "
            "less than the mean"
        )
    return told


def of_partitions(partitions: Sequence[Partition]) -> list[str]:
    """Days without any object between the first and the last."""
    return [
        f"{one.name}: {one.missing_days:,} of {one.values + one.missing_days:,} days have no object"
        for one in partitions
        if one.missing_days
    ]


def of_columns(rows: pa.Table, partitions: Sequence[Partition]) -> list[str]:
    """Columns that say nothing, and those that folders name as well."""
    told = [
        f"column {name!r} has no value in any looked-at row"
        for name in rows.column_names
        if rows.num_rows and rows.column(name).null_count == rows.num_rows
    ]
    named = {one.name for one in partitions}
    told += [f"column {n!r} is also the name of a folder" for n in rows.column_names if n in named]
    return told
