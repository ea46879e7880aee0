"""Partial aggregates of many batches as fewer rows that say the same."""

from __future__ import annotations

from collections.abc import Mapping

from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError
from etl_platform.transforms.windows.contributions import baked_after, judged_sql
from etl_platform.transforms.windows.merge import merged_parts, ranks_step
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
)
from etl_platform.transforms.windows.partials import all_parts
from etl_platform.transforms.windows.spec import WindowSpec
from etl_platform.transforms.windows.watermark import Watermarks


def compaction_sql(
    spec: WindowSpec,
    partials: str,
    kinds: Mapping[str, str],
    marks: Watermarks,
    first: int,
    last: int,
) -> str:
    """A SELECT of the rows that may stand for those of the batches ``first`` to ``last``.

    One row per pane and key, where no row came late for some of the windows of a pane. Of messages
    that are compared with later ones, those stay that a message which still counts could repeat.

    Args:
        partials: SQL for after FROM: the partial rows of all batches, because duplicates of
            messages before ``first`` have to be known; they may be compacted already.

    Raises:
        PermanentError: a batch up to ``last`` is not finished, so that the watermarks are not
            settled.
    """
    if last > marks.prefix.number:
        raise PermanentError(
            f"window {spec.name!r}: batches {first} to {last} cannot be compacted, batch "
            f"{marks.prefix.number + 1} is not finished",
            fix="materialise it first",
        )
    found = all_parts(spec, kinds)
    judged = judged_sql(spec, partials, marks.before_us, last)
    judged = f"SELECT * FROM ({judged}) WHERE {BATCH} BETWEEN {first} AND {last}"
    baked = f"SELECT * REPLACE ({baked_after(spec)} AS {AFTER}) FROM ({judged})"
    bounds = ""
    if spec.kind == "session":
        bounds = f"min({FIRST}) AS {FIRST}, max({LAST}) AS {LAST}, "
    # Later batches are compared with these when results are merged, however many there are yet.
    rule, watermark = spec.deduplicate, marks.after_us(last)
    remembered, identity = "false", ""
    if rule is not None:
        forgotten = f"{watermark} - {spec.lateness_us + spec.size_us + rule.horizon_us}"
        remembered = "true" if watermark is None else f"{TIME} > {forgotten}"
        remembered = f"({ID} IS NOT NULL AND {remembered})"
        identity = f"NULL::VARCHAR[] AS {ID}, NULL::BIGINT AS {TIME}, true AS {COUNTS}, "
    grouped = (
        f"SELECT row_number() OVER () AS _group, {PANE}, {last}::BIGINT AS {BATCH}, "
        f"{columns(spec.keys)}{AFTER}, {bounds}{identity}{merged_parts(found)} FROM baked "
        f"WHERE _kept AND {AFTER} IS NOT NULL AND NOT {remembered} "
        f"GROUP BY {PANE}, {columns(spec.keys)}{AFTER}"
    )
    steps = [f"baked AS MATERIALIZED ({baked})", f"grouped AS MATERIALIZED ({grouped})"]
    joins, lists = "", [part.name for part in found if part.buckets]
    for name in lists:
        listed = 'list({"key": bucket, "value": "rows"} ORDER BY bucket)'
        steps.append(ranks_step(name, f"{listed} AS {quote(name)}"))
        joins += f" LEFT JOIN {quote(f'{name} of')} USING (_group)"
    without = ", ".join(["_group", *(quote(name) for name in lists)])
    again = "".join(f", {quote(f'{name} of')}.{quote(name)}" for name in lists)
    result = (
        f"WITH {', '.join(steps)} SELECT grouped.* EXCLUDE ({without}){again} FROM grouped{joins}"
    )
    if rule is None:
        return result
    counts = f"_kept AND {AFTER} IS NOT NULL"
    return f"""{result}
UNION ALL BY NAME SELECT * EXCLUDE (_kept) FROM baked WHERE {remembered} AND {counts}
UNION ALL BY NAME
SELECT DISTINCT {PANE}, {BATCH}, {PANE} AS {AFTER}, 0::BIGINT AS {ROWS}, {ID}, {TIME},
false AS {COUNTS} FROM baked WHERE {remembered} AND NOT ({counts})"""
