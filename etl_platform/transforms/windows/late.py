"""Rows that came too late for their windows."""

from __future__ import annotations

from collections.abc import Mapping

from etl_platform.core.duck import quote
from etl_platform.transforms.windows.panes import BATCH, PANE, WindowEnds, floor_to, marks
from etl_platform.transforms.windows.partials import check_columns, event_time_us
from etl_platform.transforms.windows.spec import WindowSpec


def late_sql(
    spec: WindowSpec,
    rows: str,
    kinds: Mapping[str, str],
    batch: str,
    before_us: Mapping[int, int | None],
    left_out: str = "false",
) -> str:
    """A SELECT of the rows that at least one of their windows did not take, as they are, and why.

    Adds ``_watermark`` (TIMESTAMPTZ, before the batch) and ``_reason``. Rows without event time and
    those too far ahead are among them. A late duplicate of a message that was taken is, too.

    Args:
        batch: SQL over a row: the number of its batch.
        before_us: the watermark before each of the batches; rows of others are left out.
        left_out: SQL over a row: whether it is too far ahead for any window.
    """
    check_columns(spec, kinds)
    ends = WindowEnds(spec)
    moment = quote(spec.event_time)
    closed = f"_before - {spec.lateness_us}"
    late = f"{ends.lowest} <= {closed}" if spec.late == "dead_letter" else "false"
    taken = "" if spec.filter is None else f" AND ({moment} IS NULL OR ({spec.filter}))"
    some = f"CASE WHEN {ends.highest} <= {closed} THEN 'all' ELSE 'some' END"
    reason = (
        f"CASE WHEN {moment} IS NULL THEN 'no event time in ' || {_text(spec.event_time)} "
        f"WHEN _ahead THEN 'event time is further ahead of the cut of its batch than max_ahead' "
        f"ELSE {some} || ' windows of the event time were closed' END"
    )
    pane = floor_to(event_time_us(spec), spec.pane_us)
    return (
        f"SELECT * EXCLUDE ({PANE}, {BATCH}, _before, _ahead), "
        f"make_timestamptz(_before) AS _watermark, {reason} AS _reason "
        f"FROM (SELECT *, {pane} AS {PANE}, ({batch})::BIGINT AS {BATCH}, "
        f"{left_out} AS _ahead FROM {rows}) JOIN {marks(before_us)} USING ({BATCH}) "
        f"WHERE ({moment} IS NULL OR _ahead OR {late}){taken}"
    )


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
