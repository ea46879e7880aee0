"""Events from the future: how far ahead of the cut of their batch they may be.

When a batch was cut is recorded once and for ever, so that a replay finds the same events ahead.
"""

from __future__ import annotations

from collections.abc import Sequence

from etl_platform.metastore.records import StreamBatchRecord
from etl_platform.transforms.windows.numbering import NUMBER, cut_us
from etl_platform.transforms.windows.partials import event_time_us
from etl_platform.transforms.windows.spec import WindowSpec, micros


def ahead_sql(spec: WindowSpec, batches: Sequence[StreamBatchRecord]) -> str:
    """SQL over a row with ``_number``: whether its event time is further ahead than allowed.

    Never null; false where any event time is allowed.

    Args:
        batches: those that rows are of.
    """
    if spec.max_ahead is None or not batches:
        return "false"
    limits = {one.number: cut_us(one) + micros(spec.max_ahead) for one in batches}
    first, last = min(limits), max(limits)
    listed = ", ".join(str(limits.get(number, "NULL")) for number in range(first, last + 1))
    limit = f"([{listed}]::BIGINT[])[{NUMBER} - {first} + 1]"
    return f"coalesce({event_time_us(spec)} > {limit}, false)"


def left_out_sql(spec: WindowSpec, batches: Sequence[StreamBatchRecord]) -> str:
    """SQL over a row: whether no window takes it because it is too far ahead."""
    return ahead_sql(spec, batches) if spec.ahead == "dead_letter" else "false"
