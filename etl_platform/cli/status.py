"""``etl status``: how every table stands."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from rich.text import Text

    from etl_platform.monitoring.status import AuditSummary, State, TableStatus
    from etl_platform.monitoring.streams import StreamStatus, WindowStatus

EXAMPLES = """[bold]Examples[/bold]

etl status

etl status --json | jq -r '.[] | select(.state == "refused") | .table'
"""


def status(as_json: Json = False) -> None:
    """Show every table: the version that readers see, its age, and what the last audit found; and
    how far tables of streams lag behind their brokers.

    [green]passed[/green]: every rule passed. [yellow]warned[/yellow]: published, although rules
    failed that warn or quarantine. [red]refused[/red]: a blocking rule kept the last batch out, and
    readers see what was published before. unaudited: no rule was checked.

    A run whose process was killed is told of on standard error, with what goes on with it.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.cli.runs_gone import runs_gone
    from etl_platform.platform import Platform

    platform = Platform.open()
    found = platform.status()
    if as_json:
        print_json([{**asdict(one), "state": one.state.value} for one in found])
    else:
        _show(found, platform.settings.lake_uri)
        streams = [one.stream for one in found if one.stream is not None]
        _show_streams(streams)
        _show_windows([window for one in streams for window in one.windows])
    for run in runs_gone():
        begun = datetime.fromtimestamp(run.begun_s, UTC)
        typer.secho(f"run {run.run_id} of {run.job}: ", fg="red", err=True, nl=False)
        typer.echo(
            f"its process ({run.process}, begun {begun:%Y-%m-%d %H:%M} UTC) is gone; "
            f"what is left: etl resume {run.run_id}",
            err=True,
        )


def _show(found: tuple[TableStatus, ...], lake_uri: str) -> None:
    from etl_platform.cli.printing import age, print_table, size

    print_table(
        [
            ("table", "left"),
            ("version", "right"),
            ("rows", "right"),
            ("size", "right"),
            ("age", "right"),
            ("last audit", "left"),
            ("rules", "left"),
            ("quarantined", "right"),
        ],
        [
            (
                one.table,
                one.version,
                one.rows,
                size(one.size_bytes),
                age(one.age_s),
                _coloured(one.state),
                _rules(one.audit),
                one.quarantined_rows or None,
            )
            for one in found
        ],
        caption=f"{len(found)} tables in {lake_uri}"
        if found
        else f"no table yet in {lake_uri}: materialise an asset, or see ETL_LAKE_URI",
    )


def _show_streams(found: list[StreamStatus]) -> None:
    from etl_platform.cli.printing import age, print_table

    if not found:
        return
    print_table(
        [
            ("stream", "left"),
            ("lag", "right"),
            ("waits since", "right"),
            ("unfinished", "right"),
            ("partitions", "right"),
            ("messages/s", "right"),
            ("dead letters", "right"),
            ("last look", "right"),
            ("trouble", "left"),
        ],
        [
            (
                one.stream,
                "unknown" if one.lag_rows is None else one.lag_rows,
                age(one.lag_s) if one.lag_s else None,
                one.unfinished or None,
                one.batches,
                None if one.rate is None else round(one.rate),
                one.dead_letters or None,
                age((datetime.now(UTC) - one.seen_at).total_seconds()),
                one.error or one.note,
            )
            for one in found
        ],
    )


def _show_windows(found: list[WindowStatus]) -> None:
    from etl_platform.cli.printing import age, print_table

    if not found:
        return
    print_table(
        [
            ("window", "left"),
            ("watermark", "left"),
            ("behind now", "right"),
            ("batches to come", "right"),
        ],
        [
            (
                one.table,
                None if one.watermark is None else f"{one.watermark:%Y-%m-%d %H:%M:%S}",
                None if one.delay_s is None else age(max(0.0, one.delay_s)),
                one.waiting or None,
            )
            for one in found
        ],
    )


def _rules(audit: AuditSummary | None) -> str:
    if audit is None:
        return ""
    counts = ((audit.passed, "passed"), (audit.failed, "failed"), (audit.not_run, "not run"))
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _coloured(state: State) -> Text:
    from rich.text import Text

    colours = {"passed": "green", "warned": "yellow", "refused": "bold red"}
    return Text(state.value, style=colours.get(state.value, ""))
