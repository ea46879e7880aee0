"""Quality and profile of the sampled rows, by the same code as that of a published version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.generate.objects.model import Column

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.core.settings import Settings
    from etl_platform.quality import ColumnProfile, Profile

_SAMPLE = TableName("inspected", "sample")


def profile_rows(rows: pa.Table, settings: Settings) -> Profile | None:
    """The full profile of rows in memory; None where the lake has no form for a column."""
    from etl_platform.lakehouse import Lake
    from etl_platform.quality.profiling import profile_staged

    if not rows.num_columns or not rows.num_rows:
        return None
    Path(settings.temp_dir).mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="inspect-", dir=settings.temp_dir) as folder,
        session(settings) as con,
    ):
        try:
            staged = Lake(folder, settings).stage(_SAMPLE, rows)
        except EtlError:
            return None
        return profile_staged(con, staged, "full")


def with_profile(column: Column, found: ColumnProfile, rows: int) -> Column:
    """What the profile says of a column; personal values are masked in it already."""
    from etl_platform.quality.reports.numbers import shown

    return replace(
        column,
        null_share=round(found.nulls / rows, 4) if rows else None,
        distinct=found.distinct,
        low=None if found.min is None else shown(found.min),
        high=None if found.max is None else shown(found.max),
        most_frequent=shown(found.top[0][0]) if found.top else None,
        pii=found.pii,
    )
