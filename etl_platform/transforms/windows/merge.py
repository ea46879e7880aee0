"""Partial aggregates of many batches, merged into the results of windows."""

from __future__ import annotations

from collections.abc import Mapping

from etl_platform.core.duck import quote
from etl_platform.transforms.windows.aggregates import Part, bucket_of_rank, outputs
from etl_platform.transforms.windows.contributions import contributions_sql
from etl_platform.transforms.windows.panes import FIRST, LAST, ROWS, columns, floor_to
from etl_platform.transforms.windows.partials import all_parts, check_columns
from etl_platform.transforms.windows.spec import WindowSpec
from etl_platform.transforms.windows.watermark import Watermarks


def results_sql(
    spec: WindowSpec, partials: str, kinds: Mapping[str, str], marks: Watermarks
) -> str:
    """A SELECT of results: ``window_start``, ``window_end`` (TIMESTAMPTZ), keys, aggregates and
    ``final``: whether the watermark says that nothing on time can change it any more.

    With ``emit: watermark`` only final ones are there, made of the batches before the first gap;
    with ``emit: update`` those of all finished batches.

    Args:
        partials: SQL for after FROM: rows of :func:`~.partials.partials_sql`, compacted or not.
        kinds: DuckDB type texts of the columns of the stream's table.
    """
    check_columns(spec, kinds)
    final = spec.emit == "watermark"
    through = marks.prefix.number if final else None
    found = all_parts(spec, kinds)
    contributions = contributions_sql(spec, partials, marks.before_us, through)
    if spec.kind == "session":
        contributions, start, end = _sessions(spec, contributions)
        groups = f"{columns(spec.keys)}_island"
    else:
        start, end, groups = "_start", "_end", f"{columns(spec.keys)}_start, _end"
    merged = ", ".join(f"{part.merged} AS {quote(part.name)}" for part in found)
    grouped = (
        f"SELECT row_number() OVER () AS _group, {columns(spec.keys)}{start} AS _from_us, "
        f"{end} AS _to_us, {merged} FROM ({contributions}) GROUP BY {groups}"
    )
    ranked = [one for one in spec.aggregates if one.ranks]
    steps = [f"grouped AS MATERIALIZED ({grouped})"]
    joins = ""
    for one in ranked:
        wanted = ", ".join(
            f"{bucket_of_rank(rank)} AS {quote(f'{one.name}__{index}')}"
            for index, rank in enumerate(one.ranks)
        )
        steps.append(ranks_step(one.name, wanted))
        joins += f" LEFT JOIN {quote(f'{one.name} of')} USING (_group)"
    made = ", ".join(
        f"{sql} AS {quote(name)}"
        for one in spec.aggregates
        for name, sql in zip(one.outputs, outputs(one, kinds), strict=True)
    )
    only = " WHERE final" if final else ""
    return (
        f"WITH {', '.join(steps)} SELECT * FROM (SELECT make_timestamptz(_from_us) AS window_start,"
        f" make_timestamptz(_to_us) AS window_end, {columns(spec.keys)}{made}, "
        f"{_final(spec, marks.prefix.watermark_us)} AS final FROM grouped{joins}){only}"
    )


def ranks_step(name: str, wanted: str) -> str:
    """A WITH step ``"<name> of"``: aggregates over the buckets of each group, equal ones added up,
    in order, with the rows ``upto`` each and in ``total``."""
    each = f"SELECT _group, unnest({quote(name)}) AS each FROM grouped"
    added = (
        'SELECT _group, each."key" AS bucket, sum(each."value")::BIGINT AS "rows" '
        f"FROM ({each}) GROUP BY ALL"
    )
    upto = (
        f'SELECT *, sum("rows") OVER (PARTITION BY _group ORDER BY bucket) AS upto, '
        f'sum("rows") OVER (PARTITION BY _group) AS total FROM ({added})'
    )
    return f"{quote(f'{name} of')} AS (SELECT _group, {wanted} FROM ({upto}) GROUP BY _group)"


def merged_parts(found: tuple[Part, ...]) -> str:
    """The parts of a group, merged; ``_rows`` with them."""
    merged = "".join(f", {part.merged} AS {quote(part.name)}" for part in found)
    return f"sum({ROWS})::BIGINT AS {ROWS}{merged}"


def _sessions(spec: WindowSpec, contributions: str) -> tuple[str, str, str]:
    """Gaps and islands over the stretches, which lie in order within a key."""
    keys = ", ".join(quote(key) for key in spec.keys)
    split = f"PARTITION BY {keys} " if keys else ""
    order = f"ORDER BY {FIRST}, {LAST}"
    before = f"max({LAST}) OVER ({split}{order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    begun = f"CASE WHEN {FIRST} - {before} < {spec.size_us} THEN 0 ELSE 1 END"
    # Rows that are equal in order get the same sum, because the frame ends with the last of them.
    islands = (
        f"SELECT *, sum(_begins) OVER ({split}{order}) AS _island "
        f"FROM (SELECT *, {begun} AS _begins FROM ({contributions}))"
    )
    return islands, f"min({FIRST})", f"max({LAST}) + {spec.size_us}"


def _final(spec: WindowSpec, watermark_us: int | None) -> str:
    if watermark_us is None:
        return "false"
    closed = watermark_us - spec.lateness_us
    if spec.kind == "session":
        # Events are taken from the first stretch on that is not closed.
        return f"_to_us <= {floor_to(str(closed), spec.pane_us)}"
    return f"_to_us <= {closed}"
