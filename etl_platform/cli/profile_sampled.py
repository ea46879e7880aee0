"""``etl profile --sample``: some rows instead of all, and each number with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from etl_platform.core.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from etl_platform.quality.sampling import Estimate, SampledColumn, SampledProfile


def is_outside(source: str) -> bool:
    """Whether a database or files are meant, not a table of the lake."""
    return "://" in source or source.endswith(".parquet") or Path(source).is_dir()


def show_sampled(
    source: str,
    table: str | None,
    sample: str | None,
    seed: int,
    columns: tuple[str, ...] | None,
    *,
    as_json: bool,
) -> None:
    """Draw the sample and print what it tells.

    Raises:
        ConfigError: what was asked for is no sample, or a database's table is not named.
    """
    from etl_platform.cli.arguments import lake_table
    from etl_platform.cli.progress import busy
    from etl_platform.generate.sampled import profile_source
    from etl_platform.platform import Platform
    from etl_platform.quality.sampling import SampleSpec

    spec = SampleSpec.parse(sample or "random", seed)
    files = "://" not in source and is_outside(source)
    if is_outside(source) and not files and table is None:
        raise ConfigError(
            "a database has many tables",
            valid="--table NAME or --table schema.NAME",
            fix="etl inspect lists the tables of a database",
        )
    with busy(f"sampling {table or source}"):
        if is_outside(source):
            found = profile_source(source, table, spec)
        else:
            found = profile_source(Platform.open().lake, lake_table(source), spec)
    chosen = _chosen(found, columns)
    if as_json:
        typer.echo(found.model_copy(update={"columns": chosen}).to_json())
    else:
        _show(found, chosen)


def _chosen(found: SampledProfile, columns: tuple[str, ...] | None) -> tuple[SampledColumn, ...]:
    known = {column.name: column for column in found.columns}
    for name in columns or ():
        if name not in known:
            raise UnknownName("column", name, known, where=found.table)
    return tuple(c for name, c in known.items() if columns is None or name in columns)


def _show(found: SampledProfile, columns: tuple[SampledColumn, ...]) -> None:
    from etl_platform.cli.printing import print_table
    from etl_platform.quality.reports.numbers import shown

    typer.echo(f"{found.table}: {_interval(found.rows)} rows, {found.sampled_rows:,} looked at")
    typer.echo(found.design)
    print_table(
        [
            ("column", "left"),
            ("type", "left"),
            ("null share", "right"),
            ("distinct", "right"),
            ("mean", "right"),
            ("median", "right"),
            ("most frequent", "left"),
        ],
        [
            (
                column.name,
                column.dtype + (f" ({column.pii})" if column.pii else ""),
                _interval(column.nulls),
                _interval(column.distinct),
                _interval(column.mean),
                _interval(next((q.estimate for q in column.quantiles if q.q == 0.5), None)),
                shown(column.top[0].value) if column.top else "",
            )
            for column in columns
        ],
        caption="in brackets: 95 % confidence interval",
    )


def _interval(estimate: Estimate | None) -> str:
    """The estimate, and where an interval is claimed also that."""
    from etl_platform.quality.reports.numbers import shown

    if estimate is None or estimate.value is None:
        return ""
    if estimate.confidence is None or estimate.confidence == 1 or estimate.low == estimate.high:
        return shown(estimate.value)
    return f"{shown(estimate.value)} [{shown(estimate.low)}, {shown(estimate.high)}]"
