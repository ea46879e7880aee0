"""``etl status``: what runs, how every table stands, and what is wrong."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from rich.text import Text

    from etl_platform.monitoring.status import AuditSummary, State, TableStatus
    from etl_platform.monitoring.streams import StreamStatus, WindowStatus
    from etl_platform.monitoring.troubles import Trouble
    from etl_platform.platform import Platform
    from etl_platform.runs_now import RunNow

EXAMPLES = """[bold]Examples[/bold]

etl status

etl status --watch 5

etl status --json | jq -r '.troubles[] | [.table, .what, .why] | @tsv'

etl status --json | jq -r '.tables[] | select(.state == "refused") | .table'
"""
_WHY = 120


def status(
    watch: Annotated[
        float | None,
        typer.Option(
            "--watch",
            min=0.2,
            metavar="SECONDS",
            help="Look again every so many seconds, until Ctrl-C.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how everything stands: what runs, every table, what is wrong and since when, and which
    tables are made of it.

    Of a table: the version that readers see, its age, and what the last audit found; of a stream
    how far it lags behind its broker.
    [green]passed[/green]: every rule passed. [yellow]warned[/yellow]: published, although rules
    failed that warn or quarantine. [red]refused[/red]: a blocking rule kept the last batch out, and
    readers see what was published before. unaudited: no rule was checked.

    Wrong is a step that failed and did not succeed since, a batch that was refused, and every open
    incident of the alerts' rules, such as a table that is too old or late. A run whose process was
    killed is told of on standard error, with what goes on with it.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.platform import Platform

    platform = Platform.open()
    if as_json:
        print_json(_as_json(platform))
    elif watch is None:
        _show_all(platform)
    else:
        _watch(platform, watch)


def _as_json(platform: Platform) -> dict[str, object]:
    from etl_platform.cli.runs_under_way import runs_under_way

    found, (running, gone) = platform.status(), runs_under_way()
    return {
        "tables": [{**asdict(one), "state": one.state.value} for one in found],
        "troubles": [asdict(one) for one in platform.troubles(found)],
        "runs": [asdict(one) for one in running],
        "lost_runs": [asdict(one) for one in gone],
    }


def _watch(platform: Platform, every_s: float) -> None:
    from rich.console import Console

    console = Console()
    while True:
        if console.is_terminal:
            console.clear()
        _show_all(platform)
        typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, every {every_s:g} s; Ctrl-C ends")
        time.sleep(every_s)


def _show_all(platform: Platform) -> None:
    from etl_platform.cli.runs_under_way import runs_under_way

    found, (running, gone) = platform.status(), runs_under_way()
    _show_runs(running)
    _show(found, platform.settings.lake_uri)
    streams = [one.stream for one in found if one.stream is not None]
    _show_streams(streams)
    _show_windows([window for one in streams for window in one.windows])
    _show_troubles(platform.troubles(found))
    for run in gone:
        begun = datetime.fromtimestamp(run.begun_s, UTC)
        typer.secho(f"run {run.run_id} of {run.job}: ", fg="red", err=True, nl=False)
        typer.echo(
            f"its process ({run.process}, begun {begun:%Y-%m-%d %H:%M} UTC) is gone; "
            f"what is left: etl resume {run.run_id}",
            err=True,
        )


def _show_runs(running: tuple[RunNow, ...]) -> None:
    from etl_platform.cli.printing import age, few, print_table

    if not running:
        return
    now = time.time()
    print_table(
        [("run", "left"), ("job", "left"), ("for", "right"), ("steps", "right"), ("at", "left")],
        [
            (
                one.run_id[:8],
                one.job,
                None if one.begun_s is None else age(now - one.begun_s),
                f"{one.done + one.failed} of {one.steps}"
                + (f", {one.failed} failed" if one.failed else ""),
                few(one.at),
            )
            for one in running
        ],
    )


def _show_troubles(found: tuple[Trouble, ...]) -> None:
    from etl_platform.cli.printing import age, few, print_table

    if not found:
        return
    now = datetime.now(UTC)
    print_table(
        [("wrong", "left"), ("what", "left"), ("for", "right"), ("why", "left"),
         ("made of it", "left")],
        [
            (
                one.table,
                one.what + (f", {one.partitions:,} partitions" if one.partitions > 1 else ""),
                age((now - one.since).total_seconds()),
                _short(one.why),
                few(one.downstream),
            )
            for one in found
        ],
        caption="the whole story of a failed run: etl why RUN_ID",
    )  # fmt: skip


def _short(text: str) -> str:
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _WHY else f"{first[: _WHY - 1]}…"


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
