"""From the words of ``etl profile`` to parts of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from etl_platform.cli.arguments import lake_table
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.lakehouse.published import View
    from etl_platform.platform import Platform
    from etl_platform.quality import Profile
    from etl_platform.quality.comparison import Comparison
    from etl_platform.quality.reports.page import OutlierTable, Page


def chosen(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names out of options of which each may hold several."""
    if not columns:
        return None
    return tuple(name.strip() for text in columns for name in text.split(",") if name.strip())


def view_of(
    platform: Platform,
    table: str,
    version: int | None,
    partition: str | None,
    columns: tuple[str, ...] | None,
) -> View:
    """The part of a table that is meant.

    Raises:
        UnknownName: table, version, partition or column do not exist.
        ConfigError: the table has no partitions, or needs more than one value for them.
    """
    from etl_platform.lakehouse.published import View

    snapshot = platform.lake.snapshot(TableName.parse(lake_table(table)), version)
    where = None if partition is None else _partition(snapshot, partition)
    return View(snapshot, where, columns)


def other_view(
    platform: Platform, view: View, compare: str, columns: tuple[str, ...] | None
) -> View:
    """What a table is compared with: a version of it, another table, ``table@version``.

    Columns that the other one lacks are removed columns, not wrong names.
    """
    from etl_platform.lakehouse.published import View

    name, _, number = compare.partition("@")
    if compare.removeprefix("v").isdigit():
        name, number = view.snapshot.table.sql, compare.removeprefix("v")
    if number and not number.isdigit():
        raise ConfigError(
            f"--compare {compare!r}: {number!r} is not a version",
            valid="a version, schema.name or schema.name@version",
            fix=f"etl receipts {name} lists the versions",
        )
    snapshot = platform.lake.snapshot(
        TableName.parse(lake_table(name)), int(number) if number else None
    )
    both = None if columns is None else tuple(c for c in columns if c in snapshot.schema.names)
    same = snapshot.table == view.snapshot.table
    return View(snapshot, view.partition if same else None, both)


def _partition(snapshot: Snapshot, text: str) -> Mapping[str, str]:
    columns = list(snapshot.partition_by)
    if not columns:
        raise ConfigError(
            f"--partition {text!r}: {snapshot.table} is not partitioned",
            fix="leave --partition out",
        )
    if "=" in text:
        pairs = [part.partition("=") for part in text.split(",")]
        return {column.strip(): value.strip() for column, _, value in pairs}
    if len(columns) > 1:
        raise ConfigError(
            f"--partition {text!r}: {snapshot.table} is partitioned by {', '.join(columns)}",
            valid=",".join(f"{column}=VALUE" for column in columns),
        )
    return {columns[0]: text}


def scope_of(view: View) -> str:
    """``version 3``, ``version 3, partition month=2013-02``."""
    place = ", ".join(f"{c}={v}" for c, v in (view.partition or {}).items())
    return f"version {view.snapshot.version}" + (f", partition {place}" if place else "")


def outlying(
    platform: Platform, view: View, found: Profile, method: str, limit: int
) -> OutlierTable:
    """The rows that lie furthest out, as they may be shown; keys and personal data are not judged.

    Raises:
        ConfigError: an unknown method, or one that is not installed.
    """
    import polars as pl

    from etl_platform.quality.outliers import METHODS, Method, outliers
    from etl_platform.quality.pii import PiiKind, mask_rows
    from etl_platform.quality.reports.page import OutlierTable
    from etl_platform.quality.values import json_safe

    known: dict[str, Method] = {one: one for one in METHODS}
    if method not in known:
        raise ConfigError(f"--method {method!r}", valid=", ".join(known))
    keys = {name for key in found.keys if len(key.columns) == 1 for name in key.columns}
    personal = {c.name: PiiKind(c.pii) for c in found.columns if c.pii}
    frame = platform.scan(view.snapshot.table.sql, view.snapshot.version)
    for column, value in (view.partition or {}).items():
        frame = frame.filter(pl.col(column).cast(pl.String) == value)
    frame = frame.select(view.names)
    numbers = [n for n, dtype in frame.collect_schema().items() if dtype.is_numeric()]
    judged = [name for name in numbers if name not in keys and name not in personal]
    far = outliers(frame, known[method], judged, limit)
    rows = [
        {name: json_safe(value) for name, value in row.items()}
        for row in mask_rows(far.rows.to_dicts(), personal)
    ]
    first = ("_outlier_column", "_outlier_score")
    ordered = [{n: row[n] for n in (*first, *(n for n in row if n not in first))} for row in rows]
    return OutlierTable(method, far.found, far.checked, tuple(ordered))


def page_of(
    platform: Platform,
    view: View,
    found: Profile,
    changes: Comparison | None,
    other: str,
    far: OutlierTable | None,
) -> Page:
    """Everything that the page of a profile shows."""
    from etl_platform.cli.progress import busy
    from etl_platform.lakehouse.history import version_points
    from etl_platform.lakehouse.published import as_staged
    from etl_platform.metastore.records import now
    from etl_platform.quality.reports.null_map import null_map
    from etl_platform.quality.reports.page import Page

    table = view.snapshot.table
    with (
        busy(f"drawing {table}"),
        as_staged(platform.settings, view) as (con, staged),
    ):
        nulls = null_map(con, staged, [c.name for c in found.columns if c.nulls])
    points = version_points(platform.lake, platform.metastore, table, view.snapshot.version)
    return Page(
        title=table.sql,
        scope=scope_of(view),
        profile=found,
        moment=now(),
        history=points if view.partition is None else (),
        nulls=nulls,
        comparison=changes,
        compared_with=other,
        outliers=far,
    )
