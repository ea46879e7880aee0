"""Partial aggregates of the rows of a batch: small, and merged into the same results in any order.

One row for each pane, batch and key::

    _pane     BIGINT   start of the pane, microseconds since 1970 UTC
    _batch    BIGINT   number of the batch that the rows came with
    _after    BIGINT   windows that end after this take the row; NULL until it is compacted:
                       then the watermark before the batch decides
    _rows     BIGINT   rows of the stream in it
    _first, _last      BIGINT, sessions only: first and last event time in the pane
    <keys>, <parts of the aggregates>

With deduplication every message has a row of its own until its key can be forgotten::

    _id       VARCHAR[]  its key; NULL where it cannot be a duplicate any more
    _time     BIGINT     its event time
    _counts   BOOLEAN    whether it is the first of its batch; a row that is not only keeps the
                         event time of a duplicate, and has no aggregates
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.transforms.windows.aggregates import Part, parts
from etl_platform.transforms.windows.panes import (
    AFTER,
    BATCH,
    COUNTS,
    FIRST,
    ID,
    LAST,
    PANE,
    ROWS,
    TIME,
    columns,
    floor_to,
)
from etl_platform.transforms.windows.spec import Deduplication, WindowSpec

ORDER = ("_source_partition", "_source_position")
"""Columns that order the messages of a batch, and name each for ever."""


def all_parts(spec: WindowSpec, kinds: Mapping[str, str]) -> tuple[Part, ...]:
    """The parts of all aggregates of a window."""
    return tuple(part for one in spec.aggregates for part in parts(one, kinds))


def partials_sql(
    spec: WindowSpec,
    rows: str,
    kinds: Mapping[str, str],
    batch: str,
    order: Sequence[str] = ORDER,
    left_out: str = "false",
) -> str:
    """A SELECT of the partial aggregates of rows.

    Rows without event time are in no window, see :func:`~.late.late_sql`.

    Args:
        rows: SQL for after FROM.
        kinds: DuckDB type texts of its columns.
        batch: SQL over a row: the number of its batch.
        order: columns that order the messages of a batch; only deduplication needs them.
        left_out: SQL over a row: whether no window takes it.

    Raises:
        UnknownName: a column that the window names is not there.
        ConfigError: a column cannot be what the window takes it for.
    """
    check_columns(spec, kinds)
    found = all_parts(spec, kinds)
    moment = event_time_us(spec)
    base = (
        f"SELECT *, {moment} AS {TIME}, {floor_to(TIME, spec.pane_us)} AS {PANE}, "
        f"({batch})::BIGINT AS {BATCH} FROM {rows} "
        f"WHERE {condition(spec)} AND NOT {left_out}"
    )
    made = ", ".join(f"{part.of_rows} AS {quote(part.name)}" for part in found)
    bounds = f"min({TIME}) AS {FIRST}, max({TIME}) AS {LAST}, " if spec.kind == "session" else ""
    groups = f"{PANE}, {BATCH}, {columns(spec.keys)}"
    head = f"{groups}NULL::BIGINT AS {AFTER}, count(*) AS {ROWS}, {bounds}"
    if spec.deduplicate is None:
        return f"SELECT {head}{made} FROM ({base}) GROUP BY {groups[:-2]}"
    return f"""WITH base AS ({base}),
known AS (SELECT *, {_identity(spec.deduplicate)} AS {ID} FROM base),
placed AS (SELECT *, row_number() OVER (ORDER BY {BATCH}, {_ordered(order, kinds)}) AS _place
           FROM known),
judged AS (SELECT *, {ID} IS NULL OR {earliest("_place", spec.deduplicate, BATCH)} = _place
           AS {COUNTS} FROM placed)
SELECT {head}{made}, {ID}, CASE WHEN {ID} IS NOT NULL THEN {TIME} END AS {TIME}, true AS {COUNTS}
FROM judged WHERE {COUNTS} GROUP BY {groups}{ID}, CASE WHEN {ID} IS NOT NULL THEN {TIME} END
UNION ALL BY NAME
SELECT DISTINCT {PANE}, {BATCH}, 0::BIGINT AS {ROWS}, {ID}, {TIME}, {COUNTS}
FROM judged WHERE NOT {COUNTS}"""


def condition(spec: WindowSpec) -> str:
    """SQL over a row of the stream's table: whether it is in windows at all."""
    known = f"{quote(spec.event_time)} IS NOT NULL"
    return known if spec.filter is None else f"{known} AND ({spec.filter})"


def event_time_us(spec: WindowSpec) -> str:
    """SQL over a row of the stream's table: its event time in microseconds since 1970 UTC."""
    return f"epoch_us({quote(spec.event_time)})"


def earliest(place: str, rule: Deduplication, split: str = "") -> str:
    """SQL window function: the smallest place among messages of the same key near a message."""
    near = rule.horizon_us - 1
    partition = f"{split}, {ID}" if split else ID
    return (
        f"min({place}) OVER (PARTITION BY {partition} ORDER BY {TIME} "
        f"RANGE BETWEEN {near} PRECEDING AND {near} FOLLOWING)"
    )


def check_columns(spec: WindowSpec, kinds: Mapping[str, str]) -> None:
    """Refuse a window over columns that are not there, or an event time that is none."""
    identity = spec.deduplicate.keys if spec.deduplicate else ()
    for name in (spec.event_time, *spec.keys, *identity):
        if name not in kinds:
            raise UnknownName(f"column of window {spec.name!r}", name, kinds)
    kind = kinds[spec.event_time]
    if not kind.startswith(("TIMESTAMP", "DATE")):
        raise ConfigError(
            f"window {spec.name!r}: event_time {spec.event_time!r} is {kind}",
            valid="TIMESTAMP, TIMESTAMP WITH TIME ZONE or DATE",
        )


def _identity(rule: Deduplication) -> str:
    known = " AND ".join(f"{quote(key)} IS NOT NULL" for key in rule.keys)
    values = ", ".join(f"{quote(key)}::VARCHAR" for key in rule.keys)
    return f"CASE WHEN {known} THEN [{values}] END"


def _ordered(order: Sequence[str], kinds: Mapping[str, str]) -> str:
    # Sequence numbers that are kept as text have no leading zeros.
    return ", ".join(
        f"length({quote(name)}), {quote(name)}" if kinds[name] == "VARCHAR" else quote(name)
        for name in order
    )
