"""A profile, a comparison and outliers as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from etl_platform.cli.printing import print_table, printable
from etl_platform.quality.reports.findings import findings
from etl_platform.quality.reports.numbers import percent, shown, size
from etl_platform.quality.reports.shape import shape_of

if TYPE_CHECKING:
    from rich.text import Text

    from etl_platform.quality import ColumnProfile, Profile
    from etl_platform.quality.comparison import ColumnChange, Comparison
    from etl_platform.quality.reports.page import OutlierTable

_BLOCKS = " ▁▂▃▄▅▆▇█"
_COLOURS = {"same": "green", "changed": "yellow", "added": "yellow"}


def print_profile(table: str, scope: str, profile: Profile, *, kept: bool) -> None:
    """One line per column, then what stands out."""
    score = "" if profile.score is None else f", quality {profile.score.total:.1f} of 100"
    typer.echo(
        f"{table}, {scope}: {profile.rows:,} rows, {len(profile.columns)} columns, "
        f"{size(profile.size_bytes)}{score}"
    )
    print_table(
        [
            ("column", "left"),
            ("type", "left"),
            ("nulls", "right"),
            ("distinct", "right"),
            ("smallest", "right"),
            ("median", "right"),
            ("largest", "right"),
            ("most frequent", "left"),
            ("distribution", "left"),
        ],
        [_line(profile, column) for column in profile.columns],
        caption="from the profile made when the rows were published" if kept else None,
    )
    sentences = findings(profile)
    if sentences:
        typer.echo("\nWhat stands out:")
        for sentence in sentences:
            typer.echo(f"  {printable(sentence)}")


def _line(profile: Profile, column: ColumnProfile) -> tuple[str, ...]:
    distinct = ""
    if column.distinct is not None:
        distinct = f"{'' if column.distinct_exact else '~'}{column.distinct:,}"
    median = dict(column.quantiles).get(0.5)
    return (
        column.name,
        column.dtype + (f" ({column.pii})" if column.pii else ""),
        percent(column.nulls / profile.rows) if column.nulls else "",
        distinct,
        "" if column.min is None else shown(column.min),
        "" if median is None else shown(median),
        "" if column.max is None else shown(column.max),
        shown(column.top[0][0]) if column.top else "",
        _blocks(profile, column),
    )


def _blocks(profile: Profile, column: ColumnProfile) -> str:
    found = shape_of(profile, column)
    most = max(found.rows, default=0) if found is not None else 0
    if found is None or not most:
        return ""
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[-(-rows * top // most)] for rows in found.rows)


def print_changes(changes: Comparison, other: str) -> None:
    """One line per column with the verdict and why; the table's own verdict comes last."""
    typer.echo(f"before: {other}, {changes.rows_before:,} rows; now: {changes.rows_after:,} rows")
    print_table(
        [
            ("column", "left"),
            ("verdict", "left"),
            ("nulls", "right"),
            ("distinct", "right"),
            ("median", "right"),
            ("PSI", "right"),
            ("KS", "right"),
            ("why", "left"),
        ],
        [_change(changes, one) for one in changes.columns],
        caption=f"verdict: {changes.verdict}",
    )


def _change(changes: Comparison, one: ColumnChange) -> tuple[str | Text, ...]:
    from rich.text import Text

    def both(before: str, after: str) -> str:
        return before if before == after else f"{before} → {after}"

    def nulls(column: ColumnProfile | None, rows: int) -> str:
        return "" if column is None or not rows else percent(column.nulls / rows)

    def distinct(column: ColumnProfile | None) -> str:
        return "" if column is None or column.distinct is None else f"{column.distinct:,}"

    def median(column: ColumnProfile | None) -> str:
        value = None if column is None else dict(column.quantiles).get(0.5)
        return "" if value is None else shown(value)

    return (
        one.name,
        Text(one.verdict, style=_COLOURS.get(one.verdict, "bold red")),
        both(nulls(one.before, changes.rows_before), nulls(one.after, changes.rows_after)),
        both(distinct(one.before), distinct(one.after)),
        both(median(one.before), median(one.after)),
        "" if one.psi is None else f"{one.psi:.3f}",
        "" if one.ks is None else f"{one.ks:.3f}",
        "; ".join(one.reasons),
    )


def print_outliers(far: OutlierTable) -> None:
    """The outlying rows; what made each of them one comes first."""
    names = list(far.rows[0]) if far.rows else []
    print_table(
        [(name, "left") for name in names],
        [[shown(value) for value in row.values()] for row in far.rows],
        caption=f"{far.found:,} of {far.checked:,} rows lie far from the others ({far.method}); "
        "that does not make them wrong",
    )
