"""What windows have to say of all messages, computed at once and without the lake."""

from __future__ import annotations

from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake
from etl_platform.transforms.windows.results import LATE_THROUGH
from etl_platform_tests.stress.stream_defs import BEHIND, EVENTS, GAP, MINUTE, WINDOWS

_AGGREGATES = (
    "count(*) AS events, sum(amount) AS total, min(id) AS lowest, max(id) AS highest, "
    "count(DISTINCT amount) AS amounts"
)


def table(name: str) -> TableName:
    """The results of a window."""
    return TableName("kills", name)


def through(lake: Lake) -> int:
    """The last batch that the results of every window take in, with none missing before it."""
    found = [lake.annotation(table(name), LATE_THROUGH) or ":-1" for name in WINDOWS]
    return min(int(said.partition(":")[2]) for said in found)


def checksums(lake: Lake) -> dict[str, object]:
    """Of every window's results."""
    return {name: lake.checksum(table(name)) for name in WINDOWS}


def agreed(lake: Lake, count: int, partitions: int) -> dict[str, int]:
    """Rows of every window's results, which say the same as one batch over all messages.

    Raises:
        AssertionError: one says something else, or an event was taken for late.
    """
    found: dict[str, int] = {}
    with connect(lake.settings) as con:
        for name, expected in _expected(count, partitions).items():
            results = lake.relation_sql(table(name))
            held = con.execute(f"SELECT * FROM ({expected}) LIMIT 0").description or []
            names = ", ".join(column[0] for column in held)
            columns = names.replace("start_ms", "epoch_ms(window_start)").replace(
                "end_ms", "epoch_ms(window_end)"
            )
            ours = f"SELECT {columns} FROM {results}"
            wrong = con.execute(
                f"SELECT 'only here', * FROM ({ours} EXCEPT ALL {expected}) UNION ALL "
                f"SELECT 'missing', * FROM ({expected} EXCEPT ALL {ours}) LIMIT 10"
            ).fetchall()
            assert not wrong, f"{name}({names}): {wrong}"
            assert not lake.exists(table(name).dead_letter)
            found[name] = lake.snapshot(table(name)).rows
            assert found[name]
    return found


def _expected(count: int, partitions: int) -> dict[str, str]:
    events = f"({EVENTS.format(count=count)})"
    minute, gap, behind = (int(span.total_seconds() * 1000) for span in (MINUTE, GAP, BEHIND))
    watermark = (
        f"SELECT min(newest) - {behind} FROM (SELECT max(moment) AS newest FROM {events} "
        f"GROUP BY id % {partitions})"
    )
    start = f"moment // {minute} * {minute}"
    by_minute = (
        f"SELECT * FROM (SELECT {start} AS start_ms, {start} + {minute} AS end_ms, shop, "
        f"{_AGGREGATES} FROM {events} GROUP BY start_ms, shop) WHERE end_ms <= ({watermark})"
    )
    begins = f"moment - lag(moment) OVER (PARTITION BY visitor ORDER BY moment) >= {gap}"
    visit = (
        "sum(begins::INTEGER) OVER (PARTITION BY visitor ORDER BY moment ROWS UNBOUNDED PRECEDING)"
    )
    visits = (
        f"SELECT min(moment) AS start_ms, max(moment) + {gap} AS end_ms, visitor, {_AGGREGATES} "
        f"FROM (SELECT *, {visit} AS visit FROM (SELECT *, coalesce({begins}, true) AS begins "
        f"FROM {events})) GROUP BY visitor, visit"
    )
    return {"by_minute": by_minute, "visits": visits}
